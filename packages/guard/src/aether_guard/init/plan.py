"""Plan, write and describe the files of `init`. Pure, except for `write_init`."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from aether_guard.config import FILE_NAME
from aether_guard.errors import GuardError
from aether_guard.init.paths import (
    PathChoice,
    baseline_side,
    current_side,
    folders_of,
    holds_baselines,
    is_example,
    is_plain,
)
from aether_guard.init.workflow import (
    CHECK,
    GITHUB_FILE,
    GITLAB_FILE,
    GITLAB_MAIN,
    WorkflowSpec,
    for_command,
    for_suite,
    render_configuration,
    render_github,
    render_gitlab,
    summarize_configuration,
    summarize_workflow,
)
from aether_schema import SchemaError, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aether_guard.init.model import BenchCommand, BenchSuite, CiHost, Discovery, ResultFile, SummaryFolder

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_SHOWN = 5
#: Tools that run arbitrary commands, whose requirements are unknown.
_ARBITRARY_TOOLS = ("make", "just", "poe", "task")


class PlannedFile(Struct, frozen=True, kw_only=True):
    """A file to write. `summary` is its contents in one line; `state` compares it with an existing file."""

    path: str
    contents: str
    summary: str
    state: Literal["new", "same", "different"]


class InitPlan(Struct, frozen=True, kw_only=True):
    """Messages about the repository, the files to write, the open points, and the next commands."""

    folder: str
    found: tuple[str, ...]
    files: tuple[PlannedFile, ...]
    open_points: tuple[str, ...]
    next_commands: tuple[str, ...]


def plan_init(discovery: Discovery, ci: CiHost | None = None) -> InitPlan:
    """Plan the files for a repository and the CI host `ci` or the detected one."""
    baseline = baseline_side(discovery.summaries, discovery.empty_baseline_folders)
    current = current_side(discovery.summaries)
    configured = discovery.configured
    suite = next((suite for suite in discovery.suites if suite.format is not None), None)
    result, kept = _results(discovery, baseline, current, suite)
    if result is not None:
        current = PathChoice(paths=(result.path,), found=True, left_out=current.left_out)
        if kept is not None:
            baseline = PathChoice(paths=(kept.path,), found=True, left_out=baseline.left_out)
    command = discovery.commands[0] if discovery.commands else None
    if not _is_suite_used(discovery, suite, command, current, result):
        suite = None
    if suite is not None:
        current = PathChoice(paths=(suite.current,), found=False, left_out=current.left_out)
    form = result.format if result is not None else suite.format if suite is not None else None
    compared = configured.current if configured and configured.current else current.paths
    measuring = replace(
        for_command(command, discovery.names) if suite is None else for_suite(suite),
        folders=folders_of(compared),
        check=CHECK if form is None else f"{CHECK} --from {form}",
        branch=_branch(discovery) or "main",
        first_baseline=_first_baseline(discovery, baseline),
        compares=configured.has_suite if configured is not None else suite is not None and suite.compare is not None,
    )
    hosts = (ci,) if ci else _hosts(discovery)
    files = []
    if configured is None or configured.path == FILE_NAME:
        sides = baseline.paths, current.paths
        text = render_configuration(*sides, suite)
        files.append(_planned(discovery, FILE_NAME, text, summarize_configuration(*sides)))
    guarding = [path for path in discovery.guard_workflows if (path == GITLAB_MAIN) == (hosts[:1] == ("gitlab",))]
    if hosts and not guarding:
        path, render = (GITHUB_FILE, render_github) if hosts[0] == "github" else (GITLAB_FILE, render_gitlab)
        files.append(_planned(discovery, path, render(measuring), summarize_workflow(measuring)))
    return InitPlan(
        folder=discovery.folder,
        found=tuple(_describe_discovery(discovery, guarding)),
        files=tuple(files),
        open_points=(
            *(() if suite is not None else _doubts(command, measuring, current, hosts)),
            *_open_points(discovery, hosts, baseline, current),
            *_remarks(discovery),
            *_unused_results(discovery, result, kept, made=None if suite is None else suite.format),
        ),
        next_commands=_next_commands(command, baseline, current, files, result)
        if suite is None
        else _next_with_suite(suite, baseline),
    )


def _results(
    discovery: Discovery, baseline: PathChoice, current: PathChoice, suite: BenchSuite | None
) -> tuple[ResultFile | None, ResultFile | None]:
    """Return the result file of another tool to judge, and its baseline from the same tool; None if there is none.

    Summaries take precedence over results of other tools.
    """
    configured = discovery.configured
    usable = [item for item in discovery.results if is_plain(item.path)]
    if configured is not None and configured.current:
        named = [item for item in usable if item.path in configured.current]
        return (named[0] if named else None), None
    # A suite makes its results anew.
    made = None if suite is None else suite.format
    fresh = [item for item in usable if not holds_baselines(item.path) and item.format != made]
    if current.found or not fresh:
        return None, None
    # Results in a hidden folder are a tool's own history.
    result = min(fresh, key=lambda item: ("/." in f"/{item.path}", item.path.count("/")))
    old = [item for item in usable if holds_baselines(item.path) and item.format == result.format]
    return result, old[0] if old and not baseline.found else None


def _is_suite_used(
    discovery: Discovery,
    suite: BenchSuite | None,
    command: BenchCommand | None,
    current: PathChoice,
    result: ResultFile | None,
) -> bool:
    """Return whether to run the suite: not if there are summaries, a command that writes them, or results."""
    if suite is None or current.found or result is not None or (command is not None and command.measures):
        return False
    configured = discovery.configured
    return configured is None or configured.current == (suite.current,)


def _first_baseline(discovery: Discovery, baseline: PathChoice) -> str | None:
    """Return the place of the baseline if it does not exist yet."""
    configured = discovery.configured
    place = configured.baseline[0] if configured is not None and configured.baseline else baseline.paths[0]
    return None if baseline.found or not is_plain(place) else place


def _remarks(discovery: Discovery) -> Iterator[str]:
    yield from (suite.remark for suite in discovery.suites if suite.remark is not None)


def _unused_results(discovery: Discovery, *used: ResultFile | None, made: str | None) -> Iterator[str]:
    """Yield an open point if results of other tools are not compared, apart from those in the format `made` anew."""
    others = [item for item in discovery.results if item not in used and item.format != made]
    left_out = [f"{item.path} ({item.format})" for item in others]
    if left_out and discovery.configured is None:
        yield f"results that are not compared, as `aether-guard check --from` takes one format: {_some(left_out)}"


def write_init(plan: InitPlan) -> tuple[str, ...]:
    """Write the new files and return their paths, relative to the repository.

    Raises:
        GuardError: a file cannot be written, or exists by now; earlier files stay.

    """
    written: list[str] = []
    for file in plan.files:
        if file.state != "new":
            continue
        path = os.path.join(plan.folder, file.path)
        if os.path.lexists(path):
            raise GuardError(f"{file.path}: created by another program; left alone{_already_written(written)}")
        try:
            write_atomically(path, file.contents.encode())
        except SchemaError as error:
            raise GuardError(f"{error}{_already_written(written)}") from None
        written.append(file.path)
    return tuple(written)


def _already_written(paths: Sequence[str]) -> str:
    return f"; already written: {', '.join(paths)}" if paths else ""


def describe_init(plan: InitPlan, written: Iterable[str] | None) -> tuple[str, ...]:
    """Return the report for the user, in lines. `written` is None for a dry run, whose report holds the new files."""
    lines = [*plan.found]
    done = tuple(written or ())
    for file in plan.files:
        if file.path in done:
            lines.append(f"wrote {file.path}: {file.summary}")
        elif file.state == "same":
            lines.append(f"unchanged: {file.path}")
        elif file.state == "different":
            lines.append(f"left alone: {file.path} already exists; init would have written: {file.summary}")
        elif written is None:
            lines += [f"would write {file.path}:", *(f"  | {line}" for line in file.contents.splitlines())]
        else:
            lines.append(f"not written: {file.path}: {file.summary}")
    if not done:
        lines.append("nothing was written")
    lines += [f"to fill in: {point}" for point in plan.open_points]
    return (*lines, "next:", *(f"  {command}" for command in plan.next_commands))


def _planned(discovery: Discovery, path: str, contents: str, summary: str) -> PlannedFile:
    existing = next((file for file in discovery.existing if file.path == path), None)
    state: Literal["new", "same", "different"] = "new"
    if existing is not None:
        state = "same" if existing.text == contents else "different"
    return PlannedFile(path=path, contents=contents, summary=summary, state=state)


def _hosts(discovery: Discovery) -> tuple[CiHost, ...]:
    """Return the CI hosts that the repository seems to use, likeliest first."""
    remote = discovery.remote_host or ""
    signs: tuple[tuple[CiHost, bool, bool], ...] = (
        ("github", "github" in remote, ".github" in discovery.names),
        ("gitlab", "gitlab" in remote, GITLAB_MAIN in discovery.names),
    )
    ranked = [(not by_remote, host) for host, by_remote, by_file in signs if by_remote or by_file]
    return tuple(host for _, host in sorted(ranked))


def _describe_discovery(discovery: Discovery, guarding: Sequence[str]) -> Iterator[str]:
    for folder in discovery.summaries:
        yield _describe_folder(folder)
    for result in discovery.results[:_SHOWN]:
        yield f"found results of {result.format} in {result.path}"
    if len(discovery.results) > _SHOWN:
        yield f"found {len(discovery.results) - _SHOWN} more result files"
    for suite in discovery.suites:
        yield f"found benchmarks of {suite.tool} in {suite.source}"
    if not discovery.summaries and not discovery.results:
        yield "found no results yet" if discovery.suites else "found no summaries yet"
    yield from _describe_commands(discovery)
    configured = discovery.configured
    if configured is not None and configured.path != FILE_NAME:
        yield f"found the guard's configuration in {configured.path}: no {FILE_NAME} is written"
    for path in guarding:
        yield f"found {path}, which already runs aether-guard: no workflow is written"
    for line in discovery.unread:
        yield f"skipped: {line}"


def _describe_commands(discovery: Discovery) -> Iterator[str]:
    if discovery.commands:
        first, *others = discovery.commands
        yield f"found the bench command `{first.command}` in {first.source}"
        if others:
            yield f"found more commands, not used: {_some([f'`{item.command}`' for item in others])}"


def _describe_folder(folder: SummaryFolder) -> str:
    names = sorted({bench_id for _, bench_id in folder.summaries})
    count = len(folder.summaries)
    note = ", ignored as test data" if is_example(folder.path) else ""
    return f"found {count} {'summary' if count == 1 else 'summaries'} in {folder.path}{note}: {_some(names)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _open_points(
    discovery: Discovery, hosts: Sequence[CiHost], baseline: PathChoice, current: PathChoice
) -> Iterator[str]:
    """Yield the facts that could not be detected, each with the line to fill in."""
    for side, name in ((baseline, "baseline"), (current, "current")):
        for line in side.left_out:
            yield f"summaries left out of `{name} = [...]` in {FILE_NAME}: {line}"
    if not hosts:
        yield "the CI host of this repository: `aether-guard init --ci github` or `aether-guard init --ci gitlab`"
    elif hosts[0] == "gitlab" and not discovery.gitlab_includes_ours:
        yield f"the line `include: {GITLAB_FILE}` in {GITLAB_MAIN}, which enables the jobs"
    elif hosts[0] == "github" and _branch(discovery) is None:
        yield f"the branch that changes are merged into: `branches: [main]` in {GITHUB_FILE}"
    if len(hosts) > 1:
        yield f"a workflow for the other CI host, if it is used: `aether-guard init --ci {hosts[1]}`"
    if not discovery.is_repository:
        yield "this folder is not a git repository: `git init`"


def _doubts(
    command: BenchCommand | None, measuring: WorkflowSpec, current: PathChoice, hosts: Sequence[CiHost]
) -> Iterator[str]:
    """Yield the unknown facts about the bench command, each with the line to fill in."""
    workflow, key = (GITLAB_FILE, "script:") if hosts[:1] == ("gitlab",) else (GITHUB_FILE, "run:")
    line = f"`{key} YOUR COMMAND` in {workflow}" if hosts else "`YOUR COMMAND`"
    if command is None:
        yield f"the command that runs your benches: {line}"
        return
    if not command.measures and not current.found:
        doubt = f"whether `{command.command}` writes summaries (see `aether-guard schema`) to {measuring.folders[0]}"
        yield f'{doubt}; if elsewhere: `current = ["YOUR FOLDER"]` in {FILE_NAME}'
    if command.tool in _ARBITRARY_TOOLS:
        yield f"the installation of the requirements of `{command.command}`: {line}"


def _branch(discovery: Discovery) -> str | None:
    branch = discovery.branch
    return branch if branch and _BRANCH.fullmatch(branch) else None


def _next_with_suite(suite: BenchSuite, baseline: PathChoice) -> tuple[str, ...]:
    check = f"{CHECK} --from {suite.format}"
    keep = f"aether-guard import {suite.format} {shlex.quote(suite.current)} --out {baseline.paths[0]}"
    return (*suite.install, *suite.measure, check if baseline.found else keep)


def _next_commands(
    command: BenchCommand | None,
    baseline: PathChoice,
    current: PathChoice,
    files: Sequence[PlannedFile],
    result: ResultFile | None,
) -> tuple[str, ...]:
    if result is not None:
        check = f"{CHECK} --from {result.format}"
        if not baseline.found:
            return f"aether-guard import {result.format} {shlex.quote(result.path)} --out {baseline.paths[0]}", check
        return check, command.command if command is not None else "aether-guard policy"
    measure = "aether-bench run --exec 'YOUR COMMAND' --name YOUR-BENCH" if command is None else command.command
    compare = CHECK if baseline.found else "aether-guard promote --reason 'the first baseline'"
    if not current.found:
        return measure, compare
    if not baseline.found:
        return compare, CHECK
    ours = [file.path for file in files if file.state != "different"]
    return CHECK, shlex.join(["git", "add", *ours]) if ours else "aether-guard policy"
