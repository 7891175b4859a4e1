"""Benches of many kinds, each of which can be made slower by a known share of work.

CPU-bound Python, C extensions, compression, files, a database: what `benchmarks/ab_trials.py` compares with itself.
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
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any

from aether_harness import bench


def _scaled(count: int, share: float) -> int:
    return round(count * (1 + share))


@lru_cache(maxsize=4)
def _records(count: int) -> list[dict[str, Any]]:
    return [{"id": i, "name": f"n{i}", "tags": ["a", "b", str(i)], "value": i * 1.5} for i in range(count)]


@lru_cache(maxsize=4)
def _text(count: int) -> str:
    return json.dumps(_records(count))


@lru_cache(maxsize=4)
def _bytes(count: int) -> bytes:
    return bytes(Random(1).choices(b"abcdefgh", k=count))  # noqa: S311 - data, not secrets


@lru_cache(maxsize=4)
def _floats(count: int) -> list[float]:
    draw = Random(1)  # noqa: S311
    return [draw.random() for _ in range(count)]


@lru_cache(maxsize=4)
def _keys(count: int) -> tuple[dict[str, int], list[str]]:
    table = {f"key{i}": i for i in range(20_000)}
    keys = list(table)
    Random(1).shuffle(keys)  # noqa: S311
    return table, keys[:count]


@lru_cache(maxsize=4)
def _source(count: int) -> str:
    return "".join(f"def f{i}(a, b={i}):\n    return [x * b for x in range(a) if x % {i + 1}]\n" for i in range(count))


class _Point:
    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y

    def norm(self) -> int:
        return self.x * self.x + self.y * self.y


@bench
def json_loads(share: float = 0.0) -> None:
    """Parse JSON."""
    json.loads(_text(_scaled(1000, share)))


@bench
def json_dumps(share: float = 0.0) -> None:
    """Write JSON."""
    json.dumps(_records(_scaled(500, share)))


@bench
def dict_lookups(share: float = 0.0) -> None:
    """Look strings up in a dictionary."""
    table, keys = _keys(_scaled(15_000, share))
    total = 0
    for key in keys:
        total += table[key]


@bench
def deep_copy(share: float = 0.0) -> None:
    """Copy nested containers."""
    copy.deepcopy(_records(_scaled(200, share)))


@bench
def sort_floats(share: float = 0.0) -> None:
    """Sort floats."""
    sorted(_floats(_scaled(10_000, share)))


@bench
def regex_findall(share: float = 0.0) -> None:
    """Search with a regular expression."""
    re.findall(r"(\w+)@(\w+)\.com", "hello foo@bar.com and x y z " * _scaled(500, share))


@bench
def method_calls(share: float = 0.0) -> None:
    """Make objects and call their methods."""
    total = 0
    for i in range(_scaled(8000, share)):
        total += _Point(i, i + 1).norm()


@bench
def decimals(share: float = 0.0) -> None:
    """Add decimals."""
    total = Decimal(0)
    for i in range(_scaled(10_000, share)):
        total += Decimal(i) / 7


@bench
def string_format(share: float = 0.0) -> None:
    """Format strings."""
    "".join([f"{i:>8d} {i * 0.5:.3f};" for i in range(_scaled(4000, share))])


@bench
def parse_source(share: float = 0.0) -> None:
    """Parse Python."""
    ast.parse(_source(_scaled(100, share)))


@bench
def pickle_both_ways(share: float = 0.0) -> None:
    """Pickle and unpickle."""
    pickle.loads(pickle.dumps(_records(_scaled(1000, share))))  # noqa: S301 - what was just pickled


@bench
def compress(share: float = 0.0) -> None:
    """Compress bytes."""
    zlib.compress(_bytes(_scaled(100_000, share)), 6)


@bench
def sha256(share: float = 0.0) -> None:
    """Hash bytes."""
    hashlib.sha256(_bytes(_scaled(2_000_000, share))).digest()


@bench
def sqlite_insert(share: float = 0.0) -> None:
    """Insert rows into a database in memory."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table t (a integer, b text)")
        connection.executemany("insert into t values (?, ?)", [(i, str(i)) for i in range(_scaled(2000, share))])
        connection.execute("select b, sum(a) from t group by a % 100").fetchall()


@bench
def write_files(share: float = 0.0) -> None:
    """Write, read and remove small files."""
    with tempfile.TemporaryDirectory() as folder:
        for i in range(_scaled(100, share)):
            path = os.path.join(folder, str(i))
            with open(path, "wb") as file:
                file.write(b"x" * 1000)
            with open(path, "rb") as file:
                file.read()
