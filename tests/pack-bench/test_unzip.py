from __future__ import annotations

import io
import os
import stat
import sys
import tracemalloc
import zipfile
from random import Random
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError, RoundContext
from aether_pack_bench.archive.unpack import unpack
from aether_pack_bench.archive.verify import verify_artifact
from aether_pack_bench.bench import PackParams, packaging
from aether_pack_bench.manifest import hash_tree

if TYPE_CHECKING:
    from pathlib import Path

UNIX, DOS = 3, 0
needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")

#: What a user's own tool may be: it packs links and modes as Info-ZIP does.
ZIP_TREE = """
import os, sys, zipfile
root, output = sys.argv[1:]
with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            is_folder = os.path.isdir(path) and not os.path.islink(path)
            member = zipfile.ZipInfo(os.path.relpath(path, root) + "/" * is_folder)
            member.external_attr = os.lstat(path).st_mode << 16
            if os.path.islink(path):
                archive.writestr(member, os.fsencode(os.readlink(path)))
            elif is_folder:
                archive.writestr(member, b"")
            else:
                archive.writestr(member, open(path, "rb").read())
"""


def member(name: str, mode: int = stat.S_IFREG | 0o644, system: int = UNIX) -> zipfile.ZipInfo:
    """Return a member as a system writes it."""
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.external_attr = mode << 16
    info.create_system = system
    return info


def zip_of(path: Path, *members: tuple[zipfile.ZipInfo, bytes]) -> str:
    """Write a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            archive.writestr(info, content)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder to unpack into."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@needs_posix
@pytest.mark.parametrize("link", ["a.txt", "nowhere", "/etc/hostname", "../.."])
def test_a_command_s_zip_is_verified_with_its_links_its_empty_folders_and_the_right_to_execute(
    tree: Path, tmp_path: Path, link: str
) -> None:
    (tree / "link").symlink_to(link)
    (tree / "run.sh").write_bytes(b"#!/bin/sh")
    (tree / "run.sh").chmod(0o755)
    (tree / "ü nicode").write_bytes(b"u")
    (tmp_path / "zipping.py").write_text(ZIP_TREE, encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    command = f"'{sys.executable}' '{tmp_path / 'zipping.py'}' {{tree}} {{output}}"
    params = PackParams(tree=str(tree), packer="command", command=command)
    with packaging.open(params, RoundContext(folder=str(tmp_path / "scratch"))) as session:
        session.sample()
        session.verify()
        assert session.readings()["files"] == 6  # type: ignore[attr-defined]


@pytest.mark.parametrize(("left_out", "difference"), [(None, None), ("a/inner.txt", "a/inner.txt"), ("b", "b")])
def test_a_zip_that_lacks_a_path_of_the_tree_is_refused_by_its_name(
    tree: Path, tmp_path: Path, left_out: str | None, difference: str | None
) -> None:
    artifact, manifest = str(tmp_path / "artifact"), hash_tree(str(tree))
    with zipfile.ZipFile(artifact, "w") as archive:
        for path in sorted(tree.rglob("*")):
            name = path.relative_to(tree).as_posix()
            if left_out is None or not name.startswith(left_out):
                archive.write(path, name)
    if difference is None:
        verify_artifact(artifact, manifest, str(tree), str(tmp_path / "unpacked"))
    else:
        with pytest.raises(BenchError, match=f"^the artifact differs from the tree at {difference}$"):
            verify_artifact(artifact, manifest, str(tree), str(tmp_path / "unpacked"))


@needs_posix
def test_an_executable_that_the_zip_lost_is_a_difference(tree: Path, tmp_path: Path) -> None:
    for path in (tree / "a", tree / "b"):
        for inner in sorted(path.rglob("*"), reverse=True):
            inner.unlink() if inner.is_file() else inner.rmdir()
        path.rmdir()
    for name in ("empty.bin", "large.bin"):
        (tree / name).unlink()
    (tree / "a.txt").chmod(0o755)
    artifact = zip_of(tmp_path / "artifact", (member("a.txt", system=DOS), b"outer"))
    with pytest.raises(BenchError, match=r"at a.txt: whether it may be executed$"):
        verify_artifact(artifact, hash_tree(str(tree)), str(tree), str(tmp_path / "unpacked"))


@needs_posix
def test_names_are_the_bytes_a_unix_wrote_and_code_page_437_of_an_older_system(folder: Path, tmp_path: Path) -> None:
    # Python itself writes what is not ASCII as UTF-8 and says so; others need not.
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(member("name-??"), b"unix")
        archive.writestr(member("dos-??", 0, DOS), b"dos")
    raw = content.getvalue().replace(b"name-??", b"name-\xff\x81").replace(b"dos-??", b"dos-\x81\x84")
    (tmp_path / "artifact").write_bytes(raw)
    unpack(str(tmp_path / "artifact"), str(folder))
    assert sorted(os.listdir(os.fsencode(folder))) == [os.fsencode("dos-üä"), b"name-\xff\x81"]


def refused(artifact: str, folder: Path) -> str:
    """Return the line that unpacking ends with, behind the artifact's name; nothing is next to the folder."""
    before = sorted(os.listdir(folder.parent))
    with pytest.raises(BenchError) as refusal:
        unpack(artifact, str(folder))
    assert sorted(os.listdir(folder.parent)) == before
    line = str(refusal.value)
    assert line.isprintable()
    assert line.startswith(f"{artifact}: ")
    return line.removeprefix(f"{artifact}: ")


