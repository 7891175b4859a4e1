"""From paths to summaries, by an importer, for `check --from` and `import`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from aether_formats.errors import ImportFileError
from aether_formats.model import BENCHES_LIMIT, DEFAULT_OPTIONS
from aether_formats.reading.document import Document, read_document
from aether_formats.registry import AUTO, Finder, Thinned, all_importers, detect_format, load_importer
from aether_formats.to_summaries import Imported, pool, summaries_of
from aether_guard.check.files import LoadedSummary, LoadError, expand_path
from aether_schema import InvalidSummaryError, decode_summary, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aether_formats.model import ImportOptions
    from aether_formats.registry import Importer

#: The file names that `auto` looks at in a folder; logs and texts have to be named.
_TOLD_APART = (".json.gz", ".xml", "_stats.csv")


class Reader:
    """Reads paths in one format, or `auto`; summaries of our own may be among them."""

    def __init__(self, name: str, options: ImportOptions = DEFAULT_OPTIONS) -> None:
        """Find the format.

        Raises:
            GuardError: there is none of this name.

        """
        self._importer = None if name == AUTO else load_importer(name)
        self._known = all_importers() if name == AUTO else {}
        self._wishes = options
        known = self._known.values() if self._importer is None else [self._importer]
        self._sample_keys = {importer.SAMPLES_KEY for importer in known if isinstance(importer, Thinned)}

    def load_all(self, paths: Iterable[str]) -> tuple[list[LoadedSummary], list[LoadError]]:
        """Return every summary that `paths` stand for, each file once, and every problem met on the way."""
        loaded: list[LoadedSummary] = []
        problems: list[LoadError] = []
        seen: set[str] = set()
        for path in paths:
            try:
                files = self._files(path)
                if not files:
                    problems.append(_problem(path, "no file here that could be imported", is_missing=True))
            except ImportFileError as problem:
                problems.append(_problem(path, str(problem)))
                continue
            except (OSError, ValueError) as error:
                problems.append(_problem(path, (getattr(error, "strerror", None) or str(error)).lower()))
                continue
            for file in files:
                if (real := os.path.realpath(file)) in seen:
                    continue
                seen.add(real)
                try:
                    found = self.read(file)
                except ImportFileError as problem:
                    problems.append(_problem(file, str(problem), is_missing=not os.path.lexists(file)))
                    continue
                loaded += [LoadedSummary(file, summary) for summary in found.summaries]
                problems += [_bench_problem(file, *item, is_error=True) for item in found.failed]
                problems += [_bench_problem(file, *item, is_error=False) for item in found.unjudged]
        pooled, more_problems = _pooled(loaded)
        return pooled, problems + more_problems

    def read(self, path: str) -> Imported:
        """Return the benches of one file, or of a folder that is one report.

        Raises:
            ImportProblem: it cannot be read, or is not of the format, or holds no bench.

        """
        document = read_document(path, self._sample_keys)
        try:
            return self._summaries(document)
        except RecursionError:
            raise ImportFileError("nested too deeply") from None
        except OSError as error:
            raise ImportFileError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
        except MemoryError:
            raise ImportFileError("too large for this machine's memory") from None

    def _summaries(self, document: Document) -> Imported:
        if is_summary(document):
            try:
                return Imported(summaries=(decode_summary(document.data),))
            except InvalidSummaryError as error:
                raise ImportFileError(str(error)) from None
        importer = self._importer or detect_format(document, self._known)[1]
        if document.is_folder and importer.SUFFIXES:
            raise ImportFileError("a folder, not a file")
        if not document.is_folder and (not document.data or document.data.isspace()):
            raise ImportFileError("empty")
        if document.is_thinned and not isinstance(importer, Thinned):
            raise ImportFileError("reading it may take over 1 GiB of memory: split it")
        return import_document(document, importer, self._wishes)

    def _files(self, path: str) -> list[str]:
        """Return the files of a folder that may be of the format, or the folder where it is the report itself."""
        if not os.path.isdir(path):
            return expand_path(path)
        known = self._known.values() if self._importer is None else [self._importer]
        for importer in known:
            if isinstance(importer, Finder) and (files := importer.find_files(path)):
                # Files that are named as another tool names them may be of any.
                if self._importer is None and not importer.matches(read_document(files[0], self._sample_keys)):
                    continue
                return files
        document = Document(path, b"", is_folder=True)
        if any(importer.matches(document) for importer in known if not importer.SUFFIXES):
            return [path]
        # A summary of our own may stand in any folder.
        suffixes = (".json", *(_TOLD_APART if self._importer is None else self._importer.SUFFIXES))
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
        return [os.path.join(path, name) for name in names if name.endswith(suffixes) and name[0] != "."]


def import_document(document: Document, importer: Importer, options: ImportOptions = DEFAULT_OPTIONS) -> Imported:
    """Return the benches of a document by an importer.

    Raises:
        ImportProblem: it is not of the format, or holds no bench.

    """
    measured_at = datetime.fromtimestamp(document.modified_s, UTC)
    try:
        series = list(islice(importer.read(document, options), BENCHES_LIMIT + 1))
    except (OverflowError, ZeroDivisionError):
        raise ImportFileError("a figure too large to reckon with") from None
    if not series:
        raise ImportFileError("no bench in it")
    if len(series) > BENCHES_LIMIT:
        raise ImportFileError(f"more than {BENCHES_LIMIT:,} benches")
    try:
        return summaries_of(series, options, measured_at)
    except OverflowError:
        raise ImportFileError("a figure too large to reckon with") from None


def is_summary(document: Document) -> bool:
    """Return whether a document is a summary of our own, by the keys that no other format has together."""
    return {"bench_id", "metric", "p50"} <= document.keys.keys()


def _pooled(loaded: Iterable[LoadedSummary]) -> tuple[list[LoadedSummary], list[LoadError]]:
    """Return one summary per bench: further files of a bench are further processes of it."""
    by_bench: dict[str, list[LoadedSummary]] = {}
    for item in loaded:
        by_bench.setdefault(item.summary.bench_id, []).append(item)
    pooled: list[LoadedSummary] = []
    problems: list[LoadError] = []
    for bench_id, items in by_bench.items():
        try:
            pooled.append(LoadedSummary(items[0].path, pool([item.summary for item in items])))
        except ImportFileError as problem:
            problems.append(
                _bench_problem(items[-1].path, bench_id, f"{problem} in {printable(items[0].path)}", is_error=True)
            )
    return pooled, problems


def _bench_problem(path: str, bench_id: str, reason: str, *, is_error: bool) -> LoadError:
    message = f"{printable(path)}: {printable(bench_id)}: {printable(reason)}"
    return LoadError(path, message, bench_id=bench_id, is_error=is_error)


def _problem(path: str, message: str, *, is_missing: bool = False) -> LoadError:
    return LoadError(path, f"{printable(path)}: {message}", is_missing=is_missing)
