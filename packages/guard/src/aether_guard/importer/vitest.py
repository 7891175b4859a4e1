"""Vitest: `vitest bench --outputJson`, in milliseconds. Some releases wrote samples; the present ones do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.importer.document import first_of, keys_of
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes

ABOUT = "vitest bench --outputJson"
SUFFIXES: tuple[str, ...] = (".json",)


class _Bench(Struct, rename="camel"):
    name: str
    mean: float | None = None
    median: float | None = None
    samples: tuple[float, ...] = ()
    sample_count: int | None = None


class _Group(Struct, rename="camel"):
    full_name: str
    benchmarks: list[_Bench]


class _File(Struct):
    groups: list[_Group]


class _Report(Struct, rename="camel"):
    files: list[_File] = []
    test_results: dict[str, list[_Bench]] = {}


def recognises(document: Document) -> bool:
    """Return whether there are files of groups, or as its first release wrote them, lists of benches by group."""
    if "files" in document.keys:
        return "groups" in first_of(document.keys["files"])
    results = list(keys_of(document.keys.get("testResults", b"0")).values())
    return bool(results) and {"hz", "name"} <= first_of(results[0]).keys()


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a bench each, named by its file, its groups and itself. One that failed has no figures."""
    del wishes
    report = document.decode(_Report)
    groups = [(group.full_name, group.benchmarks) for file in report.files for group in file.groups]
    for group, benches in (*groups, *report.test_results.items()):
        for bench in benches:
            middle = bench.mean if bench.median is None else bench.median
            if middle is None and not bench.samples:
                continue
            yield Series(
                name=f"{group} > {bench.name}",
                unit="ms",
                rounds=(bench.samples,) if bench.samples else None,
                p50=middle,
                n=max(1, bench.sample_count or 1),
            )
