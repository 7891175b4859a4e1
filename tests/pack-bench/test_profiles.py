from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from aether_pack_bench.manifest import hash_tree
from aether_pack_bench.trees.profiles import PROFILES, QUANTILES, plan_tree
from aether_pack_bench.trees.writer import write_tree

if TYPE_CHECKING:
    from pathlib import Path

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege on Windows")

# Of most a small one; a container's few files are large.
FILES = {**dict.fromkeys(PROFILES, 60), "container-layer": 12}
# What so many files of each profile come to, seed 1: the same on every system and Python.
TREE_SHA256 = {
    "node-modules": "11f576b3cedadc6d5f2ff97711ece132eb87ef7f35ed817e55ca1a65221a98e0",
    "python-wheelhouse": "ebaecfddf507de0ba9340e64ea47b395061bdc571fb867bb1989406b2f38ea1a",
    "static-site": "4464924d762708e115dbe8a3bed3e2ba009b58d29c5ec142d8f81a0bbd22bf38",
    "container-layer": "25180e14b46937d80a4c59b510f3d843e2603ae0402c872091956cf78582a1fd",
    "incompressible": "40ca63c1cda903f2e9e791be0a3c17b15da03b404041b18dd476b06a7fc3d330",
    "duplicates": "4aaa9c5c7bd6ec6230513d834871c178cae5f03a8f19c07d86ba960a0647c6aa",
}


@needs_links
@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_gives_the_same_bytes_on_every_system(tmp_path: Path, name: str) -> None:
    write_tree(str(tmp_path / "tree"), plan_tree(PROFILES[name], files=FILES[name], seed=1))
    assert hash_tree(str(tmp_path / "tree")).tree_sha256 == TREE_SHA256[name]


@pytest.mark.parametrize("name", PROFILES)
def test_another_seed_gives_another_tree_and_another_number_of_files_as_many(name: str) -> None:
    profile = PROFILES[name]
    assert plan_tree(profile, files=50, seed=1) != plan_tree(profile, files=50, seed=2)
    for files in (0, 1, 7, 500):
        planned = plan_tree(profile, files=files, seed=1)
        assert sum(each.sort is not None or each.target is not None for each in planned) == files


@pytest.mark.parametrize("name", PROFILES)
def test_no_path_stands_twice_and_folders_come_before_what_is_in_them(name: str) -> None:
    planned = plan_tree(PROFILES[name], files=PROFILES[name].files, seed=3)
    seen = {""}
    for each in planned:
        assert os.path.dirname(each.path) in seen
        assert each.path not in seen
        if each.sort is None and each.target is None:
            seen.add(each.path)
    assert len({each.path for each in planned}) == len(planned)


@pytest.mark.parametrize("name", PROFILES)
def test_sizes_sorts_copies_and_depths_are_distributed_as_the_profile_says(name: str) -> None:
    profile = PROFILES[name]
    planned = plan_tree(profile, files=20_000, seed=5)
    files = [each for each in planned if each.sort is not None]
    total = sum(sort.share for sort in profile.sorts)
    for sort in profile.sorts:
        own = sorted(each.size for each in files if each.sort == sort)
        assert len(own) / len(files) == pytest.approx(sort.share / total, abs=0.02)
        if len(own) > 1000:
            for share, size in zip(QUANTILES[1:-2], sort.sizes[1:-2], strict=True):
                below = sum(each <= size for each in own) / len(own)
                # Of copies, one original that was drawn often weighs more than others.
                assert below == pytest.approx(share / 1000, abs=0.05 if profile.copies < 500 else 0.2)
    copies = len(files) - len({each.seed for each in files})
    assert copies / 20_000 == pytest.approx(profile.copies / 1000, abs=0.02)
    assert sum(each.target is not None for each in planned) / 20_000 == pytest.approx(profile.links / 1000, abs=0.01)
    deepest = max(each.path.count("/") for each in files)
    assert deepest == len(profile.depths) - 1


@pytest.mark.parametrize("name", PROFILES)
def test_the_shares_of_a_profile_are_per_mille_and_its_quantiles_in_order(name: str) -> None:
    profile = PROFILES[name]
    assert sum(sort.share for sort in profile.sorts) == 1000
    assert all(list(sort.sizes) == sorted(sort.sizes) for sort in profile.sorts)
