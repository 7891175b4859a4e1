"""From paths to summaries, by an importer: what `check --from` and `import` have in common."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aether_guard.importer.assemble import summaries_of
from aether_guard.importer.document import Document, read_document
from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.registry import AUTO, all_importers, load_importer, recognise
from aether_guard.importer.series import PLAIN_WISHES
from aether_guard.source import Loaded, Problem, expand
from aether_schema import InvalidSummaryError, decode_summary, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aether_guard.importer.registry import Importer
    from aether_guard.importer.series import Wishes
    from aether_schema import Summary


#: The ends of names that `auto` looks at in a folder; what a log or a text there holds has to be named.
_TOLD_APART = (".json.gz", ".xml", "_stats.csv")


class Reader:
    """Reads whatever paths name as one format, or `auto`; a summary of our own may stand among them."""

    def __init__(self, name: str, wishes: Wishes = PLAIN_WISHES) -> None:
        """Find the format.

        Raises:
            GuardError: there is none of this name.

        """
        self._importer = None if name == AUTO else load_importer(name)
        self._known = all_importers() if name == AUTO else {}
        self._wishes = wishes

    def load_all(self, paths: Iterable[str]) -> tuple[list[Loaded], list[Problem]]:
        """Return every summary that `paths` stand for, each file once, and every problem met on the way."""
        loaded: list[Loaded] = []
        problems: list[Problem] = []
        seen: set[str] = set()
        for path in paths:
            try:
                files = self._files(path)
                if not files:
                    problems.append(_problem(path, "no file here that could be imported"))
            except (OSError, ValueError) as error:
                problems.append(_problem(path, (getattr(error, "strerror", None) or str(error)).lower()))
                continue
            for file in files:
                if (real := os.path.realpath(file)) in seen:
                    continue
                seen.add(real)
                try:
                    loaded += [Loaded(file, summary) for summary in self.read(file)]
                except ImportProblem as problem:
                    problems.append(_problem(file, str(problem)))
        return loaded, problems

    def read(self, path: str) -> list[Summary]:
        """Return the summaries of one file, or of a folder that is one report.

        Raises:
            ImportProblem: it cannot be read, or is not of the format, or holds no bench.

        """
        document = read_document(path)
        try:
            return self._summaries(document)
        except RecursionError:
            raise ImportProblem("nested too deeply") from None
        except OSError as error:
            raise ImportProblem(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
        except MemoryError:
            raise ImportProblem("too large for this machine's memory") from None

    def _summaries(self, document: Document) -> list[Summary]:
        if is_summary(document):
            try:
                return [decode_summary(document.data)]
            except InvalidSummaryError as error:
                raise ImportProblem(str(error)) from None
        importer = self._importer or recognise(document, self._known)[1]
        if document.is_folder and importer.SUFFIXES:
            raise ImportProblem("a folder, not a file")
        if not document.is_folder and (not document.data or document.data.isspace()):
            raise ImportProblem("empty")
        return import_document(document, importer, self._wishes)

    def _files(self, path: str) -> list[str]:
        """Return the files of a folder that may be of the format, or the folder where it is the report itself."""
        if not os.path.isdir(path):
            return expand(path)
        known = self._known.values() if self._importer is None else [self._importer]
        document = Document(path, b"", is_folder=True)
        if any(importer.recognises(document) for importer in known if not importer.SUFFIXES):
            return [path]
        # A summary of our own may stand in any folder.
        suffixes = (".json", *(_TOLD_APART if self._importer is None else self._importer.SUFFIXES))
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
        return [os.path.join(path, name) for name in names if name.endswith(suffixes) and name[0] != "."]


def import_document(document: Document, importer: Importer, wishes: Wishes = PLAIN_WISHES) -> list[Summary]:
    """Return the summaries of a document by an importer.

    Raises:
        ImportProblem: it is not of the format, or holds no bench.

    """
    measured_at = datetime.fromtimestamp(document.modified_s, UTC)
    try:
        series = list(importer.read(document, wishes))
    except (OverflowError, ZeroDivisionError):
        raise ImportProblem("a figure too large to reckon with") from None
    if not series:
        raise ImportProblem("no bench in it")
    try:
        return summaries_of(series, wishes, measured_at)
    except OverflowError:
        raise ImportProblem("a figure too large to reckon with") from None


def is_summary(document: Document) -> bool:
    """Return whether a document is a summary of our own, by the keys that no other format has together."""
    return {"bench_id", "metric", "p50"} <= document.keys.keys()


def _problem(path: str, message: str) -> Problem:
    return Problem(path, f"{printable(path)}: {message}")
