"""Render the configuration and the workflow that `init` writes. Pure."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from aether_guard.init.model import BenchCommand, BenchSuite, Tool

GITHUB_FILE = ".github/workflows/benchmarks.yml"
GITLAB_FILE = ".gitlab-ci.benchmarks.yml"
GITLAB_MAIN = ".gitlab-ci.yml"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0"
UPLOAD_ARTIFACT = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1"
PYTHON = "3.13"
PYTHON_IMAGE = f"python:{PYTHON}"
REPORT = "target/aether-guard/report.xml"
CHECK = "aether-guard check"
FILL_IN = "fill in: the command that runs your benches"


class ToolRequirements(Struct, frozen=True):
    """Requirements of a tool: Python packages, install commands, and a container image that holds it."""

    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    image: str = PYTHON_IMAGE


NEEDS: dict[Tool, ToolRequirements] = {
    "python": ToolRequirements(),
    "hatch": ToolRequirements(("hatch",)),
    "pdm": ToolRequirements(("pdm",), ("pdm install",)),
    "poe": ToolRequirements(("poethepoet",)),
    "task": ToolRequirements(("taskipy",)),
    "nox": ToolRequirements(("nox",)),
    "tox": ToolRequirements(("tox",)),
    "just": ToolRequirements(("rust-just",)),
    "make": ToolRequirements(),
    "npm": ToolRequirements((), ("npm ci",), "node:22"),
    "pnpm": ToolRequirements((), ("corepack enable", "pnpm install --frozen-lockfile"), "node:22"),
    "yarn": ToolRequirements((), ("yarn install",), "node:22"),
    "bun": ToolRequirements((), ("npm install --global bun", "bun install"), "node:22"),
    "cargo": ToolRequirements((), (), "rust:1"),
}


class WorkflowSpec(Struct, frozen=True, kw_only=True):
    """The contents of a workflow.

    `install` are the commands that install what the benches need, in addition to the Python `packages`, and `measure`
    the commands that measure; without any, they are left to fill in. `folders` hold the results. With `compares` a job
    for pull requests runs `aether-guard ab` as the configuration describes. `first_baseline` is the place of a baseline
    that does not exist yet.
    """

    measure: tuple[str, ...]
    folders: tuple[str, ...]
    packages: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    image: str = PYTHON_IMAGE
    check: str = CHECK
    branch: str = "main"
    compares: bool = False
    first_baseline: str | None = None

    @property
    def checks(self) -> tuple[str, ...]:
        """The commands that compare with the committed baseline; without a baseline they print the next step."""
        if self.first_baseline is None:
            return (self.check,)
        path = shlex.quote(self.first_baseline)
        return (
            f"if [ -e {path} ]; then {self.check};",
            f'else echo "nothing to compare yet: commit a baseline in {self.first_baseline}"; fi',
        )


def for_command(command: BenchCommand | None, names: Collection[str]) -> WorkflowSpec:
    """Return a workflow with a command of the repository, whose top folder has entries with these names."""
    if command is None:
        return WorkflowSpec(measure=(), folders=())
    needs = NEEDS[command.tool]
    install = needs.commands
    if command.tool == "npm" and "package-lock.json" not in names:
        install = ("npm install",)
    return WorkflowSpec(
        measure=(command.command,),
        folders=(),
        packages=(*needs.packages, *command.install),
        install=install,
        image=needs.image,
    )


def for_suite(suite: BenchSuite) -> WorkflowSpec:
    """Return a workflow that runs a suite of another tool."""
    return WorkflowSpec(
        measure=suite.measure,
        folders=(),
        install=suite.install,
        image=suite.image or PYTHON_IMAGE,
    )


def render_configuration(baseline: Iterable[str], current: Iterable[str], suite: BenchSuite | None = None) -> str:
    """Return `aether.toml`."""
    return _render_guard_table(baseline, current) + _render_ab_table(suite)


def _render_ab_table(suite: BenchSuite | None) -> str:
    if suite is None or suite.compare is None:
        return ""
    run = suite.compare
    keys = {"run": run.run, "from": suite.format, "results": run.results}
    lines = "".join(f"{key} = {_quoted(value)}\n" for key, value in keys.items() if value is not None)
    setup = f"setup = {_array(run.setup)}\n" if run.setup else ""
    return f"\n# `aether-guard ab --base REV` runs this for both revisions in turn.\n[ab]\n{lines}{setup}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _render_guard_table(baseline: Iterable[str], current: Iterable[str]) -> str:
    return (
        "# Paths and gate of `aether-guard check`; `aether-guard policy` prints the policy of each bench.\n"
        "\n"
        "[guard]\n"
        f"baseline = {_array(baseline)} # committed\n"
        f"current = {_array(current)} # as the benches write them\n"
        'gate = "20%" # worsening that counts as a regression\n'
        '# quantile = "p50" # default: p95, if both sides hold it\n'
    )


def summarize_configuration(baseline: Iterable[str], current: Iterable[str]) -> str:
    """Return the contents of `aether.toml` in one line."""
    return f'[guard] baseline = {_array(baseline)}, current = {_array(current)}, gate = "20%"'


def summarize_workflow(measuring: WorkflowSpec) -> str:
    """Return the steps of a workflow in one line."""
    command = f"`{measuring.measure[-1]}`" if measuring.measure else "a command to fill in"
    steps = f"{command}, then `{measuring.check}`, then an upload of {', '.join(measuring.folders)}"
    return f"{steps}; on pull requests `aether-guard ab`" if measuring.compares else steps


def render_github(measuring: WorkflowSpec) -> str:
    """Return the workflow for GitHub."""
    install = ["python -m pip install " + " ".join(["aether-guard", *measuring.packages]), *measuring.install]
    measure = list(measuring.measure) or [f'echo "::warning file={GITHUB_FILE}::{FILL_IN}"']
    only_push = "    if: github.event_name != 'pull_request'\n" if measuring.compares else ""
    return f"""\
