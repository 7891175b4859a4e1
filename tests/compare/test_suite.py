from __future__ import annotations

import json
import subprocess
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from aether_compare.progress import NullProgress
from aether_compare.side import VariantEnvironment
from aether_compare.stats.sequential_test import TestSpec
from aether_compare.suite import Suite, SuiteComparison, SuiteRunner, compare_suites
from aether_formats import ImportOptions
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Guard = Callable[..., subprocess.CompletedProcess[str]]

#: A suite of benchmarks with known figures and some noise; it can run one of them alone.
SUITE = """
import random, sys
FIGURES = {figures!r}
out, *only = sys.argv[1:]
draw = random.Random()
with open(out, "w") as file:
    print("name,value,unit", file=file)
    for name, value in FIGURES.items():
        if not only or name in only:
            print(f"{{name}},{{value * draw.gauss(1, 0.002)}},ms", file=file)
"""
RUN = f"{sys.executable} suite.py {{out}}"


def side(folder: Path, name: str, figures: dict[str, float]) -> VariantEnvironment:
    (folder / name).mkdir()
    (folder / name / "suite.py").write_text(SUITE.format(figures=figures))
    return VariantEnvironment(name=name, python=sys.executable, folder=str(folder / name))


def compared(
    tmp_path: Path, old: dict[str, float], new: dict[str, float], *, budget_s: float = 60, **fields: Any
) -> SuiteComparison:
    sides = (side(tmp_path, "old", old), side(tmp_path, "new", new))
    suite = Suite(**{"command": RUN, "format": "csv", "options": ImportOptions(), **fields})
    runner = SuiteRunner(suite, sides, str(tmp_path), Random(1))
    return compare_suites(runner, TestSpec(gate=0.02, alpha=0.01), budget_s, NullProgress())


def verdicts(found: SuiteComparison) -> dict[str, str]:
    return {item.question.bench_id: item.trial.final_verdict for item in found.comparisons}


def test_the_slower_benchmark_of_a_suite_is_found(tmp_path: Path) -> None:
    found = compared(tmp_path, {"a": 10, "b": 20, "c": 5}, {"a": 10, "b": 22, "c": 5})
    assert verdicts(found) == {"a": "pass", "b": "regression", "c": "pass"}


def test_a_benchmark_of_one_version_is_listed(tmp_path: Path) -> None:
    found = compared(tmp_path, {"a": 1, "gone": 1}, {"a": 1, "fresh": 1})
    assert (found.only_old, found.only_new) == (("gone",), ("fresh",))
    assert verdicts(found) == {"a": "pass"}


def test_alpha_is_shared_over_the_benchmarks(tmp_path: Path) -> None:
    found = compared(tmp_path, {"a": 1, "b": 1}, {"a": 1, "b": 1})
    assert {item.question.rule.alpha for item in found.comparisons} == {0.005}


def test_undecided_benchmarks_are_run_alone(tmp_path: Path) -> None:
    each = f"{sys.executable} suite.py {{out}} {{bench}}"
    found = compared(tmp_path, {"a": 10, "b": 10}, {"a": 12, "b": 10.2}, budget_s=4, each=each)
    counts = {item.question.bench_id: len(item.pairs) for item in found.comparisons}
    assert verdicts(found)["a"] == "regression"
    assert counts["b"] > counts["a"]


def test_one_pair_per_run_and_block(tmp_path: Path) -> None:
    found = compared(tmp_path, {"a": 10}, {"a": 12})
    pairs = found.comparisons[0].pairs
    assert [pair.block for pair in pairs] == list(range(len(pairs)))
    assert {pair.new_first for pair in pairs} == {True, False}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"command": "python suite.py"}, "--run: say where its results are: put {out} into the command"),
        ({"command": f"{sys.executable} -c 'import sys; sys.exit(3)' {{out}}"}, "the suite ended with status 3: "),
        ({"command": f"{sys.executable} -c pass {{out}}"}, "the suite wrote no results to {out}"),
        ({"command": "no-such-program-here {out}"}, "no-such-program-here: no such program on the PATH"),
        ({"command": "sh -c 'x {out}"}, "no closing quotation"),
        ({"command": f"{sys.executable} -c 'open({{out!r}}, 1)' {{out}}", "format": "nope"}, "nope: no such format"),
    ],
)
def test_a_suite_that_cannot_be_used_is_one_line(tmp_path: Path, fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(Exception, match=problem.replace("{", r"\{").replace("(", r"\(")) as failed:
        compared(tmp_path, {"a": 1}, {"a": 1}, **fields)
    assert "\n" not in str(failed.value)


def test_versions_without_a_common_benchmark_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="old and new have no benchmark in common: a; b"):
        compared(tmp_path, {"a": 1}, {"b": 1})


