"""The composite action: its form, and its scripts run by a real shell with the real guard."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
PAGE = ROOT / "docs" / "guides" / "ci.md"
README = ROOT / "README.md"
TEXT = ACTION.read_text(encoding="utf-8")
SUMMARY = {
    "bench_id": "packaging",
    "metric": "duration_ms",
    "unit": "ms",
    "p50": 1.0,
    "n": 60,
    "timestamp": "2026-11-23T23:52:51+00:00",
}
DEFAULTS = dict(re.findall(r"^  ([\w-]+):\n    description: .*\n    default: (.*)$", TEXT, re.MULTILINE))
posix = pytest.mark.skipif(sys.platform == "win32", reason="the host's own shell is not on every Windows")


def run_blocks() -> list[str]:
    """Return the scripts of the action, in order."""
    found = re.findall(r"^      run: \|\n((?:        .*\n|\n)+)", TEXT, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


INSTALL, CHECK = run_blocks()


def lint_tool(name: str) -> str:
    """Return a program of the environment `lint`, which lies beside the tests' own, or skip."""
    found = shutil.which(name) or next(
        (str(path) for path in Path(sys.prefix).parent.glob(f"lint/*/{name}*") if os.access(path, os.X_OK)), None
    )
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def checked(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def shell(script: str, folder: Path, env: dict[str, str]) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run a script as the host does, and return how it ended and what it gave as outputs."""
    output = folder / "runner" / "output"
    output.parent.mkdir(exist_ok=True)
    output.write_text("", encoding="utf-8")
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    done = subprocess.run(
        [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**plain, "RUNNER_TEMP": str(output.parent), "GITHUB_OUTPUT": str(output), **env},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done, dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())


def compare(folder: Path, **given: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the step that compares with the inputs `given`, and the action's defaults for the others."""
    programs = folder / "runner" / "aether-guard" / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    if not (programs / "aether-guard").exists():
        (programs / "aether-guard").symlink_to(Path(sys.executable).parent / "aether-guard")
    names = ("paths", "baseline", "current", "from", "better", "gate", "warn-only", "strict", "format", "report")
    env = {name.upper().replace("-", "_"): DEFAULTS[name].strip('"') for name in names}
    return shell(CHECK, folder, {**env, **given})


def summary(folder: Path, name: str, **changes: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**SUMMARY, "p95": 10.0, **changes}), encoding="utf-8")


def wheel(folder: Path, version: str) -> None:
    """Build a wheel of the guard's name that holds nothing."""
    info = f"aether_guard-{version}.dist-info"
    with zipfile.ZipFile(folder / f"aether_guard-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: aether-guard\nVersion: {version}\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")


