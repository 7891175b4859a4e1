from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import random
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import pytest
import zstandard

from aether_harness import BenchError
from aether_pack_bench.archive.verify import verify_artifact
from aether_pack_bench.codecs.packer import ENTRY_POINT_GROUP, Packer, find_packer, resolve_level
from aether_pack_bench.manifest import hash_tree
from aether_pack_bench.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUILT_IN = ["gzip", "isal", "libdeflate", "store", "xz", "zlib-ng", "zstd"]
GZIP_COMPATIBLE = ["gzip", "isal", "libdeflate", "zlib-ng"]
# Small blocks of a large tree take every path that large ones of a larger one take.
LEAST_LEVELS = {"gzip": 1, "isal": 0, "libdeflate": 1, "store": 0, "xz": 0, "zlib-ng": 1, "zstd": 1}

PACK_ELSEWHERE = """
import sys
from aether_pack_bench.packing import pack
from aether_pack_bench.codecs.packer import find_packer
root, artifact, manifest, name, threads = sys.argv[1:]
pack(root, artifact, manifest, packer=find_packer(name), threads=int(threads))
"""


@pytest.fixture
def large_tree(tmp_path: Path) -> Path:
    """Return a tree of several blocks of every packer but xz, with one of everything."""
    root = tmp_path / "large"
    (root / "many" / "empty folder").mkdir(parents=True)
    draw = random.Random(1)
    half = draw.randbytes(700_000)
    for number in range(70):
        (root / "many" / f"{number}.bin").write_bytes(half[number * 100 : number * 100 + 20_000] + bytes(20_000))
    (root / "large.bin").write_bytes(half + bytes(300_000) + half * 4)
    (root / "empty.bin").touch()
    if os.name == "posix":
        (root / "link").symlink_to("many")
        (root / "many" / "0.bin").chmod(0o755)
    if sys.platform == "linux":
        with open(os.fsencode(root) + b"/caf\xe9", "wb") as file:
            file.write(b"coffee")
        (root / ("n" * 250)).write_bytes(b"long")
    return root


