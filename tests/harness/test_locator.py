from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct

from aether_harness import Benchmark, UsageError, bench
from aether_harness.discovery import locator
from aether_harness.discovery.locator import LocatedBench

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_schema import Metric


class Needy(Struct, frozen=True, kw_only=True):
    files: int
    size: int = 1


class Nothing(Struct, frozen=True, kw_only=True):
    """No parameters."""


class Made:
    """A bench in order, until an attribute of it is changed."""

    bench_id: Any = "mine"
    name: Any = "mine"
    about = "a bench"
    metric: Metric = "duration_ms"
    params_type: Any = Nothing

    def open(self, params: Any, place: Any) -> AbstractContextManager[Any]:
        return nullcontext((params, place))


@pytest.fixture
def made() -> Callable[..., Benchmark]:
    """Return a function that makes a bench with some attributes changed."""

    def made(**changes: Any) -> Benchmark:
        changed = Made()
        for name, value in changes.items():
            setattr(changed, name, value)
        return changed

    return made


def test_a_bench_in_order_is_taken(made: Callable[..., Benchmark]) -> None:
    proper = [made(), made(bench_id="é" * 200), made(name="a.b_c-9"), made(reference="memory-1"), bench(len)]
    assert all(isinstance(each, Benchmark) for each in proper)
    for each in proper:
        locator.check_bench(each)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "a b", "-x", "é", "a\n", "x" * 101, 7])
def test_a_short_name_that_cannot_stand_in_a_files_name_is_refused(made: Callable[..., Benchmark], name: Any) -> None:
    with pytest.raises(UsageError, match="mine: the short name"):
        locator.check_bench(made(name=name))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bench_id": ""}, "bench_id ''"),
        ({"bench_id": "a\nb"}, "bench_id 'a\\nb'"),
        ({"bench_id": "a" * 201}, "1 to 200 characters"),
        ({"bench_id": 7}, "bench_id 7"),
        ({"metric": "duration"}, "mine: metric 'duration'"),
        ({"metric": "value"}, "mine: metric 'value'"),
        ({"reference": "memory"}, "mine: reference 'memory': no such kernel; did you mean memory-1?"),
        ({"params_type": dict}, "mine: params_type"),
        ({"params_type": Nothing()}, "mine: params_type"),
        ({"params_type": Needy}, "mine: params_type: files has no default"),
    ],
)
def test_an_attribute_that_makes_no_sense_is_refused_by_its_name(
    made: Callable[..., Benchmark], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError) as refused:
        locator.check_bench(made(**changes))
    assert words in str(refused.value)
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


def test_benches_that_share_a_name_are_refused(made: Callable[..., Benchmark]) -> None:
    with pytest.raises(UsageError, match="two benches are named pack"):
        locator.check_distinct([made(bench_id="packaging", name="pack"), made(bench_id="pack", name="other")])


def test_a_bench_may_have_one_name_as_both(made: Callable[..., Benchmark]) -> None:
    benches = [made(bench_id=name, name=name) for name in ("one", "two")]
    locator.check_distinct(benches)
    assert {each.bench_id for each in benches} == {"one", "two"}


def test_benches_of_one_name_are_qualified_by_their_files() -> None:
    def names(*paths: str) -> list[tuple[str, str]]:
        benches = [
            LocatedBench(bench=bench(bench_id="parse")(len), address=locator.FileAddress(path, "parse"))
            for path in paths
        ]
        return [(each.bench_id, each.name) for each in locator.qualify(benches)]

    root = f"{os.sep}x"
    assert names(f"{root}{os.sep}a.py") == [("parse", "parse")]
    assert names(f"{root}{os.sep}a.py", f"{root}{os.sep}b.py") == [("a/parse", "a-parse"), ("b/parse", "b-parse")]
    same = [os.sep.join([root, folder, "a.py"]) for folder in ("io", "net")]
    assert names(*same) == [("io/a/parse", "io-a-parse"), ("net/a/parse", "net-a-parse")]


def test_a_plugin_keeps_its_name_next_to_a_file() -> None:
    found = [
        LocatedBench(bench=bench(bench_id="parse")(len), address=locator.EntryPointAddress("parse")),
        LocatedBench(bench=bench(bench_id="parse")(len), address=locator.FileAddress("a.py", "parse")),
    ]
    with pytest.raises(UsageError, match="two benches are named parse"):
        locator.check_distinct(locator.qualify(found))
