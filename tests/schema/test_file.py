from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from aether_schema import (
    SIZE_LIMIT_BYTES,
    Summary,
    SummaryFileError,
    encode_summary,
    read_summary,
    write_atomically,
    write_summary,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")


def run_python(source: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_was_written_is_read_back(tmp_path: Path, summary: Callable[..., Summary]) -> None:
    path = tmp_path / "made" / "on the way" / "bench-ä.json"
    write_summary(path, summary(notes="größer"))
    assert read_summary(path) == summary(notes="größer")


def test_a_name_without_a_folder_is_written_where_one_stands(
    tmp_path: Path, summary: Callable[..., Summary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_summary("bench.json", summary())
    assert os.listdir(tmp_path) == ["bench.json"]


def test_nothing_but_the_file_is_left_behind(tmp_path: Path, summary: Callable[..., Summary]) -> None:
    for count in (1, 2, 3):
        write_summary(tmp_path / "bench.json", summary(n=count))
    assert os.listdir(tmp_path) == ["bench.json"]
    assert read_summary(tmp_path / "bench.json").n == 3


@pytest.mark.parametrize("base", ["b" * 250, "ä" * 125, "📦" * 62], ids=["ascii", "two bytes", "four bytes"])
def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path: Path, base: str) -> None:
    path = tmp_path / f"{base}.json"
    path.touch()
    write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"


@posix_only
def test_a_new_version_keeps_the_permissions_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_atomically(str(path), b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_reader_beside_a_writer_sees_the_old_file_or_the_new_one(
    tmp_path: Path, summary: Callable[..., Summary]
) -> None:
    path = tmp_path / "bench.json"
    versions = [summary(notes=letter * 200_000) for letter in "ab"]
    sources = [tmp_path / f"{number}.source" for number in range(2)]
    for source, version in zip(sources, versions, strict=True):
        source.write_bytes(encode_summary(version))
    write_summary(path, versions[0])
    writing = """
        import sys
        from aether_schema import read_summary, write_summary
        path, *sources = sys.argv[1:]
        versions = [read_summary(source) for source in sources]
        for turn in range(60):
            write_summary(path, versions[turn % 2])
    """
    command = [sys.executable, "-c", textwrap.dedent(writing), *map(str, (path, *sources))]
    seen = []
    with subprocess.Popen(command) as writer:
        while writer.poll() is None:
            seen.append(read_summary(path))
    assert writer.returncode == 0
    assert seen
    assert all(version in versions for version in seen)
    assert sorted(os.listdir(tmp_path)) == ["0.source", "1.source", "bench.json"]


def test_an_invalid_summary_is_not_written_over_a_valid_one(tmp_path: Path, summary: Callable[..., Summary]) -> None:
    path = tmp_path / "bench.json"
    write_summary(path, summary())
    with pytest.raises(SummaryFileError, match="disturbed"):
        write_summary(path, summary(disturbed=-1))
    assert read_summary(path) == summary()
    assert os.listdir(tmp_path) == ["bench.json"]


@posix_only
def test_a_write_that_fails_half_way_keeps_the_old_file_and_leaves_no_other(
    tmp_path: Path, summary: Callable[..., Summary]
) -> None:
    path = tmp_path / "bench.json"
    write_summary(path, summary())
    done = run_python(
        """
        import resource, sys
        from aether_schema import SummaryFileError, write_atomically
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write_atomically(sys.argv[1], b"x" * 100_000)
        except SummaryFileError as error:
            print(error)
        """,
        path,
    )
    assert done.stdout == f"{path}: cannot be written: file too large\n"
    assert read_summary(path) == summary()
    assert os.listdir(tmp_path) == ["bench.json"]


def test_a_parent_that_is_a_file_is_refused_in_one_line(tmp_path: Path, summary: Callable[..., Summary]) -> None:
    parent = tmp_path / "file"
    parent.write_bytes(b"kept")
    with pytest.raises(SummaryFileError, match="cannot be written: ") as caught:
        write_summary(parent / "bench.json", summary())
    assert "\n" not in str(caught.value)
    assert parent.read_bytes() == b"kept"


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "bench.json"
    folder.mkdir()
    with pytest.raises(SummaryFileError, match="cannot be written: "):
        write_atomically(str(folder), b"new")
    assert os.listdir(tmp_path) == ["bench.json"]
    assert folder.is_dir()


def test_a_name_no_system_takes_is_refused_in_one_line() -> None:
    for name in ("a\0b.json", "x" * 5000):
        with pytest.raises(SummaryFileError, match="cannot be written: "):
            write_atomically(name, b"new")


@posix_only
def test_a_target_that_is_no_regular_file_is_refused_and_stays_what_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(SummaryFileError, match="not a regular file"):
        write_atomically(str(pipe), b"new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@posix_only
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux's /proc")
def test_a_file_system_that_takes_no_file_is_refused_in_one_line(summary: Callable[..., Summary]) -> None:
    with pytest.raises(SummaryFileError, match=r"^/proc/self/bench\.json: cannot be written: ") as caught:
        write_summary("/proc/self/bench.json", summary())
    assert "\n" not in str(caught.value)


@posix_only
def test_a_file_without_permission_is_refused_in_one_line(tmp_path: Path, document: Callable[..., bytes]) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "bench.json").write_bytes(document())
    folder.chmod(0o500)
    (folder / "bench.json").chmod(0)
    done = run_python(
        """
        import os, sys
        from aether_schema import SummaryFileError, read_summary, write_atomically
        os.chdir(sys.argv[1])
        if os.geteuid() == 0:
            os.seteuid(65534)
        for act in (lambda: read_summary("bench.json"), lambda: write_atomically("bench.json", b"new")):
            try:
                act()
            except SummaryFileError as error:
                print(error)
        """,
        folder,
    )
    folder.chmod(0o700)
    assert done.stdout.splitlines() == [
        "bench.json: cannot be read: permission denied",
        "bench.json: cannot be written: permission denied",
    ], done.stderr
    (folder / "bench.json").chmod(0o600)
    assert (folder / "bench.json").read_bytes() == document()


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    path = str(tmp_path / "absent.json")
    with pytest.raises(SummaryFileError) as caught:
        read_summary(path)
    assert str(caught.value) == f"{path}: no such file"
    assert (caught.value.path, caught.value.missing) == (path, True)


def test_an_invalid_file_is_not_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_bytes(b"{}")
    with pytest.raises(SummaryFileError) as caught:
        read_summary(path)
    assert str(caught.value) == f"{path}: bench_id: missing"
    assert not caught.value.missing


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SummaryFileError, match="a folder, not a file"):
        read_summary(tmp_path)


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SummaryFileError, match=r"file.bench\.json: "):
        read_summary(tmp_path / "file" / "bench.json")


@pytest.mark.parametrize("size", [SIZE_LIMIT_BYTES + 1, 65 * 2**20])
def test_a_file_over_64_mib_is_refused_by_its_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "bench.json"
    path.touch()
    os.truncate(path, size)
    with pytest.raises(SummaryFileError, match=f"{size:,} bytes, over the limit of 67,108,864"):
        read_summary(path)


@posix_only
def test_a_named_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "bench.json"
    os.mkfifo(pipe)
    with pytest.raises(SummaryFileError, match="not a regular file"):
        read_summary(pipe)


@posix_only
def test_a_device_is_refused() -> None:
    with pytest.raises(SummaryFileError, match="not a regular file"):
        read_summary("/dev/zero")


@posix_only
def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bench.json").symlink_to(tmp_path / "bench.json")
    with pytest.raises(SummaryFileError, match="cannot be read: too many levels of symbolic links"):
        read_summary(tmp_path / "bench.json")


@posix_only
def test_a_link_to_a_summary_is_read(tmp_path: Path, summary: Callable[..., Summary]) -> None:
    write_summary(tmp_path / "there.json", summary())
    (tmp_path / "link.json").symlink_to("there.json")
    assert read_summary(tmp_path / "link.json") == summary()


@pytest.mark.parametrize("name", ["a\0b.json", "x" * 5000])
def test_a_name_no_system_knows_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(SummaryFileError, match=r"^[^\n]+: cannot be read: [^\n]+$"):
        read_summary(name)


@posix_only
def test_a_name_that_is_not_utf8_is_shown_escaped(tmp_path: Path) -> None:
    with pytest.raises(SummaryFileError) as caught:
        read_summary(str(tmp_path / "\udcff.json"))
    assert str(caught.value).endswith("\\udcff.json: no such file")
