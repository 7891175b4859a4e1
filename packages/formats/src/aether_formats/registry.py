"""Finding importers: every installed module that the entry-point group names, ours and others'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aether_formats.errors import FormatError, ImportFileError
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.metadata import EntryPoint

    from aether_formats.model import ImportedSeries, ImportOptions
    from aether_formats.reading.document import Document

ENTRY_POINT_GROUP = "aether.importers"
AUTO = "auto"


@runtime_checkable
class Importer(Protocol):
    """A module, or any object, that reads one format. An entry point of the group names it."""

    @property
    def ABOUT(self) -> str:  # noqa: N802 - modules name it as a constant
        """One line for `import --list`."""

    @property
    def SUFFIXES(self) -> tuple[str, ...]:  # noqa: N802
        """The ends of its file names in a folder of results; empty if a folder is the report."""

    def matches(self, document: Document) -> bool:
        """Return whether the document certainly has this format. It never raises on other content."""

    def read(self, document: Document, options: ImportOptions) -> Iterable[ImportedSeries]:
        """Yield the figures of each bench.

        Raises:
            ImportFileError: the document violates the format.

        """


@runtime_checkable
class Finder(Protocol):
    """An optional ability of an importer: it knows the layout of its tool's result folders."""

    def find_files(self, folder: str) -> list[str]:
        """Return the files of `folder` that hold the newest results; empty where it is not laid out by the tool.

        Raises:
            ImportFileError: the folder holds results that must not be compared as one, such as those of two machines.

        """


@runtime_checkable
class Thinned(Protocol):
    """An importer that understands a file too large to read whole, of which samples are left out.

    `SAMPLES_KEY` is the key of the arrays that `thinning` may thin. A module may have this ability or not.
    """

    SAMPLES_KEY: str


def format_names() -> list[str]:
    """Return the names of the installed formats."""
    return sorted(_entries())


def load_importer(name: str) -> Importer:
    """Return the importer of the format `name`.

    Raises:
        FormatError: none is installed under this name, or it cannot be imported.

    """
    entries = _entries()
    if name not in entries:
        import difflib

        near = difflib.get_close_matches(name, entries, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known: {AUTO}, {', '.join(sorted(entries))}"
        raise FormatError(f"{printable(name)}: no such format{hint}")
    return _load(entries[name])


def all_importers() -> dict[str, Importer]:
    """Return every installed importer by the name of its format.

    Raises:
        FormatError: one cannot be imported.

    """
    return {name: _load(entry) for name, entry in sorted(_entries().items())}


def detect_format(document: Document, importers: Mapping[str, Importer]) -> tuple[str, Importer]:
    """Return the format of `importers` that the document is of, and its importer.

    Raises:
        ImportProblem: it is of none that is known, or of more than one.

    """
    found = [name for name, importer in importers.items() if importer.matches(document)]
    if len(found) == 1:
        return found[0], importers[found[0]]
    if found:
        raise ImportFileError(f"may be {' or '.join(found)}: name the format")
    if not document.is_folder and (not document.data or document.data.isspace()):
        raise ImportFileError("empty")
    raise ImportFileError(f"of no known format; known: {', '.join(importers)}")


def _entries() -> dict[str, EntryPoint]:
    # Takes long to import, as does looking through all that is installed.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _load(entry: EntryPoint) -> Importer:
    try:
        importer = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
        problem = printable(f"{type(error).__name__}: {error}")
        raise FormatError(f"{entry.name}: {entry.value} cannot be imported: {problem}") from None
    if not isinstance(importer, Importer):
        raise FormatError(f"{entry.name}: {entry.value} is no importer: see docs/guides/plugins.md")
    return importer
