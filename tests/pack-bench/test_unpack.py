from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError
from aether_pack_bench.unpack import leads_out, unpack

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
