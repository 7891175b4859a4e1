from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aether_harness import BenchError
from aether_pack_bench.archive.unpack import unpack
from aether_pack_bench.archive.verify import verify_artifact
from aether_pack_bench.manifest import hash_tree
from aether_pack_bench.packing import pack
from aether_pack_bench.trees.writer import write_seeded_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Parcel

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege on Windows")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
needs_tar = pytest.mark.skipif(shutil.which("tar") is None or os.name != "posix", reason="no tar here")

PHASES = ["walk", "read", "hash", "tar", "compress", "write", "manifest"]
TAR_STREAM_SHA256 = "8583ddee6639de3502d160c51fa91845873368f14410a9007e4db74ec7b41a41"


def test_packing_twice_gives_the_same_bytes(tree: Path, packing: Callable[..., Parcel]) -> None:
    first, second = packing(tree), packing(tree)
    assert first.bytes == second.bytes
    assert first.manifest_file.read_bytes() == second.manifest_file.read_bytes()


def test_times_of_the_files_do_not_show(tree: Path, packing: Callable[..., Parcel]) -> None:
    before = packing(tree).bytes
    for path in tree.rglob("*"):
        os.utime(path, (1_000_000_000.5, 1_234_567_890.123))
    assert packing(tree).bytes == before


def test_where_the_tree_lies_does_not_show(tree: Path, packing: Callable[..., Parcel], tmp_path: Path) -> None:
    before = packing(tree).bytes
    assert packing(tree.rename(tmp_path / "elsewhere")).bytes == before


def test_a_root_given_with_a_trailing_slash_is_the_same_root(tree: Path, packing: Callable[..., Parcel]) -> None:
    assert packing(f"{tree}/").bytes == packing(tree).bytes


@needs_posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666, 0o4644])
def test_modes_do_not_show_but_for_the_right_to_execute(tree: Path, packing: Callable[..., Parcel], mode: int) -> None:
    (tree / "a.txt").chmod(0o644)
    (tree / "a").chmod(0o755)
    before = packing(tree).bytes
    (tree / "a.txt").chmod(mode)
    (tree / "a").chmod(0o700)
    assert packing(tree).bytes == before


@needs_posix
def test_the_time_zone_umask_hash_seed_and_working_folder_do_not_show(
    tree: Path, packing: Callable[..., Parcel], pack_elsewhere: Callable[..., bytes]
) -> None:
    env = {"TZ": "Pacific/Chatham", "PYTHONHASHSEED": "12345", "SOURCE_DATE_EPOCH": "99"}
    assert pack_elsewhere(tree, env, umask=0o077, cwd="/") == packing(tree).bytes


@needs_linux
def test_the_encoding_of_the_locale_does_not_show(
    tree: Path, packing: Callable[..., Parcel], pack_elsewhere: Callable[..., bytes]
) -> None:
    (tree / "café").write_bytes(b"")
    env = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert pack_elsewhere(tree, env) == packing(tree).bytes


@needs_posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser may give files away")
def test_owners_of_the_files_do_not_show(tree: Path, packing: Callable[..., Parcel]) -> None:
    before = packing(tree).bytes
    os.chown(tree / "a.txt", 1234, 5678)
    assert packing(tree).bytes == before


def test_the_tar_stream_of_a_seeded_tree_is_the_same_on_every_system(
    tmp_path: Path, packing: Callable[..., Parcel]
) -> None:
    root = tmp_path / "seeded"
    write_seeded_tree(str(root), files=3, size=1000, seed=1)
    stream = gzip.decompress(packing(root).bytes)
    assert hashlib.sha256(stream).hexdigest() == TAR_STREAM_SHA256


def test_owners_times_and_modes_are_fixed(tree: Path, packing: Callable[..., Parcel]) -> None:
    with tarfile.open(packing(tree).artifact) as archive:
        members = archive.getmembers()
    assert {(member.uid, member.gid, member.uname, member.gname, member.mtime) for member in members} == {
        (0, 0, "", "", 0)
    }
    assert {member.mode for member in members if member.isfile()} == {0o644}
    assert {member.mode for member in members if member.isdir()} == {0o755}


def test_members_stand_in_walking_order_without_the_root(tree: Path, packing: Callable[..., Parcel]) -> None:
    parcel = packing(tree)
    with tarfile.open(parcel.artifact) as archive:
        names = archive.getnames()
    assert names == [item.path for item in parcel.packed.manifest.items]
    assert names == ["a", "a/inner.txt", "a.txt", "b", "b/nothing here", "empty.bin", "large.bin"]


def test_the_gzip_header_holds_neither_time_nor_name(tree: Path, packing: Callable[..., Parcel]) -> None:
    header = packing(tree).bytes[:10]
    assert header[:3] == b"\x1f\x8b\x08"
    assert header[3] == 0
    assert header[4:8] == bytes(4)


@pytest.mark.parametrize("level", range(10))
def test_every_level_packs_the_same_contents(tree: Path, packing: Callable[..., Parcel], level: int) -> None:
    stream = gzip.decompress(packing(tree, level=level).bytes)
    assert stream == gzip.decompress(packing(tree, level=6).bytes)


