from __future__ import annotations

import os
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError, RoundContext
from aether_pack_bench.archive.stat_cache import TICK_NS, StatCache
from aether_pack_bench.archive.verify import verify_artifact
from aether_pack_bench.bench import PackParams, packaging
from aether_pack_bench.manifest import ManifestEntry, hash_tree
from aether_pack_bench.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aether_pack_bench.packing import Packed

LONG_AGO = (1_000_000_000, 1_000_000_000)


@pytest.fixture
def packing_since(tree: Path, tmp_path: Path) -> Callable[..., tuple[Packed, str]]:
    """Return a function that packs the tree, with what an earlier packing saw of it."""
    made = 0
    (tree / "whole.bin").write_bytes(os.urandom(600_000))
    time.sleep(2 * TICK_NS / 1e9)

    def packing_since(since: StatCache | None = None, threads: int = 1) -> tuple[Packed, str]:
        nonlocal made
        made += 1
        artifact = str(tmp_path / f"artifact-{made}")
        manifest_file = str(tmp_path / "manifest.json")
        return pack(str(tree), artifact, manifest_file, previous=since, threads=threads, keep_stats=True), artifact

    return packing_since


def files_in(artifact: str) -> list[str]:
    """Return the names of the files that an artifact holds."""
    with tarfile.open(artifact) as archive:
        return [member.name for member in archive if member.isfile()]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda _: None, []),
        (lambda root: (root / "a.txt").write_bytes(b"Outer"), ["a.txt"]),
        (lambda root: (root / "whole.bin").write_bytes(b"shorter"), ["whole.bin"]),
        (lambda root: (root / "new").touch(), ["new"]),
        (lambda root: (root / "a.txt").rename(root / "renamed.txt"), ["renamed.txt"]),
        (lambda root: os.utime(root / "large.bin", LONG_AGO), ["large.bin"]),
    ],
    ids=["nothing", "contents", "size", "a new file", "a name", "a time"],
)
def test_only_what_has_changed_is_in_the_artifact_and_all_is_in_the_manifest(
    tree: Path,
    packing_since: Callable[..., tuple[Packed, str]],
    change: Callable[[Path], object],
    names: list[str],
    threads: int,
) -> None:
    first, _ = packing_since()
    change(tree)
    second, artifact = packing_since(first.record, threads)
    assert files_in(artifact) == names
    assert second.manifest == hash_tree(str(tree))


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_a_file_that_was_exchanged_for_one_of_the_same_size_and_time_is_packed_again(
    tree: Path, packing_since: Callable[..., tuple[Packed, str]]
) -> None:
    first, _ = packing_since()
    before = (tree / "a.txt").stat()
    (tree / "other").write_bytes(b"Outer")
    os.utime(tree / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tree / "other").replace(tree / "a.txt")
    assert files_in(packing_since(first.record)[1]) == ["a.txt"]


def test_a_file_written_just_before_is_read_again_since_its_time_may_hide_another_write(
    tree: Path, packing_since: Callable[..., tuple[Packed, str]]
) -> None:
    (tree / "young").touch()
    soon_ns = time.time_ns() + 60 * 10**9
    os.utime(tree / "young", ns=(soon_ns, soon_ns))
    first, _ = packing_since()
    assert first.record is not None
    assert "young" not in first.record.files
    assert files_in(packing_since(first.record)[1]) == ["young"]


@pytest.mark.parametrize(("later_ns", "is_kept"), [(0, False), (1, True)])
def test_a_file_is_remembered_once_a_tick_lies_between_it_and_the_packing(
    tree: Path, later_ns: int, *, is_kept: bool
) -> None:
    status = (tree / "a.txt").stat()
    record = StatCache(started_ns=max(status.st_mtime_ns, status.st_ctime_ns) + TICK_NS + later_ns)
    record.remember("a.txt", status, ManifestEntry(path="a.txt"))
    assert ("a.txt" in record.files) is is_kept


def test_an_unchanged_file_is_not_opened(
    tree: Path, packing_since: Callable[..., tuple[Packed, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = packing_since()
    opened: list[object] = []
    genuine = os.open

    def watched(path: str, flags: int, mode: int = 0o777) -> int:
        opened.append(path)
        return genuine(path, flags, mode)

    monkeypatch.setattr(os, "open", watched)
    packing_since(first.record)
    assert not [path for path in opened if str(path).startswith(str(tree))]


def test_what_is_packed_later_goes_on_from_what_was_packed_first(
    tree: Path, packing_since: Callable[..., tuple[Packed, str]], tmp_path: Path
) -> None:
    first, base = packing_since()
    (tree / "a.txt").write_bytes(b"another text")
    second, artifact = packing_since(first.record)
    verify_artifact(artifact, second.manifest, str(tree), str(tmp_path / "unpacked"), base=base)
    with pytest.raises(BenchError, match=r"^the artifact differs from the tree at a/inner\.txt$"):
        verify_artifact(artifact, second.manifest, str(tree), str(tmp_path / "alone"))


@pytest.mark.parametrize("changed", [0, 1, 7])
def test_a_session_packs_as_many_files_as_have_changed(tmp_path: Path, changed: int) -> None:
    params = PackParams(files=20, incremental=True, changed=changed)
    with packaging.open(params, RoundContext(folder=str(tmp_path))) as session:
        for _ in range(3):
            session.prepare()  # type: ignore[attr-defined]
            session.sample()
        session.verify()
    assert len(files_in(str(tmp_path / "artifact.tar.gz"))) == changed


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"changed": 1}, r"^pack\.changed=1: goes with pack\.incremental=true$"),
        ({"files": 3, "incremental": True, "changed": 4}, r"^pack\.changed=4: only 3 files of the tree have contents$"),
        ({"tree": ".", "incremental": True, "changed": 1}, r"^pack\.changed=1: does not go with pack\.tree$"),
        ({"packer": "command", "incremental": True}, r"^pack\.incremental=true: .*=command packs everything$"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, params: dict[str, object], words: str) -> None:
    with (
        pytest.raises(BenchError, match=words),
        packaging.open(PackParams(**params), RoundContext(folder=str(tmp_path))),  # type: ignore[arg-type]
    ):
        pass