# Runs the benches, compares the results with the committed baselines, and uploads them.
# Written by `aether-guard init`, which does not overwrite it: edit it as needed.
name: Benchmarks

on:
  push:
    branches: [{_scalar(measuring.branch)}]
  pull_request:

permissions: {{}}

concurrency:
  group: ${{{{ github.workflow }}}}-${{{{ github.ref }}}}
  cancel-in-progress: ${{{{ github.event_name == 'pull_request' }}}}

jobs:
{_github_comparison(measuring)}\
  benchmarks:
    name: Benchmarks
{only_push}\
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - uses: {SETUP_PYTHON}
        with:
          python-version: "{PYTHON}"
      - name: Install
        run: {_run(install)}
      - name: Measure
        run: {_run(measure)}
      - name: Compare with the committed baselines
        run: {_run(list(measuring.checks))}
      - name: Keep the results
        if: always()
        uses: {UPLOAD_ARTIFACT}
        with:
          name: benchmarks
          path: {_lines(measuring.folders)}
          if-no-files-found: warn
"""


def _github_comparison(measuring: WorkflowSpec) -> str:
    """Return the job that compares a pull request with its base, or nothing."""
    if not measuring.compares:
        return ""
    return f"""\
  compare:
    name: Compare with the base branch
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions:
      contents: read
    steps:
      - uses: {CHECKOUT}
        with:
          persist-credentials: false
          fetch-depth: 0
      - uses: {SETUP_PYTHON}
        with:
          python-version: "{PYTHON}"
      - name: Install
        run: python -m pip install 'aether-guard[ab]'
      - name: Run both versions in turn
        env:
          BASE: ${{{{ github.base_ref }}}}
        run: aether-guard ab --base "origin/$BASE"

"""


def render_gitlab(measuring: WorkflowSpec) -> str:
    """Return the GitLab jobs, in a file to be included: one measures, one compares, each in its own image."""
    install = [f"python -m pip install {' '.join(measuring.packages)}"] if measuring.packages else []
    before = [*install, *measuring.install]
    script = list(measuring.measure) or [f'echo "{FILL_IN}, in {GITLAB_FILE}"']
    on_requests = '    - if: $CI_PIPELINE_SOURCE == "merge_request_event"\n' if not measuring.compares else ""
    check = f"{measuring.check} --format junit -o {REPORT}"
    checks = replace(measuring, check=check).checks
    return f"""\
# Runs the benches, compares the results with the committed baselines, and uploads them. The jobs run in the stage
# `test`. Written by `aether-guard init`, which does not overwrite it: edit it as needed.
benchmarks:
  image: {measuring.image}
  rules: &when
{on_requests}\
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
{_list("before_script", before)}{_list("script", script)}\
  artifacts:
    when: always
    expire_in: 30 days
{_list("paths", measuring.folders, "    ")}
benchmarks-check:
  image: {PYTHON_IMAGE}
  rules: *when
  needs: [benchmarks]
  before_script:
    - python -m pip install aether-guard
{_list("script", [" ".join(checks)])}\
  artifacts:
    when: always
    expire_in: 30 days
    reports:
      junit: {REPORT}
{_gitlab_comparison(measuring)}"""


def _gitlab_comparison(measuring: WorkflowSpec) -> str:
    """Return the job that compares a merge request with its target, or nothing."""
    if not measuring.compares:
        return ""
    command = 'aether-guard ab --base "$CI_MERGE_REQUEST_DIFF_BASE_SHA"'
    before = ["python -m pip install 'aether-guard[ab]'"]
    if measuring.image != PYTHON_IMAGE:
        before = [
            "apt-get update && apt-get install -y git python3-venv",
            "python3 -m venv /opt/aether && /opt/aether/bin/pip install 'aether-guard[ab]'",
            "export PATH=/opt/aether/bin:$PATH",
        ]
    return f"""
benchmarks-compare:
  image: {measuring.image}
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
  variables:
    GIT_DEPTH: 0
{_list("before_script", before)}{_list("script", [command])}"""


def _array(paths: Iterable[str]) -> str:
    # JSON and TOML strings are the same for paths without quotes, backslashes and control characters.
    return "[" + ", ".join(json.dumps(path, ensure_ascii=False) for path in paths) + "]"


def _scalar(text: str) -> str:
    return text if text in {"main", "master"} else json.dumps(text, ensure_ascii=False)


def _run(commands: list[str]) -> str:
    """Return the commands of a step: a single command on the line, several below it."""
    first = commands[0]
    if len(commands) == 1 and ": " not in first and " #" not in first and not first.endswith(":"):
        return first
    return "|" + "".join(f"\n          {command}" for command in commands)


def _lines(paths: tuple[str, ...]) -> str:
    return _item(paths[0]) if len(paths) == 1 else "|" + "".join(f"\n            {path}" for path in paths)


def _list(key: str, items: Iterable[str], indent: str = "  ") -> str:
    lines = "".join(f"{indent}  - {_item(item)}\n" for item in items)
    return f"{indent}{key}:\n{lines}" if lines else ""


def _item(text: str) -> str:
    plain = all(character.isalnum() or character in " ./_-=" for character in text) and text[:1] not in {"-", " "}
    return text if plain else json.dumps(text, ensure_ascii=False)
