"""The facts that `init` finds in a repository: paths are relative to it and use forward slashes."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

#: The CI hosts that a workflow can be written for.
CiHost = Literal["github", "gitlab"]
#: The tool that runs a bench command, and must be installed first.
Tool = Literal[
    "python", "hatch", "pdm", "poe", "task", "npm", "pnpm", "yarn", "bun", "just", "make", "nox", "tox", "cargo"
]


class SummaryFolder(Struct, frozen=True, kw_only=True):
    """A folder with summaries: `(file name, bench_id)` of each, and the names of its other `*.json` files."""

    path: str
    summaries: tuple[tuple[str, str], ...]
    others: tuple[str, ...] = ()


class ResultFile(Struct, frozen=True, kw_only=True):
    """A file or folder with results of another tool, and the importer that reads it."""

    path: str
    format: str


class BenchCommand(Struct, frozen=True, kw_only=True):
    """A command that probably runs benches.

    `name` is its name in the file `source`, `measures` whether it is known to write summaries, and `install` the
    Python requirements that it needs in addition to its tool.
    """

    command: str
    name: str
    source: str
    tool: Tool
    measures: bool = False
    install: tuple[str, ...] = ()


class SuiteRun(Struct, frozen=True, kw_only=True):
    """The options with which `aether-guard ab` runs a suite: a command, where its results are, and the set-up."""

    run: str
    results: str | None = None
    setup: tuple[str, ...] = ()


class BenchSuite(Struct, frozen=True, kw_only=True):
    """A suite of another tool's benchmarks, recognized by the file `source`.

    `install` and `measure` are shell commands; the results are then at `current`, in a `format` that can be imported.
    `compare` is the run under `aether-guard ab`; None if it cannot run there. `image` is a container
    image that holds the tool. `remark` is an open point for the user. Without a format there is only the remark.
    """

    tool: str
    source: str
    format: str | None = None
    install: tuple[str, ...] = ()
    measure: tuple[str, ...] = ()
    current: str = ""
    compare: SuiteRun | None = None
    image: str | None = None
    remark: str | None = None


class ExistingFile(Struct, frozen=True, kw_only=True):
    """An existing file at a path that `init` writes; `text` is None if it cannot be read as text."""

    path: str
    text: str | None


class ExistingConfig(Struct, frozen=True, kw_only=True):
    """The existing configuration of the repository; `has_suite` is whether it names a suite for `aether-guard ab`."""

    path: str
    baseline: tuple[str, ...]
    current: tuple[str, ...]
    has_suite: bool = False


class Discovery(Struct, frozen=True, kw_only=True):
    """The input of a plan.

    `names` are the entries of the repository's top folder. `guard_workflows` are the CI files that already run the
    guard; `gitlab_includes_ours` is true if GitLab's configuration includes our file. `empty_baseline_folders` are
    folders for baselines without a summary in them. `unread` names the skipped files, each with the reason.
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
    suites: tuple[BenchSuite, ...] = ()
    configured: ExistingConfig | None = None
    existing: tuple[ExistingFile, ...] = ()
    guard_workflows: tuple[str, ...] = ()
    gitlab_includes_ours: bool = False
    unread: tuple[str, ...] = ()
