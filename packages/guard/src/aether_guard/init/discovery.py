"""Looking at a repository: a bounded walk that follows no link, its usual files, and what git says of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aether_guard.config import FILE_NAME, PYPROJECT, find_config
from aether_guard.errors import GuardError
from aether_guard.init.bench_commands import SOURCES, find_commands
from aether_guard.init.model import Discovery, ExistingConfig, ExistingFile, ResultFile, SummaryFolder
from aether_guard.init.paths import holds_baselines, is_example
from aether_guard.init.workflow import GITHUB_FILE, GITLAB_FILE, GITLAB_MAIN
from aether_schema import SchemaError, printable, read_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.registry import Importer

ENTRIES_LIMIT = 50_000
DEPTH_LIMIT = 12
JSON_LIMIT_BYTES = 16 * 2**20
ALL_JSON_LIMIT_BYTES = 256 * 2**20
TEXT_LIMIT_BYTES = 2**20
RESULTS_LIMIT = 100
#: Formats that lie about for other reasons, or do not say which way is better.
_AMBIGUOUS_FORMATS = frozenset({"bmf", "csv", "github-action-benchmark", "junit", "catch2"})
GIT_LIMIT_S = 10
#: Where tools put what they made or fetched; nothing in there is anybody's baseline.
_GENERATED_FOLDERS = frozenset({
    *(".git", ".hg", ".svn", "node_modules", "bower_components", "vendor", "site-packages", "__pycache__"),
    *("build", "dist", ".venv", "venv", ".tox", ".nox", ".hatch", ".eggs", ".gradle", ".next", ".cache"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".terraform"),
})  # fmt: skip


def discover(folder: str) -> Discovery:
    """Return what the repository in `folder` holds, as far as it can be seen without running any of it.

    Raises:
        GuardError: it is no folder, not the top of its repository, or its configuration is invalid.

    """
    if not os.path.isdir(folder):
        raise GuardError(f"{printable(folder)}: not a folder")
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top and not os.path.samefile(top, folder):
        where = printable(os.path.relpath(top, folder))
        raise GuardError(f"a workflow belongs to a whole repository: run aether-guard init at its top, {where}")
    names = tuple(sorted(os.listdir(folder)))
    walk = _RepositoryWalk(folder)
    walk.look()
    commands, misread = find_commands(walk.texts, names)
    return Discovery(
        folder=folder,
        names=names,
        is_repository=top is not None,
        branch=_branch(folder) if top else None,
        remote_host=_host(_git(folder, "config", "--get", "remote.origin.url") or "") if top else None,
        summaries=tuple(walk.summaries),
        results=tuple(walk.results),
        empty_baseline_folders=tuple(walk.bare_baselines),
        commands=commands,
        configured=_configured(folder),
        existing=tuple(_existing(folder)),
        guard_workflows=tuple(_guarding(folder, "aether-guard")),
        gitlab_includes_ours=GITLAB_MAIN in _guarding(folder, GITLAB_FILE),
        unread=(*walk.unread, *misread),
    )


class _RepositoryWalk:
    """One look through the folders, the shallow ones first."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.summaries: list[SummaryFolder] = []
        self.results: list[ResultFile] = []
        self.bare_baselines: list[str] = []
        self.texts: dict[str, str] = {}
        self.unread: list[str] = []
        self._json_bytes = 0
        self._importers: dict[str, Importer] = {}

    def look(self) -> None:
        """Look, and leave what was found in the attributes."""
        waiting = deque([("", 0)])
        seen = 0
        while waiting:
            place, depth = waiting.popleft()
            try:
                with os.scandir(os.path.join(self.folder, place)) as entries:
                    inside = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self.unread.append(f"{place}: {(error.strerror or str(error)).lower()}")
                continue
            seen += len(inside)
            if seen > ENTRIES_LIMIT:
                self.unread.append(f"{place or '.'} and what follows, past {ENTRIES_LIMIT:,} files")
                return
            folders = [entry.name for entry in inside if entry.is_dir(follow_symlinks=False)]
            files = [entry for entry in inside if entry.is_file(follow_symlinks=False)]
            if place and _is_another(inside):
                continue
            self._files(place, files)
            if os.path.basename(place) == "target" and "criterion" in folders:
                self._result(_joined(place, "criterion"))
            if depth < DEPTH_LIMIT:
                waiting.extend((_joined(place, name), depth + 1) for name in folders if _is_source(place, name))

    def _files(self, place: str, files: list[os.DirEntry[str]]) -> None:
        for entry in files:
            path = _joined(place, entry.name)
            usual = not place and (entry.name in SOURCES or re.fullmatch(r"requirements[\w.-]*\.txt", entry.name))
            bench = "bench" in entry.name and entry.name.endswith(".py")
            if (usual or bench or entry.name == "Cargo.toml") and (text := self._text(path, entry)) is not None:
                self.texts[path] = text
        documents = [entry for entry in files if entry.name.endswith(".json") and entry.name[0] != "."]
        read = [(entry.name, self._bench_id(place, entry)) for entry in documents]
        named = tuple((name, bench_id) for name, bench_id in read if bench_id is not None)
        unnamed = {name for name, bench_id in read if bench_id is None}
        for entry in files:
            if entry.name in unnamed or entry.name.endswith((".json.gz", "_stats.csv")) or _is_printed(entry.name):
                self._result(_joined(place, entry.name))
        if named:
            others = tuple(name for name, bench_id in read if bench_id is None)
            self.summaries.append(SummaryFolder(path=place or ".", summaries=named, others=others))
        elif not documents and holds_baselines(os.path.basename(place)):
            self.bare_baselines.append(place)

    def _result(self, path: str) -> None:
        """Keep a file of another tool's, of those that say enough to be compared as they are."""
        from aether_formats import ImportFileError
        from aether_formats.reading.document import read_document
        from aether_formats.registry import all_importers, detect_format

        place = os.path.join(self.folder, path)
        if is_example(path) or len(self.results) >= RESULTS_LIMIT:
            return
        try:
            size = os.path.getsize(place)
            if self._json_bytes + size > ALL_JSON_LIMIT_BYTES or size > JSON_LIMIT_BYTES:
                return
            self._json_bytes += size
            self._importers = self._importers or all_importers()
            form, _ = detect_format(read_document(place), self._importers)
        except (OSError, ImportFileError, GuardError):
            return
        if form not in _AMBIGUOUS_FORMATS:
            self.results.append(ResultFile(path=path, format=form))

    def _text(self, path: str, entry: os.DirEntry[str]) -> str | None:
        try:
            if entry.stat(follow_symlinks=False).st_size > TEXT_LIMIT_BYTES:
                self.unread.append(f"{path}: too large, passed over")
                return None
            return _read(os.path.join(self.folder, path))
        except (OSError, UnicodeDecodeError):
            self.unread.append(f"{path}: cannot be read, passed over")
            return None

    def _bench_id(self, place: str, entry: os.DirEntry[str]) -> str | None:
        """Return the bench that a file is a summary of, or None where it is something else."""
        try:
            size = entry.stat(follow_symlinks=False).st_size
            if size > JSON_LIMIT_BYTES or self._json_bytes + size > ALL_JSON_LIMIT_BYTES:
                self.unread.append(f"{_joined(place, entry.name)}: too large to look at, passed over")
                return None
            self._json_bytes += size
            return read_summary(os.path.join(self.folder, place, entry.name)).bench_id
        except (OSError, SchemaError):
            return None


