from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.config import find_config
from aether_guard.errors import GuardError
from aether_guard.init import InitPlan, describe_init, discover, plan_init, write_init
from aether_guard.init.model import Discovery, SummaryFolder
from aether_guard.init.paths import is_example

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_guard.init.model import CiHost

    Write = Callable[..., str]
    Guard = Callable[..., subprocess.CompletedProcess[str]]

GITHUB = ".github/workflows/benchmarks.yml"
GITLAB = ".gitlab-ci.benchmarks.yml"
NOXFILE = """
import nox

@nox.session(name="bench")
def measure(session):
    session.run("aether-bench", "run")

@nox.session
def tests(session):
    pass
"""
BENCH_FILE = "from aether_harness import bench\n\n@bench\ndef parse():\n    pass\n"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository as the working folder."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    return tmp_path


def git(*arguments: str) -> None:
    subprocess.run([shutil.which("git") or "git", *arguments], check=True, capture_output=True)


def put(path: str, text: str = "") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8", newline="")


def plan(ci: CiHost | None = None) -> InitPlan:
    return plan_init(discover("."), ci)


def init(ci: CiHost | None = None) -> str:
    planned = plan(ci)
    return "\n".join(describe_init(planned, write_init(planned)))


def contents(planned: InitPlan, path: str) -> str:
    return next(file.contents for file in planned.files if file.path == path)


def sides(planned: InitPlan) -> tuple[list[str], list[str]]:
    table = tomllib.loads(contents(planned, "aether.toml"))["guard"]
    return table["baseline"], table["current"]


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def lint_tool(name: str) -> str:
    """Return the path of a program in the environment `lint`, next to the tests' own; skip if it is missing."""
    program = shutil.which(name) or next(
        (str(path) for path in Path(sys.prefix).parent.glob(f"lint/*/{name}*") if os.access(path, os.X_OK)), None
    )
    if program is None:
        pytest.skip(f"{name} is not installed")
    return program


