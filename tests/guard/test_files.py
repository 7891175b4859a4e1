from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aether_guard.check.files import expand_path

if TYPE_CHECKING:
    from pathlib import Path

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a tree of files in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "one/b.json", "one/two/c.json", "one/two/d.txt", ".hidden/e.json", "one/[x]/f.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("**/*.json", ["a.json", "one/[x]/f.json", "one/b.json", "one/two/c.json"]),
        ("one/**/*.json", ["one/[x]/f.json", "one/b.json", "one/two/c.json"]),
        ("./**/two/*", ["./one/two/c.json", "./one/two/d.txt"]),
        ("one/**", ["one/[x]/f.json", "one/b.json", "one/two/c.json", "one/two/d.txt"]),
        ("**/two/**/*.json", ["one/two/c.json"]),
        ("**/**/**/c.json", ["one/two/c.json"]),
        ("**/.hidden/*.json", [".hidden/e.json"]),
        ("*/*.json", ["one/b.json"]),
        ("**/nothing", []),
    ],
)
def test_two_stars_stand_for_any_number_of_folders(tree: Path, pattern: str, files: list[str]) -> None:
    assert expand_path(pattern) == [name.replace("/", os.sep) for name in files]
    absolute = [str(tree / name) for name in files]
    assert [os.path.normpath(name) for name in expand_path(str(tree / pattern))] == absolute


@posix_only
def test_two_stars_follow_no_link_to_a_folder(tree: Path) -> None:
    # Packages that link to one another, as pnpm lays them out; followed, their links have no end.
    for name in "xyz":
        (tree / "packages" / name).mkdir(parents=True)
        (tree / "packages" / name / "g.json").write_text("{}")
        for other in "xyz":
            (tree / "packages" / name / f"to-{other}").symlink_to(tree / "packages" / other)
    assert expand_path("packages/**/*.json") == [f"packages/{name}/g.json" for name in "xyz"]
    # A link that is named is followed.
    assert expand_path("packages/x/to-y/**/*.json") == ["packages/x/to-y/g.json"]


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("pattern", ["**/*.json", "**/nothing", "**/two/**/nothing"])
def test_more_folders_than_anyone_means_are_refused(pattern: str) -> None:
    assert len(expand_path(pattern, folders_limit=6)) <= 4
    with pytest.raises(ValueError, match="more than 3 folders"):
        expand_path(pattern, folders_limit=3)