def test_results_may_be_a_file_of_the_tree(tmp_path: Path) -> None:
    command = f"{sys.executable} suite.py results.csv"
    assert verdicts(compared(tmp_path, {"a": 1}, {"a": 1}, command=command, results="results.csv")) == {"a": "pass"}


def test_results_outside_of_the_tree_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match=r"--results \.\./x: must be a path in the tree"):
        compared(tmp_path, {"a": 1}, {"a": 1}, results="../x")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make a repository with a suite that is 10 % slower in the second commit, and no Python package."""
    root = tmp_path / "repository"
    root.mkdir()

    def git(*words: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)  # noqa: S607

    git("init", "--quiet", "--initial-branch", "main")
    (root / "aether.toml").write_text('[ab]\nrun = "python suite.py {out}"\nfrom = "csv"\n')
    for number, value in enumerate((10, 11)):
        (root / "suite.py").write_text(SUITE.format(figures={"a": value, "b": 5}))
        git("add", ".")
        git("commit", "--quiet", "-m", f"version {number}")
    return root


def test_two_revisions_are_compared_by_the_configured_suite(guard: Guard, repository: Path, tmp_path: Path) -> None:
    run = ("ab", "--base", "HEAD~1", "-q")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = guard(*run, "--format", "json", "--save", "pairs.jsonl", cwd=repository, env=env)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert {bench["bench_id"]: bench["verdict"] for bench in report["benches"]} == {"a": "regression", "b": "pass"}
    again = guard("ab", "--replay", "pairs.jsonl", "--format", "json", cwd=repository)
    assert again.stdout == done.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--run", "x {out}"], "--run compares two revisions: name the old one by --base"),
        (["--base", "HEAD", "--run", "x {out}"], "--run needs --from FORMAT"),
        (["--base", "HEAD", "--run", "x {out}", "--from", "csv", "a"], "a: a bench does not go with --run"),
        (["--base", "HEAD", "--suite", "nope"], "--suite nope: known: go, pytest-benchmark, vitest"),
        (["--base", "HEAD", "--run", "x {out}", "--from", "csv", "--quantile", "p95"], "--run judges p50 only"),
    ],
)
def test_options_that_do_not_fit_are_named(guard: Guard, repository: Path, arguments: list[str], problem: str) -> None:
    done = guard("ab", *arguments, cwd=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


def test_the_commit_that_slowed_a_benchmark_is_found(guard: Guard, repository: Path, tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    run = (
        "bisect",
        "a",
        "--good",
        "HEAD~1",
        "--from",
        "csv",
        "--run",
        "false",
        "--each",
        "python suite.py {out}",
        "-q",
    )
    done = guard(*run, "--format", "json", cwd=repository, env=env)
    assert done.returncode == 0, done.stderr
    (suspect,) = json.loads(done.stdout)["suspects"]
    assert suspect["subject"] == "version 1"


def test_a_suite_without_the_benchmark_ends_the_search(guard: Guard, repository: Path, tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    run = ("bisect", "none", "--good", "HEAD~1", "--from", "csv", "--run", "python suite.py {out}", "-q")
    done = guard(*run, cwd=repository, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the suite has no benchmark none" in done.stderr


def test_options_of_a_suite_need_the_suite(guard: Guard, repository: Path) -> None:
    done = guard("bisect", "a", "--good", "HEAD~1", "--each", "x {bench}", cwd=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--each, --from and --results go with --run or --suite" in done.stderr


def test_the_exception_of_a_suite_is_its_reason(tmp_path: Path) -> None:
    script = (
        "print('E   ModuleNotFoundError: No module named x'); import sys; sys.stderr.write('a warning'); sys.exit(2)"
    )
    with pytest.raises(GuardError, match="ended with status 2: ModuleNotFoundError: No module named x"):
        compared(tmp_path, {"a": 1}, {"a": 1}, command=f'python -c "{script}" {{out}}')