def execute(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_empty_repository_gets_a_configuration(repository: Path) -> None:
    output = init()
    assert sorted(path.name for path in repository.iterdir()) == [".git", "aether.toml"]
    assert "wrote aether.toml: [guard] baseline" in output
    assert "`aether-guard init --ci github` or `aether-guard init --ci gitlab`" in output


def test_written_configuration_is_valid() -> None:
    init()
    config = find_config(".")
    assert config.baseline == (os.path.join("benchmarks", "baseline"),)
    assert config.current == (os.path.join("target", "benchmarks"),)
    assert config.book.general[0][1].gate == 0.2


@pytest.mark.parametrize("ci", [None, "github", "gitlab"])
def test_second_run_changes_nothing(repository: Path, ci: CiHost | None) -> None:
    put("Makefile", "bench:\n\ttrue\n")
    init(ci)
    before = snapshot(repository)
    output = init(ci)
    assert snapshot(repository) == before
    assert "nothing was written" in output
    assert "unchanged: aether.toml" in output
    assert "left alone" not in output


def test_new_summaries_do_not_change_existing_files(repository: Path, write: Write) -> None:
    init("github")
    write("target/benchmarks/bench-pack.json")
    write("benchmarks/baseline/bench-pack.json")
    before = snapshot(repository)
    assert "nothing was written" in init("github")
    assert snapshot(repository) == before


def test_existing_file_is_left_alone_and_described_in_a_line(repository: Path) -> None:
    put("aether.toml", '[guard]\nbaseline = ["mine"]\ncurrent = ["fresh"]\n')
    put(GITHUB, "name: mine\n")
    before = snapshot(repository)
    output = init()
    assert snapshot(repository) == before
    lines = [line for line in output.splitlines() if line.startswith("left alone: ")]
    assert lines[0].endswith(
        "init would have written: "
        '[guard] baseline = ["benchmarks/baseline"], current = ["target/benchmarks"], gate = "20%"'
    )
    assert GITHUB in lines[1]
    assert lines[1].endswith("a command to fill in, then `aether-guard check`, then an upload of fresh")


def test_line_endings_of_a_checkout_are_ignored() -> None:
    init()
    path = Path("aether.toml")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "unchanged: aether.toml" in init()


def test_dangling_link_is_left_alone(repository: Path) -> None:
    (repository / "aether.toml").symlink_to("nowhere.toml")
    assert "left alone: aether.toml" in init()
    assert not (repository / "nowhere.toml").exists()


def test_file_created_after_planning_is_left_alone() -> None:
    planned = plan()
    put("aether.toml", "# not ours\n")
    with pytest.raises(GuardError, match=r"aether\.toml: created by another program; left alone"):
        write_init(planned)
    assert Path("aether.toml").read_text(encoding="utf-8") == "# not ours\n"


def test_unwritable_file_is_a_one_line_error(repository: Path) -> None:
    put(".github", "a file where a folder belongs")
    with pytest.raises(GuardError, match=r"^\S*benchmarks\.yml: cannot be written: [^\n]+$"):
        init("github")
    assert sorted(path.name for path in repository.iterdir()) == [".git", ".github", "aether.toml"]


def test_planning_is_deterministic_and_writes_nothing(repository: Path) -> None:
    put("package.json", '{"scripts": {"bench": "x"}}')
    found = discover(".")
    assert plan_init(found, "github") == plan_init(found, "github")
    assert sorted(path.name for path in repository.iterdir()) == [".git", "package.json"]


@pytest.mark.parametrize(
    ("files", "remote", "expected"),
    [
        ([".github/dependabot.yml"], None, GITHUB),
        ([], "git@github.com:owner/name.git", GITHUB),
        ([], "https://github.example.com/owner/name", GITHUB),
        ([".gitlab-ci.yml"], None, GITLAB),
        ([], "https://gitlab.com/owner/name.git", GITLAB),
        ([".gitlab-ci.yml"], "https://github.com/owner/name", GITHUB),
        ([".github/dependabot.yml"], "git@gitlab.com:owner/name.git", GITLAB),
        ([".github/dependabot.yml", ".gitlab-ci.yml"], None, GITHUB),
        ([".github/dependabot.yml"], "../elsewhere", GITHUB),
    ],
)
def test_ci_host_is_detected_by_remote_then_by_files(files: list[str], remote: str | None, expected: str) -> None:
    for path in files:
        put(path)
    if remote:
        git("remote", "add", "origin", remote)
    assert [file.path for file in plan().files] == ["aether.toml", expected]


@pytest.mark.parametrize(("ci", "expected"), [("github", GITHUB), ("gitlab", GITLAB)])
def test_requested_ci_host_is_used(ci: CiHost, expected: str) -> None:
    put(".github/dependabot.yml")
    put(".gitlab-ci.yml")
    assert [file.path for file in plan(ci).files] == ["aether.toml", expected]


def test_second_ci_host_is_an_open_point() -> None:
    put(".github/dependabot.yml")
    put(".gitlab-ci.yml")
    assert "`aether-guard init --ci gitlab`" in init()


def test_password_in_the_remote_address_is_never_shown(repository: Path) -> None:
    git("remote", "add", "origin", "https://user:hunter2@github.com/owner/name")
    output = init()
    written = b"".join(data for _, data in snapshot(repository).values())
    assert GITHUB in output
    assert "hunter2" not in output
    assert b"hunter2" not in written


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("hatch.toml", "[envs.bench.scripts]\nall = 'x'\npack = 'y'\n", "hatch run bench:all"),
        ("hatch.toml", "[envs.bench.scripts]\npack = 'y'\n", "hatch run bench:pack"),
        ("hatch.toml", "[envs.default.scripts]\nbenchmark = ['x', 'y']\n", "hatch run benchmark"),
        ("pyproject.toml", "[tool.hatch.envs.perf.scripts]\nbench = 'x'\n", "hatch run perf:bench"),
        ("pyproject.toml", "[tool.pdm.scripts]\nbench = {cmd = 'x'}\n", "pdm run bench"),
        ("pyproject.toml", "[tool.poe.tasks.bench]\nshell = 'x'\n", "poe bench"),
        ("pyproject.toml", "[tool.taskipy.tasks]\nbench = 'x'\n", "task bench"),
        ("pyproject.toml", "[tool.tox.env.bench]\ncommands = []\n", "tox run -e bench"),
        ("pyproject.toml", "[project.scripts]\nmy-bench = 'a:b'\n", "my-bench"),
        ("package.json", '{"scripts": {"test": "x", "bench:all": "y"}}', "npm run bench:all"),
        ("Makefile", "CC = gcc\nall: x\n\nbench-all bench: x\n\ty\n", "make bench"),
        ("GNUmakefile", "bench:: x\n\ty\n", "make bench"),
        ("justfile", "default: bench\n\nbench filter='.*' *args: build\n  x\n", "just bench"),
        ("Justfile", "@bench:\n  x\n", "just bench"),
        ("noxfile.py", NOXFILE, "nox -s bench"),
        ("tox.ini", "[testenv]\n[testenv:bench]\ncommands = x\n", "tox run -e bench"),
        ("tox.toml", "[env.bench]\ncommands = []\n", "tox run -e bench"),
        ("Cargo.toml", "[package]\nname = 'a'\n[[bench]]\nname = 'b'\n", "cargo bench"),
        ("crates/a/Cargo.toml", "[[bench]]\nname = 'b'\n", "cargo bench --manifest-path crates/a/Cargo.toml"),
        ("requirements-dev.txt", "pytest\naether-pack-bench >= 0.1, < 0.2 # ours\n", "aether-bench run"),
        ("pyproject.toml", "[dependency-groups]\nperf = ['Aether_Pack.Bench']\n", "aether-bench run"),
        ("pyproject.toml", "[tool.poetry.dependencies]\naether-stream-bench = '^0.1'\n", "aether-bench run"),
        ("pyproject.toml", "[project.entry-points.'aether.benches']\nmine = 'a:b'\n", "aether-bench run"),
        ("benchmarks/my_bench.py", BENCH_FILE, "aether-bench run benchmarks/my_bench.py"),
    ],
)
def test_bench_command_is_found_in_the_usual_files(path: str, text: str, expected: str) -> None:
    put(path, text)
    planned = plan("github")
    assert f"found the bench command `{expected}` in {path}" in planned.found
    assert re.search(rf"^ +run: {re.escape(expected)}$", contents(planned, GITHUB), re.MULTILINE)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("package.json", '{"scripts": {"workbench": "x", "test": "bench"}}'),
        ("package.json", '["bench"]'),
        ("Makefile", "BENCH := x\nbench := y\nbench = z\n# bench: no\nall: bench\n.PHONY: bench\n"),
        ("justfile", "bench := 'x'\nbench name:\n  x\n_bench:\n  x\n"),
        ("pyproject.toml", "[tool.mypy]\npackages = ['aether_pack_bench']\n[project]\nname = 'aether-pack-bench'\n"),
        ("requirements.txt", "aether-bench\naether-pack-benchmark\nnot-aether-pack-bench\n# aether-pack-bench\n"),
        ("noxfile.py", "def bench(session):\n    pass\n"),
        ("Cargo.toml", "[package]\nname = 'bench'\n"),
        ("node_modules/a/Cargo.toml", "[[bench]]\nname = 'b'\n"),
        ("bench.py", "from pyperf import bench\n\n@bench\ndef f(): pass\n"),
    ],
)
def test_similar_entries_are_not_bench_commands(path: str, text: str) -> None:
    put(path, text)
    assert discover(".").commands == ()


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ("package-lock.json", "npm ci"),
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile"),
        ("yarn.lock", "yarn install"),
        ("bun.lock", "bun install"),
        (".nvmrc", "npm install"),
    ],
)
def test_lock_file_selects_the_node_installer(lock: str, expected: str) -> None:
    put("package.json", '{"scripts": {"bench": "x"}}')
    put(lock)
    assert f"          {expected}\n" in contents(plan("github"), GITHUB)


