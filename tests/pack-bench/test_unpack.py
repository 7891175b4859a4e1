from __future__ import annotations

import io
import os
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from aether_harness import BenchError
from aether_pack_bench.archive.path_safety import escapes_root
from aether_pack_bench.archive.tar_header import end_of_archive, padding, tar_header
from aether_pack_bench.archive.unpack import unpack
from aether_pack_bench.codecs.packer import find_packer
from aether_pack_bench.manifest import hash_tree
from aether_pack_bench.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")
needs_links = pytest.mark.skipif(os.name != "posix", reason="links take a privilege on Windows")


def archive_of(path: Path, *members: tarfile.TarInfo, pax: dict[str, str] | None = None) -> str:
    """Write an archive of members that each hold ten bytes; the first has an extended header."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        members[0].pax_headers = pax or {}
        for member in members:
            if member.isreg():
                member.size = 10
            archive.addfile(member, io.BytesIO(b"0123456789"))
    return str(path)


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    """Return a member of a kind, that points somewhere if it is a link."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder to unpack into."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


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
    artifact = archive_of(tmp_path / "artifact", member("fine"), member(name))
    assert refused(artifact, folder) == f"{name}: is a path out of the folder it is unpacked into"


@pytest.mark.parametrize("target", ["/etc/hostname", "/fine", "../artifact", "missing", "a", "loop", ".", ""])
def test_another_name_of_anything_but_an_earlier_file_is_refused(folder: Path, tmp_path: Path, target: str) -> None:
    before = [member("fine"), member("a", tarfile.DIRTYPE)]
    artifact = archive_of(tmp_path / "artifact", *before, member("loop", tarfile.LNKTYPE, target), member("missing"))
    assert refused(artifact, folder) == f"loop: is another name of {target}, which is no file before it"


def test_hard_links_in_a_circle_are_refused(folder: Path, tmp_path: Path) -> None:
    circle = [member("a", tarfile.LNKTYPE, "b"), member("b", tarfile.LNKTYPE, "a")]
    assert refused(archive_of(tmp_path / "artifact", *circle), folder).startswith("a: is another name of b, ")


def test_another_name_of_an_earlier_file_is_that_file(folder: Path, tmp_path: Path) -> None:
    artifact = archive_of(tmp_path / "artifact", member("a/file"), member("b/name", tarfile.LNKTYPE, "./a/file"))
    unpack(artifact, str(folder))
    assert (folder / "a" / "file").samefile(folder / "b" / "name")


@needs_links
def test_another_name_of_a_link_is_a_link_to_the_same_place(folder: Path, tmp_path: Path) -> None:
    link = member("link", tarfile.SYMTYPE, "../artifact")
    unpack(archive_of(tmp_path / "artifact", link, member("name", tarfile.LNKTYPE, "link")), str(folder))
    assert (folder / "name").readlink() == (folder / "link").readlink()


@needs_links
def test_nothing_is_written_through_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    artifact = archive_of(tmp_path / "artifact", member("link", tarfile.SYMTYPE, "../outside"), member("link/file"))
    assert refused(artifact, folder) == "link/file: leads through link, which is a link"
    assert os.listdir(tmp_path / "outside") == []


@needs_links
@pytest.mark.parametrize("name", ["link", "name"])
def test_nothing_is_written_to_where_a_link_points(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_bytes(b"before")
    links = [member("link", tarfile.SYMTYPE, "../outside"), member("name", tarfile.LNKTYPE, "link")]
    assert (
        refused(archive_of(tmp_path / "artifact", *links, member(name)), folder) == f"{name}: is in the artifact twice"
    )
    assert (tmp_path / "outside").read_bytes() == b"before"


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        (member("a"), member("./a"), "./a: is in the artifact twice"),
        (member("a"), member("a//b"), "a//b: leads through a, which is a file"),
        (member("a"), member("a", tarfile.DIRTYPE), "a: is in the artifact twice"),
        (member("a", tarfile.DIRTYPE), member("a", tarfile.DIRTYPE), "a: is in the artifact twice"),
        (member("a/b"), member("a"), "a: is in the artifact twice, once as a folder"),
        (member("a"), member("."), ".: is in the artifact twice, once as a folder"),
    ],
)
def test_a_path_is_there_once(
    folder: Path, tmp_path: Path, first: tarfile.TarInfo, second: tarfile.TarInfo, line: str
) -> None:
    assert refused(archive_of(tmp_path / "artifact", first, second), folder) == line


def test_a_folder_may_come_behind_what_is_in_it(folder: Path, tmp_path: Path) -> None:
    members = [member("a/b/c"), member("a/b", tarfile.DIRTYPE), member("./", tarfile.DIRTYPE), member("a/b/d")]
    unpack(archive_of(tmp_path / "artifact", *members), str(folder))
    assert sorted(os.listdir(folder / "a" / "b")) == ["c", "d"]


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_devices_and_pipes_are_refused_by_name(folder: Path, tmp_path: Path, kind: bytes) -> None:
    artifact = archive_of(tmp_path / "artifact", member("thing", kind))
    assert refused(artifact, folder) == "thing: is not a file, folder or link"


@pytest.mark.parametrize("name", ["a", "a/b", "./a", ".", "..a", "a..", "a/...", "-"])
def test_a_path_within_is_a_path_within(name: str) -> None:
    assert not escapes_root(name, windows=False)


