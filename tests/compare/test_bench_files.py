from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aether_compare.checkout.bench_files import share_bench_files
from aether_compare.side import VariantEnvironment

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def sides(tmp_path: Path) -> tuple[VariantEnvironment, VariantEnvironment]:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    return (
        VariantEnvironment(name="v1", python=sys.executable, folder=str(tmp_path / "old")),
        VariantEnvironment(name="working tree", python=sys.executable, folder=str(tmp_path / "new")),
    )


def test_a_revision_without_the_file_gets_it(tmp_path: Path) -> None:
    both, lines = sides(tmp_path), list[str]()
    (tmp_path / "new/benches").mkdir()
    (tmp_path / "new/benches/a.py").write_text("1")
    share_bench_files(both, ["benches/a.py::x", "benches/a.py::y", "packaging"], lines.append)
    assert (tmp_path / "old/benches/a.py").read_text() == "1"
    assert lines == ["v1: has no benches/a.py; measured by the one of working tree"]


def test_files_that_differ_stay_and_are_reported(tmp_path: Path) -> None:
    both, lines = sides(tmp_path), list[str]()
    (tmp_path / "old/a.py").write_text("old")
    (tmp_path / "new/a.py").write_text("new")
    share_bench_files(both, ["a.py"], lines.append)
    assert (tmp_path / "old/a.py").read_text() == "old"
    assert lines == ["a.py differs: each side is measured by its own"]


def test_equal_files_and_files_of_the_old_side_alone_are_left(tmp_path: Path) -> None:
    both, lines = sides(tmp_path), list[str]()
    for folder in ("old", "new"):
        (tmp_path / folder / "a.py").write_text("same")
    (tmp_path / "old/b.py").write_text("old")
    share_bench_files(both, ["a.py", "b.py", "c.py", str(tmp_path / "old/b.py")], lines.append)
    assert lines == []
    assert not (tmp_path / "new/b.py").exists()


def test_a_file_of_neither_side_comes_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, lines = sides(tmp_path), list[str]()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("mine")
    share_bench_files(both, ["a.py::x"], lines.append)
    assert [(tmp_path / side / "a.py").read_text() for side in ("old", "new")] == ["mine", "mine"]
    assert lines == ["a.py: taken from the working folder for both"]