def test_cargo_workspace_is_measured_at_once() -> None:
    put("Cargo.toml", "[workspace]\nmembers = ['a']\n")
    put("a/Cargo.toml", "[[bench]]\nname = 'b'\n")
    assert discover(".").commands[0].command == "cargo bench --workspace"


def test_command_that_writes_summaries_comes_first() -> None:
    put("hatch.toml", "[envs.default.scripts]\nbench = 'pytest --benchmark-only'\n")
    put("Makefile", "bench-clean:\n\trm x\nbenchmarks:\n\taether-bench run --profile ci\n")
    found = plan().found
    assert "found the bench command `make benchmarks` in Makefile" in found
    assert "found more commands, not used: `hatch run bench`, `make bench-clean`" in found


def test_required_bench_is_installed_with_its_version() -> None:
    put("requirements.txt", "aether-pack-bench>=0.1,<0.2 ; python_version > '3'\n")
    assert "python -m pip install aether-guard 'aether-pack-bench>=0.1,<0.2'\n" in contents(plan("github"), GITHUB)


def test_bench_file_is_installed_with_its_project() -> None:
    put("pyproject.toml", "[build-system]\nrequires = []\n[project]\nname = 'mine'\n")
    put("my_bench.py", BENCH_FILE)
    assert "run: python -m pip install aether-guard aether-harness .\n" in contents(plan("github"), GITHUB)


@pytest.mark.parametrize("name", ["bench;touch x", "bench ${{ github.token }}", "bench\nrun: x", "-bench", "bench$(x)"])
def test_name_with_special_characters_is_skipped(name: str) -> None:
    put("package.json", json.dumps({"scripts": {name: "x"}}))
    planned = plan("github")
    assert "skipped: package.json: a name with special characters" in planned.found
    assert name not in contents(planned, GITHUB)


@pytest.mark.parametrize(
    ("path", "text"),
    [("hatch.toml", "[envs"), ("package.json", "{"), ("noxfile.py", "def"), ("tox.ini", "x"), ("tox.toml", "\0")],
)
def test_unparsable_file_is_skipped(path: str, text: str) -> None:
    put(path, text)
    put("Makefile", "bench:\n\tx\n")
    found = plan().found
    assert f"skipped: {path}: cannot be parsed" in found
    assert "found the bench command `make bench` in Makefile" in found


