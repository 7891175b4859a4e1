"""Choose the paths of baselines and current summaries. Pure."""

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
#: Names of folders with test data.
_EXAMPLES = frozenset({"example", "examples", "fixture", "fixtures", "test", "tests", "testdata", "test-data"})
# Paths go into TOML, YAML, a shell line and an expression, so they must have no special meaning in any of them.
_PLAIN = re.compile(r"(?!-)[^\\\"'`$*?\[\]{}#:!&|<>%@]+")


class PathChoice(Struct, frozen=True, kw_only=True):
    """The paths of one side in `aether.toml`, whether they exist, and messages about folders left out."""

    paths: tuple[str, ...]
    found: bool
    left_out: tuple[str, ...] = ()


class _FolderShare(Struct, frozen=True, kw_only=True):
    """The summaries of one folder that belong to one side, and the names of its other files."""

    folder: str
    summaries: tuple[tuple[str, str], ...]
    others: tuple[str, ...]

    @property
    def bench_ids(self) -> set[str]:
        return {bench_id for _, bench_id in self.summaries}


def holds_baselines(path: str) -> bool:
    """Return whether the name of a folder or file marks baselines."""
    return "baseline" in path.lower()


def is_example(path: str) -> bool:
    """Return whether a folder holds test data."""
    return not _EXAMPLES.isdisjoint(path.lower().split("/"))


def baseline_side(folders: Sequence[SummaryFolder], empty: Iterable[str]) -> PathChoice:
    """Choose the baselines: summaries named as baselines, an empty folder for them, or the default path."""
    side = _side([part for part, is_baseline in _parts(folders) if is_baseline])
    reserved = [path for path in empty if is_plain(path) and not is_example(path)]
    if side.found:
        return side
    return PathChoice(paths=(reserved[0] if reserved else DEFAULT_BASELINE,), found=False, left_out=side.left_out)


def current_side(folders: Sequence[SummaryFolder]) -> PathChoice:
    """Choose the current summaries: the default path first, then all other summaries."""
    parts = [part for part, is_baseline in _parts(folders) if not is_baseline]
    side = _side(sorted(parts, key=lambda part: part.folder != DEFAULT_CURRENT))
    return side if side.found else PathChoice(paths=(DEFAULT_CURRENT,), found=False, left_out=side.left_out)


def folders_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths to upload: the folders of `paths`, each once, or `*.json` of the top folder."""
    folders = [(posixpath.dirname(path) or path) if path.endswith(".json") else path for path in paths]
    # Summaries in the top folder must not upload the whole repository.
    return tuple(dict.fromkeys("*.json" if folder == "." else folder for folder in folders))


def is_plain(path: str) -> bool:
    """Return whether a path has no special meaning in a shell, TOML, YAML or an expression."""
    return path.isprintable() and _PLAIN.fullmatch(path) is not None


def _parts(folders: Iterable[SummaryFolder]) -> list[tuple[_FolderShare, bool]]:
    """Split each folder into baselines and current summaries; the flag is true for baselines."""
    parts = []
    for folder in folders:
        if is_example(folder.path):
            continue
        for is_baseline in (True, False):
            summaries = tuple(
                (name, bench_id)
                for name, bench_id in folder.summaries
                if (holds_baselines(folder.path) or holds_baselines(name)) is is_baseline
            )
            names = {name for name, _ in summaries}
            others = (*(name for name, _ in folder.summaries if name not in names), *folder.others)
            if summaries:
                parts.append((_FolderShare(folder=folder.path, summaries=summaries, others=others), is_baseline))
    return parts


def _side(parts: Iterable[_FolderShare]) -> PathChoice:
    """Combine the parts, leaving out parts with a bench that an earlier part holds."""
    paths: list[str] = []
    left_out: list[str] = []
    taken: set[str] = set()
    for part in parts:
        if not all(map(is_plain, (part.folder, *(name for name, _ in part.summaries)))):
            left_out.append(f"{part.folder}: a name with special characters")
        elif duplicates := sorted(taken & part.bench_ids):
            left_out.append(f"{part.folder}: {duplicates[0]} is in another folder as well")
        else:
            paths += _paths(part)
            taken |= part.bench_ids
    return PathChoice(paths=tuple(paths), found=bool(paths), left_out=tuple(left_out))


def _paths(part: _FolderShare) -> list[str]:
    """Return the folder if it holds nothing else, else a glob that matches only these files, or the files."""
    names = [name for name, _ in part.summaries]
    if (not part.others and part.folder != ".") or part.folder == DEFAULT_CURRENT:
        return [part.folder]
    if fnmatch.filter((*names, *part.others), BENCH_GLOB) == names:
        names = [BENCH_GLOB]
    return [posixpath.normpath(posixpath.join(part.folder, name)) for name in names]
