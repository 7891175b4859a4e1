from __future__ import annotations

import re
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).parents[2] / ".github" / "workflows").glob("*.y*ml"))
USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(?P<action>\S+)(?P<comment>.*)$", re.MULTILINE)

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def test_the_workflows_are_there() -> None:
    assert {path.name for path in WORKFLOWS} >= {"ci.yml", "release.yml"}


@each_workflow
def test_every_action_is_pinned_by_its_full_hash_with_its_version_beside(path: Path) -> None:
    uses = USES.findall(path.read_text(encoding="utf-8"))
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"\s+# v\d+(\.\d+)*", comment), f"{action}{comment}"


@each_workflow
def test_one_action_has_one_hash_in_all_workflows(path: Path) -> None:
    everywhere = [action for each in WORKFLOWS for action, _ in USES.findall(each.read_text(encoding="utf-8"))]
    pins = {name: {pin for pin in everywhere if pin.startswith(f"{name}@")} for name in actions_in(path)}
    assert {name: pin for name, pin in pins.items() if len(pin) > 1} == {}


@each_workflow
def test_nothing_is_permitted_but_what_a_job_asks_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
    jobs = re.split(r"^  [a-z-]+:$", text.partition("\njobs:\n")[2], flags=re.MULTILINE)[1:]
    assert jobs
    for job in jobs:
        granted = re.search(r"^    permissions:\n((?:      .+\n)+)", job, re.MULTILINE)
        assert granted is not None
        for line in granted[1].splitlines():
            assert line.partition("#")[0].strip() in {"contents: read", "id-token: write"}


@each_workflow
def test_no_checkout_leaves_credentials_behind(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


@each_workflow
def test_no_workflow_uses_a_stored_secret(path: Path) -> None:
    assert "secrets." not in path.read_text(encoding="utf-8")


@each_workflow
def test_no_command_has_a_template_expanded_in_it(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        assert not re.match(r"\s*(- )?run:.*\$\{\{", line), line


@each_workflow
def test_a_workflow_limits_its_concurrency(path: Path) -> None:
    assert re.search(r"^concurrency:$", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_lowest_versions_are_tested_on_every_change(root: Path) -> None:
    job = job_of(root, "lowest")
    assert "hatchw run lowest:test" in job
    assert not re.search(r"^    (if|continue-on-error):", job, re.MULTILINE)


def test_the_newest_versions_are_tested_weekly_and_block_nothing(root: Path) -> None:
    job = job_of(root, "newest")
    assert "hatchw run newest:test" in job
    assert "github.event_name == 'schedule'" in job
    assert "continue-on-error: true" in job
    assert "(may fail)" in job
    assert "::warning " in job


def test_the_benches_inform_on_a_pull_request_and_decide_on_main_and_their_files_are_kept(root: Path) -> None:
    text = (root / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    job = text.partition("name: Benchmarks & Regression Guard")[2]
    assert "continue-on-error: ${{ github.event_name == 'pull_request' }}" in job
    steps = [job.index(command) for command in ("guard:fixtures", "bench:all --profile ci", "guard:check", "upload")]
    assert steps == sorted(steps)
    assert "if: always()" in job
    assert "path: target/benchmarks/*.json" in job


def actions_in(path: Path) -> set[str]:
    """Return the names of the actions a workflow uses."""
    return {action.partition("@")[0] for action, _ in USES.findall(path.read_text(encoding="utf-8"))}


def job_of(root: Path, name: str) -> str:
    """Return the text of one job of ci.yml."""
    text = (root / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    found = re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    assert found is not None
    return found[1]
