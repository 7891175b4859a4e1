from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aether_formats import Document, ImportFileError
from aether_formats.errors import FormatError
from aether_formats.reading.document import read_document
from aether_formats.registry import Importer, all_importers, detect_format, format_names, load_importer
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

MADE = Path(__file__).parents[2] / "fixtures" / "import"
#: What lies beside results and is none.
ASIDE = {"benchmarks.json", "machine.json", "load_failures.csv", "load_exceptions.csv", "load_stats_history.csv"}
ASIDE |= {"semicolons.csv", "README.md", "make.py"}


def files() -> list[Path]:
    inside = [path for path in MADE.rglob("*") if path.is_file() and "source" not in path.parts]
    return sorted(path for path in inside if path.name not in ASIDE and "criterion/" not in path.as_posix())


@pytest.mark.parametrize("path", [*files(), MADE / "criterion"], ids=lambda path: path.relative_to(MADE).as_posix())
def test_every_file_is_recognised_as_what_it_is_and_as_nothing_else(path: Path) -> None:
    document = read_document(str(path))
    recognised = [name for name in format_names() if load_importer(name).matches(document)]
    assert recognised == [path.relative_to(MADE).parts[0]]


def test_a_summary_of_our_own_may_stand_among_them(tmp_path: Path) -> None:
    path = tmp_path / "bench-a.json"
    path.write_text(
        '{"bench_id":"a","metric":"duration_ms","unit":"ms","p50":1,"p95":2,"n":3,"timestamp":"2026-01-01"}',
        encoding="utf-8",
    )
    for form in ("auto", "hyperfine"):
        assert [summary.bench_id for summary in Reader(form).read(str(path)).summaries] == ["a"]


def test_a_folder_gives_the_files_that_are_of_the_format(tmp_path: Path) -> None:
    text = (MADE / "hyperfine" / "two.json").read_text(encoding="utf-8")
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    (tmp_path / "b.txt").write_text("not of these", encoding="utf-8")
    loaded, problems = Reader("hyperfine").load_all([str(tmp_path)])
    assert ([item.summary.bench_id for item in loaded], problems) == (["true", "sleep 0.01"], [])


def test_a_folder_with_nothing_in_it_is_a_problem(tmp_path: Path) -> None:
    for form in ("hyperfine", "auto"):
        _, (problem,) = Reader(form).load_all([str(tmp_path)])
        assert problem.message == f"{tmp_path}: no file here that could be imported"


def test_an_unknown_format_is_told_with_the_nearest_one() -> None:
    with pytest.raises(FormatError, match=r"^hyprfine: no such format; did you mean hyperfine\?$"):
        load_importer("hyprfine")
    with pytest.raises(FormatError, match=r"^zzz: no such format; known: auto, asv, "):
        load_importer("zzz")


def test_every_importer_of_ours_is_one() -> None:
    assert len(format_names()) >= 22
    for name in format_names():
        importer = load_importer(name)
        assert isinstance(importer, Importer)
        assert importer.ABOUT


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of somebody else's that brings a format, installed as far as Python can tell."""
    info = tmp_path / "outside_format-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-format\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[aether.importers]\nstopwatch = outside_format\nbroken = nowhere_at_all\n")
    (tmp_path / "outside_format.py").write_text(
        "from aether_formats import ImportedSeries\n"
        "ABOUT = 'a stopwatch'\n"
        "SUFFIXES = ('.watch',)\n"
        "def matches(document):\n"
        "    return document.head.startswith('WATCH ')\n"
        "def read(document, options):\n"
        "    yield ImportedSeries(name='lap', unit='s', rounds=(tuple(map(float, document.text.split()[1:])),))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("outside_format", None)


def test_another_package_adds_a_format(outside: Path) -> None:
    path = outside / "run.watch"
    path.write_text("WATCH 1.5 2.5", encoding="utf-8")
    (summary,) = Reader("stopwatch").read(str(path)).summaries
    assert summary.samples == ((1500.0, 2500.0),)


@pytest.mark.usefixtures("outside")
def test_an_importer_that_cannot_be_imported_is_one_line() -> None:
    with pytest.raises(FormatError, match=r"^broken: nowhere_at_all cannot be imported: ModuleNotFoundError: [^\n]*$"):
        load_importer("broken")
    with pytest.raises(FormatError, match="cannot be imported"):
        all_importers()


def test_what_may_be_two_formats_has_to_be_named() -> None:
    text = b"BenchmarkA 1 5 ns/op\ntest a ... bench: 1 ns/iter (+/- 0)\n"
    with pytest.raises(ImportFileError, match=r"^may be go or libtest: name the format$"):
        detect_format(Document("a.txt", text), all_importers())
