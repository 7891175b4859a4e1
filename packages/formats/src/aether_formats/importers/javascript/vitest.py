"""Vitest: `vitest bench --outputJson` up to release 4, `vitest bench --reporter=json` from 5 on, in milliseconds.

Release 1 computed a mean alone, later releases a median. Samples are written where `benchmark.includeSamples` (up to 4)
or `retainSamples` (5) asks for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_formats.model import Failures, ImportedSeries
from aether_formats.reading.document import decode_json, first_of, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "vitest bench --outputJson, or from 5 on --reporter=json"
SUFFIXES: tuple[str, ...] = (".json",)
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_FAILED = Failures(failed=1, total=1, problem="the benchmark failed")
_MAX_MESSAGE_LENGTH = 160


class _Bench(Struct, rename="camel"):
    name: str
    mean: float | None = None
    median: float | None = None
    samples: tuple[float, ...] = ()
    sample_count: int | None = None
    error: Any = None


class _Group(Struct, rename="camel"):
    full_name: str
    benchmarks: list[_Bench]


class _File(Struct):
    groups: list[_Group]


class _Report(Struct, rename="camel"):
    files: list[_File] = []
    test_results: dict[str, list[_Bench]] = {}


class _Latency(Struct, rename="camel"):
    p50: float | None = None
    mean: float | None = None
    samples: tuple[float, ...] | None = None
    samples_count: int = 1


class _Task(Struct, rename="camel"):
    name: str
    latency: _Latency
    from_store: bool = False


class _Comparison(Struct):
    name: str
    tasks: list[_Task]


class _Test(Struct, rename="camel"):
    title: str
    status: str
    ancestor_titles: list[str] = []
    failure_messages: list[str] | None = None
    benchmarks: list[_Comparison] = []


class _Module(Struct, rename="camel"):
    name: str
    status: str
    message: str = ""
    assertion_results: list[_Test] = []


def matches(document: Document) -> bool:
    """Return whether there are files of groups, tests with benchmarks, or as in the first release, lists of benches."""
    if "files" in document.keys:
        return "groups" in first_of(document.keys["files"])
    results = document.keys.get("testResults", msgspec.Raw(b"0"))
    if "numTotalTests" in document.keys:
        tests = first_of(results).get("assertionResults")
        # A file that could not be loaded has no tests at all.
        return tests is not None and (not first_of(tests) or "benchmarks" in first_of(tests))
    lists = list(keys_of(results).values())
    return bool(lists) and {"hz", "name"} <= first_of(lists[0]).keys()


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the benches, each named by its file, its groups and itself."""
    del options
    if "numTotalTests" in document.keys:
        modules = decode_json(document.keys.get("testResults", msgspec.Raw(b"[]")), list[_Module])
        for module, name in zip(modules, _short_names([module.name for module in modules]), strict=True):
            yield from _module(module, name)
        return
    report = document.decode(_Report)
    groups = [(group.full_name, group.benchmarks) for file in report.files for group in file.groups]
    for group, benches in (*groups, *report.test_results.items()):
        for bench in benches:
            has_figures = bool(bench.samples) or bench.median is not None or bench.mean is not None
            yield ImportedSeries(
                name=f"{group} > {bench.name}",
                unit="ms",
                rounds=(bench.samples,) if bench.samples else None,
                p50=bench.median,
                mean=bench.mean,
                n=max(1, bench.sample_count or 1),
                failures=None if has_figures and bench.error is None else _FAILED,
            )


def _module(module: _Module, name: str) -> Iterator[ImportedSeries]:
    """Yield the benches of a file, and of its tests without benches those that failed or were skipped."""
    tests = module.assertion_results
    if module.status == "failed" and not tests:
        yield ImportedSeries(name=name, unit="ms", failures=_failure([module.message]))
    # With `benchmark.enabled` the report holds ordinary tests too.
    is_bench_file = any(test.benchmarks for test in tests) or re.search(r"\.bench(?:mark)?\.", module.name)
    for test in tests:
        failures = _failure(test.failure_messages) if test.status == "failed" else None
        tasks = [(f"{name} > {each.name} > {task.name}", task) for each in test.benchmarks for task in each.tasks]
        if test.failure_messages:
            # A test that was retried has the benches of every attempt, and the last attempt counts.
            tasks = list(dict(tasks).items())
        for bench, task in tasks:
            if not task.from_store:
                yield _task(bench, task.latency, failures)
        if is_bench_file and not test.benchmarks and test.status in {"failed", "skipped"}:
            title = " > ".join((name, *filter(None, test.ancestor_titles), test.title))
            skipped = None if failures else "skipped by the test file"
            yield ImportedSeries(name=title, unit="ms", failures=failures, skipped=skipped)


def _task(name: str, latency: _Latency, failures: Failures | None) -> ImportedSeries:
    return ImportedSeries(
        name=name,
        unit="ms",
        rounds=(latency.samples,) if latency.samples else None,
        p50=latency.p50,
        mean=latency.mean,
        n=max(1, latency.samples_count),
        failures=failures,
    )


def _failure(messages: Sequence[str] | None) -> Failures:
    text = _COLORS.sub("", messages[0]).strip().partition("\n")[0] if messages else ""
    problem = f"the test failed: {text[:_MAX_MESSAGE_LENGTH]}" if text else "the test failed"
    return Failures(failed=1, total=1, problem=problem)


def _short_names(paths: Sequence[str]) -> list[str]:
    """Return each path without its folders, or with as many as distinguish it from the others.

    The report has absolute paths, and a baseline made in another folder has to have the same names.
    """
    parts = [re.split(r"[/\\]", path) for path in paths]
    names: list[str] = []
    for own in parts:
        kept = 1
        while kept < len(own) and sum(other[-kept:] == own[-kept:] for other in parts) > 1:
            kept += 1
        names.append("/".join(own[-kept:]))
    return names
