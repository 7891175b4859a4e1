from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError
from aether_pack_bench.manifest import hash_tree
from aether_pack_bench.trees.walk import walk
from aether_pack_bench.trees.writer import write_seeded_tree

if TYPE_CHECKING:
    from pathlib import Path

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege on Windows")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")

SEEDED_TREE_SHA256 = "073447334b8db65cef11ebf396d84c7f07637c8438a8f362f420defbca58a892"


def test_the_same_seed_gives_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    write_seeded_tree(str(root), files=102, size=33, seed=7)
    assert hash_tree(str(root)).tree_sha256 == SEEDED_TREE_SHA256


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    write_seeded_tree(str(tmp_path / "1"), files=2, size=33, seed=1)
    write_seeded_tree(str(tmp_path / "2"), files=2, size=33, seed=2)
    assert hash_tree(str(tmp_path / "1")).tree_sha256 != hash_tree(str(tmp_path / "2")).tree_sha256


def test_a_seeded_tree_has_as_many_files_of_the_size_as_asked_for_and_a_hundred_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    write_seeded_tree(str(root), files=201, size=5, seed=1)
    assert [len(list(folder.iterdir())) for folder in sorted(root.iterdir())] == [100, 100, 1]
    assert {file.stat().st_size for file in root.rglob("*.bin")} == {5}


def test_no_two_seeded_files_are_alike(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    write_seeded_tree(str(root), files=50, size=16, seed=1)
    assert len({file.read_bytes() for file in root.rglob("*.bin")}) == 50


@pytest.mark.parametrize(("files", "size"), [(0, 1024), (3, 0)])
def test_a_seeded_tree_may_be_empty_and_so_may_its_files(tmp_path: Path, files: int, size: int) -> None:
    root = tmp_path / "tree"
    write_seeded_tree(str(root), files=files, size=size, seed=1)
    assert [file.stat().st_size for file in root.rglob("*.bin")] == [0] * files


def test_a_seeded_file_may_be_as_large_as_the_parameter_allows_and_then_some(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    write_seeded_tree(str(root), files=1, size=2**28, seed=1)
    (file,) = root.rglob("*.bin")
    size = file.stat().st_size
    file.unlink()
    assert size == 2**28


def test_a_folder_comes_before_what_is_in_it_and_names_are_in_byte_order(tmp_path: Path) -> None:
    for name in ("b", "a", "a/z", "Z"):
        (tmp_path / name).mkdir()
    for name in ("a/y", "a-b", "a.b", "10", "9", "a/z/x", "b/1"):
        (tmp_path / name).touch()
    entries = walk(str(tmp_path))
    in_order = ["10", "9", "Z", "a", "a/y", "a/z", "a/z/x", "a-b", "a.b", "b", "b/1"]
    assert [entry.path for entry in entries] == in_order
    assert [entry.path for entry in entries if entry.kind == "folder"] == ["Z", "a", "a/z", "b"]


def test_names_beyond_ascii_are_ordered_by_their_bytes_in_utf_8(tmp_path: Path) -> None:
    # In UTF-16 the second of the last two, beyond the basic plane, would come before the first.
    names = ["z", "é", "中", "\uff5e", "\U0001f600"]
    for name in reversed(names):
        (tmp_path / name).touch()
    assert [entry.path for entry in walk(str(tmp_path))] == names


def test_every_entry_says_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"found")
    (_, file) = walk(str(tmp_path))
    with open(file.location, "rb") as opened:
        assert opened.read() == b"found"


@needs_links
def test_links_are_listed_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    root = tmp_path / "root"
    root.mkdir()
    for name, target in (
        ("absolute", str(outside)),
        ("dangling", "nowhere"),
        ("itself", "itself"),
        ("loop", "."),
        ("up", ".."),
    ):
        (root / name).symlink_to(target)
    entries = walk(str(root))
    assert [(entry.path, entry.kind) for entry in entries] == [
        (name, "link") for name in ("absolute", "dangling", "itself", "loop", "up")
    ]


@needs_posix
def test_a_fifo_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")
    with pytest.raises(BenchError, match=r"folder.pipe: not a file, folder or link$"):
        walk(str(tmp_path))


@needs_posix
def test_a_socket_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The path of a socket has to be short.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("ear")
        with pytest.raises(BenchError, match=r"ear: not a file, folder or link$"):
            walk(str(tmp_path))


def test_a_root_that_is_missing_or_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        with pytest.raises(BenchError, match=name):
            walk(str(tmp_path / name))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions that bind this user")
def test_a_folder_that_may_not_be_read_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(BenchError, match=r"closed: permission denied$"):
        walk(str(tmp_path))


@needs_posix
def test_a_tree_deeper_than_python_may_recurse_is_walked(deep_tree: Path) -> None:
    entries = walk(str(deep_tree))
    assert len(entries) == 951
    assert entries[-1].path == "d/" * 950 + "bottom"