def test_undecodable_file_is_skipped(repository: Path) -> None:
    (repository / "Makefile").write_bytes(b"bench:\n\t\xff\xfe\n")
    assert "skipped: Makefile: cannot be read" in plan().found


def test_workflow_without_a_bench_command_warns() -> None:
    planned = plan("github")
    assert "::warning file=.github/workflows/benchmarks.yml::fill in" in contents(planned, GITHUB)
    assert f"the command that runs your benches: `run: YOUR COMMAND` in {GITHUB}" in planned.open_points
    assert planned.next_commands[0].startswith("aether-bench run --exec ")


def test_unknown_output_of_a_command_is_an_open_point() -> None:
    put("Cargo.toml", "[[bench]]\nname = 'b'\n")
    (point,) = [point for point in plan("github").open_points if "cargo bench" in point]
    assert '`current = ["YOUR FOLDER"]` in aether.toml' in point


def test_command_that_writes_summaries_leaves_no_open_points() -> None:
    put("hatch.toml", "[envs.bench.scripts]\nall = 'aether-bench run'\n")
    assert plan("github").open_points == ()


def test_summaries_in_a_baseline_folder_are_baselines(write: Write) -> None:
    write("ci/Baselines/bench-pack.json")
    write("target/benchmarks/bench-pack.json")
    assert sides(plan()) == (["ci/Baselines"], ["target/benchmarks"])


def test_folders_of_different_benches_are_all_named(write: Write) -> None:
    for name in ("a", "b"):
        write(f"packages/{name}/baseline/bench.json", bench_id=name)
        write(f"packages/{name}/results/bench.json", bench_id=name)
    assert sides(plan()) == (
        ["packages/a/baseline", "packages/b/baseline"],
        ["packages/a/results", "packages/b/results"],
    )


def test_second_folder_of_a_bench_is_left_out(write: Write) -> None:
    write("results/2025/bench.json")
    write("results/2026/bench.json")
    planned = plan()
    assert sides(planned)[1] == ["results/2025"]
    assert any("results/2026: packaging is in another folder as well" in point for point in planned.open_points)


def test_default_folder_comes_first(write: Write) -> None:
    write("a/bench.json")
    write("target/benchmarks/bench.json")
    assert sides(plan())[1] == ["target/benchmarks"]


def test_file_names_separate_baseline_and_current(write: Write) -> None:
    write("perf/baseline.json")
    write("perf/latest.json")
    assert sides(plan()) == (["perf/baseline.json"], ["perf/latest.json"])


def test_glob_excludes_other_files_of_a_folder(write: Write) -> None:
    write("perf/bench-a.json", bench_id="a")
    write("perf/bench-b.json", bench_id="b")
    put("perf/settings.json", "{}")
    assert sides(plan())[1] == ["perf/bench-*.json"]


def test_summaries_in_the_top_folder_are_uploaded_by_name(write: Write) -> None:
    write("result.json")
    planned = plan("github")
    assert sides(planned)[1] == ["result.json"]
    assert "          path: result.json\n" in contents(planned, GITHUB)


def test_empty_baseline_folder_is_used() -> None:
    put("ci/baseline/.gitkeep")
    assert sides(plan())[0] == ["ci/baseline"]


@pytest.mark.parametrize(
    "folder", [".git", "node_modules/a", "target/release", "target/criterion", "dist", ".venv/x", "a/__pycache__"]
)
def test_generated_folders_are_skipped(write: Write, folder: str) -> None:
    write(f"{folder}/bench-pack.json")
    assert discover(".").summaries == ()


@pytest.mark.parametrize("sign", [".git", "pyvenv.cfg"])
def test_nested_repositories_and_environments_are_skipped(write: Write, sign: str) -> None:
    write("inner/bench-pack.json")
    put(f"inner/{sign}")
    assert discover(".").summaries == ()


