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
    """A repository of somebody's, in the working folder, with nothing in it."""
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
    """Return a program of the environment `lint`, which lies beside the tests' own, or skip."""
    found = shutil.which(name) or next(
        (str(path) for path in Path(sys.prefix).parent.glob(f"lint/*/{name}*") if os.access(path, os.X_OK)), None
    )
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def checked(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_repository_with_nothing_in_it_gets_a_configuration_and_is_asked_for_its_ci(repository: Path) -> None:
    said = init()
    assert sorted(path.name for path in repository.iterdir()) == [".git", "aether.toml"]
    assert "wrote aether.toml: [guard] baseline" in said
    assert "`aether-guard init --ci github` or `aether-guard init --ci gitlab`" in said


def test_what_is_written_is_a_configuration_that_the_guard_reads() -> None:
    init()
    config = find_config(".")
    assert config.baseline == (os.path.join("benchmarks", "baseline"),)
    assert config.current == (os.path.join("target", "benchmarks"),)
    assert config.book.general[0][1].gate == 0.2


@pytest.mark.parametrize("ci", [None, "github", "gitlab"])
def test_a_second_run_changes_nothing_and_says_so(repository: Path, ci: CiHost | None) -> None:
    put("Makefile", "bench:\n\ttrue\n")
    init(ci)
    before = snapshot(repository)
    said = init(ci)
    assert snapshot(repository) == before
    assert "nothing was written" in said
    assert "unchanged: aether.toml" in said
    assert "left alone" not in said


def test_what_the_benches_wrote_meanwhile_changes_nothing(repository: Path, write: Write) -> None:
    init("github")
    write("target/benchmarks/bench-pack.json")
    write("benchmarks/baseline/bench-pack.json")
    before = snapshot(repository)
    assert "nothing was written" in init("github")
    assert snapshot(repository) == before


def test_a_file_that_is_there_is_left_alone_and_what_it_would_have_said_is_one_line(repository: Path) -> None:
    put("aether.toml", '[guard]\nbaseline = ["mine"]\ncurrent = ["fresh"]\n')
    put(GITHUB, "name: mine\n")
    before = snapshot(repository)
    said = init()
    assert snapshot(repository) == before
    lines = [line for line in said.splitlines() if line.startswith("left alone: ")]
    assert lines[0].endswith(
        'it would have said: [guard] baseline = ["benchmarks/baseline"], current = ["target/benchmarks"], gate = "20%"'
    )
    assert GITHUB in lines[1]
    assert lines[1].endswith("a command to fill in, then `aether-guard check`, then an upload of fresh")


def test_the_line_endings_of_a_checkout_are_no_difference() -> None:
    init()
    path = Path("aether.toml")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "unchanged: aether.toml" in init()


def test_a_dangling_link_is_left_alone(repository: Path) -> None:
    (repository / "aether.toml").symlink_to("nowhere.toml")
    assert "left alone: aether.toml" in init()
    assert not (repository / "nowhere.toml").exists()


def test_a_file_that_appears_meanwhile_is_left_alone() -> None:
    planned = plan()
    put("aether.toml", "# somebody else's\n")
    with pytest.raises(GuardError, match=r"aether\.toml: appeared meanwhile"):
        write_init(planned)
    assert Path("aether.toml").read_text(encoding="utf-8") == "# somebody else's\n"


def test_a_file_that_cannot_be_written_is_one_line_and_leaves_no_part(repository: Path) -> None:
    put(".github", "a file where a folder belongs")
    with pytest.raises(GuardError, match=r"^\S*benchmarks\.yml: cannot be written: [^\n]+$"):
        init("github")
    assert sorted(path.name for path in repository.iterdir()) == [".git", ".github", "aether.toml"]


def test_planning_writes_nothing_and_the_same_finds_give_the_same_plan(repository: Path) -> None:
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
def test_the_host_is_told_by_the_remote_and_else_by_its_files(
    files: list[str], remote: str | None, expected: str
) -> None:
    for path in files:
        put(path)
    if remote:
        git("remote", "add", "origin", remote)
    assert [file.path for file in plan().files] == ["aether.toml", expected]


@pytest.mark.parametrize(("ci", "expected"), [("github", GITHUB), ("gitlab", GITLAB)])
def test_the_host_that_is_asked_for_is_written_for(ci: CiHost, expected: str) -> None:
    put(".github/dependabot.yml")
    put(".gitlab-ci.yml")
    assert [file.path for file in plan(ci).files] == ["aether.toml", expected]


def test_a_repository_on_two_hosts_is_told_of_the_other() -> None:
    put(".github/dependabot.yml")
    put(".gitlab-ci.yml")
    assert "`aether-guard init --ci gitlab`" in init()


def test_a_secret_in_the_address_of_the_remote_is_never_shown(repository: Path) -> None:
    git("remote", "add", "origin", "https://user:hunter2@github.com/owner/name")
    said = init()
    written = b"".join(data for _, data in snapshot(repository).values())
    assert GITHUB in said
    assert "hunter2" not in said
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
def test_a_bench_command_is_found_where_it_usually_is(path: str, text: str, expected: str) -> None:
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
def test_what_only_looks_like_a_bench_command_is_not_taken_for_one(path: str, text: str) -> None:
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
def test_the_lock_file_says_how_a_node_project_is_installed(lock: str, expected: str) -> None:
    put("package.json", '{"scripts": {"bench": "x"}}')
    put(lock)
    assert f"          {expected}\n" in contents(plan("github"), GITHUB)


def test_a_workspace_of_crates_is_measured_as_a_whole() -> None:
    put("Cargo.toml", "[workspace]\nmembers = ['a']\n")
    put("a/Cargo.toml", "[[bench]]\nname = 'b'\n")
    assert discover(".").commands[0].command == "cargo bench --workspace"


def test_a_command_known_to_write_summaries_goes_first_and_the_others_are_told() -> None:
    put("hatch.toml", "[envs.default.scripts]\nbench = 'pytest --benchmark-only'\n")
    put("Makefile", "bench-clean:\n\trm x\nbenchmarks:\n\taether-bench run --profile ci\n")
    found = plan().found
    assert "found the bench command `make benchmarks` in Makefile" in found
    assert "found besides, not used: `hatch run bench`, `make bench-clean`" in found


def test_a_required_bench_is_installed_as_it_is_required() -> None:
    put("requirements.txt", "aether-pack-bench>=0.1,<0.2 ; python_version > '3'\n")
    assert "python -m pip install aether-guard 'aether-pack-bench>=0.1,<0.2'\n" in contents(plan("github"), GITHUB)


def test_functions_under_bench_are_installed_with_the_project_they_measure() -> None:
    put("pyproject.toml", "[build-system]\nrequires = []\n[project]\nname = 'mine'\n")
    put("my_bench.py", BENCH_FILE)
    assert "run: python -m pip install aether-guard aether-harness .\n" in contents(plan("github"), GITHUB)


@pytest.mark.parametrize("name", ["bench;touch x", "bench ${{ github.token }}", "bench\nrun: x", "-bench", "bench$(x)"])
def test_a_name_that_means_something_to_a_shell_or_a_workflow_is_passed_over_and_said(name: str) -> None:
    put("package.json", json.dumps({"scripts": {name: "x"}}))
    planned = plan("github")
    assert "not looked at: package.json: a name that a workflow cannot hold, passed over" in planned.found
    assert name not in contents(planned, GITHUB)


@pytest.mark.parametrize(
    ("path", "text"),
    [("hatch.toml", "[envs"), ("package.json", "{"), ("noxfile.py", "def"), ("tox.ini", "x"), ("tox.toml", "\0")],
)
def test_a_file_that_is_not_understood_is_said_and_stops_nothing(path: str, text: str) -> None:
    put(path, text)
    put("Makefile", "bench:\n\tx\n")
    found = plan().found
    assert f"not looked at: {path}: not understood, passed over" in found
    assert "found the bench command `make bench` in Makefile" in found


def test_a_file_that_is_no_text_is_said_and_stops_nothing(repository: Path) -> None:
    (repository / "Makefile").write_bytes(b"bench:\n\t\xff\xfe\n")
    assert "not looked at: Makefile: cannot be read, passed over" in plan().found


def test_without_a_bench_command_the_workflow_fails_and_says_what_to_fill_in() -> None:
    planned = plan("github")
    assert "::error file=.github/workflows/benchmarks.yml::fill in" in contents(planned, GITHUB)
    assert f"the command that runs your benches: `run: YOUR COMMAND` in {GITHUB}" in planned.open_points
    assert planned.next_commands[0].startswith("aether-bench run --exec ")


def test_whether_a_command_writes_summaries_is_asked_where_it_is_not_known() -> None:
    put("Cargo.toml", "[[bench]]\nname = 'b'\n")
    (point,) = [point for point in plan("github").open_points if "cargo bench" in point]
    assert '`current = ["YOUR FOLDER"]` in aether.toml' in point


def test_a_command_known_to_write_summaries_leaves_nothing_to_fill_in() -> None:
    put("hatch.toml", "[envs.bench.scripts]\nall = 'aether-bench run'\n")
    assert plan("github").open_points == ()


def test_summaries_in_a_folder_for_baselines_are_the_baselines(write: Write) -> None:
    write("ci/Baselines/bench-pack.json")
    write("target/benchmarks/bench-pack.json")
    assert sides(plan()) == (["ci/Baselines"], ["target/benchmarks"])


def test_several_folders_of_different_benches_are_all_named(write: Write) -> None:
    for name in ("a", "b"):
        write(f"packages/{name}/baseline/bench.json", bench_id=name)
        write(f"packages/{name}/results/bench.json", bench_id=name)
    assert sides(plan()) == (
        ["packages/a/baseline", "packages/b/baseline"],
        ["packages/a/results", "packages/b/results"],
    )


def test_a_second_folder_of_the_same_bench_is_left_out_and_said(write: Write) -> None:
    write("results/2025/bench.json")
    write("results/2026/bench.json")
    planned = plan()
    assert sides(planned)[1] == ["results/2025"]
    assert any("results/2026: packaging is on this side already" in point for point in planned.open_points)


def test_the_usual_place_goes_before_any_other(write: Write) -> None:
    write("a/bench.json")
    write("target/benchmarks/bench.json")
    assert sides(plan())[1] == ["target/benchmarks"]


def test_files_named_for_their_side_are_told_apart(write: Write) -> None:
    write("perf/baseline.json")
    write("perf/latest.json")
    assert sides(plan()) == (["perf/baseline.json"], ["perf/latest.json"])


def test_summaries_among_other_files_are_named_so_that_these_stay_out(write: Write) -> None:
    write("perf/bench-a.json", bench_id="a")
    write("perf/bench-b.json", bench_id="b")
    put("perf/settings.json", "{}")
    assert sides(plan())[1] == ["perf/bench-*.json"]


def test_summaries_in_the_top_folder_do_not_make_the_whole_repository_an_upload(write: Write) -> None:
    write("result.json")
    planned = plan("github")
    assert sides(planned)[1] == ["result.json"]
    assert "          path: result.json\n" in contents(planned, GITHUB)


def test_a_folder_kept_for_baselines_is_where_they_will_go() -> None:
    put("ci/baseline/.gitkeep")
    assert sides(plan())[0] == ["ci/baseline"]


@pytest.mark.parametrize(
    "folder", [".git", "node_modules/a", "target/release", "target/criterion", "dist", ".venv/x", "a/__pycache__"]
)
def test_what_tools_made_is_not_looked_at(write: Write, folder: str) -> None:
    write(f"{folder}/bench-pack.json")
    assert discover(".").summaries == ()


@pytest.mark.parametrize("sign", [".git", "pyvenv.cfg"])
def test_a_repository_or_an_environment_inside_is_not_looked_at(write: Write, sign: str) -> None:
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


def test_summaries_to_test_with_are_neither_side(write: Write) -> None:
    write("tests/fixtures/baseline/bench-pack.json")
    planned = plan()
    assert sides(planned) == (["benchmarks/baseline"], ["target/benchmarks"])
    assert "found 1 summary in tests/fixtures/baseline, taken for test data: packaging" in planned.found


def test_json_that_is_no_summary_is_none() -> None:
    for number, text in enumerate(["", "{", "[]", '{"bench_id": "a"}', "\0", "[" * 2000]):
        put(f"a/{number}.json", text)
    assert discover(".").summaries == ()


def test_the_look_ends_however_much_there_is(repository: Path) -> None:
    folder = repository / "many"
    folder.mkdir()
    for number in range(50_001):
        os.mkdir(folder / str(number))
    found = discover(".")
    assert found.unread == ("many and what follows, past 50,000 files",)


def test_a_pipe_is_not_waited_for(repository: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(repository / "bench.json")
    os.mkfifo(repository / "Makefile")
    assert (discover(".").summaries, discover(".").commands) == ((), ())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
@pytest.mark.parametrize("name", [GITHUB, GITLAB, "noxfile.py"])
def test_a_pipe_in_place_of_a_file_is_left_alone(repository: Path, name: str) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(repository / name)
    init("github")
    init("gitlab")
    assert (repository / name).is_fifo()


def test_init_below_the_top_of_a_repository_is_refused_and_the_top_named(repository: Path) -> None:
    (repository / "a" / "b").mkdir(parents=True)
    with pytest.raises(GuardError, match=re.escape(f"run aether-guard init at its top, {os.path.join('..', '..')}")):
        discover("a/b")


def test_a_folder_that_is_not_there_is_refused() -> None:
    with pytest.raises(GuardError, match="nowhere: not a folder"):
        discover("nowhere")


def test_a_folder_without_git_gets_its_configuration_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(tmp_path_factory.mktemp("bare"))
    planned = plan_init(discover(folder), None)
    assert write_init(planned) == ("aether.toml",)
    assert "this folder is no git repository yet: `git init`" in planned.open_points


def test_a_configuration_that_is_invalid_is_one_line() -> None:
    put("aether.toml", "[guard]\ngatee = 1\n")
    with pytest.raises(GuardError, match=r"^aether\.toml: guard\.gatee: no such key; did you mean gate\?$"):
        discover(".")


def test_a_configuration_in_pyproject_gets_no_other_beside_it(write: Write) -> None:
    put("pyproject.toml", '[tool.aether.guard]\nbaseline = ["old"]\ncurrent = ["perf/out"]\n')
    write("elsewhere/bench-pack.json")
    planned = plan("github")
    assert [file.path for file in planned.files] == [GITHUB]
    assert "          path: perf/out\n" in contents(planned, GITHUB)


def test_a_workflow_that_runs_the_guard_already_gets_no_other_beside_it() -> None:
    put(".github/workflows/ci.yml", "jobs: {a: {steps: [{run: aether-guard check}]}}\n")
    planned = plan()
    assert [file.path for file in planned.files] == ["aether.toml"]
    assert "found .github/workflows/ci.yml, which runs aether-guard already: no workflow beside it" in planned.found


def test_the_line_that_includes_the_jobs_is_asked_for_until_it_is_there() -> None:
    put(".gitlab-ci.yml", "stages: [test]\n")
    assert f"include: {GITLAB}" in init()
    put(".gitlab-ci.yml", f"include: {GITLAB}\n")
    assert f"include: {GITLAB}" not in init()


@pytest.mark.parametrize(
    ("branch", "expected"), [("master", "[master]"), ("trunk/2.x", '["trunk/2.x"]'), ("a{b", "[main]")]
)
def test_the_workflow_is_for_the_branch_that_changes_are_merged_into(branch: str, expected: str) -> None:
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
def test_the_two_next_commands_go_on_from_where_the_repository_is(
    write: Write, files: list[str], expected: tuple[str, str]
) -> None:
    put("Makefile", "bench:\n\ttrue\n")
    for path in files:
        write(path)
    assert plan().next_commands == expected
    assert init().endswith("next:\n" + "\n".join(f"  {command}" for command in expected))


def test_what_comes_next_works_as_it_is_told(write: Write, guard: Guard) -> None:
    write("out/bench-pack.json", p95=10)
    assert plan().next_commands == ("aether-guard promote --reason 'the first baseline'", "aether-guard check")
    init()
    assert guard("check").returncode == 2
    assert guard("promote", "--reason", "the first baseline").returncode == 0
    assert guard("check").returncode == 0
    write("out/bench-pack.json", p95=12.5)
    assert guard("check").returncode == 1


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4, unique=True))
def test_any_folder_is_named_as_it_is_or_left_out(folders: list[str]) -> None:
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
    left_out = [point for point in planned.open_points if "a name that a workflow cannot hold" in point]
    assert len(unnamed) == len(left_out)


