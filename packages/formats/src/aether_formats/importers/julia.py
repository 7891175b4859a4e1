"""BenchmarkTools.jl: `BenchmarkTools.save`. Each trial is a bench, named by its keys in the groups.

Times are in nanoseconds. The allocations of one evaluation are separate benches, whose names end in `memory` or
`allocs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import ImportedSeries
from aether_formats.reading.document import decode_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "Julia's BenchmarkTools.save"
SUFFIXES: tuple[str, ...] = (".json",)
#: Maximum depth of nested groups.
DEPTH_LIMIT = 100
_Any = TypeVar("_Any")


class _Trial(Struct):
    """All samples of a trial, or one figure if an estimate was saved."""

    times: list[float] | None = None
    time: float | None = None
    memory: int | None = None
    allocs: int | None = None


class _Group(Struct):
    data: dict[str, tuple[str, msgspec.Raw]]


def matches(document: Document) -> bool:
    """Return whether the first item of the file holds the version of BenchmarkTools."""
    return "BenchmarkTools" in document.first_object


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the trials of all groups."""
    del options
    versions, saved = document.decode(tuple[dict[str, Any], list[tuple[str, msgspec.Raw]]])
    julia = versions.get("Julia")
    environment = {"julia": julia} if isinstance(julia, str) else None
    for kind, value in saved:
        yield from _below(kind, value, (), environment)


def _below(
    kind: str, value: msgspec.Raw, path: tuple[str, ...], environment: dict[str, Any] | None
) -> Iterator[ImportedSeries]:
    kind, name = kind.removeprefix("BenchmarkTools."), "/".join(path) or "trial"
    if len(path) > DEPTH_LIMIT:
        raise ImportFileError("nested too deeply")
    if kind == "BenchmarkGroup":
        for key, (inner_kind, inner) in _decoded(value, _Group, name).data.items():
            yield from _below(inner_kind, inner, (*path, key), environment)
    elif kind in {"Trial", "TrialEstimate"}:
        yield from _trial(name, _decoded(value, _Trial, name), environment)
    elif kind in {"TrialRatio", "TrialJudgement"}:
        raise ImportFileError("a comparison of two runs, not a run", place=name)


def _decoded(value: msgspec.Raw, type_: type[_Any], name: str) -> _Any:
    try:
        return decode_json(value, type_)
    except ImportFileError as problem:
        raise ImportFileError(str(problem), place=name) from None


def _trial(name: str, trial: _Trial, environment: dict[str, Any] | None) -> Iterator[ImportedSeries]:
    if trial.times:
        yield ImportedSeries(name=name, unit="ns", rounds=(tuple(trial.times),), environment=environment)
    elif trial.time is not None:
        notes = "an estimate; the file does not say which"
        yield ImportedSeries(name=name, unit="ns", p50=trial.time, environment=environment, notes=notes)
    else:
        yield ImportedSeries(name=name, unit="ns", skipped="no times: the trial was not run")
        return
    for key, unit, value in (("memory", "B", trial.memory), ("allocs", "allocs", trial.allocs)):
        if value is not None:
            yield ImportedSeries(
                name=f"{name} {key}", unit=unit, p50=float(value), better="lower", environment=environment
            )
