from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError, RoundContext
from aether_pack_bench.bench import PackParams, packaging
from aether_pack_bench.page_cache import cached_pages, check_evictable, evict
from aether_pack_bench.trees.walk import walk

if TYPE_CHECKING:
    from pathlib import Path

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
MEMORY = "/dev/shm"  # noqa: S108 - a file system in memory, wherever Linux has one


@pytest.fixture
def evictable(tree: Path) -> Path:
    """Return a tree on a file system that is not in memory."""
    stat = shutil.which("stat")
    if stat is None:
        pytest.skip("nothing here says what file system this is")
    kind = subprocess.run([stat, "-f", "-c", "%T", str(tree)], capture_output=True, text=True, check=False).stdout
    if kind.strip() in {"tmpfs", "ramfs", "overlayfs", ""}:
        pytest.skip(f"temporary files are on {kind.strip() or 'an unknown file system'}")
    return tree


@needs_linux
def test_evicted_files_are_no_longer_cached_and_still_hold_what_they_held(evictable: Path) -> None:
    large = evictable / "large.bin"
    before = large.read_bytes()
    assert cached_pages(str(large)) == -(-len(before) // os.sysconf("SC_PAGESIZE"))
    check_evictable(walk(str(evictable)))
    assert cached_pages(str(large)) == 0
    assert large.read_bytes() == before
    assert cached_pages(str(large)) > 0
    evict(walk(str(evictable)))
    assert cached_pages(str(large)) == 0


@needs_linux
def test_a_cold_session_evicts_before_every_sample_and_packs_the_same(evictable: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with packaging.open(PackParams(tree=str(evictable), cache="cold"), RoundContext(folder=str(scratch))) as session:
        session.prepare()  # type: ignore[attr-defined]
        assert cached_pages(str(evictable / "large.bin")) == 0
        session.sample()
        assert cached_pages(str(evictable / "large.bin")) > 0
        session.verify()


@needs_linux
@pytest.mark.skipif(not os.path.isdir(MEMORY), reason="no file system in memory here")
def test_a_tree_in_memory_cannot_be_cold_and_is_refused_by_name(tmp_path: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir=MEMORY) as root:
        with open(os.path.join(root, "file"), "wb") as file:
            file.write(b"x" * 10_000)
        params = PackParams(tree=root, cache="cold")
        with (
            pytest.raises(BenchError, match=r"^pack\.cache=cold: .*/file stays in the cache"),
            packaging.open(params, RoundContext(folder=str(tmp_path))),
        ):
            pass