def install(folder: Path, version: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run the step that installs, from two wheels in the folder, and return what is installed then."""
    wheel(folder, "1.0")
    wheel(folder, "2.0")
    env = {"PYTHON": sys.executable, "VERSION": version, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    done, _ = shell(INSTALL, folder, env)
    found = list((folder / "runner").glob("aether-guard/lib/*/site-packages/aether_guard-*"))
    return done, found[0].name if found else ""


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_action_has_the_form_that_the_host_wants() -> None:
    done = checked(lint_tool("check-jsonschema"), "--builtin-schema", "vendor.github-actions", ACTION)
    assert done.returncode == 0, done.stdout


def test_the_action_has_no_weakness_that_is_known() -> None:
    done = checked(lint_tool("zizmor"), "--offline", "--no-progress", "--persona=auditor", ACTION)
    assert done.returncode == 0, done.stdout


def test_no_input_stands_in_a_script() -> None:
    assert [block for block in run_blocks() if "${{" in block] == []


def test_every_input_is_handed_to_something() -> None:
    steps = TEXT.partition("\nruns:")[2]
    assert sorted(set(re.findall(r"inputs\.([\w-]+)", steps))) == sorted(DEFAULTS)


def test_every_action_is_pinned_as_everywhere_in_this_repository() -> None:
    pages = [ACTION, PAGE, README, *(ROOT / ".github" / "workflows").glob("*.yml")]
    used = [use for page in pages for use in re.findall(r"uses: (actions/.*)", page.read_text(encoding="utf-8"))]
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v[\d.]+", use) for use in used)
    assert len(set(used)) == len({use.partition("@")[0] for use in used})


def test_the_page_tells_of_every_input_and_output() -> None:
    table = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    told = {name for line in table for name in re.findall(r"`([\w-]+)`", line.split("|")[1])}
    assert told == {*DEFAULTS, "exit-status", "report"}


def test_the_workflow_of_the_page_is_valid_and_has_no_known_weakness(tmp_path: Path) -> None:
    (workflow,) = [text for text in fenced(PAGE, "yaml") if "uses: OWNER/" in text]
    path = tmp_path / ".github" / "workflows" / "page.yml"
    path.parent.mkdir(parents=True)
    path.write_text(workflow.replace("OWNER", "owner").replace("HASH", "0" * 40), encoding="utf-8")
    form = checked(lint_tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", path)
    weakness = checked(lint_tool("zizmor"), "--offline", "--no-progress", path)
    assert (form.returncode, weakness.returncode) == (0, 0), form.stdout + weakness.stdout


def test_the_jobs_of_the_page_have_the_form_that_gitlab_wants(tmp_path: Path) -> None:
    (jobs,) = [text for text in fenced(PAGE, "yaml") if "image: " in text]
    path = tmp_path / "page.gitlab-ci.yml"
    path.write_text(jobs, encoding="utf-8")
    done = checked(lint_tool("check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci", path)
    assert done.returncode == 0, done.stdout


@posix
@pytest.mark.parametrize(
    ("p95", "given", "status"),
    [
        (10.0, {}, 0),
        (12.5, {}, 1),
        (12.5, {"GATE": "30%"}, 0),
        (12.5, {"WARN_ONLY": "true"}, 0),
        (10.0, {"CURRENT": "nowhere"}, 2),
        (10.0, {"GATE": "150%"}, 2),
        (10.0, {"STRICT": "true"}, 0),
    ],
)
def test_the_status_of_the_guard_is_that_of_the_step_and_an_output(
    tmp_path: Path, p95: float, given: dict[str, str], status: int
) -> None:
    summary(tmp_path, "old/a.json")
    summary(tmp_path, "new/a.json", p95=p95)
    done, outputs = compare(tmp_path, **{"BASELINE": "old", "CURRENT": "new", **given})
    assert done.returncode == status, done.stderr
    assert outputs == {"report": "target/aether-guard/report.html", "exit-status": str(status)}


@posix
def test_the_report_is_there_on_a_regression_too_and_the_step_summary_with_it(tmp_path: Path) -> None:
    summary(tmp_path, "old/a.json")
    summary(tmp_path, "new/a.json", p95=12.5)
    step_summary = tmp_path / "summary.md"
    done, outputs = compare(tmp_path, BASELINE="old", CURRENT="new", GITHUB_STEP_SUMMARY=str(step_summary))
    assert done.returncode == 1
    assert "::warning " in done.stdout
    assert "<html" in (tmp_path / outputs["report"]).read_text(encoding="utf-8")
    assert "packaging" in step_summary.read_text(encoding="utf-8")


@posix
def test_without_paths_the_configuration_is_followed(tmp_path: Path) -> None:
    summary(tmp_path, "old/a.json")
    summary(tmp_path, "new/a.json", p95=12.5)
    (tmp_path / "aether.toml").write_text('[guard]\nbaseline = ["old"]\ncurrent = ["new"]\n', encoding="utf-8")
    assert compare(tmp_path)[0].returncode == 1


@posix
def test_paths_come_in_turn_and_sides_one_a_line(tmp_path: Path) -> None:
    for number, name in enumerate(("a b", "-c", "d*")):
        summary(tmp_path, f"old/{name}/x.json", bench_id=str(number))
        summary(tmp_path, f"new/{name}/x.json", bench_id=str(number))
    lines = {side: "\n".join(f"./{side}/{name}/x.json" for name in ("a b", "-c", "d*")) for side in ("old", "new")}
    done, _ = compare(tmp_path, BASELINE=lines["old"], CURRENT=f"{lines['new']}\r\n\n", FORMAT="json", REPORT="r")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "r").read_bytes())["benches"]) == 3
    done, _ = compare(tmp_path, PATHS="old/a b/x.json\nnew/a b/x.json\n", FORMAT="json", REPORT="r")
    assert done.returncode == 0, done.stderr
    assert len(json.loads((tmp_path / "r").read_bytes())["benches"]) == 1


@posix
@pytest.mark.parametrize(
    ("given", "status"), [({}, 2), ({"BETTER": "lower"}, 1), ({"BETTER": "higher"}, 0), ({"BETTER": "o*=higher\n"}, 0)]
)
def test_results_of_another_tool_are_compared_as_they_are(tmp_path: Path, given: dict[str, str], status: int) -> None:
    for name, value in (("old", 4), ("new", 8)):
        results = [{"name": "orders", "unit": "points", "value": value}]
        (tmp_path / f"{name}.json").write_text(json.dumps(results), encoding="utf-8")
    paths = {"PATHS": "old.json\nnew.json", "FROM": "github-action-benchmark"}
    assert compare(tmp_path, **paths, **given)[0].returncode == status


@posix
@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "junit"])
def test_every_form_of_report_can_be_kept(tmp_path: Path, form: str) -> None:
    summary(tmp_path, "old/a.json")
    summary(tmp_path, "new/a.json")
    done, outputs = compare(tmp_path, BASELINE="old", CURRENT="new", FORMAT=form)
    assert done.returncode == 0, done.stderr
    assert b"packaging" in (tmp_path / outputs["report"]).read_bytes()


@posix
@pytest.mark.parametrize(
    "name", ["PATHS", "BASELINE", "CURRENT", "FROM", "BETTER", "GATE", "WARN_ONLY", "STRICT", "FORMAT", "REPORT"]
)
@pytest.mark.parametrize(
    "value", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "' && touch pwned '", '"; touch pwned; "', "--help"]
)
def test_no_input_is_ever_a_command_or_an_option(tmp_path: Path, name: str, value: str) -> None:
    summary(tmp_path, "old/a.json")
    summary(tmp_path, "new/a.json", p95=12.5)
    done, outputs = compare(tmp_path, **{"BASELINE": "old", "CURRENT": "new", name: value})
    assert not (tmp_path / "pwned").exists()
    # A report may have any name; whatever else the value is taken for, it is an error.
    assert (done.returncode, outputs["exit-status"]) == ((1, "1") if name == "REPORT" else (2, "2"))


@posix
@pytest.mark.parametrize("name", ["WARN_ONLY", "STRICT", "FORMAT", "REPORT"])
def test_a_value_that_forges_an_output_or_a_host_command_is_refused(tmp_path: Path, name: str) -> None:
    done, outputs = compare(tmp_path, **{name: "x\nexit-status=0\n::set-env name=A::b"})
    assert done.returncode == 2
    assert outputs == {"exit-status": "2"}
    assert re.fullmatch(r"::error title=aether-guard::[^\n]+\n", done.stdout)


@posix
@pytest.mark.parametrize(
    ("version", "expected"), [("", "aether_guard-2.0.dist-info"), ("1.0", "aether_guard-1.0.dist-info")]
)
def test_the_latest_version_is_installed_or_the_one_that_is_asked_for(
    tmp_path: Path, version: str, expected: str
) -> None:
    done, installed = install(tmp_path, version)
    assert done.returncode == 0, done.stderr
    assert installed == expected


@posix
@pytest.mark.parametrize(
    "version", ["1.0 --index-url=x", " @ https://example.com/a.whl", "$(touch pwned)", "latest", "1.0\n2"]
)
def test_what_is_no_version_is_refused_before_anything_is_installed(tmp_path: Path, version: str) -> None:
    done, installed = install(tmp_path, version)
    assert (done.returncode, installed) == (2, "")
    assert done.stdout == "::error title=aether-guard::version: not a version such as 0.1.0\n"
    assert not (tmp_path / "pwned").exists()
