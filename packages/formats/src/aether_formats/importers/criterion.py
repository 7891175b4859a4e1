"""criterion (Rust): the folder `target/criterion`, with `<id>/new/sample.json` in nanoseconds; modern and legacy.

A folder that itself holds figures is the only one read: a glob such as `target/criterion/**/main` names the baselines
that `--save-baseline main` keeps next to `new`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import ImportedSeries
from aether_formats.reading.document import decode_json, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "the folder target/criterion of criterion.rs, or its baselines: target/criterion/**/main"
SUFFIXES: tuple[str, ...] = ()
ENTRIES_LIMIT = 100_000
DEPTH_LIMIT = 12
BYTES_LIMIT = 256 * 2**20
_NEW = "new"


class _Identity(Struct):
    group_id: str = ""
    function_id: str | None = None
    value_str: str | None = None
    full_id: str | None = None


class _Sample(Struct):
    iters: list[float]
    times: list[float]


class _Point(Struct):
    point_estimate: float


class _Estimates(Struct):
    median: _Point


class _LegacyEstimates(Struct, rename="pascal"):
    median: _Point


def matches(document: Document) -> bool:
    """Return whether it is a folder with a report of the newest run somewhere below."""
    if not document.is_folder:
        return False
    try:
        return next(_reports(document.path), None) is not None
    except (ImportFileError, OSError):
        return False


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a bench each: the newest run, a sample the time of its iterations over their number."""
    del options
    if not document.is_folder:
        raise ImportFileError("a file; name the folder, as target/criterion")
    left = BYTES_LIMIT
    found = False
    for folder in _reports(document.path):
        found = True
        place = os.path.relpath(folder, document.path).replace(os.sep, "/")
        files = {name: document.sibling(os.path.join(place, name)) for name in _FILES}
        left -= sum(len(file.data) for file in files.values() if file is not None)
        if left < 0:
            raise ImportFileError(f"more than {BYTES_LIMIT:,} bytes of samples")
        try:
            yield _series(files, place)
        except ImportFileError as problem:
            raise ImportFileError(str(problem), place=place) from None
    if not found:
        raise ImportFileError(f"no {_NEW}/sample.json and no {_NEW}/estimates.json below it")


_FILES = ("benchmark.json", "sample.json", "estimates.json")


def _series(files: dict[str, Document | None], place: str) -> ImportedSeries:
    identity, sample, estimates = (files[name] for name in _FILES)
    known = _Identity() if identity is None else identity.decode(_Identity)
    parts = [part for part in (known.group_id, known.function_id, known.value_str) if part]
    # Older releases have no full id.
    name = known.full_id or "/".join(parts) or os.path.dirname(place) or "criterion"
    # A measurement other than wall time has another unit, which these files do not contain.
    if sample is not None:
        return ImportedSeries(name=name, unit="ns", rounds=(_samples(sample),))
    if estimates is None:
        raise ImportFileError("neither sample.json nor estimates.json")
    legacy = "Median" in keys_of(estimates.utf8)
    median = (estimates.decode(_LegacyEstimates) if legacy else estimates.decode(_Estimates)).median
    return ImportedSeries(name=name, unit="ns", p50=median.point_estimate)


def _samples(document: Document) -> tuple[float, ...]:
    if document.utf8.lstrip()[:1] == b"[":
        iters, times = decode_json(document.utf8, tuple[list[float], list[float]])
    else:
        sample = document.decode(_Sample)
        iters, times = sample.iters, sample.times
    return per_iteration(iters, times)


def per_iteration(iterations: list[float], totals: list[float]) -> tuple[float, ...]:
    """Return each total over its iterations.

    Raises:
        ImportProblem: the two do not go together.

    """
    if len(iterations) != len(totals):
        raise ImportFileError(f"{len(iterations)} iteration counts, but {len(totals)} times")
    if not iterations or not min(iterations) > 0:
        raise ImportFileError("an iteration count that is not above 0")
    return tuple([total / count for count, total in zip(iterations, totals, strict=True)])


def _reports(folder: str) -> Iterator[str]:
    """Yield the folder itself if it holds figures, or those below it that are called `new`; no link is followed."""
    seen = 0
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        with os.scandir(place) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
        seen += len(inside)
        if seen > ENTRIES_LIMIT:
            raise ImportFileError(f"more than {ENTRIES_LIMIT:,} files and folders")
        names = {entry.name for entry in inside}
        # A folder `change` has estimates too, of the difference; it has no benchmark.
        is_named = depth == 0 and ("sample.json" in names or {"benchmark.json", "estimates.json"} <= names)
        is_new = os.path.basename(os.path.abspath(place)) == _NEW and bool(names & {"sample.json", "estimates.json"})
        if is_named or is_new:
            yield place
        elif depth < DEPTH_LIMIT:
            folders = [entry.name for entry in inside if entry.is_dir(follow_symlinks=False)]
            waiting += [(os.path.join(place, name), depth + 1) for name in reversed(folders)]