def test_links_are_not_followed(write: Write, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    shutil.copy(write("mine/bench-pack.json"), outside)
    (repository / "linked").symlink_to(outside, target_is_directory=True)
    (repository / "mine" / "round").symlink_to(repository, target_is_directory=True)
    (repository / "other").mkdir()
    (repository / "other" / "bench-pack.json").symlink_to(outside / "bench-pack.json")
    assert [folder.path for folder in discover(".").summaries] == ["mine"]


def test_summaries_in_test_data_are_ignored(write: Write) -> None:
    write("tests/fixtures/baseline/bench-pack.json")
    planned = plan()
    assert sides(planned) == (["benchmarks/baseline"], ["target/benchmarks"])
    assert "found 1 summary in tests/fixtures/baseline, ignored as test data: packaging" in planned.found


def test_other_json_files_are_no_summaries() -> None:
    for number, text in enumerate(["", "{", "[]", '{"bench_id": "a"}', "\0", "[" * 2000]):
        put(f"a/{number}.json", text)
    assert discover(".").summaries == ()


def test_walk_stops_at_the_limit_of_files(repository: Path) -> None:
    folder = repository / "many"
    folder.mkdir()
    for number in range(50_001):
        os.mkdir(folder / str(number))
    found = discover(".")
    assert found.unread == ("many and later folders: more than 50,000 files",)


def test_pipes_are_skipped(repository: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(repository / "bench.json")
    os.mkfifo(repository / "Makefile")
    assert (discover(".").summaries, discover(".").commands) == ((), ())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
@pytest.mark.parametrize("name", [GITHUB, GITLAB, "noxfile.py"])
def test_pipe_at_the_path_of_a_file_is_left_alone(repository: Path, name: str) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(repository / name)
    init("github")
    init("gitlab")
    assert (repository / name).is_fifo()


def test_init_below_the_top_folder_names_the_top(repository: Path) -> None:
    (repository / "a" / "b").mkdir(parents=True)
    with pytest.raises(GuardError, match=re.escape(f"run aether-guard init in {os.path.join('..', '..')}")):
        discover("a/b")


def test_missing_folder_is_refused() -> None:
    with pytest.raises(GuardError, match="nowhere: not a folder"):
        discover("nowhere")


def test_folder_without_git_gets_a_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(tmp_path_factory.mktemp("bare"))
    planned = plan_init(discover(folder), None)
    assert write_init(planned) == ("aether.toml",)
    assert "this folder is not a git repository: `git init`" in planned.open_points


def test_invalid_configuration_is_a_one_line_error() -> None:
    put("aether.toml", "[guard]\ngatee = 1\n")
    with pytest.raises(GuardError, match=r"^aether\.toml: guard\.gatee: no such key; did you mean gate\?$"):
        discover(".")


def test_configuration_in_pyproject_prevents_a_second_one(write: Write) -> None:
    put("pyproject.toml", '[tool.aether.guard]\nbaseline = ["old"]\ncurrent = ["perf/out"]\n')
    write("elsewhere/bench-pack.json")
    planned = plan("github")
    assert [file.path for file in planned.files] == [GITHUB]
    assert "          path: perf/out\n" in contents(planned, GITHUB)


def test_existing_guard_workflow_prevents_a_second_one() -> None:
    put(".github/workflows/ci.yml", "jobs: {a: {steps: [{run: aether-guard check}]}}\n")
    planned = plan()
    assert [file.path for file in planned.files] == ["aether.toml"]
    assert "found .github/workflows/ci.yml, which already runs aether-guard: no workflow is written" in planned.found


def test_missing_gitlab_include_is_an_open_point() -> None:
    put(".gitlab-ci.yml", "stages: [test]\n")
    assert f"include: {GITLAB}" in init()
    put(".gitlab-ci.yml", f"include: {GITLAB}\n")
    assert f"include: {GITLAB}" not in init()


@pytest.mark.parametrize(
    ("branch", "expected"), [("master", "[master]"), ("trunk/2.x", '["trunk/2.x"]'), ("a{b", "[main]")]
)
def test_workflow_runs_on_the_default_branch(branch: str, expected: str) -> None:
    git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
    planned = plan("github")
    assert f"    branches: {expected}\n" in contents(planned, GITHUB)
    assert ("the branch that changes are merged into" in "".join(planned.open_points)) is (branch == "a{b")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], ("make bench", "aether-guard promote --reason 'the first baseline'")),
        (["baseline/a.json"], ("make bench", "aether-guard check")),
        (["out/a.json"], ("aether-guard promote --reason 'the first baseline'", "aether-guard check")),
        (["out/a.json", "baseline/a.json"], ("aether-guard check", "git add aether.toml")),
    ],
)
def test_next_commands_depend_on_existing_summaries(write: Write, files: list[str], expected: tuple[str, str]) -> None:
    put("Makefile", "bench:\n\ttrue\n")
    for path in files:
        write(path)
    assert plan().next_commands == expected
    assert init().endswith("next:\n" + "\n".join(f"  {command}" for command in expected))


