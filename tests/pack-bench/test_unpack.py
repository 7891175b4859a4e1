from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from aether_harness import BenchError
from aether_pack_bench.archive import pack
from aether_pack_bench.header import end_of_archive, header_of, padding
from aether_pack_bench.inside import leads_out
from aether_pack_bench.manifest import hash_tree
from aether_pack_bench.packer import find_packer
from aether_pack_bench.unpack import unpack

if TYPE_CHECKING:
    from pathlib import Path


def archive_of(path: Path, *members: tarfile.TarInfo) -> str:
    """Write an archive of members that each hold ten bytes."""
    with tarfile.open(path, "w") as archive:
        for member in members:
            if member.isreg():
                member.size = 10
            archive.addfile(member, io.BytesIO(b"0123456789"))
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder to unpack into."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """Return a member of a kind, that points somewhere if it is a link."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


@pytest.mark.parametrize("name", ["/absolute", "//absolute", "../parent", "a/../../parent", "a/..", ".."])
def test_a_path_out_of_the_folder_is_refused_by_name_and_nothing_is_written_there(
    folder: Path, tmp_path: Path, name: str
) -> None:
    artifact = archive_of(tmp_path / "artifact", member("fine"), member(name))
    with pytest.raises(BenchError, match=r"^the artifact holds .*, a path out of the folder it is unpacked into$"):
        unpack(artifact, str(folder))
    assert sorted(os.listdir(tmp_path)) == ["artifact", "folder"]


@pytest.mark.parametrize("target", ["/etc/hostname", "../artifact"])
def test_another_name_of_a_file_outside_is_refused(folder: Path, tmp_path: Path, target: str) -> None:
    artifact = archive_of(tmp_path / "artifact", member("stolen", tarfile.LNKTYPE, target))
    with pytest.raises(BenchError, match=f"^the artifact holds stolen, another name of {target}, out of its folder$"):
        unpack(artifact, str(folder))
    assert os.listdir(folder) == []


@pytest.mark.skipif(os.name != "posix", reason="links take a privilege on Windows")
def test_nothing_is_written_through_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    artifact = archive_of(tmp_path / "artifact", member("link", tarfile.SYMTYPE, "../outside"), member("link/file"))
    with pytest.raises(BenchError, match=r"^the artifact holds link/file, which leads through a link out "):
        unpack(artifact, str(folder))
    assert os.listdir(tmp_path / "outside") == []


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_and_pipes_are_refused_by_name(folder: Path, tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(BenchError, match=r"^the artifact holds thing, which is not a file, folder or link$"):
        unpack(archive_of(tmp_path / "artifact", member("thing", kind)), str(folder))


@pytest.mark.parametrize("name", ["a", "a/b", "./a", ".", "..a", "a..", "a/...", "-"])
def test_a_path_within_is_a_path_within(name: str) -> None:
    assert not leads_out(name)


def test_a_file_of_more_than_8_gib_is_unpacked_whole_and_takes_no_more_room_than_what_is_in_it(
    folder: Path, tmp_path: Path
) -> None:
    blank = 64 * 2**20
    size = 8 * 2**30 + blank + 5
    frame = zstandard.compress(bytes(blank))
    with (tmp_path / "artifact").open("wb") as file:
        file.write(zstandard.compress(header_of("large", "file", size=size)))
        for _ in range(8 * 2**30 // blank + 1):
            file.write(frame)
        file.write(zstandard.compress(b"tail!" + padding(size) + end_of_archive(512 * (1 - -size // 512))))
    unpack(str(tmp_path / "artifact"), str(folder))
    assert (folder / "large").stat().st_size == size
    with (folder / "large").open("rb") as file:
        assert file.read(100) == bytes(100)
        file.seek(-10, os.SEEK_END)
        assert file.read() == bytes(5) + b"tail!"
    if os.name == "posix":
        assert (folder / "large").stat().st_blocks * 512 < blank


@pytest.mark.skipif(os.name != "posix", reason="files have no holes of their own accord")
@pytest.mark.parametrize("name", ["gzip", "zstd", "store"])
def test_holes_come_back_as_holes_whatever_lies_between_them(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "tree").mkdir()
    with (tmp_path / "tree" / "sparse").open("wb") as file:
        for place in (3 * 2**20, 5 * 2**20 - 1, 12 * 2**20 + 7):
            file.seek(place)
            file.write(b"data")
        file.truncate(20 * 2**20 + 1)
    packer = find_packer(name)
    packed = pack(str(tmp_path / "tree"), str(tmp_path / "artifact"), str(tmp_path / "manifest"), packer=packer)
    unpack(str(tmp_path / "artifact"), str(folder))
    assert hash_tree(str(folder)) == packed.manifest
    assert (folder / "sparse").stat().st_blocks * 512 < 10 * 2**20
