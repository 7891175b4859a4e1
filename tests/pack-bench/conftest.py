"""Trees to pack, and runs of the packaging bench as a user starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec import Struct

from aether_pack_bench.packing import Packed, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACK_ELSEWHERE = "import sys; from aether_pack_bench.packing import pack; pack(*sys.argv[1:4], level=int(sys.argv[4]))"


class Parcel(Struct, frozen=True, kw_only=True):
    """What packing left behind: the artifact, the manifest file, and what was said of them."""

    root: Path
    artifact: Path
    manifest_file: Path
    packed: Packed

    @property
    def bytes(self) -> bytes:
        return self.artifact.read_bytes()

    @property
    def recorded(self) -> Any:
        return msgspec.json.decode(self.manifest_file.read_bytes())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a small tree with one of everything that may be packed on every system."""
    root = tmp_path / "tree"
    (root / "a").mkdir(parents=True)
    (root / "a" / "inner.txt").write_bytes(b"inner")
    (root / "a.txt").write_bytes(b"outer")
    (root / "b" / "nothing here").mkdir(parents=True)
    (root / "empty.bin").write_bytes(b"")
    (root / "large.bin").write_bytes(bytes(range(256)) * 1000)
    return root


@pytest.fixture
def packing(tmp_path: Path) -> Callable[..., Parcel]:
    """Return a function that packs a tree into a folder of its own."""
    made = 0

    def packing(root: Path | str, *, level: int = 6) -> Parcel:
        nonlocal made
        made += 1
        folder = tmp_path / f"packed-{made}"
        folder.mkdir()
        artifact, manifest_file = folder / "artifact.tar.gz", folder / "manifest.json"
        packed = pack(os.fspath(root), str(artifact), str(manifest_file), level=level)
        return Parcel(root=Path(root), artifact=artifact, manifest_file=manifest_file, packed=packed)

    return packing


@pytest.fixture
def pack_elsewhere(tmp_path: Path) -> Callable[..., bytes]:
    """Return a function that packs in a process of its own, with other settings, and returns the artifact."""

    def pack_elsewhere(root: Path, env: dict[str, str], **settings: Any) -> bytes:
        artifact = tmp_path / "elsewhere.tar.gz"
        command = [sys.executable, "-c", PACK_ELSEWHERE, str(root), str(artifact), str(tmp_path / "manifest"), "6"]
        subprocess.run(command, check=True, timeout=60, env={**os.environ, **env}, **settings)
        return artifact.read_bytes()

    return pack_elsewhere


@pytest.fixture
def remove_deep() -> Callable[[Path], None]:
    """Return a function that removes folders in folders of the same name: what removes trees may recurse."""

    def remove_deep(folder: Path) -> None:
        depth, path = 0, str(folder)
        while os.path.isdir(path + f"/{folder.name}" * (depth + 1)):
            depth += 1
        for each in range(depth, -1, -1):
            os.rmdir(path + f"/{folder.name}" * each)

    return remove_deep


@pytest.fixture
def deep_tree(tmp_path: Path) -> Iterator[Path]:
    """Yield a tree of 950 levels, and take it down level by level: what removes trees may recurse."""
    root = tmp_path / "deep"
    root.mkdir()
    folders = [root]
    for _ in range(950):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    bottom = folders[-1] / "bottom"
    bottom.write_bytes(b"bottom")
    yield root
    bottom.unlink()
    for folder in reversed(folders):
        folder.rmdir()


@pytest.fixture
def bench_command(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that gives the command of a small run of the bench, which writes to `out`."""

    def bench_command(*arguments: str, samples: int = 2) -> list[str]:
        command = [sys.executable, "-m", "aether_harness", "run", "packaging", "--out", str(tmp_path / "out")]
        return [*command, "--rounds", "1", "--samples", str(samples), "--warmups", "0", *arguments]

    return bench_command


@pytest.fixture
def bench(tmp_path: Path, bench_command: Callable[..., list[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the bench quietly."""

    def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = bench_command("--quiet", *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path)

    return bench