def test_next_commands_work(write: Write, guard: Guard) -> None:
    write("out/bench-pack.json", p95=10)
    assert plan().next_commands == ("aether-guard promote --reason 'the first baseline'", "aether-guard check")
    init()
    assert guard("check").returncode == 2
    assert guard("promote", "--reason", "the first baseline").returncode == 0
    assert guard("check").returncode == 0
    write("out/bench-pack.json", p95=12.5)
    assert guard("check").returncode == 1


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4, unique=True))
def test_any_folder_is_named_exactly_or_left_out(folders: list[str]) -> None:
    found = tuple(
        SummaryFolder(path=f"x{number}/{folder}", summaries=(("bench.json", f"b{number}"),))
        for number, folder in enumerate(folders)
    )
    planned = plan_init(Discovery(folder=".", summaries=found), "github")
    baseline, current = sides(planned)
    named = {*baseline, *current} - {"benchmarks/baseline", "target/benchmarks"}
    assert named <= {folder.path for folder in found}
    assert all(len(file.contents.encode().splitlines()) == len(file.contents.splitlines()) for file in planned.files)
    assert "${{" not in contents(planned, GITHUB).partition("steps:")[2]
    unnamed = [folder for folder in found if folder.path not in named and not is_example(folder.path)]
    left_out = [point for point in planned.open_points if "a name with special characters" in point]
    assert len(unnamed) == len(left_out)


def every_plan(ci: CiHost, write: Write) -> list[str]:
    """Write the workflows that `init` plans for several kinds of repositories, and return their paths."""
    written = []
    workflow = GITHUB if ci == "github" else GITLAB
    places = {
        "none": {},
        "hatch": {"hatch.toml": "[envs.bench.scripts]\nall = 'x'\n"},
        "npm": {"package.json": '{"scripts": {"bench:all": "x"}}', "package-lock.json": "{}"},
        "pnpm": {"package.json": '{"scripts": {"bench": "x"}}', "pnpm-lock.yaml": ""},
        "make": {"Makefile": "bench:\n\tx\n"},
        "cargo": {"Cargo.toml": "[[bench]]\nname = 'b'\n"},
        "plugin": {"requirements.txt": "aether-pack-bench>=0.1,<0.2\n"},
        "own": {"pyproject.toml": "[build-system]\n[project]\n[project.entry-points.'aether.benches']\na = 'a:b'\n"},
    }
    for name, files in places.items():
        for path, text in files.items():
            put(f"{name}/{path}", text)
        write(f"{name}/my results/bench-a.json", bench_id="a")
        write(f"{name}/ergebnis-\N{GREEK SMALL LETTER MU}s/bench-b.json", bench_id="b")
        git("init", "--quiet", "--initial-branch=1.0", name)
        # The linters recognize workflows by their folder and suffix.
        path = f".github/workflows/{name}.yml" if ci == "github" else f"{name}.gitlab-ci.yml"
        put(path, contents(plan_init(discover(name), ci), workflow))
        written.append(path)
    return written


def test_actions_are_pinned_and_jobs_have_no_write_access(write: Write) -> None:
    for path in every_plan("github", write):
        text = Path(path).read_text(encoding="utf-8")
        assert re.findall(r"uses: .*", text) == re.findall(r"uses: [\w/-]+@[0-9a-f]{40} # v[\d.]+", text)
        assert "permissions: {}" in text
        assert "write" not in text.partition("jobs:")[2]
        assert text.index("aether-guard check") < text.index("if: always()")


def test_workflows_match_the_github_schema(write: Write) -> None:
    tool = lint_tool("check-jsonschema")
    done = execute(tool, "--builtin-schema", "vendor.github-workflows", *every_plan("github", write))
    assert done.returncode == 0, done.stdout


def test_workflows_pass_zizmor(write: Write) -> None:
    tool = lint_tool("zizmor")
    done = execute(tool, "--offline", "--no-progress", *every_plan("github", write))
    assert done.returncode == 0, done.stdout


def test_jobs_match_the_gitlab_schema(write: Write) -> None:
    tool = lint_tool("check-jsonschema")
    done = execute(tool, "--builtin-schema", "vendor.gitlab-ci", *every_plan("gitlab", write))
    assert done.returncode == 0, done.stdout


def result(path: str, name: str = "hyperfine/two.json") -> None:
    """Copy a result file of a real tool into the repository."""
    fixture = Path(__file__).parents[2] / "fixtures" / "import" / name
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if fixture.is_dir():
        shutil.copytree(fixture, path)
    else:
        shutil.copy(fixture, path)


