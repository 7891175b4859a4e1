"""Inspect a repository: a bounded walk without symbolic links, its usual files, and git."""

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
from aether_guard.init.suites import PYTEST_FILES, find_suites, matching_signs
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
#: All files that may show a suite are read up to this size in total.
SIGNS_LIMIT_BYTES = 64 * 2**20
#: Formats whose files often serve other purposes, or do not hold a direction.
_AMBIGUOUS_FORMATS = frozenset({"bmf", "csv", "github-action-benchmark", "junit", "catch2"})
GIT_LIMIT_S = 10
#: Folders of generated or downloaded files, which hold no baselines.
_GENERATED_FOLDERS = frozenset({
    *(".git", ".hg", ".svn", "node_modules", "bower_components", "vendor", "site-packages", "__pycache__"),
    *("build", "dist", ".venv", "venv", ".tox", ".nox", ".hatch", ".eggs", ".gradle", ".next", ".cache"),
    *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".terraform"),
})  # fmt: skip


def discover(folder: str) -> Discovery:
    """Inspect the repository in `folder` without running any of its code.

    Raises:
        GuardError: `folder` is not a folder or not the top of its repository, or its configuration is invalid.

    """
    if not os.path.isdir(folder):
        raise GuardError(f"{printable(folder)}: not a folder")
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top and not os.path.samefile(top, folder):
        where = printable(os.path.relpath(top, folder))
        raise GuardError(f"not the top folder of the repository: run aether-guard init in {where}")
    names = tuple(sorted(os.listdir(folder)))
    walk = _RepositoryWalk(folder)
    walk.run()
    commands, misread = find_commands(walk.texts, names)
    return Discovery(
        folder=folder,
        names=names,
        is_repository=top is not None,
        branch=_branch(folder) if top else None,
        remote_host=_host(_git(folder, "config", "--get", "remote.origin.url") or "") if top else None,
        summaries=tuple(walk.summaries),
        results=tuple(walk.results),
        empty_baseline_folders=tuple(walk.empty_baselines),
        commands=commands,
        suites=find_suites(walk.signs, walk.texts, names),
        configured=_configured(folder),
        existing=tuple(_existing(folder)),
        guard_workflows=tuple(_guarding(folder, "aether-guard")),
        gitlab_includes_ours=GITLAB_MAIN in _guarding(folder, GITLAB_FILE),
        unread=(*walk.unread, *misread),
    )


