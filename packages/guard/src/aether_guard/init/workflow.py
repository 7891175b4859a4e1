"""Render the configuration and the workflow that `init` writes. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.init.model import BenchCommand, Tool

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    """The contents of a workflow: the bench command (None: to be filled in), result folders, and the check."""

    command: BenchCommand | None
    folders: tuple[str, ...]
    check: str = CHECK
    branch: str = "main"
    has_lock: bool = True

    @property
    def needs(self) -> ToolRequirements:
        """The requirements of the command."""
        if self.command is None:
            return ToolRequirements()
        needs = NEEDS[self.command.tool]
        commands = needs.commands if self.has_lock else ("npm install",)
        return ToolRequirements(
            (*needs.packages, *self.command.install), commands if needs.commands else (), needs.image
        )


def render_configuration(baseline: Iterable[str], current: Iterable[str]) -> str:
    """Return `aether.toml`."""
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
    command = "a command to fill in" if measuring.command is None else f"`{measuring.command.command}`"
    return f"{command}, then `{measuring.check}`, then an upload of {', '.join(measuring.folders)}"


def render_github(measuring: WorkflowSpec) -> str:
    """Return the workflow for GitHub."""
    install = ["python -m pip install " + " ".join(["aether-guard", *measuring.needs.packages])]
    install += measuring.needs.commands
    if measuring.command is None:
        measure = [f'echo "::error file={GITHUB_FILE}::{FILL_IN}"', "exit 1"]
    else:
        measure = [measuring.command.command]
    return f"""\
# Runs the benches, compares the summaries with the committed baselines, and uploads them.
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
  benchmarks:
    name: Benchmarks
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
        run: {measuring.check}
      - name: Keep the summaries
        if: always()
        uses: {UPLOAD_ARTIFACT}
        with:
          name: benchmarks
          path: {_lines(measuring.folders)}
          if-no-files-found: warn
"""


def render_gitlab(measuring: WorkflowSpec) -> str:
    """Return the GitLab jobs, in a file to be included: one measures, one compares, each in its own image."""
    needs = measuring.needs
    install = [f"python -m pip install {' '.join(needs.packages)}"] if needs.packages else []
    before = [*install, *needs.commands]
    if measuring.command is None:
        script = [f'echo "{FILL_IN}, in {GITLAB_FILE}"', "exit 1"]
    else:
        script = [measuring.command.command]
    return f"""\
# Runs the benches, compares the summaries with the committed baselines, and uploads them. Both jobs run in the stage
# `test`. Written by `aether-guard init`, which does not overwrite it: edit it as needed.
benchmarks:
  image: {needs.image}
  rules: &when
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
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
  script:
    - {measuring.check} --format junit -o {REPORT}
  artifacts:
    when: always
    expire_in: 30 days
    reports:
      junit: {REPORT}
"""


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
