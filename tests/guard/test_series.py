from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Guard = Callable[..., subprocess.CompletedProcess[str]]

ROUNDS = 6


def document(**changes: Any) -> dict[str, Any]:
    """Return a summary of six rounds, each with its peak memory and CPU time."""
    samples = [[1.0 + number / 1000 + place / 500 for place in range(10)] for number in range(ROUNDS)]
    flat = sorted(value for values in samples for value in values)
    usage = [
        {"peak_memory_bytes": 10_000_000 + 1000 * number, "user_cpu_s": 1.0, "system_cpu_s": 0.1}
        for number in range(ROUNDS)
    ]
    return {
        "bench_id": "parse",
        "metric": "value",
        "better": "lower",
        "unit": "widgets",
        "p50": flat[29] / 2 + flat[30] / 2,
        "p95": flat[56] + 0.05 * (flat[57] - flat[56]),
        "n": 60,
        "timestamp": "2026-01-02T03:04:05+00:00",
        "samples": samples,
        "rounds": usage,
        "figures": {"calls": {"unit": "calls", "better": "lower", "values": [100.0] * ROUNDS, "exact": True}},
        **changes,
    }


def scaled(key: str, factor: float) -> dict[str, Any]:
    """Return a summary in which one cost of every round is larger."""
    usage = [{**each, key: type(each[key])(each[key] * factor)} for each in document()["rounds"]]
    return document(rounds=usage)


def counted(*values: float) -> dict[str, Any]:
    """Return a summary with these counts."""
    return document(figures={"calls": {"unit": "calls", "better": "lower", "values": list(values), "exact": True}})