class _RepositoryWalk:
    """A breadth-first walk through the folders of a repository."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.summaries: list[SummaryFolder] = []
        self.results: list[ResultFile] = []
        self.empty_baselines: list[str] = []
        self.texts: dict[str, str] = {}
        self.unread: list[str] = []
        self.signs: dict[str, dict[str, str]] = {}
        self._signs_bytes = 0
        self._json_bytes = 0
        self._importers: dict[str, Importer] = {}

    def run(self) -> None:
        """Walk the folders and fill the attributes."""
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
                self.unread.append(f"{place or '.'} and later folders: more than {ENTRIES_LIMIT:,} files")
                return
            folders = [entry.name for entry in inside if entry.is_dir(follow_symlinks=False)]
            files = [entry for entry in inside if entry.is_file(follow_symlinks=False)]
            if place and _is_separate(inside):
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
            usual = (
                usual
                or (not place and entry.name in PYTEST_FILES)
                or (place == "requirements" and entry.name.endswith(".txt"))
            )
            bench = "bench" in entry.name and entry.name.endswith(".py")
            if (usual or bench or entry.name == "Cargo.toml") and (text := self._text(path, entry)) is not None:
                self.texts[path] = text
            self._signs(path, entry)
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
            self.empty_baselines.append(place)

    def _signs(self, path: str, entry: os.DirEntry[str]) -> None:
        """Keep the text of a file that shows a suite of another tool."""
        tools = matching_signs(entry.name)
        try:
            size = entry.stat(follow_symlinks=False).st_size if tools else 0
            if not tools or size > TEXT_LIMIT_BYTES or self._signs_bytes + size > SIGNS_LIMIT_BYTES:
                return
            self._signs_bytes += size
            text = self.texts.get(path) or _read(os.path.join(self.folder, path))
        except (OSError, UnicodeDecodeError):
            return
        for tool, content in tools:
            if content.search(text):
                self.signs.setdefault(tool, {})[path] = text

    def _result(self, path: str) -> None:
        """Keep a result file of another tool if its format can be compared without options."""
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
                self.unread.append(f"{path}: too large")
                return None
            return _read(os.path.join(self.folder, path))
        except (OSError, UnicodeDecodeError):
            self.unread.append(f"{path}: cannot be read")
            return None

    def _bench_id(self, place: str, entry: os.DirEntry[str]) -> str | None:
        """Return the `bench_id` of a summary, or None for any other file."""
        try:
            size = entry.stat(follow_symlinks=False).st_size
            if size > JSON_LIMIT_BYTES or self._json_bytes + size > ALL_JSON_LIMIT_BYTES:
                self.unread.append(f"{_joined(place, entry.name)}: too large")
                return None
            self._json_bytes += size
            return read_summary(os.path.join(self.folder, place, entry.name)).bench_id
        except (OSError, SchemaError):
            return None


def _is_printed(name: str) -> bool:
    """Return whether a file may hold printed bench results."""
    return "bench" in name.lower() and name.endswith((".txt", ".log"))


def _joined(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


def _is_source(place: str, name: str) -> bool:
    if os.path.basename(place) == "target":
        return name == "benchmarks"
    return name not in _GENERATED_FOLDERS and not name.endswith(".egg-info")


def _is_separate(inside: list[os.DirEntry[str]]) -> bool:
    """Return whether a folder is a repository or a Python environment of its own."""
    return any(entry.name in {".git", "pyvenv.cfg"} for entry in inside)


def _read(path: str) -> str:
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError("not a regular file")  # a pipe might never end
    with open(path, encoding="utf-8-sig", newline=None) as file:
        return file.read(TEXT_LIMIT_BYTES)


def _configured(folder: str) -> ExistingConfig | None:
    """Return the configuration in `folder`; a parent's configuration belongs to another repository."""
    path = os.path.join(folder, PYPROJECT)
    if not os.path.isfile(os.path.join(folder, FILE_NAME)) and not os.path.isfile(path):
        return None
    config = find_config(folder)
    if config.path is None or not os.path.samefile(os.path.dirname(config.path), folder):
        return None

    def relative(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.relpath(path, folder).replace(os.sep, "/") for path in paths)

    name = os.path.basename(config.path)
    return ExistingConfig(
        path=name,
        baseline=relative(config.baseline),
        current=relative(config.current),
        has_suite=config.ab.run is not None or config.ab.suite is not None,
    )


def _existing(folder: str) -> Iterator[ExistingFile]:
    for path in (FILE_NAME, GITHUB_FILE, GITLAB_FILE):
        if os.path.lexists(place := os.path.join(folder, path)):
            try:
                text = _read(place)
            except (OSError, UnicodeDecodeError):
                text = None
            yield ExistingFile(path=path, text=text)


def _guarding(folder: str, word: str) -> Iterator[str]:
    """Yield the CI files that contain `word`, except the workflow that `init` writes."""
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
    """Return the branch that changes are merged into, or None if git knows none."""
    if default := _git(folder, "symbolic-ref", "--short", "refs/remotes/origin/HEAD"):
        return default.removeprefix("origin/")
    local = (_git(folder, "for-each-ref", "--format=%(refname:short)", "refs/heads") or "").split()
    usual = [name for name in ("main", "master") if name in local]
    return usual[0] if usual else _git(folder, "symbolic-ref", "--short", "HEAD")


def _host(address: str) -> str | None:
    """Return the host of a remote address: `https://host/path` or `user@host:path`."""
    try:
        if "://" in address:
            return urlsplit(address).hostname
    except ValueError:
        return None
    host, colon, _ = address.rpartition("@")[2].partition(":")
    return host.lower() if colon and "/" not in host else None


def _git(folder: str, *arguments: str) -> str | None:
    """Return the output of git, or None if git is missing, fails or prints nothing."""
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
    output = os.fsdecode(done.stdout).strip()
    return output if done.returncode == 0 and output else None
