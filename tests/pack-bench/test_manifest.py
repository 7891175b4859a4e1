from __future__ import annotations

import base64
import hashlib
import os
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from aether_harness import BenchError
from aether_pack_bench.manifest import CHUNK_BYTES, hash_tree, manifest_entry, open_file, write_manifest
from aether_pack_bench.trees.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege on Windows")
needs_raw_names = pytest.mark.skipif(sys.platform != "linux", reason="names have to be UTF-8 here")
needs_proc = pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv4/route/flush"), reason="no such file here")


def test_every_file_has_its_path_size_and_sha256(tree: Path) -> None:
    manifest = hash_tree(str(tree))
    files = {item.path: (item.size, item.sha256) for item in manifest.items if item.sha256 is not None}
    assert files == {
        path: (len(content), hashlib.sha256(content).hexdigest())
        for path in ("a/inner.txt", "a.txt", "empty.bin", "large.bin")
        for content in [(tree / path).read_bytes()]
    }


def test_folders_are_items_without_size_or_digest_even_where_they_are_empty(tree: Path) -> None:
    folders = [item for item in hash_tree(str(tree)).items if item.sha256 is None]
    assert [item.path for item in folders] == ["a", "b", "b/nothing here"]
    assert all(item.size is None and item.link is None for item in folders)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7])
def test_a_file_is_hashed_whole_whatever_its_size(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    (item,) = hash_tree(str(tmp_path)).items
    assert (item.size, item.sha256) == (size, hashlib.sha256(content).hexdigest())


@needs_links
def test_a_link_has_its_target_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere/at/all")
    (item,) = hash_tree(str(tmp_path)).items
    assert (item.path, item.link, item.size, item.sha256) == ("dangling", "nowhere/at/all", None, None)


@needs_raw_names
def test_a_name_that_is_not_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    name = b"caf\xe9"
    with open(os.fsencode(tmp_path) + b"/" + name, "wb"):
        pass
    (item,) = hash_tree(str(tmp_path)).items
    assert item.path == "caf\\xe9"
    assert base64.b64decode(item.raw_path or "") == name


def test_a_name_in_utf_8_stands_as_it_is_and_has_no_raw_form(tmp_path: Path) -> None:
    (tmp_path / "中文 😀").touch()
    (item,) = hash_tree(str(tmp_path)).items
    assert (item.path, item.raw_path) == ("中文 😀", None)


def test_the_digest_of_the_whole_does_not_depend_on_where_the_tree_is_or_how_old(tree: Path, tmp_path: Path) -> None:
    before = hash_tree(str(tree)).tree_sha256
    moved = tree.rename(tmp_path / "another name")
    os.utime(moved / "a.txt", (1, 1))
    assert hash_tree(str(moved)).tree_sha256 == before


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a.txt").write_bytes(b"Outer"),
        lambda root: os.truncate(root / "large.bin", 1000),
        lambda root: (root / "a.txt").rename(root / "c.txt"),
        lambda root: (root / "a.txt").rename(root / "b" / "a.txt"),
        lambda root: (root / "empty.bin").unlink(),
        lambda root: (root / "b" / "nothing here").rmdir(),
        lambda root: (root / "another").mkdir(),
    ],
    ids=["a byte", "a size", "a name", "a folder", "a file gone", "a folder gone", "a new folder"],
)
def test_the_digest_of_the_whole_changes_with_any_change(tree: Path, change: Callable[[Path], object]) -> None:
    before = hash_tree(str(tree)).tree_sha256
    change(tree)
    assert hash_tree(str(tree)).tree_sha256 != before


@needs_links
def test_the_digest_of_the_whole_changes_with_the_target_of_a_link(tmp_path: Path) -> None:
    digests = set()
    for target in ("one", "two", "./one"):
        (tmp_path / "link").symlink_to(target)
        digests.add(hash_tree(str(tmp_path)).tree_sha256)
        (tmp_path / "link").unlink()
    assert len(digests) == 3


@needs_raw_names
def test_two_targets_that_only_look_alike_have_different_digests(tmp_path: Path) -> None:
    digests = set()
    for target in (b"caf\xe9", b"caf\\xe9"):
        os.symlink(target, os.fsencode(tmp_path / "link"))
        digests.add(hash_tree(str(tmp_path)).tree_sha256)
        (tmp_path / "link").unlink()
    assert len(digests) == 2


@needs_raw_names
def test_two_names_that_only_look_alike_have_different_digests(tmp_path: Path) -> None:
    digests = set()
    for name in (b"caf\xe9", b"caf\\xe9"):
        path = os.fsencode(tmp_path) + b"/" + name
        with open(path, "wb"):
            pass
        digests.add(hash_tree(str(tmp_path)).tree_sha256)
        os.unlink(path)
    assert len(digests) == 2


def test_what_is_written_is_json_with_the_digest_of_its_own_items(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    manifest = hash_tree(str(tree))
    write_manifest(str(path), manifest)
    written = msgspec.json.decode(path.read_bytes())
    assert written["tree_sha256"] == manifest.tree_sha256
    assert hashlib.sha256(msgspec.json.encode(written["items"])).hexdigest() == manifest.tree_sha256
    assert written["items"][1] == {"path": "a/inner.txt", "size": 5, "sha256": hashlib.sha256(b"inner").hexdigest()}


def test_a_file_that_vanished_since_the_walk_is_named(tree: Path) -> None:
    (entry,) = (entry for entry in walk(str(tree)) if entry.path == "a/inner.txt")
    (tree / "a" / "inner.txt").unlink()
    with pytest.raises(BenchError, match=r"inner\.txt: no such file or directory$"):
        open_file(entry.location)


@needs_links
def test_a_link_that_vanished_since_the_walk_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("anywhere")
    (entry,) = walk(str(tmp_path))
    (tmp_path / "link").unlink()
    with pytest.raises(BenchError, match=r"link: no such file or directory$"):
        manifest_entry(entry)


@needs_links
def test_a_link_put_in_the_place_of_a_file_since_the_walk_is_not_followed(tree: Path) -> None:
    (entry,) = (entry for entry in walk(str(tree)) if entry.path == "a.txt")
    (tree / "a.txt").unlink()
    (tree / "a.txt").symlink_to("large.bin")
    with pytest.raises(BenchError, match=r"a\.txt: "):
        open_file(entry.location)


@needs_proc
def test_a_file_that_may_not_be_read_is_named() -> None:
    # Write-only even to the superuser.
    with pytest.raises(BenchError, match=r"^/proc/sys/net/ipv4/route/flush: permission denied$"):
        hash_tree("/proc/sys/net/ipv4/route")


@needs_links
def test_a_dangling_link_is_no_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert [item.link for item in hash_tree(str(tmp_path)).items] == [str(tmp_path / "gone")]