def every_plan(ci: CiHost, write: Write) -> list[str]:
    """Write what `init` makes of each usual place, and of odd folders, and return the files' names."""
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
        # The host's linters know a workflow by its folder and its ending.
        path = f".github/workflows/{name}.yml" if ci == "github" else f"{name}.gitlab-ci.yml"
        put(path, contents(plan_init(discover(name), ci), workflow))
        written.append(path)
    return written


def test_every_action_is_pinned_and_no_job_may_write(write: Write) -> None:
    for path in every_plan("github", write):
        text = Path(path).read_text(encoding="utf-8")
        assert re.findall(r"uses: .*", text) == re.findall(r"uses: [\w/-]+@[0-9a-f]{40} # v[\d.]+", text)
        assert "permissions: {}" in text
        assert "write" not in text.partition("jobs:")[2]
        assert text.index("aether-guard check") < text.index("if: always()")


def test_the_workflows_have_the_form_that_github_wants(write: Write) -> None:
    tool = lint_tool("check-jsonschema")
    done = checked(tool, "--builtin-schema", "vendor.github-workflows", *every_plan("github", write))
    assert done.returncode == 0, done.stdout


def test_the_workflows_have_no_weakness_that_is_known(write: Write) -> None:
    tool = lint_tool("zizmor")
    done = checked(tool, "--offline", "--no-progress", *every_plan("github", write))
    assert done.returncode == 0, done.stdout


