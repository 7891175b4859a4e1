from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aether_formats import ImportOptions
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_schema import Summary

MADE = Path(__file__).parents[2] / "fixtures" / "import"
SHARED = Path(__file__).parents[3] / "shared" / "import-formats"
ANY = ImportOptions(better=(("", "lower"),))


@pytest.fixture(scope="session")
def made() -> Path:
    """The folder of the files that real tools wrote."""
    return MADE


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of other real files, which lies beside the repository, or skip where there is none."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there")
    return SHARED


@pytest.fixture(scope="session")
def imported() -> Callable[..., dict[str, Summary]]:
    """Import a file and return its summaries by their bench."""

    def read(form: str, path: Path | str, wishes: ImportOptions = ANY) -> dict[str, Summary]:
        return {summary.bench_id: summary for summary in Reader(form, wishes).read(str(path)).summaries}

    return read