@pytest.fixture
def packed(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that packs a tree with a built-in packer, verifies it and returns the artifact."""
    made = 0

    def packed(root: Path, name: str, *, threads: int = 1, level: int | None = None) -> Path:
        nonlocal made
        made += 1
        packer = find_packer(name)
        artifact = tmp_path / f"artifact-{made}{packer.suffix}"
        manifest_file = str(tmp_path / "manifest.json")
        result = pack(str(root), str(artifact), manifest_file, packer=packer, threads=threads, level=level)
        folder = str(tmp_path / f"unpacked-{made}")
        verify_artifact(str(artifact), result.manifest, str(root), folder, read=packer.read)
        assert result.manifest == hash_tree(str(root), threads=threads)
        return artifact

    return packed


def test_the_built_in_packers_are_installed_as_any_other_would_be() -> None:
    assert sorted(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)) == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_packer_has_the_name_it_is_found_by_and_a_default_among_its_levels(name: str) -> None:
    packer = find_packer(name)
    assert isinstance(packer, Packer)
    assert packer.name == name
    assert packer.levels[0] <= packer.default_level <= packer.levels[1]


@pytest.mark.parametrize("name", BUILT_IN)
def test_one_thread_and_several_give_the_same_bytes_which_unpack_to_the_tree(
    large_tree: Path, packed: Callable[..., Path], name: str
) -> None:
    level = LEAST_LEVELS[name]
    digests = {
        hashlib.sha256(packed(large_tree, name, threads=threads, level=level).read_bytes()).hexdigest()
        for threads in (1, 1, 2, 5)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_empty_tree_is_packed_by_every_packer(packed: Callable[..., Path], tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    assert packed(tmp_path / "empty", name, threads=2).stat().st_size > 0


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("name", BUILT_IN)
def test_the_time_zone_umask_hash_seed_and_working_folder_do_not_show(
    tree: Path, packed: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    artifact = tmp_path / "elsewhere"
    command = [sys.executable, "-c", PACK_ELSEWHERE, str(tree), str(artifact), str(tmp_path / "manifest"), name, "2"]
    env = {**os.environ, "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "12345", "SOURCE_DATE_EPOCH": "99"}
    subprocess.run(command, check=True, timeout=60, env=env, umask=0o077, cwd="/")
    assert artifact.read_bytes() == packed(tree, name).read_bytes()


@pytest.mark.parametrize("name", GZIP_COMPATIBLE)
def test_what_is_gzip_compatible_is_read_by_the_standard_library(
    large_tree: Path, packed: Callable[..., Path], name: str
) -> None:
    level = LEAST_LEVELS[name]
    stream = gzip.decompress(packed(large_tree, name, threads=2, level=level).read_bytes())
    assert stream == packed(large_tree, "store").read_bytes()


@pytest.mark.parametrize(
    ("name", "program"), [*((name, "gzip") for name in GZIP_COMPATIBLE), ("xz", "xz"), ("zstd", "zstd")]
)
def test_the_programs_of_the_same_name_read_it(
    large_tree: Path, packed: Callable[..., Path], name: str, program: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")
    with open(packed(large_tree, name, threads=2, level=LEAST_LEVELS[name]), "rb") as artifact:
        unpacked = subprocess.run([program, "-dc"], stdin=artifact, capture_output=True, check=True, timeout=60).stdout
    assert unpacked == packed(large_tree, "store").read_bytes()


@pytest.mark.parametrize("name", ["gzip", "isal", "zlib-ng"])
def test_cutting_into_blocks_costs_next_to_nothing(large_tree: Path, packed: Callable[..., Path], name: str) -> None:
    stream = packed(large_tree, "store").read_bytes()
    packer = find_packer(name)
    pieces: list[bytes] = []
    compressor = packer.open(pieces.append, level=6, threads=1)
    compressor.finish(stream)
    whole = sum(map(len, pieces))
    assert packed(large_tree, name, level=6).stat().st_size <= whole * 1.01


def test_a_frame_of_zstd_ends_with_a_checksum(tree: Path, packed: Callable[..., Path]) -> None:
    assert zstandard.get_frame_parameters(packed(tree, "zstd").read_bytes()).has_checksum


def test_a_tree_larger_than_a_block_of_xz_is_several_streams(packed: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "zeros").mkdir()
    (tmp_path / "zeros" / "file").write_bytes(bytes(17 * 2**20))
    artifact = packed(tmp_path / "zeros", "xz", threads=2, level=0)
    first = lzma.LZMADecompressor()
    first.decompress(artifact.read_bytes())
    assert first.eof
    assert first.unused_data


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize("cut", ["truncated", "damaged"])
def test_a_broken_artifact_of_any_packer_is_refused_in_words(tree: Path, tmp_path: Path, name: str, cut: str) -> None:
    (tree / "random.bin").write_bytes(random.Random(1).randbytes(50_000))
    packer = find_packer(name)
    artifact = tmp_path / "artifact"
    result = pack(str(tree), str(artifact), str(tmp_path / "manifest.json"), packer=packer)
    whole = artifact.read_bytes()
    middle = len(whole) // 2
    broken = whole[:middle] if cut == "truncated" else whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    artifact.write_bytes(broken)
    with pytest.raises(BenchError, match=r"(: cannot be unpacked: |^the artifact differs from the tree at )"):
        verify_artifact(str(artifact), result.manifest, str(tree), str(tmp_path / "unpacked"), read=packer.read)


@pytest.mark.parametrize(("name", "level"), [("gzip", 10), ("libdeflate", 0), ("zstd", 0), ("xz", 10)])
def test_a_level_a_packer_has_not_is_refused(name: str, level: int) -> None:
    with pytest.raises(BenchError, match=rf"^pack\.level={level}: {name} has levels \d to \d+$"):
        resolve_level(find_packer(name), level)


def test_a_packer_that_is_not_installed_is_refused_with_those_that_are() -> None:
    with pytest.raises(BenchError, match=r"^pack\.packer=zip: no such packer; known: gzip, isal, .*, command, python:"):
        find_packer("zip")


@pytest.mark.parametrize(
    ("value", "words"), [("no.such.module:x", "cannot be used: ModuleNotFoundError"), ("os:sep", "is no packer: see")]
)
def test_an_entry_point_that_is_no_packer_is_one_line(monkeypatch: pytest.MonkeyPatch, value: str, words: str) -> None:
    entry = EntryPoint("broken", value, ENTRY_POINT_GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: [entry])
    with pytest.raises(BenchError, match=rf"^pack\.packer=broken: {value} {words}"):
        find_packer("broken")
