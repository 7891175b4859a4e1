"""Other tools' result files: importers turn them into summaries, exporters write them."""

from __future__ import annotations

from aether_formats.__about__ import __version__
from aether_formats.errors import FormatError, ImportFileError
from aether_formats.model import Failures, ImportedSeries, ImportOptions
from aether_formats.reading.document import Document

__all__ = [
    "Document",
    "Failures",
    "FormatError",
    "ImportFileError",
    "ImportOptions",
    "ImportedSeries",
    "__version__",
]
