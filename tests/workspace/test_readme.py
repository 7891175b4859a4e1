from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The documents whose commands a reader copies.
DOCUMENTS = [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".ci" / "run") if path.exists()]
SCRIPT = re.compile(r"\b(?:hatchw?|python hatchw) run (?P<environment>[a-z-]+):(?P<script>[a-z-]+)")
#: About as many lines as a screen has.
SCREEN = 30


def scripts() -> set[str]:
    """Return the scripts of the workspace's environments, as `environment:script`."""
    environments = tomllib.loads((ROOT / "hatch.toml").read_text(encoding="utf-8"))["envs"]
    return {f"{name}:{script}" for name, each in environments.items() for script in each.get("scripts", {})}


def named_in(text: str) -> set[str]:
    """Return the scripts a text tells its reader to run."""
    return {":".join(match) for match in SCRIPT.findall(" ".join(text.split()))}


@pytest.mark.parametrize("path", [*DOCUMENTS, *(ROOT / ".github" / "workflows").glob("*.yml")], ids=lambda p: p.name)
def test_every_script_a_reader_is_told_to_run_exists(path: Path) -> None:
    named = named_in(path.read_text(encoding="utf-8"))
    assert named
    assert named - scripts() == set()


def test_the_first_screen_of_the_readme_has_the_command_of_the_main_job_and_that_of_the_tests() -> None:
    screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:SCREEN])
    assert "./hatchw run bench:all && ./hatchw run guard:check" in screen
    assert "./hatchw test" in screen


def test_the_gate_runs_the_commands_of_the_readme() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {"bench:all", "guard:check", "guard:fixtures"} <= named_in(gate)
    assert "./hatchw test" in gate


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_the_files_that_a_document_links_to_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert links or name == "CONTRIBUTING.md"


@pytest.mark.parametrize("name", ["README.md", "packages/harness/README.md", "packages/guard/README.md"])
def test_the_commands_that_a_readme_shows_have_those_options(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    shown = re.findall(r"^\s*aether-(bench|guard) ([a-z]+)(.*)$", text, re.MULTILINE)
    assert shown
    for program, command, rest in shown:
        module = {"bench": "aether_harness", "guard": "aether_guard"}[program]
        asked = [sys.executable, "-m", module, command, "-h"]
        described = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest.partition("#")[0]):
            assert option in described, f"aether-{program} {command} {option}"


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX modes")
@pytest.mark.parametrize("name", ["hatchw", ".ci/run"])
def test_what_is_run_by_its_name_is_executable(name: str) -> None:
    path = ROOT / name
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_bytes().startswith(b"#!/usr/bin/env ")