@pytest.mark.parametrize("name", ["/absolute", "//absolute", "../parent", "a/../../parent", "a/..", ".."])
def test_a_path_out_of_the_folder_is_refused_by_name_and_nothing_is_written_there(
    folder: Path, tmp_path: Path, name: str
) -> None:
    artifact = zip_of(tmp_path / "artifact", (member("fine"), b"1"), (member(name), b"2"))
    assert refused(artifact, folder) == f"{name}: is a path out of the folder it is unpacked into"


@needs_posix
def test_nothing_is_written_through_a_link_neither_out_nor_within(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    link = member("link", stat.S_IFLNK | 0o777)
    out = zip_of(tmp_path / "out", (link, b"../outside"), (member("link/file"), b"stolen"))
    assert refused(out, folder) == "link/file: leads through link, which is a link"
    over = zip_of(tmp_path / "over", (member("file"), b"whole"), (member("name", stat.S_IFLNK | 0o777), b"file"))
    with zipfile.ZipFile(over, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(member("name"), b"through")
    assert refused(over, folder) == "name: is in the artifact twice"
    assert os.listdir(tmp_path / "outside") == []
    assert (folder / "file").read_bytes() == b"whole"


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_what_is_no_file_folder_or_link_is_refused_by_name(folder: Path, tmp_path: Path, kind: int) -> None:
    artifact = zip_of(tmp_path / "artifact", (member("thing", kind | 0o644), b""))
    assert refused(artifact, folder) == "thing: is not a file, folder or link"


@needs_posix
def test_a_link_to_an_endless_path_is_refused_unread(folder: Path, tmp_path: Path) -> None:
    artifact = zip_of(tmp_path / "artifact", (member("link", stat.S_IFLNK | 0o777), bytes(5_000_000)))
    assert refused(artifact, folder) == "link: is a link to a path of 5000000 bytes"


def test_a_bomb_in_a_zip_takes_no_memory(folder: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    with zipfile.ZipFile(artifact, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("bomb", bytes(2**27))
    # It claims to be of five bytes.
    artifact.write_bytes(artifact.read_bytes().replace((2**27).to_bytes(4, "little"), (5).to_bytes(4, "little")))
    tracemalloc.start()
    try:
        assert refused(str(artifact), folder).startswith("bomb: cannot be unpacked: Bad CRC-32")
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("place", [44, 53, 71])
def test_a_damaged_member_is_named_however_it_is_compressed(
    folder: Path, tmp_path: Path, method: int, place: int
) -> None:
    artifact = tmp_path / "artifact"
    with zipfile.ZipFile(artifact, "w", method) as archive:
        archive.writestr("file", Random(1).randbytes(1000))
    raw = bytearray(artifact.read_bytes())
    raw[place : place + 3] = bytes(byte ^ 0xFF for byte in raw[place : place + 3])
    artifact.write_bytes(raw)
    assert refused(str(artifact), folder).startswith("file: cannot be unpacked: ")


@needs_posix
@pytest.mark.parametrize("name", ["a\n::error::b", "a\x1b[2J", "x" * 3000])
def test_a_refusal_is_one_line_whatever_the_name(folder: Path, tmp_path: Path, name: str) -> None:
    artifact = zip_of(tmp_path / "artifact", (member(name, stat.S_IFIFO), b""))
    line = refused(artifact, folder)
    assert line.endswith(": is not a file, folder or link")
    assert len(line) < 400


def test_an_empty_zip_is_an_empty_tree(folder: Path, tmp_path: Path) -> None:
    unpack(zip_of(tmp_path / "artifact"), str(folder))
    assert os.listdir(folder) == []


@pytest.mark.parametrize("damage", ["cut", "changed", "encrypted", "unknown method"])
def test_a_zip_that_is_broken_or_not_to_be_read_is_refused_in_words(folder: Path, tmp_path: Path, damage: str) -> None:
    artifact = tmp_path / "artifact"
    zip_of(artifact, (member("file"), b"content " * 100))
    raw = bytearray(artifact.read_bytes())
    central = raw.index(b"PK\x01\x02")
    if damage == "cut":
        del raw[-30:]
    elif damage == "changed":
        raw[40] ^= 0xFF
    elif damage == "encrypted":
        raw[6] |= 1
        raw[central + 8] |= 1
    else:
        raw[8] = raw[central + 10] = 97
    artifact.write_bytes(raw)
    line = {"cut": "cannot be unpacked: ", "encrypted": "file: is encrypted"}.get(damage, "file: cannot be unpacked: ")
    assert refused(str(artifact), folder).startswith(line)