def test_level_0_stores_and_level_9_compresses(tree: Path, packing: Callable[..., Parcel]) -> None:
    assert len(packing(tree, level=9).bytes) < 256_000 < len(packing(tree, level=0).bytes)


def test_the_manifest_of_packing_is_the_one_of_hashing(tree: Path, packing: Callable[..., Parcel]) -> None:
    parcel = packing(tree)
    assert parcel.packed.manifest == hash_tree(str(tree))
    assert parcel.recorded["tree_sha256"] == parcel.packed.manifest.tree_sha256
    assert [item["path"] for item in parcel.recorded["items"]] == [item.path for item in parcel.packed.manifest.items]


def test_the_phases_are_named_and_none_is_negative(tree: Path, packing: Callable[..., Parcel]) -> None:
    phases_ns = packing(tree).packed.phases_ns
    assert list(phases_ns) == PHASES
    assert min(phases_ns.values()) >= 0


@needs_posix
def test_the_right_to_execute_is_kept(tree: Path, packing: Callable[..., Parcel], tmp_path: Path) -> None:
    (tree / "a.txt").chmod(0o711)
    unpack(packing(tree).artifact, str(tmp_path / "out"))
    assert stat.S_IMODE((tmp_path / "out" / "a.txt").stat().st_mode) == 0o755
    assert not (tmp_path / "out" / "empty.bin").stat().st_mode & 0o111


@needs_links
def test_links_are_stored_as_links_whatever_they_point_at(
    tree: Path, packing: Callable[..., Parcel], tmp_path: Path
) -> None:
    targets = {
        "l-absolute": "/etc/hostname",
        "l-dangling": "no/such/thing",
        "l-folder": "a",
        "l-loop": "l-loop",
        "l-long": "x" * 200,
        "l-out": "../../..",
    }
    for name, target in targets.items():
        (tree / name).symlink_to(target)
    parcel = packing(tree)
    with tarfile.open(parcel.artifact) as archive:
        assert {member.name: member.linkname for member in archive if member.issym()} == targets
    verify_artifact(str(parcel.artifact), parcel.packed.manifest, str(tree), str(tmp_path / "unpacked"))


@needs_links
def test_a_link_to_a_secret_outside_does_not_bring_the_secret_in(
    tree: Path, packing: Callable[..., Parcel], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"do not ship me")
    (tree / "link").symlink_to(tmp_path / "secret")
    assert b"do not ship me" not in gzip.decompress(packing(tree).bytes)


def test_two_names_of_one_file_are_two_files(tree: Path, packing: Callable[..., Parcel]) -> None:
    os.link(tree / "large.bin", tree / "twin.bin")
    with tarfile.open(packing(tree).artifact) as archive:
        sizes = {member.name: member.size for member in archive if member.isfile()}
    assert sizes["twin.bin"] == sizes["large.bin"] == 256_000


@needs_posix
def test_a_path_longer_than_a_tar_header_is_packed_and_verified(
    tree: Path, packing: Callable[..., Parcel], tmp_path: Path
) -> None:
    folder = tree / ("d" * 255) / ("é" * 120) / ("e" * 200)
    folder.mkdir(parents=True)
    (folder / ("f" * 255)).write_bytes(b"far down")
    parcel = packing(tree)
    verify_artifact(str(parcel.artifact), parcel.packed.manifest, str(tree), str(tmp_path / "unpacked"))
    with tarfile.open(parcel.artifact) as archive:
        assert max(len(name.encode()) for name in archive.getnames()) > 900


@needs_linux
def test_names_that_are_not_utf_8_are_packed_and_verified(
    tree: Path, packing: Callable[..., Parcel], tmp_path: Path
) -> None:
    (tree / "link").symlink_to(os.fsdecode(b"target-\xff"))
    with open(os.fsencode(tree) + b"/caf\xe9", "wb") as file:
        file.write(b"coffee")
    parcel = packing(tree)
    verify_artifact(str(parcel.artifact), parcel.packed.manifest, str(tree), str(tmp_path / "unpacked"))
    assert b"caf\xe9" in os.listdir(os.fsencode(tmp_path / "unpacked"))


@needs_posix
def test_names_that_look_like_options_paths_or_ends_of_lines_are_packed_and_verified(
    tree: Path, packing: Callable[..., Parcel], tmp_path: Path
) -> None:
    names = ["-rf", "a\nb", "a\\b", " ", "...", "~", "C:", "*", "\t", "e\u0301", "pax_global_header"]
    for name in names:
        (tree / name).write_text(name)
    parcel = packing(tree)
    verify_artifact(str(parcel.artifact), parcel.packed.manifest, str(tree), str(tmp_path / "unpacked"))
    assert {name: (tmp_path / "unpacked" / name).read_text() for name in names} == {name: name for name in names}


