"""Where baselines lie and where current summaries go: decided from what was found. Pure."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_guard.init.model import SummaryFolder

DEFAULT_BASELINE = "benchmarks/baseline"
DEFAULT_CURRENT = "target/benchmarks"
BENCH_GLOB = "bench-*.json"
#: Folders whose summaries are there to test with.
_EXAMPLES = frozenset({"example", "examples", "fixture", "fixtures", "test", "tests", "testdata", "test-data"})
# A path goes into TOML, YAML, a shell's line and an expression of the host's; it means nothing to any of them.
_PLAIN = re.compile(r"(?!-)[^\\\"'`$*?\[\]{}#:!&|<>%@]+")


class PathChoice(Struct, frozen=True, kw_only=True):
    """One side of the comparison: what `aether.toml` names, whether it is there, and what was left out and why."""

    paths: tuple[str, ...]
    found: bool
    left_out: tuple[str, ...] = ()


class _FolderShare(Struct, frozen=True, kw_only=True):
    """The summaries of one folder that are on one side; `whole` where nothing else lies there."""

    folder: str
    summaries: tuple[tuple[str, str], ...]
    others: tuple[str, ...]

    @property
    def bench_ids(self) -> set[str]:
        return {bench_id for _, bench_id in self.summaries}


def holds_baselines(path: str) -> bool:
    """Return whether a folder or a file is named for the baselines in it."""
    return "baseline" in path.lower()


def is_example(path: str) -> bool:
    """Return whether a folder's summaries are there to test with."""
    return not _EXAMPLES.isdisjoint(path.lower().split("/"))


def baseline_side(folders: Sequence[SummaryFolder], bare: Iterable[str]) -> PathChoice:
    """Return the side of the baselines: what is named for them, a folder kept for them, or the usual place."""
    side = _side([part for part, is_baseline in _parts(folders) if is_baseline])
    kept = [path for path in bare if is_plain(path) and not is_example(path)]
    if side.found:
        return side
    return PathChoice(paths=(kept[0] if kept else DEFAULT_BASELINE,), found=False, left_out=side.left_out)


def current_side(folders: Sequence[SummaryFolder]) -> PathChoice:
    """Return the side of the current summaries: the usual place, or wherever else summaries lie."""
    parts = [part for part, is_baseline in _parts(folders) if not is_baseline]
    side = _side(sorted(parts, key=lambda part: part.folder != DEFAULT_CURRENT))
    return side if side.found else PathChoice(paths=(DEFAULT_CURRENT,), found=False, left_out=side.left_out)


def folders_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Return what to keep of what `paths` name: the folders, each once, or files of the top folder."""
    folders = [(posixpath.dirname(path) or path) if path.endswith(".json") else path for path in paths]
    # A whole repository is not what is meant by the summaries in its top folder.
    return tuple(dict.fromkeys("*.json" if folder == "." else folder for folder in folders))


def is_plain(path: str) -> bool:
    """Return whether a path means nothing to a shell, to TOML, to YAML or to an expression."""
    return path.isprintable() and _PLAIN.fullmatch(path) is not None


def _parts(folders: Iterable[SummaryFolder]) -> list[tuple[_FolderShare, bool]]:
    """Return each folder's share of either side, and whether that is the baselines'."""
    parts = []
    for folder in folders:
        if is_example(folder.path):
            continue
        for is_baseline in (True, False):
            mine = tuple(
                (name, bench_id)
                for name, bench_id in folder.summaries
                if (holds_baselines(folder.path) or holds_baselines(name)) is is_baseline
            )
            names = {name for name, _ in mine}
            others = (*(name for name, _ in folder.summaries if name not in names), *folder.others)
            if mine:
                parts.append((_FolderShare(folder=folder.path, summaries=mine, others=others), is_baseline))
    return parts


def _side(parts: Iterable[_FolderShare]) -> PathChoice:
    """Return the parts one after another, but none whose bench is on this side already."""
    paths: list[str] = []
    left_out: list[str] = []
    taken: set[str] = set()
    for part in parts:
        if not all(map(is_plain, (part.folder, *(name for name, _ in part.summaries)))):
            left_out.append(f"{part.folder}: a name that a workflow cannot hold")
        elif again := sorted(taken & part.bench_ids):
            left_out.append(f"{part.folder}: {again[0]} is on this side already")
        else:
            paths += _paths(part)
            taken |= part.bench_ids
    return PathChoice(paths=tuple(paths), found=bool(paths), left_out=tuple(left_out))


def _paths(part: _FolderShare) -> list[str]:
    """Return the folder where it holds nothing else; otherwise a glob, or the files where no glob tells them apart."""
    names = [name for name, _ in part.summaries]
    if (not part.others and part.folder != ".") or part.folder == DEFAULT_CURRENT:
        return [part.folder]
    if fnmatch.filter((*names, *part.others), BENCH_GLOB) == names:
        names = [BENCH_GLOB]
    return [posixpath.normpath(posixpath.join(part.folder, name)) for name in names]
