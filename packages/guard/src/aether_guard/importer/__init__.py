"""Reading what other tools wrote: their figures become summaries. One module a format."""

from __future__ import annotations

from aether_guard.importer.document import Document
from aether_guard.importer.problem import ImportFileError
from aether_guard.importer.series import Failures, ImportedSeries, ImportOptions

__all__ = ["Document", "Failures", "ImportFileError", "ImportOptions", "ImportedSeries"]
