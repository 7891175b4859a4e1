"""Profiles: seeded trees whose sizes, depths and contents are distributed as in trees that people deploy.

The figures are measured on real trees: a `node_modules` of seven common packages (10,290 files, 145 MB), a
`site-packages` of four scientific packages (5,924 files, 293 MB), the documentation and the programs of a Debian
system.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_pack_bench.trees.content import ContentKind

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The shares of files below which the sizes of `Sort.sizes` lie, per mille.
QUANTILES = (0, 100, 250, 500, 750, 900, 990, 1000)
_SYLLABLES = ("ab", "con", "der", "el", "fa", "gri", "ho", "in", "ka", "lo", "mer", "no", "op", "pre", "sta", "ver")


class FileKind(Struct, frozen=True):
    """One kind of file: its suffix, its share of all files per mille, its content, and its size quantiles in bytes."""

    suffix: str
    share: int
    content: ContentKind
    sizes: tuple[int, int, int, int, int, int, int, int]
    executable: bool = False


class TreeProfile(Struct, frozen=True, kw_only=True):
    """A tree's distributions: how many files, how many of them a folder, how deep (a weight a level), which sorts.

    `links` and `copies` are files per mille that are links to a neighbor, or copies of another file.
    """

    about: str
    files: int
    files_a_folder: int
    depths: tuple[int, ...]
    sorts: tuple[FileKind, ...]
    links: int = 0
    copies: int = 0


class PlannedEntry(Struct, frozen=True):
    """A folder (no sort), a link (a target), or a file of `size` bytes whose contents follow from `seed`."""

    path: str
    sort: FileKind | None = None
    size: int = 0
    seed: int = 0
    target: str | None = None


_PYTHON = FileKind(".py", 640, "text", (0, 357, 1610, 6491, 19172, 46651, 178192, 725069))
_NOISE = FileKind(".bin", 1000, "noise", (1000, 8000, 30000, 120000, 400000, 900000, 3000000, 8000000))

PROFILES: dict[str, TreeProfile] = {
    "node-modules": TreeProfile(
        about="a JavaScript project's dependencies: tens of thousands of small files, deep",
        files=20_000,
        files_a_folder=7,
        depths=(5, 105, 148, 344, 131, 92, 165, 10),
        links=3,
        copies=60,
        sorts=(
            FileKind(".js", 480, "text", (0, 111, 394, 1433, 5142, 14632, 130797, 1748529)),
            FileKind(".ts", 225, "text", (9, 105, 250, 878, 2586, 7453, 81198, 2349483)),
            FileKind(".map", 120, "text", (102, 275, 565, 1515, 6011, 25256, 156594, 1493806)),
            FileKind(".json", 70, "text", (19, 89, 646, 1004, 1885, 2870, 19908, 329163)),
            FileKind(".md", 104, "text", (0, 500, 1068, 1132, 2694, 7388, 64547, 125309)),
            FileKind(
                ".node", 1, "binary", (523152, 523152, 523152, 2110312, 4000000, 10032264, 10032264, 21117344), True
            ),
        ),
    ),
    "python-wheelhouse": TreeProfile(
        about="wheels unpacked side by side: modules, and extensions that hold most of the bytes",
        files=6_000,
        files_a_folder=11,
        depths=(1, 81, 255, 367, 207, 86, 4),
        copies=20,
        sorts=(
            _PYTHON,
            FileKind(".pyi", 75, "text", (0, 169, 505, 1698, 5265, 10218, 45068, 236374)),
            FileKind(".so", 38, "binary", (16216, 47368, 97889, 189856, 564848, 1522376, 10407681, 25409073), True),
            FileKind(".txt", 217, "text", (0, 114, 175, 497, 952, 1593, 56264, 178801)),
            FileKind(".npz", 30, "noise", (366, 846, 3138, 12116, 34050, 296072, 600350, 1270643)),
        ),
    ),
    "static-site": TreeProfile(
        about="a built site: pages, scripts, and pictures and fonts that are compressed already",
        files=3_000,
        files_a_folder=9,
        depths=(20, 300, 420, 200, 60),
        copies=30,
        sorts=(
            FileKind(".html", 560, "text", (771, 4637, 6945, 20887, 65715, 162892, 542408, 2417971)),
            FileKind(".js", 90, "text", (200, 900, 3000, 12000, 45000, 160000, 500000, 1500000)),
            FileKind(".css", 40, "text", (100, 600, 2000, 9000, 30000, 80000, 240000, 400000)),
            FileKind(".svg", 80, "text", (300, 500, 800, 1600, 4000, 15000, 90000, 300000)),
            FileKind(".webp", 200, "noise", (300, 1500, 5000, 18000, 60000, 150000, 600000, 2500000)),
            FileKind(".woff2", 30, "noise", (8000, 12000, 16000, 24000, 45000, 80000, 200000, 400000)),
        ),
    ),
    "container-layer": TreeProfile(
        about="a layer of an image: few files, most of the bytes in large programs and libraries",
        files=120,
        files_a_folder=6,
        depths=(0, 200, 500, 300),
        links=80,
        sorts=(
            FileKind("", 300, "binary", (14000, 40000, 90000, 400000, 2000000, 9000000, 40000000, 70000000), True),
            FileKind(".so", 350, "binary", (14336, 18680, 60208, 272304, 1500000, 6000000, 25762552, 32405040)),
            FileKind(".conf", 250, "text", (40, 166, 632, 1454, 4519, 25069, 90000, 400000)),
            FileKind(".jar", 100, "noise", (8750, 70270, 194890, 446340, 1260830, 5228920, 23168781, 40311666)),
        ),
    ),
    "incompressible": TreeProfile(
        about="data that is compressed already, or encrypted",
        files=400,
        files_a_folder=20,
        depths=(100, 600, 300),
        sorts=(_NOISE,),
    ),
    "duplicates": TreeProfile(
        about="modules, of which seven in ten hold what another holds",
        files=6_000,
        files_a_folder=11,
        depths=(1, 81, 255, 367, 207, 86, 4),
        copies=700,
        sorts=(_PYTHON, FileKind(".json", 360, "text", (19, 89, 646, 1004, 1885, 2870, 19908, 329163))),
    ),
}


def plan_tree(profile: TreeProfile, *, files: int, seed: int) -> list[PlannedEntry]:
    """Return a tree with this number of files, a folder before its content; a seed gives the same on every system."""
    draw = random.Random(seed)  # noqa: S311 - a tree to pack, not a secret
    levels: list[list[str]] = [[""]]
    planned: list[PlannedEntry] = []
    for number in range(max(1, files // profile.files_a_folder)):
        level = min(_weighted_index(draw, profile.depths), len(levels))
        if level == 0:
            continue
        above = levels[level - 1]
        folder = f"{above[_randbelow(draw, len(above))]}{_name(draw)}-{number}/"
        if level == len(levels):
            levels.append([])
        levels[level].append(folder)
        planned.append(PlannedEntry(folder.rstrip("/")))
    weights = [sort.share for sort in profile.sorts]
    originals: dict[str, list[PlannedEntry]] = {}
    for number in range(files):
        sort = profile.sorts[_weighted_index(draw, weights)]
        folders = levels[min(_weighted_index(draw, profile.depths), len(levels) - 1)]
        name = f"{_name(draw)}{number}{sort.suffix}"
        path = folders[_randbelow(draw, len(folders))] + name
        known = originals.setdefault(sort.suffix, [])
        chance = _randbelow(draw, 1000)
        if chance < profile.links:
            planned.append(PlannedEntry(path, target=f"../{_name(draw)}/{name}"))
        elif known and chance < profile.links + profile.copies:
            original = known[_randbelow(draw, len(known))]
            planned.append(PlannedEntry(path, sort, original.size, original.seed))
        else:
            file = PlannedEntry(path, sort, _size(draw, sort.sizes), draw.getrandbits(48))
            known.append(file)
            planned.append(file)
    return planned


def _weighted_index(draw: random.Random, weights: Sequence[int]) -> int:
    """Return an index, drawn by its weight."""
    left = _randbelow(draw, sum(weights))
    for index, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return index
    raise AssertionError


def _size(draw: random.Random, sizes: Sequence[int]) -> int:
    """Return a size: between two quantiles small sizes are more frequent, by the cube of a uniform number."""
    share = _randbelow(draw, 1000)
    upper = next(index for index, quantile in enumerate(QUANTILES) if share < quantile)
    return sizes[upper - 1] + ((sizes[upper] - sizes[upper - 1]) * draw.getrandbits(16) ** 3 >> 48)


def _name(draw: random.Random) -> str:
    return "".join(_SYLLABLES[draw.getrandbits(4)] for _ in range(2 + draw.getrandbits(1)))


def _randbelow(draw: random.Random, limit: int) -> int:
    return draw.getrandbits(32) * limit >> 32
