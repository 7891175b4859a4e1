"""Finding summary files: a path is a file, a folder of them, or a glob."""

from __future__ import annotations

import glob
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import Summary, SummaryFileError, printable, read_summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: `**` looks into at most this many folders.
FOLDERS_LIMIT = 100_000
_SEPARATORS = re.escape(os.sep + (os.altsep or ""))
# One or more parts of a path that stand for any number of folders.
_ANY_FOLDERS = re.compile(rf"(?:^|(?<=[{_SEPARATORS}]))(?:\*\*(?:[{_SEPARATORS}]+|$))+")


class LoadedSummary(Struct, frozen=True):
    """A summary and the file it came from."""

    path: str
    summary: Summary


class LoadError(Struct, frozen=True):
    """A file, or a bench in it, without a usable figure; the message is one line that names the file.

    With `is_error` false the bench is listed as not judged and does not fail the build. `is_missing` means that there
    is no such file.
    """

    path: str
    message: str
    bench_id: str | None = None
    is_error: bool = True
    is_missing: bool = False


def is_single_file(path: str) -> bool:
    """Return whether `path` stands for one file, there or not, rather than for a folder or a glob."""
    return not os.path.isdir(path) and (os.path.lexists(path) or not glob.has_magic(path))


def expand_path(path: str, *, folders_limit: int = FOLDERS_LIMIT) -> list[str]:
    """Return the files that `path` stands for, in order: itself, or a folder's `*.json`, or a glob's.

    In a glob, `**` matches any number of folders; links to folders are not followed, because they may form cycles.

    Raises:
        ValueError: `**` stands for more than `folders_limit` folders.

    """
    if is_single_file(path):
        return [path]
    if os.path.isdir(path):
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries]
        return [os.path.join(path, name) for name in sorted(names) if name.endswith(".json") and name[0] != "."]
    return sorted(set(_matches(path, folders_limit, set())))


def _matches(pattern: str, limit: int, visited: set[tuple[str, str]]) -> Iterator[str]:
    """Yield the matches of a glob; `visited` holds folders with the part of the glob that was matched below them."""
    stars = _ANY_FOLDERS.search(pattern)
    if stars is None:
        yield from glob.iglob(pattern)
        return
    rest = pattern[stars.end() :]
    waiting = glob.glob(pattern[: stars.start()]) if stars.start() else [""]
    while waiting:
        folder = waiting.pop()
        if (folder, rest) in visited:
            continue
        visited.add((folder, rest))
        if len(visited) > limit:
            raise ValueError(f"more than {limit:,} folders; name one that is deeper down")
        beneath = _matches(os.path.join(glob.escape(folder), rest or "*"), limit, visited)
        yield from beneath if rest else filter(os.path.isfile, beneath)
        with suppress(OSError), os.scandir(folder or os.curdir) as entries:
            waiting += [
                os.path.join(folder, entry.name)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]


def load(path: str) -> LoadedSummary | LoadError:
    """Return the summary in the file `path`, or its error."""
    try:
        return LoadedSummary(path, read_summary(path))
    except SummaryFileError as error:
        return LoadError(path, str(error), is_missing=error.missing)


def load_all(paths: Iterable[str]) -> tuple[list[LoadedSummary], list[LoadError]]:
    """Return every summary that `paths` stand for, each file once, and every problem met on the way."""
    loaded: list[LoadedSummary] = []
    problems: list[LoadError] = []
    seen: set[str] = set()
    for path in paths:
        try:
            files = expand_path(path)
        except (OSError, ValueError) as error:
            problem = (getattr(error, "strerror", None) or str(error)).lower()
            problems.append(LoadError(path, f"{printable(path)}: {problem}"))
            continue
        if not files:
            what = "no summary (*.json) in this folder" if os.path.isdir(path) else "no file matches"
            problems.append(LoadError(path, f"{printable(path)}: {what}", is_missing=True))
        for file in files:
            if (real := os.path.realpath(file)) in seen:
                continue
            seen.add(real)
            item = load(file)
            if isinstance(item, LoadedSummary):
                loaded.append(item)
            else:
                problems.append(item)
    return loaded, problems
