from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from aether_harness import UsageError
from aether_harness.discovery.bench_file import locate_benches
from aether_harness.discovery.locator import FileAddress
from aether_harness.discovery.registry import load_bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TWO = """
from aether_harness import bench

@bench
def second():
    pass

@bench(bench_id="first")
def another():
    pass

alias = another
"""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Take out of the interpreter what running a file as a module puts in."""
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "my_benches.py"


def test_the_benches_at_the_top_level_are_found_once_each_in_their_order(file: Path) -> None:
    file.write_text(TWO, encoding="utf-8")
    found = locate_benches(str(file))
    assert [item.bench.bench_id for item in found] == ["second", "first"]
    assert [item.address for item in found] == [FileAddress(str(file), "second"), FileAddress(str(file), "first")]


def test_one_of_them_is_found_by_its_id(file: Path) -> None:
    file.write_text(TWO, encoding="utf-8")
    assert [item.bench.bench_id for item in locate_benches(f"{file}::first")] == ["first"]


def test_a_worker_loads_the_bench_that_was_found(file: Path) -> None:
    file.write_text(TWO, encoding="utf-8")
    (found,) = locate_benches(f"{file}::first")
    assert load_bench(found.address).bench_id == "first"


def test_a_class_of_benches_is_not_a_bench(file: Path) -> None:
    file.write_text("from aether_harness.benchmark.decorator import FunctionBench\n" + TWO, encoding="utf-8")
    assert len(locate_benches(str(file))) == 2


def test_a_file_that_looks_itself_up_finds_itself(file: Path) -> None:
    file.write_text(f"import sys\nassert sys.modules[__name__].__file__ == __file__\n{TWO}", encoding="utf-8")
    assert len(locate_benches(str(file))) == 2


@pytest.mark.parametrize(
    ("text", "wanted", "words"),
    [
        ("", "", "my_benches.py: no bench: put @bench over a function"),
        (TWO, "::third", "my_benches.py::third: no bench third"),
        ("def broken(:", "", "my_benches.py:1: SyntaxError: "),
        ("\n\nraise ValueError('no\\nluck')", "", "my_benches.py:3: ValueError: no\\nluck"),
        ("import no_such_module", "", "my_benches.py:1: ModuleNotFoundError: "),
        ("import json\n\njson.loads('[')", "", "my_benches.py:3: JSONDecodeError: "),
        ("import sys; sys.exit(3)", "", "my_benches.py:1: SystemExit: 3"),
        (TWO + "third = bench(bench_id='first')(len)", "", "two benches are named first"),
        (TWO + "third = bench(bench_id='a/b')(len)", "", "a/b: the short name 'a/b' takes letters"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place(file: Path, text: str, wanted: str, words: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        locate_benches(f"{file}{wanted}")
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(file: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        locate_benches(str(file))
    file.mkdir()
    with pytest.raises(UsageError, match="no such file"):
        locate_benches(str(file))


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(UsageError, match=r"my_benches\.py"):
        locate_benches(str(file))