@pytest.mark.parametrize(
    ("path", "name", "form"),
    [
        ("results.json", "hyperfine/two.json", "hyperfine"),
        ("out/.benchmarks/0001.json", "pytest-benchmark/with_data.json", "pytest-benchmark"),
        ("target/criterion", "criterion", "criterion"),
        ("out/bench.txt", "go/bench.txt", "go"),
        ("load_stats.csv", "locust/load_stats.csv", "locust"),
        ("perf/suite.json.gz", "pyperf/time.json.gz", "pyperf"),
    ],
)
@pytest.mark.parametrize(("ci", "workflow"), [("github", GITHUB), ("gitlab", GITLAB)])
def test_results_of_another_tool_are_found_and_checked(
    path: str, name: str, form: str, ci: CiHost, workflow: str
) -> None:
    result(path, name)
    planned = plan(ci)
    assert f"found results of {form} in {path}" in planned.found
    assert sides(planned) == (["benchmarks/baseline"], [path])
    assert f"aether-guard check --from {form}" in contents(planned, workflow)
    imports = f"aether-guard import {form} {path} --out benchmarks/baseline"
    assert planned.next_commands == (imports, f"aether-guard check --from {form}")


def test_unused_results_are_an_open_point() -> None:
    result("results.json")
    result("out/suite.json.gz", "pyperf/time.json.gz")
    (point,) = [point for point in plan("github").open_points if "results" in point]
    assert point.endswith(": out/suite.json.gz (pyperf)")


def test_result_named_baseline_is_the_baseline() -> None:
    result("perf/current.json")
    result("perf/baseline.json")
    assert sides(plan("github")) == (["perf/baseline.json"], ["perf/current.json"])


@pytest.mark.parametrize(("path", "name"), [("results.json", "hyperfine/two.json"), ("target/criterion", "criterion")])
def test_next_commands_work_for_results_of_another_tool(guard: Guard, path: str, name: str) -> None:
    result(path, name)
    init("github")
    for command in plan("github").next_commands:
        done = guard(*command.split()[1:])
        assert done.returncode == 0, done.stderr


def test_summaries_take_precedence_over_other_results(write: Write) -> None:
    result("results.json")
    write("target/benchmarks/bench-pack.json")
    planned = plan("github")
    assert sides(planned)[1] == ["target/benchmarks"]
    assert "--from" not in contents(planned, GITHUB)


def test_reports_of_tests_and_test_data_are_ignored() -> None:
    result("report.xml", "junit/pytest.xml")
    result("tests/data/results.json")
    assert sides(plan("github"))[1] == ["target/benchmarks"]


SUITES = {
    "pytest-benchmark": {
        "pyproject.toml": '[project]\nname = "x"\n[dependency-groups]\nbench = ["pytest-benchmark>=4"]\n',
        "bench/test_speed.py": "def test_parse(benchmark):\n    benchmark(len, 'x')\n",
    },
    "asv": {
        "pyproject.toml": '[project]\nname = "x"\n',
        "benchmarks/asv.conf.json": '{\n  // comment\n  "repo": "..",\n  "matrix": {"req": {"numpy": []}},\n}\n',
    },
    "pyperf": {"setup.py": "", "perf/parse.py": "import pyperf\nrunner = pyperf.Runner()\n"},
    "criterion": {"Cargo.toml": '[package]\nname = "x"\n[dev-dependencies]\ncriterion = "0.5"\n'},
    "go": {"parse_test.go": "package x\n\nfunc BenchmarkParse(b *testing.B) {\n}\n"},
    "vitest": {"package.json": '{"devDependencies": {"vitest": "^3"}}', "src/parse.bench.ts": "bench('parse', f)\n"},
    "jmh": {"pom.xml": "<artifactId>jmh-core</artifactId>"},
    "google-benchmark": {
        "CMakeLists.txt": "add_executable(speed a.cc)\ntarget_link_libraries(speed PRIVATE benchmark::benchmark)\n"
    },
    "hyperfine": {"bench.sh": "hyperfine --export-json target/benchmarks/hyperfine.json 'make'\n"},
}


@pytest.mark.parametrize("tool", SUITES)
def test_suites_are_recognized_without_results(tool: str) -> None:
    for path, text in SUITES[tool].items():
        put(path, text)
    git("remote", "add", "origin", "https://github.com/x/y.git")
    report = init()
    assert f"found benchmarks of {tool} in " in report
    assert "to fill in: the command" not in report
    workflow = Path(GITHUB).read_text(encoding="utf-8")
    assert f"aether-guard check --from {tool};" in workflow
    config = find_config(".")
    assert ("aether-guard ab" in workflow) is (config.ab.run is not None) is (tool != "hyperfine")
    assert config.ab.source == (tool if config.ab.run else None)


@pytest.mark.parametrize("tool", SUITES)
@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_a_suite_is_planned_once(tool: str, ci: CiHost) -> None:
    for path, text in SUITES[tool].items():
        put(path, text)
    init(ci)
    assert "nothing was written" in (again := init(ci))
    assert "left alone" not in again


