"""What a look at a repository found: values only, every path relative to it and with forward slashes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: The hosts of continuous integration that a workflow can be written for.
CiHost = Literal["github", "gitlab"]
#: What runs a bench command, and so has to be there first.
Tool = Literal[
    "python", "hatch", "pdm", "poe", "task", "npm", "pnpm", "yarn", "bun", "just", "make", "nox", "tox", "cargo"
]


class SummaryFolder(Struct, frozen=True, kw_only=True):
    """A folder with summaries in it: `(file name, bench_id)` of each, and the names of its other `*.json`."""

    path: str
    summaries: tuple[tuple[str, str], ...]
    others: tuple[str, ...] = ()


class ResultFile(Struct, frozen=True, kw_only=True):
    """A file, or a folder, of another tool's results, and the importer that reads it."""

    path: str
    format: str


class BenchCommand(Struct, frozen=True, kw_only=True):
    """A command that looks as if it runs benches.

    `name` is what the file `source` calls it, `measures` whether it is known to write summaries, and `install`
    the Python requirements it takes beside its tool.
    """

    command: str
    name: str
    source: str
    tool: Tool
    measures: bool = False
    install: tuple[str, ...] = ()


class ExistingFile(Struct, frozen=True, kw_only=True):
    """A file that is there where one of ours would go; `text` is None where it cannot be read as text."""

    path: str
    text: str | None


class ExistingConfig(Struct, frozen=True, kw_only=True):
    """The configuration that the repository has already."""

    path: str
    baseline: tuple[str, ...]
    current: tuple[str, ...]


class Discovery(Struct, frozen=True, kw_only=True):
    """Everything that a plan is made from.

    `names` are the entries of the repository's folder. `guard_workflows` are the CI files that already run the guard;
    `gitlab_includes_ours` is true if GitLab's configuration includes our file. `empty_baseline_folders` are folders for
    baselines without a summary in them. `unread` names the files that were skipped.
    """

    folder: str
    names: tuple[str, ...] = ()
    is_repository: bool = True
    branch: str | None = None
    remote_host: str | None = None
    summaries: tuple[SummaryFolder, ...] = ()
    results: tuple[ResultFile, ...] = ()
    empty_baseline_folders: tuple[str, ...] = ()
    commands: tuple[BenchCommand, ...] = ()
    configured: ExistingConfig | None = None
    existing: tuple[ExistingFile, ...] = ()
    guard_workflows: tuple[str, ...] = ()
    gitlab_includes_ours: bool = False
    unread: tuple[str, ...] = ()