def test_the_jobs_have_the_form_that_gitlab_wants(write: Write) -> None:
    tool = lint_tool("check-jsonschema")
    done = checked(tool, "--builtin-schema", "vendor.gitlab-ci", *every_plan("gitlab", write))
    assert done.returncode == 0, done.stdout


def result(path: str, name: str = "hyperfine/two.json") -> None:
    """Put a file that a real tool wrote into the repository."""
    made = Path(__file__).parents[2] / "fixtures" / "import" / name
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if made.is_dir():
        shutil.copytree(made, path)
    else:
        shutil.copy(made, path)


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
def test_results_of_another_tool_are_found_and_checked_as_they_are(
    path: str, name: str, form: str, ci: CiHost, workflow: str
) -> None:
    result(path, name)
    planned = plan(ci)
    assert f"found results of {form} in {path}" in planned.found
    assert sides(planned) == (["benchmarks/baseline"], [path])
    assert f"aether-guard check --from {form}" in contents(planned, workflow)
    imports = f"aether-guard import {form} {path} --out benchmarks/baseline"
    assert planned.next_commands == (imports, f"aether-guard check --from {form}")


def test_results_that_are_not_compared_are_said() -> None:
    result("results.json")
    result("out/suite.json.gz", "pyperf/time.json.gz")
    (point,) = [point for point in plan("github").open_points if "results" in point]
    assert point.endswith(": out/suite.json.gz (pyperf)")


def test_a_result_named_for_it_is_the_baseline() -> None:
    result("perf/current.json")
    result("perf/baseline.json")
    assert sides(plan("github")) == (["perf/baseline.json"], ["perf/current.json"])


@pytest.mark.parametrize(("path", "name"), [("results.json", "hyperfine/two.json"), ("target/criterion", "criterion")])
def test_what_init_says_next_works_for_results_of_another_tool(guard: Guard, path: str, name: str) -> None:
    result(path, name)
    init("github")
    for command in plan("github").next_commands:
        done = guard(*command.split()[1:])
        assert done.returncode == 0, done.stderr


def test_summaries_of_our_own_come_before_results_of_another_tool(write: Write) -> None:
    result("results.json")
    write("target/benchmarks/bench-pack.json")
    planned = plan("github")
    assert sides(planned)[1] == ["target/benchmarks"]
    assert "--from" not in contents(planned, GITHUB)


def test_test_reports_and_test_data_are_no_results() -> None:
    result("report.xml", "junit/pytest.xml")
    result("tests/data/results.json")
    assert sides(plan("github"))[1] == ["target/benchmarks"]