@needs_tar
def test_the_system_s_tar_unpacks_identical_contents(
    tree: Path, packing: Callable[..., Parcel], tmp_path: Path
) -> None:
    (tree / "link").symlink_to("/absolute/and/dangling")
    (tree / "中文").write_bytes(b"unicode")
    (tree / ("n" * 250)).write_bytes(b"long")
    parcel = packing(tree)
    (tmp_path / "out").mkdir()
    command = ["tar", "-xzf", str(parcel.artifact), "-C", str(tmp_path / "out")]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert finished.stderr == ""
    assert hash_tree(str(tmp_path / "out")) == parcel.packed.manifest


@needs_tar
@needs_linux
def test_the_system_s_tar_unpacks_names_that_are_not_utf_8(
    tree: Path, packing: Callable[..., Parcel], tmp_path: Path
) -> None:
    with open(os.fsencode(tree) + b"/caf\xe9", "wb") as file:
        file.write(b"coffee")
    parcel = packing(tree)
    (tmp_path / "out").mkdir()
    command = ["tar", "-xzf", str(parcel.artifact), "-C", str(tmp_path / "out")]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert hash_tree(str(tmp_path / "out")) == parcel.packed.manifest


@needs_posix
def test_a_tree_deeper_than_python_may_recurse_is_packed(deep_tree: Path, packing: Callable[..., Parcel]) -> None:
    parcel = packing(deep_tree)
    assert len(parcel.packed.manifest.items) == 951
    with tarfile.open(parcel.artifact) as archive:
        assert archive.getnames()[-1] == "d/" * 950 + "bottom"


def test_an_empty_tree_is_packed(packing: Callable[..., Parcel], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    parcel = packing(tmp_path / "empty")
    assert parcel.packed.manifest.items == ()
    with tarfile.open(parcel.artifact) as archive:
        assert archive.getnames() == []


@pytest.mark.skipif(not os.path.exists("/proc/sys/kernel/random/boot_id"), reason="no file here grows when it is read")
def test_a_file_that_grows_while_it_is_packed_is_named(packing: Callable[..., Parcel]) -> None:
    # What the kernel makes up says that it is empty, and is not.
    with pytest.raises(BenchError, match=r"^/proc/sys/kernel/random/boot_id: became longer while it was packed$"):
        packing("/proc/sys/kernel/random")


@pytest.mark.skipif(not os.path.exists("/sys/kernel/mm/transparent_hugepage"), reason="no file here shrinks when read")
def test_a_file_that_shrinks_while_it_is_packed_is_named(packing: Callable[..., Parcel]) -> None:
    # What the kernel makes up says that it fills a page, and does not.
    with pytest.raises(BenchError, match=r"^/sys/kernel/mm/transparent_hugepage/\w+: became shorter"):
        packing("/sys/kernel/mm/transparent_hugepage")


def test_an_artifact_that_cannot_be_written_is_named(tree: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "missing" / "artifact.tar.gz"
    with pytest.raises(BenchError, match=r"artifact\.tar\.gz: no such file or directory$"):
        pack(str(tree), str(artifact), str(tmp_path / "manifest.json"), level=6)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk at hand")
def test_a_full_disk_under_the_artifact_is_one_line(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^/dev/full: no space left on device$"):
        pack(str(tree), "/dev/full", str(tmp_path / "manifest.json"), level=6)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk at hand")
def test_a_full_disk_under_the_manifest_is_one_line(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^/dev/full: no space left on device$"):
        pack(str(tree), str(tmp_path / "artifact.tar.gz"), "/dev/full", level=6)


if sys.platform == "linux":
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="/\0")
else:
    characters = st.sampled_from("abc-._ 1é")
names = st.text(characters, min_size=1, max_size=40).filter(lambda name: name not in {".", ".."})
if sys.platform == "win32":
    names = st.text(st.sampled_from("abc"), min_size=1, max_size=40)
# Bytes are a file, text is a link's target, a dictionary is a folder.
leaves = st.binary(max_size=2000) | (st.nothing() if sys.platform == "win32" else names)
trees = st.dictionaries(
    names, st.recursive(leaves, lambda below: st.dictionaries(names, below, max_size=4)), max_size=5
)


def plant(folder: str, contents: dict[str, object]) -> int:
    """Make a folder of these contents and return how many entries it has."""
    os.mkdir(folder)
    count = 0
    for name, content in contents.items():
        path = os.path.join(folder, name)
        count += 1
        if isinstance(content, dict):
            count += plant(path, content)
        elif isinstance(content, str):
            os.symlink(content, path)
        else:
            assert isinstance(content, bytes)
            with open(path, "wb") as file:
                file.write(content)
    return count


@pytest.mark.skipif(sys.platform == "darwin", reason="names that differ only in their normal form are one name there")
@settings(max_examples=40)
@given(contents=trees)
def test_any_tree_is_packed_the_same_twice_and_verified(contents: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = os.path.join(scratch, "root")
        count = plant(root, contents)
        artifacts = [os.path.join(scratch, name) for name in ("first.tar.gz", "second.tar.gz")]
        for artifact in artifacts:
            packed = pack(root, artifact, os.path.join(scratch, "manifest.json"), level=1)
        verify_artifact(artifacts[0], packed.manifest, root, os.path.join(scratch, "unpacked"))
        first, second = (Path(artifact).read_bytes() for artifact in artifacts)
    assert len(packed.manifest.items) == count
    assert first == second
