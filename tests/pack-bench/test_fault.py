from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError
from aether_pack_bench.archive.unpack import unpack
from aether_pack_bench.codecs.packer import find_packer
from aether_pack_bench.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")

MOUNT, UMOUNT = shutil.which("mount") or "no mount", shutil.which("umount") or "no umount"
LARGE_BYTES = 4 * 2**20

PACK_FOREVER = """
import sys
from aether_pack_bench.packing import pack
from aether_pack_bench.codecs.packer import find_packer
while True:
    pack(*sys.argv[1:4], packer=find_packer("isal"), level=1, threads=int(sys.argv[4]))
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder on a file system of its own, of a MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [MOUNT, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run([UMOUNT, str(folder)], check=True, timeout=60)


@pytest.fixture
def held_half_way(tree: Path, tmp_path: Path) -> Callable[[Callable[[Path], object]], str | None]:
    """Return a function that changes a large file of the tree after half of it was packed, and says what was said.

    The artifact is a pipe that nobody reads before the file has changed, and so holds the packing up.
    """

    def held_half_way(change: Callable[[Path], object]) -> str | None:
        large = tree / "large.bin"
        large.write_bytes(b"x" * LARGE_BYTES)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        said: list[str | None] = []

        def packing() -> None:
            try:
                pack(str(tree), str(pipe), str(tmp_path / "manifest.json"), packer=find_packer("store"))
            except BenchError as error:
                said.append(str(error))
            else:
                said.append(None)

        thread = threading.Thread(target=packing)
        thread.start()
        with open(pipe, "rb", buffering=0) as reader:
            reader.read(1)
            change(large)
            while reader.read(2**20):
                pass
        thread.join(timeout=60)
        assert not thread.is_alive()
        (words,) = said
        return words

    return held_half_way


@needs_linux
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: os.truncate(file, LARGE_BYTES // 2), "became shorter while it was packed"),
        (lambda file: os.truncate(file, LARGE_BYTES + 1), "became longer while it was packed"),
        (lambda file: os.utime(file, (1, 1)), "was written to while it was packed"),
    ],
    ids=["shrinks", "grows", "changes"],
)
def test_a_file_that_does_not_hold_still_is_named(
    held_half_way: Callable[..., str | None], tree: Path, change: Callable[[Path], object], words: str
) -> None:
    assert held_half_way(change) == f"{tree}/large.bin: {words}"


@needs_linux
def test_a_file_that_vanishes_once_it_is_open_is_packed_whole(held_half_way: Callable[..., str | None]) -> None:
    assert held_half_way(lambda file: file.unlink()) is None


@needs_linux
@pytest.mark.parametrize("threads", [1, 2])
def test_a_full_disk_is_one_line_and_leaves_nothing_behind(
    tree: Path, tmp_path: Path, small_disk: Path, threads: int
) -> None:
    for number in range(8):
        (tree / f"{number}.bin").write_bytes(os.urandom(2**20))
    artifact = small_disk / "artifact.tar.gz"
    for name in ("gzip", "zstd", "store"):
        with pytest.raises(BenchError, match=r"artifact\.tar\.gz: no space left on device$"):
            pack(str(tree), str(artifact), str(tmp_path / "m"), packer=find_packer(name), level=1, threads=threads)
        assert os.listdir(small_disk) == []


@needs_linux
def test_a_disk_that_may_not_be_written_to_is_one_line(tree: Path, tmp_path: Path, small_disk: Path) -> None:
    subprocess.run([MOUNT, "-o", "remount,ro", str(small_disk)], check=True, timeout=60)
    with pytest.raises(BenchError, match=r"artifact: read-only file system$"):
        pack(str(tree), str(small_disk / "artifact"), str(tmp_path / "manifest.json"))
    with pytest.raises(BenchError, match=r"manifest\.json: read-only file system$"):
        pack(str(tree), str(tmp_path / "artifact"), str(small_disk / "manifest.json"))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_an_unreadable_entry_among_many_ends_every_thread(tree: Path, tmp_path: Path, threads: int) -> None:
    for number in range(200):
        (tree / f"{number}.bin").touch()
    (tree / "150.bin").unlink()
    os.mkfifo(tree / "150.bin")
    before = threading.active_count()
    with pytest.raises(BenchError, match=r"150\.bin: not a file, folder or link$"):
        pack(str(tree), str(tmp_path / "artifact"), str(tmp_path / "manifest.json"), threads=threads)
    assert threading.active_count() == before
    assert not (tmp_path / "artifact").exists()


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_killed_process_leaves_a_whole_artifact_or_none(
    tree: Path, tmp_path: Path, eventually: Callable[..., object], threads: str
) -> None:
    (tree / "random.bin").write_bytes(os.urandom(2**20))
    out = tmp_path / "out"
    out.mkdir()
    artifact = out / "artifact.tar.gz"
    for delay_s in (0.0, 0.013, 0.031):
        command = [sys.executable, "-c", PACK_FOREVER, str(tree), str(artifact), str(out / "manifest.json"), threads]
        with subprocess.Popen(command) as running:
            eventually(lambda: list(out.iterdir()))
            threading.Event().wait(delay_s)
            running.send_signal(signal.SIGKILL)
        if artifact.exists():
            (tmp_path / f"unpacked-{delay_s}").mkdir()
            unpack(str(artifact), str(tmp_path / f"unpacked-{delay_s}"))
            whole = (tmp_path / f"unpacked-{delay_s}" / "random.bin").read_bytes()
            assert whole == (tree / "random.bin").read_bytes()
        for left in out.iterdir():
            left.unlink()