def _is_printed(name: str) -> bool:
    """Return whether a file may hold what a bench printed."""
    return "bench" in name.lower() and name.endswith((".txt", ".log"))


def _joined(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


def _is_source(place: str, name: str) -> bool:
    if os.path.basename(place) == "target":
        return name == "benchmarks"
    return name not in _GENERATED_FOLDERS and not name.endswith(".egg-info")


def _is_another(inside: list[os.DirEntry[str]]) -> bool:
    """Return whether a folder below the top is a repository or a Python environment of its own."""
    return any(entry.name in {".git", "pyvenv.cfg"} for entry in inside)


def _read(path: str) -> str:
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError("not a regular file")  # a pipe might never end
    with open(path, encoding="utf-8-sig", newline=None) as file:
        return file.read(TEXT_LIMIT_BYTES)


def _configured(folder: str) -> ExistingConfig | None:
    """Return the configuration in this very folder; one further up is of another repository."""
    path = os.path.join(folder, PYPROJECT)
    if not os.path.isfile(os.path.join(folder, FILE_NAME)) and not os.path.isfile(path):
        return None
    config = find_config(folder)
    if config.path is None or not os.path.samefile(os.path.dirname(config.path), folder):
        return None

    def seen_from_here(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.relpath(path, folder).replace(os.sep, "/") for path in paths)

    name = os.path.basename(config.path)
    return ExistingConfig(path=name, baseline=seen_from_here(config.baseline), current=seen_from_here(config.current))


def _existing(folder: str) -> Iterator[ExistingFile]:
    for path in (FILE_NAME, GITHUB_FILE, GITLAB_FILE):
        if os.path.lexists(place := os.path.join(folder, path)):
            try:
                text = _read(place)
            except (OSError, UnicodeDecodeError):
                text = None
            yield ExistingFile(path=path, text=text)


def _guarding(folder: str, word: str) -> Iterator[str]:
    """Yield the CI files, other than the workflow written here, in which `word` stands."""
    workflows = os.path.dirname(GITHUB_FILE)
    try:
        names = sorted(os.listdir(os.path.join(folder, workflows)))
    except OSError:
        names = []
    candidates = [f"{workflows}/{name}" for name in names if name.endswith((".yml", ".yaml"))]
    for path in (*candidates, GITLAB_MAIN):
        place = os.path.join(folder, path)
        try:
            if path != GITHUB_FILE and os.path.isfile(place) and word in _read(place):
                yield path
        except (OSError, UnicodeDecodeError):
            continue


def _branch(folder: str) -> str | None:
    """Return the branch that changes are merged into, as far as git knows one."""
    if default := _git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD"):
        return default.removeprefix("origin/")
    local = (_git(folder, "for-each-ref", "--format=%(refname:short)", "refs/heads") or "").split()
    usual = [name for name in ("main", "master") if name in local]
    return usual[0] if usual else _git(folder, "symbolic-ref", "--short", "HEAD")


def _host(address: str) -> str | None:
    """Return the host of a remote, of either form: `https://host/path` or `user@host:path`."""
    try:
        if "://" in address:
            return urlsplit(address).hostname
    except ValueError:
        return None
    host, colon, _ = address.rpartition("@")[2].partition(":")
    return host.lower() if colon and "/" not in host else None


def _git(folder: str, *arguments: str) -> str | None:
    """Return what git answers, or None where it is missing, refuses or has nothing to say."""
    if (git := shutil.which("git")) is None:
        return None
    try:
        done = subprocess.run(
            [git, "-C", folder, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer = os.fsdecode(done.stdout).strip()
    return answer if done.returncode == 0 and answer else None
