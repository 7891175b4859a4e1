"""Benches of many kinds, each of which can be made slower by a known share of work.

CPU-bound Python, C extensions, compression, files, a database. `benchmarks/ab_trials.py` compares them with themselves.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import os
import pickle
import re
import sqlite3
import tempfile
import zlib
from contextlib import contextmanager
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aether_harness import RoundContext, Session
    from aether_schema import Metric


class Params(Struct, frozen=True, kw_only=True):
    """`share` is the extra work of a sample."""

    share: float = 0.0


class KindSession:
    """A function as a session."""

    def __init__(self, sample: Callable[[], object]) -> None:
        """Have each sample call it."""
        self._sample = sample

    def sample(self) -> None:
        """Call it."""
        self._sample()

    def verify(self) -> None:
        """Nothing is claimed."""


class Kind:
    """A bench that prepares a function for a number of items."""

    metric: Metric = "duration_ms"
    params_type = Params

    def __init__(self, prepare: Callable[[int], Callable[[], object]], count: int) -> None:
        """Name it after the function that prepares."""
        self.bench_id = self.name = prepare.__name__
        self.about = str(prepare.__doc__).splitlines()[0]
        self._prepare = prepare
        self._count = count

    @contextmanager
    def open(self, params: Params, place: RoundContext) -> Iterator[Session]:
        """Prepare."""
        del place
        yield KindSession(self._prepare(round(self._count * (1 + params.share))))


def kind(count: int) -> Callable[[Callable[[int], Callable[[], object]]], Kind]:
    """Make a bench of a function that returns the sample for `count` items, or more."""
    return lambda prepare: Kind(prepare, count)


def _records(count: int) -> list[dict[str, Any]]:
    return [{"id": i, "name": f"n{i}", "tags": ["a", "b", str(i)], "value": i * 1.5} for i in range(count)]


class _Point:
    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y

    def norm(self) -> int:
        return self.x * self.x + self.y * self.y


@kind(1000)
def json_loads(count: int) -> Callable[[], object]:
    """Parse JSON."""
    text = json.dumps(_records(count))
    return lambda: json.loads(text)


@kind(500)
def json_dumps(count: int) -> Callable[[], object]:
    """Write JSON."""
    records = _records(count)
    return lambda: json.dumps(records)


@kind(15_000)
def dict_lookups(count: int) -> Callable[[], object]:
    """Look strings up in a dictionary."""
    table = {f"key{i}": i for i in range(20_000)}
    keys = list(table)
    Random(1).shuffle(keys)  # noqa: S311 - data, not secrets
    del keys[count:]

    def look_up() -> int:
        total = 0
        for key in keys:
            total += table[key]
        return total

    return look_up


@kind(200)
def deep_copy(count: int) -> Callable[[], object]:
    """Copy nested containers."""
    records = _records(count)
    return lambda: copy.deepcopy(records)


@kind(10_000)
def sort_floats(count: int) -> Callable[[], object]:
    """Sort floats."""
    draw = Random(1)  # noqa: S311
    floats = [draw.random() for _ in range(count)]
    return lambda: sorted(floats)


@kind(500)
def regex_findall(count: int) -> Callable[[], object]:
    """Search with a regular expression."""
    pattern, text = re.compile(r"(\w+)@(\w+)\.com"), "hello foo@bar.com and x y z " * count
    return lambda: pattern.findall(text)


@kind(8000)
def method_calls(count: int) -> Callable[[], object]:
    """Make objects and call their methods."""

    def call() -> int:
        total = 0
        for i in range(count):
            total += _Point(i, i + 1).norm()
        return total

    return call


@kind(10_000)
def decimals(count: int) -> Callable[[], object]:
    """Add decimals."""

    def add() -> Decimal:
        total = Decimal(0)
        for i in range(count):
            total += Decimal(i) / 7
        return total

    return add


@kind(4000)
def string_format(count: int) -> Callable[[], object]:
    """Format strings."""
    return lambda: "".join([f"{i:>8d} {i * 0.5:.3f};" for i in range(count)])


@kind(100)
def parse_source(count: int) -> Callable[[], object]:
    """Parse Python."""
    functions = [f"def f{i}(a, b={i}):\n    return [x * b for x in range(a) if x % {i + 1}]\n" for i in range(count)]
    source = "".join(functions)
    return lambda: ast.parse(source)


@kind(1000)
def pickle_both_ways(count: int) -> Callable[[], object]:
    """Pickle and unpickle."""
    records = _records(count)
    return lambda: pickle.loads(pickle.dumps(records))  # noqa: S301 - what was just pickled


@kind(100_000)
def compress(count: int) -> Callable[[], object]:
    """Compress bytes."""
    content = bytes(Random(1).choices(b"abcdefgh", k=count))  # noqa: S311
    return lambda: zlib.compress(content, 6)


@kind(2_000_000)
def sha256(count: int) -> Callable[[], object]:
    """Hash bytes."""
    content = bytes(count)
    return lambda: hashlib.sha256(content).digest()


@kind(2000)
def sqlite_insert(count: int) -> Callable[[], object]:
    """Insert rows into a database in memory."""
    rows = [(i, str(i)) for i in range(count)]

    def insert() -> None:
        connection = sqlite3.connect(":memory:")
        connection.execute("create table t (a integer, b text)")
        connection.executemany("insert into t values (?, ?)", rows)
        connection.execute("select b, sum(a) from t group by a % 100").fetchall()
        connection.close()

    return insert


@kind(100)
def write_files(count: int) -> Callable[[], object]:
    """Write, read and remove small files."""

    def write() -> None:
        with tempfile.TemporaryDirectory() as folder:
            for i in range(count):
                path = os.path.join(folder, str(i))
                with open(path, "wb") as file:
                    file.write(b"x" * 1000)
                with open(path, "rb") as file:
                    file.read()

    return write