def test_suites_install_from_the_place_that_requires_them() -> None:
    put("bench/test_speed.py", "def test_parse(benchmark):\n    benchmark(len, 'x')\n")
    install = {
        '[project]\nname = "x"\n[dependency-groups]\nbench = ["pytest-benchmark"]\n': "-e . --group bench",
        '[project]\nname = "x"\n[project.optional-dependencies]\ntest = ["pytest_benchmark>1"]\n': "-e '.[test]'",
        '[project]\nname = "x"\n': "-e . pytest-benchmark pytest",
        "": "pytest-benchmark pytest",
    }
    for text, words in install.items():
        put("pyproject.toml", text)
        commands = plan_init(discover("."), "github").next_commands
        assert f"python -m pip install {words}" in commands[:2]
        assert ("--upgrade pip" in commands[0]) is ("--group" in words)


def test_extras_that_the_suite_imports_are_installed() -> None:
    put(
        "pyproject.toml",
        '[project]\nname = "x"\n[project.optional-dependencies]\nspeed = ["or-json>1"]\nweb = ["flask"]\n',
    )
    put("bench/test_speed.py", "from x.formats.or_json import dump\n\ndef test_dump(benchmark):\n    benchmark(dump)\n")
    (install,) = discover(".").suites[0].install
    assert install == "python -m pip install -e '.[speed]' pytest-benchmark pytest"


def test_an_unparsable_project_still_has_its_suite() -> None:
    put("pyproject.toml", "[project\n")
    put("test_speed.py", "def test_parse(benchmark):\n    benchmark(len, 'x')\n")
    assert discover(".").suites[0].install == ("python -m pip install pytest-benchmark pytest",)


def test_other_uses_of_the_names_are_no_suites() -> None:
    put("Cargo.toml", '[package]\nname = "criterion-like"\ndescription = "divan"\n')
    put("test_x.py", "def test_parse(bench):\n    benchmark = 1\n")
    put("x_test.go", "package x\n\n// func BenchmarkParse is missing\n")
    put("src/a.bench.ts", "")
    put("package.json", "{}")
    put("CMakeLists.txt", "# benchmark::benchmark\n")
    assert discover(".").suites == ()


def test_unusable_suites_leave_an_open_point() -> None:
    put("build.gradle", "plugins { id 'me.champeau.jmh' version '0.7' }")
    assert "to fill in: JMH under Gradle" in init("github")


def test_a_dry_run_prints_the_files() -> None:
    put("parse_test.go", "func BenchmarkParse(b *testing.B) {\n")
    lines = describe_init(plan_init(discover("."), "github"), None)
    assert "would write aether.toml:" in lines
    assert "  | [ab]" in lines
    assert "nothing was written" in lines
    assert not Path("aether.toml").exists()


def test_a_first_run_has_nothing_to_compare() -> None:
    put("parse_test.go", "func BenchmarkParse(b *testing.B) {\n")
    init("github")
    steps = re.search(
        r"committed baselines\n        run: \|\n((?: {10}.*\n)+)", Path(GITHUB).read_text(encoding="utf-8")
    )
    assert steps is not None
    done = subprocess.run(["sh", "-ec", steps[1]], capture_output=True, text=True, check=True)  # noqa: S607
    assert done.stdout == "nothing to compare yet: commit a baseline in benchmarks/baseline\n"


def test_results_of_a_suite_are_its_current_side() -> None:
    put("asv.conf.json", '{"results_dir": "results"}')
    put(
        "results/ci/1a2b3c4d-env.json",
        (Path(__file__).parents[2] / "fixtures/import/asv/somewhere/e183436d-existing.json").read_text(),
    )
    report = init("github")
    assert find_config(".").current == ("results/ci",)
    assert "to fill in" not in report


def test_markers_of_codspeed_leave_an_open_point() -> None:
    put("bench/test_speed.py", "import pytest\n\npytestmark = pytest.mark.benchmark()\n\ndef test_parse():\n    pass\n")
    report = init("github")
    assert "found benchmarks of pytest-codspeed in bench/test_speed.py" in report
    assert "to fill in: tests in bench/test_speed.py are benchmarks by a marker" in report


@pytest.mark.parametrize(
    ("path", "text", "is_dropped"),
    [
        ("pytest.ini", "[pytest]\naddopts =\n  -n auto\n  --verbose\n", True),
        ("setup.cfg", "[tool:pytest]\naddopts = --benchmark-disable\n", True),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "-q -n auto"\n', True),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = ["-n", "auto"]\n', True),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = ["-l", "--benchmark-sort=name"]\n', False),
    ],
)
def test_options_under_which_pytest_does_not_measure_are_dropped(path: str, text: str, *, is_dropped: bool) -> None:
    put("test_speed.py", "def test_parse(benchmark):\n    benchmark(len, 'x')\n")
    put(path, text)
    assert ("-o addopts=" in discover(".").suites[0].measure[-1]) is is_dropped