@pytest.fixture
def check(guard: Guard, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that compares two documents, with a configuration."""

    def run(baseline: dict[str, Any], current: dict[str, Any], *options: str, config: str = "") -> Any:
        (tmp_path / "aether.toml").write_text(config)
        for name, each in (("old.json", baseline), ("new.json", current)):
            (tmp_path / name).write_text(json.dumps(each))
        return guard("check", "old.json", "new.json", "--annotations", "never", *options, cwd=tmp_path)

    return run


def verdicts(done: Any) -> dict[str, str]:
    return {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"] if bench["judged"]}


def test_unchanged_figures_pass_without_a_row(check: Callable[..., Any]) -> None:
    done = check(document(), document())
    assert (done.returncode, done.stderr) == (0, "")
    assert ":" not in done.stdout.splitlines()[1]
    assert done.stdout.endswith("pass: 1 passed (gate 20 % on p95; 2 further figures passed)\n")


@pytest.mark.parametrize(
    ("current", "config", "series"),
    [
        (scaled("peak_memory_bytes", 1.2), "", "parse:peak-memory"),
        (scaled("user_cpu_s", 10), "[guard.figure.cpu-time]\njudge = true\n", "parse:cpu-time"),
        (counted(*[102.0] * ROUNDS), "", "parse:calls"),
        (document(), '[guard.figure.peak-memory]\nlimit = "9 MB"\n', "parse:peak-memory"),
        (document(), '[guard.bench.parse]\nlimit = "1 widgets"\n', "parse"),
    ],
)
def test_each_figure_alone_turns_a_build_red(
    check: Callable[..., Any], current: dict[str, Any], config: str, series: str
) -> None:
    done = check(document(), current, "--format", "json", config=config)
    assert done.returncode == 1, done.stderr
    assert [name for name, verdict in verdicts(done).items() if verdict == "regression"] == [series]
    assert series in check(document(), current, config=config).stdout


@pytest.mark.parametrize(
    ("current", "config"),
    [
        (scaled("peak_memory_bytes", 1.05), ""),
        (scaled("user_cpu_s", 10), ""),
        (counted(*[100.9] * ROUNDS), ""),
        (scaled("peak_memory_bytes", 1.2), "[guard.figure.peak-memory]\nwarn-only = true\n"),
        (scaled("peak_memory_bytes", 1.2), '[guard.bench."p*".figure."*"]\njudge = false\n'),
        (document(), '[guard.figure.peak-memory]\nlimit = "11 MB"\n'),
    ],
)
def test_figures_within_their_policy_pass(check: Callable[..., Any], current: dict[str, Any], config: str) -> None:
    assert check(document(), current, config=config).returncode == 0


def test_counts_that_vary_are_not_judged(check: Callable[..., Any]) -> None:
    done = check(document(), counted(100, 200, 300, 400, 500, 600), "--format", "json")
    assert done.returncode == 0
    (calls,) = (bench for bench in json.loads(done.stdout)["benches"] if bench["figure"] == "calls")
    assert (calls["judged"], calls["reason"]) == (False, "the count differs from round to round now")


@pytest.mark.parametrize(("current", "status"), [(0.0, 0), (3.0, 1)])
def test_a_count_that_was_zero_may_only_stay_zero(check: Callable[..., Any], current: float, status: int) -> None:
    assert check(counted(*[0.0] * ROUNDS), counted(*[current] * ROUNDS)).returncode == status


def test_a_limit_needs_no_baseline(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "aether.toml").write_text('[guard.figure.peak-memory]\nlimit = "9 MB"\n')
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.json").write_text(json.dumps(document()))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "b.json").write_text(json.dumps(document(bench_id="other")))
    (tmp_path / "new" / "b.json").write_text(json.dumps(document(bench_id="other")))
    done = guard("check", "--baseline", "old", "--current", "new", "--format", "json", cwd=tmp_path)
    found = verdicts(done)
    assert (done.returncode, found["parse"], found["parse:peak-memory"]) == (1, "pass", "regression")


def test_figures_of_one_side_are_listed(check: Callable[..., Any]) -> None:
    bare = {key: value for key, value in document().items() if key not in {"rounds", "figures"}}
    for sides in ((bare, document()), (document(), bare)):
        done = check(*sides, "--format", "json")
        assert done.returncode == 0, done.stderr
        reasons = {bench["reason"] for bench in json.loads(done.stdout)["benches"] if bench["figure"]}
        assert reasons == {"it has no baseline yet"} if sides[0] is bare else {"measured in the baseline only"}


def test_a_limit_in_another_unit_is_an_error(check: Callable[..., Any]) -> None:
    done = check(document(), document(), config='[guard.figure.peak-memory]\nlimit = "9 ms"\n')
    assert done.returncode == 2
    assert "parse:peak-memory: limit: 9 ms is not in bytes" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_policies_of_figures_are_printed(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document()))
    config = '[guard]\nbaseline = ["a.json"]\ncurrent = ["a.json"]\n[guard.figure.peak-memory]\nlimit = "9 MB"\n'
    (tmp_path / "aether.toml").write_text(config)
    lines = guard("policy", cwd=tmp_path).stdout.splitlines()
    place = lines.index("parse:peak-memory")
    assert '  limit          9 MB       aether.toml [guard.figure."peak-memory"]' in lines[place:]
    cpu = lines[lines.index("parse:cpu-time") :][:8]
    assert ["judge", "false", "default"] in [line.split() for line in cpu]


def test_the_page_shows_the_figures_samples(check: Callable[..., Any]) -> None:
    page = check(document(), scaled("peak_memory_bytes", 1.2), "--format", "html").stdout
    assert "parse:peak-memory" in page
    assert "12 MB" in page


def test_improved_figures_do_not_promote_a_bench(guard: Guard, tmp_path: Path) -> None:
    for name, each in (("old.json", document()), ("new.json", scaled("peak_memory_bytes", 0.5))):
        (tmp_path / name).write_text(json.dumps(each))
    done = guard("promote", "--improved", "--baseline", "old.json", "--current", "new.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no bench improved significantly; nothing was written\n")


def test_runs_of_a_baseline_bound_the_figures(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for number in range(3):
        run = scaled("peak_memory_bytes", 1 + number / 50)
        run["timestamp"] = f"2026-01-0{number + 1}T00:00:00+00:00"
        (tmp_path / "runs" / f"{number}.json").write_text(json.dumps(run))
    guard("promote", "--runs", "3", "--reason", "x", "--current", "runs", "--baseline", "old.json", cwd=tmp_path)
    (tmp_path / "new.json").write_text(json.dumps(scaled("peak_memory_bytes", 1.05)))
    report = json.loads(guard("check", "old.json", "new.json", "--format", "json", cwd=tmp_path).stdout)
    memory = next(bench for bench in report["benches"] if bench["figure"] == "peak-memory")
    assert (memory["runs"], report["level"]) == (3, 0.05)
    assert memory["interval"][1] - memory["interval"][0] > 0.05


def test_a_regression_names_the_function_that_moved(check: Callable[..., Any]) -> None:
    def with_functions(calls: int, factor: float) -> dict[str, Any]:
        slow = document()
        slow["samples"] = [[value * factor for value in values] for values in slow["samples"]]
        slow["p50"], slow["p95"] = slow["p50"] * factor, slow["p95"] * factor
        count = {"unit": "bytecodes", "better": "lower", "values": [1000 + calls, 1000 + calls], "exact": True}
        functions = {"json:parse": {"bytecodes": calls, "calls": 1}, "json:open": {"bytecodes": 1000, "calls": 1}}
        return {**slow, "figures": {"bytecodes": count}, "functions": functions}

    done = check(with_functions(500, 1), with_functions(1500, 1.5), "--format", "json")
    benches = {bench["bench_id"]: bench for bench in json.loads(done.stdout)["benches"]}
    for bench_id in ("parse", "parse:bytecodes"):
        assert benches[bench_id]["verdict"] == "regression"
        assert [item["name"] for item in benches[bench_id]["functions"]] == ["json:parse"]
    text = check(with_functions(500, 1), with_functions(1500, 1.5)).stdout
    assert "mostly in json:parse 500 to 1,500 bytecodes" in text
    assert "json:parse" in check(with_functions(500, 1), with_functions(1500, 1.5), "--format", "html").stdout


def test_bytecodes_of_another_python_are_not_judged(check: Callable[..., Any]) -> None:
    def counted_by(python: str, count: int) -> dict[str, Any]:
        series = {"unit": "bytecodes", "better": "lower", "values": [count, count], "exact": True}
        return document(environment={"python": python}, figures={"bytecodes": series})

    done = check(counted_by("3.11.1", 100), counted_by("3.12.0", 200), "--format", "json")
    (count,) = (bench for bench in json.loads(done.stdout)["benches"] if bench["figure"] == "bytecodes")
    assert (count["judged"], count["reason"]) == (False, "counted by another version of Python")
    assert check(counted_by("3.11.1", 100), counted_by("3.11.9", 200)).returncode == 1