@pytest.mark.parametrize(
    "name",
    [
        *("C:", "C:a", "C:/a", "C:\\a", "\\a", "\\\\host\\share", "//host/share", "a\\..\\b", "a/b:stream"),
        *("nul", "a/COM1.txt", "aux .c", "lpt²", "conin$", "a./b", "a /b", "...", ".. "),
    ],
)
def test_on_windows_devices_and_streams_are_out_of_the_folder(name: str) -> None:
    assert escapes_root(name, windows=True)


@pytest.mark.parametrize("name", ["a", "a/b", "./a", ".", "a\\b", "nullable", "con1", "-", ".hidden", "a.b c"])
def test_on_windows_plain_names_are_within(name: str) -> None:
    assert not escapes_root(name, windows=True)


@needs_posix
@pytest.mark.parametrize("name", ["a\n::error::b", "a\x1b[2J", "a\udcff", "x" * 3000])
def test_a_refusal_is_one_line_whatever_the_name(folder: Path, tmp_path: Path, name: str) -> None:
    artifact = archive_of(tmp_path / "artifact", member(name, tarfile.FIFOTYPE))
    line = refused(artifact, folder)
    assert line.endswith(": is not a file, folder or link")
    assert len(line) < 400


def test_a_name_with_a_zero_byte_is_refused(folder: Path, tmp_path: Path) -> None:
    artifact = archive_of(tmp_path / "artifact", member("x", target=""), pax={"path": "a\0b"})
    assert refused(artifact, folder) == "a\\x00b: cannot be unpacked: embedded null byte"


@needs_posix
def test_modes_and_owners_of_an_artifact_are_not_taken_over(folder: Path, tmp_path: Path) -> None:
    closed, special = member("closed", tarfile.DIRTYPE), member("closed/file")
    closed.mode, special.mode = 0, 0o7777
    closed.uid = special.uid = 12345
    unpack(archive_of(tmp_path / "artifact", closed, special), str(folder))
    for path in (folder / "closed", folder / "closed" / "file"):
        assert path.stat().st_mode & 0o7700 == 0o700
        assert path.stat().st_uid == os.getuid()


@pytest.mark.parametrize("record", [f"{'1' * 4301} path=y\n", "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"])
def test_an_extended_header_that_makes_no_sense_is_one_line(folder: Path, tmp_path: Path, record: str) -> None:
    # The file behind it begins with a number of 4,301 digits, which is how many holes a sparse one has.
    content = b"1" * 4301 + b"\n"
    header, file = member("header", tarfile.XHDTYPE), member("file")
    header.size, file.size = len(record), len(content)
    artifact = tmp_path / "artifact"
    with tarfile.open(artifact, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(header, io.BytesIO(record.encode()))
        archive.addfile(file, io.BytesIO(content))
    assert "cannot be unpacked: " in refused(str(artifact), folder)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_of_gigabytes_is_refused_unread(folder: Path, tmp_path: Path, kind: bytes) -> None:
    header = member("x", kind)
    header.size = 2**33
    with (tmp_path / "artifact").open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(2**33 + 2048)
    assert refused(str(tmp_path / "artifact"), folder) == ("cannot be unpacked: an extended header of 8589934592 bytes")


def test_a_chain_of_extended_headers_is_refused(folder: Path, tmp_path: Path) -> None:
    header = member("x", tarfile.GNUTYPE_LONGNAME)
    header.size = 2
    (tmp_path / "artifact").write_bytes((header.tobuf() + b"y\0".ljust(512, b"\0")) * 5000)
    assert refused(str(tmp_path / "artifact"), folder) == (
        "cannot be unpacked: too many extended headers of one member"
    )


def test_a_negative_size_is_one_line(folder: Path, tmp_path: Path) -> None:
    header = bytearray(member("x").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 12
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    (tmp_path / "artifact").write_bytes(bytes(header) + bytes(10240))
    problem = refused(str(tmp_path / "artifact"), folder)
    assert problem.splitlines() == [problem]


def test_a_cut_off_member_is_named(folder: Path, tmp_path: Path) -> None:
    artifact = tmp_path / "artifact"
    archive_of(artifact, member("first"), member("second"))
    os.truncate(artifact, 3 * 512 + 5)
    assert refused(str(artifact), folder) == "second: cannot be unpacked: unexpected end of data"


@needs_posix
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_regular_file_is_refused_unopened(folder: Path, tmp_path: Path, kind: str) -> None:
    artifact = tmp_path / "artifact"
    if kind == "pipe":
        os.mkfifo(artifact)
    elif kind == "folder":
        artifact.mkdir()
    else:
        artifact.symlink_to("/dev/zero")
    assert refused(str(artifact), folder) == "is not a regular file"


@pytest.mark.skipif(sys.platform != "linux", reason="paths are shorter elsewhere")
def test_folders_1200_deep_are_unpacked(folder: Path, tmp_path: Path, remove_deep: Callable[[Path], None]) -> None:
    paths = ["d/" * depth for depth in range(1, 1200)]
    try:
        unpack(archive_of(tmp_path / "artifact", *(member(path, tarfile.DIRTYPE) for path in paths)), str(folder))
        assert os.path.isdir(folder / paths[-1])
    finally:
        remove_deep(folder / "d")


def test_a_file_of_more_than_8_gib_is_unpacked_whole_and_takes_no_more_room_than_what_is_in_it(
    folder: Path, tmp_path: Path
) -> None:
    blank = 64 * 2**20
    size = 8 * 2**30 + blank + 5
    frame = zstandard.compress(bytes(blank))
    with (tmp_path / "artifact").open("wb") as file:
        file.write(zstandard.compress(tar_header("large", "file", size=size)))
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
