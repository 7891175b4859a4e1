from __future__ import annotations

import json
import re
import shlex
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Ab = Callable[..., subprocess.CompletedProcess[str]]
    JsonOf = Callable[[str], dict[str, Any]]

# Every pair of workers of a bench is one bet: with this chance of a wrong answer a few of them suffice.
SOON = ("--alpha", "0.05", "--max-time", "120")
SLOWER = ("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.03", "--max-time", "120")
FASTER = ("--exec-a", "sleep 0.03", "--exec-b", "sleep 0.01", "--max-time", "120")
UNDECIDED = ("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.01", "--max-time", "0.2")
FILE = "benches.py::pace"
CONTRACT = "verdict bench_id gate alpha pairs disturbed change interval elapsed_s seed"


@pytest.fixture(scope="module")
def program() -> Callable[[str], str]:
    """Return a function that makes a command of Python's source."""
    return lambda source: f"{shlex.quote(sys.executable)} -S -c {shlex.quote(source)}"


# Which two versions.


def test_a_slower_command_is_a_regression(ab: Ab, json_of: JsonOf) -> None:
    done = ab(*SLOWER, "--format", "json", "-q")
    report = json_of(done.stdout)
    assert (done.returncode, report["verdict"], report["exit_code"]) == (1, "regression", 1)
    assert report.keys() >= set(CONTRACT.split())
    assert (report["old"], report["new"], report["bench_id"]) == ("sleep 0.01", "sleep 0.03", "sleep")
    low, high = report["interval"]
    assert report["gate"] < low < report["change"] < high
    assert report["old_figure"] < report["new_figure"]


def test_a_faster_command_is_an_improvement(ab: Ab, json_of: JsonOf) -> None:
    done = ab(*FASTER, "--format", "json")
    report = json_of(done.stdout)
    assert (done.returncode, report["verdict"]) == (0, "improvement")
    assert report["change"] < -report["gate"]


def test_two_settings_of_an_installed_bench_are_compared(ab: Ab) -> None:
    done = ab("packaging", "-A", "files=5", "-B", "files=60", "-p", "pack.size=64", *SOON)
    assert done.returncode == 1
    assert "packaging: files=60 against files=5: p50 " in done.stdout


def test_the_table_shows_by_how_much_it_is_worse(ab: Ab) -> None:
    done = ab("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.03", "--max-time", "120")
    row = next(line for line in done.stdout.splitlines() if line.startswith("sleep "))
    assert re.search(r"\+\d+\.\d %  regression$", row)


@pytest.mark.parametrize(("old", "new"), [("ms=2", "ms=6"), ("pace.ms=2", "pace.ms=6")])
def test_a_setting_is_for_the_only_bench_of_a_file_or_names_its_own(ab: Ab, old: str, new: str) -> None:
    done = ab(FILE, "-A", old, "-B", new, "--max-time", "0.2")
    assert done.returncode == 0
    assert "pace: ms=6 against ms=2: " in done.stdout


def test_every_bench_of_a_file_is_held_against_itself(ab: Ab, json_of: JsonOf) -> None:
    done = ab("benches.py", "-B", "pace.ms=6", "-B", "rate.kb=40", *SOON, "--format", "json")
    report = json_of(done.stdout)
    assert done.returncode == 1
    assert [bench["bench_id"] for bench in report["benches"]] == ["pace", "rate"]
    pace, rate = report["benches"]
    assert (pace["verdict"], rate["verdict"], rate["unit"]) == ("regression", "improvement", "MB/s")
    assert [(bench["old"], bench["new"]) for bench in (pace, rate)] == [("default", "ms=6"), ("default", "kb=40")]
    assert {bench["alpha"] for bench in report["benches"]} == {0.025}


def test_a_rise_of_throughput_is_an_improvement_and_its_fall_a_regression(ab: Ab, json_of: JsonOf) -> None:
    verdicts = []
    for old, new in (("kb=10", "kb=40"), ("kb=40", "kb=10")):
        done = ab("benches.py::rate", "-A", old, "-B", new, *SOON, "--format", "json")
        report = json_of(done.stdout)
        assert (report["change"] < 0) == (report["new_figure"] > report["old_figure"])
        verdicts.append(report["verdict"])
    assert verdicts == ["improvement", "regression"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say what to compare: "),
        (("pace",), "say what to compare: "),
        (("--exec-a", "true"), "--exec-a and --exec-b go together"),
        (("-A", "ms=1"), "-A and -B want a bench, named first"),
        (("benches.py", "-A", "ms=1"), "-A ms=1: write BENCH.KEY=VALUE, for there are 2 benches"),
        ((FILE, "-A", "nope=1"), "-p pace.nope: no such parameter"),
        ((FILE, "-A", "ms=x"), "-p pace.ms=x: expected `float`"),
        (("nope", "-A", "ms=1"), "nope: no such bench"),
        (("nope.py", "-A", "ms=1"), "nope.py: no such file"),
        (("pace", "--exec-a", "true", "--exec-b", "true"), "pace: a bench does not go with --exec-a"),
        (("--exec-a", "true", "--exec-b", ""), "--exec-b: an empty command"),
        (("--exec-a", "a 'b", "--exec-b", "true"), "--exec-a a 'b: no closing quotation"),
        (("--exec-a", "", "--exec-b", "true", "--shell"), "--exec-a: an empty command"),
        (("--exec-a", "true", "--exec-b", "true", "--prepare", "a 'b"), "--prepare a 'b: no closing quotation"),
        (("--exec-a", "true", "--exec-b", "true", "--cleanup", " "), "--cleanup: an empty command"),
        (("--exec-a", "true", "--exec-b", "cat {input}"), "say which file with --input FILE"),
        (("--exec-a", "true", "--exec-b", "true", "--cpus", "4096"), "--cpus: CPU 4096 is not one"),
        (("--head", "HEAD", "--replay", "x"), "--head goes with --base"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(ab: Ab, arguments: tuple[str, ...], words: str) -> None:
    done = ab(*arguments)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert words in line


# How they are measured.


def test_what_prepares_and_cleans_up_is_run_around_every_sample_and_is_not_timed(
    ab: Ab, json_of: JsonOf, tmp_path: Path
) -> None:
    done = ab(
        *("--exec-a", "sleep 0.01", "--exec-b", "sh -c 'test -e mark && sleep 0.03'", "--max-time", "120"),
        *("--prepare", "sh -c 'sleep 0.1; touch mark'", "--cleanup", "rm mark", "--format", "json"),
    )
    report = json_of(done.stdout)
    assert report["verdict"] == "regression"
    assert report["old_figure"] < report["new_figure"] < 100
    assert not (tmp_path / "mark").exists()


def test_a_path_with_blanks_and_quotes_is_an_input(ab: Ab, tmp_path: Path) -> None:
    path = tmp_path / 'it\'s a "big" $HOME file'
    path.write_text("x", encoding="utf-8")
    commands = ("--exec-a", "test -s {input}", "--exec-b", "sh -c 'test -s \"$1\" && sleep 0.03' - {input}")
    for more in ((), ("--shell",)):
        done = ab(*commands, "--input", str(path), "--max-time", "120", *more)
        assert done.returncode == 1, done.stderr


def test_only_a_shell_understands_a_pipe(ab: Ab) -> None:
    commands = ("--exec-a", "false | true", "--exec-b", "false | sleep 0.03", "--max-time", "120")
    assert ab(*commands).returncode == 2
    assert ab(*commands, "--shell").returncode == 1


def test_an_exit_status_is_a_fault_unless_it_is_ignored(ab: Ab) -> None:
    commands = ("--exec-a", "false", "--exec-b", "sleep 0.03", "--max-time", "120")
    assert ab(*commands).returncode == 2
    assert ab(*commands, "--ignore-exit-code").returncode == 1


def test_cpu_time_is_no_wall_time(ab: Ab, json_of: JsonOf, program: Callable[[str], str]) -> None:
    sleeping, working = program("import time; time.sleep(0.3)"), program("sum(range(3_000_000))")
    done = ab("--exec-a", sleeping, "--exec-b", working, "--measure", "cpu", "--max-time", "120", "--format", "json")
    report = json_of(done.stdout)
    assert (report["verdict"], report["unit"]) == ("regression", "ms")
    assert report["old_figure"] < 300


def test_memory_is_measured_in_megabytes(ab: Ab, json_of: JsonOf, program: Callable[[str], str]) -> None:
    small, large = (program(f"x = b'x' * {size}") for size in (60_000_000, 90_000_000))
    done = ab("--exec-a", small, "--exec-b", large, "--measure", "memory", "--max-time", "120", "--format", "json")
    report = json_of(done.stdout)
    assert (report["verdict"], report["metric"], report["unit"]) == ("regression", "value", "MB")
    assert 20 < report["new_figure"] - report["old_figure"] < 40


def test_the_tail_can_be_judged(ab: Ab, json_of: JsonOf) -> None:
    done = ab(*SLOWER, "--quantile", "p95", "--format", "json")
    report = json_of(done.stdout)
    assert (report["verdict"], report["quantile"]) == ("regression", "p95")


def test_the_seed_decides_the_orders(ab: Ab, tmp_path: Path) -> None:
    orders = []
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        done = ab(*SLOWER, "--seed", seed, "--save", name)
        assert f"seed {seed}; " in done.stderr
        pairs = [json.loads(line)["pair"] for line in (tmp_path / name).read_text().splitlines()[1:]]
        orders.append([pair["new_first"] for pair in pairs[:8]])
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("seed", ["-1", "1.5", "x", str(2**53)])
def test_a_seed_that_a_file_could_not_keep_is_refused(ab: Ab, seed: str) -> None:
    done = ab(*SLOWER, f"--seed={seed}")
    assert done.returncode == 2
    assert "takes a whole number from 0 to 9007199254740991" in done.stderr


def test_a_gate_of_all_is_a_gate(ab: Ab, json_of: JsonOf) -> None:
    done = ab("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.1", "--gate", "100%", "--format", "json", *SOON)
    assert json_of(done.stdout)["verdict"] == "regression"


# What comes of it.


def test_what_is_undecided_fails_only_if_strict(ab: Ab, json_of: JsonOf) -> None:
    for more, status in (((), 0), (("--strict",), 3)):
        done = ab(*UNDECIDED, "--format", "json", *more)
        report = json_of(done.stdout)
        assert (done.returncode, report["exit_code"], report["verdict"]) == (status, status, "inconclusive")


def test_an_interval_without_bounds_is_none(ab: Ab, json_of: JsonOf) -> None:
    done = ab("--exec-a", "sleep 0.01", "--exec-b", "sleep 0.01", "--max-time", "0.01", "--format", "json")
    report = json_of(done.stdout)
    assert (report["pairs"], report["interval"]) == (1, None)
    assert "not decided after 1 pair in " in report["reason"]
    assert "inf" not in done.stdout


def test_a_regression_that_is_only_warned_of_passes(ab: Ab, json_of: JsonOf) -> None:
    done = ab(*SLOWER, "--warn-only", "--format", "json")
    report = json_of(done.stdout)
    assert (done.returncode, report["exit_code"], report["verdict"]) == (0, 0, "regression")
    assert "::warning " in done.stderr


def test_every_format_can_be_had_on_the_output_and_in_a_file(ab: Ab, json_of: JsonOf, tmp_path: Path) -> None:
    ab(*SLOWER, "--save", "pairs.jsonl")

    def markdown(text: str) -> None:
        assert text.startswith("### Performance guard\n")
        assert "sleep 0.03 against sleep 0.01" in text.replace("\\", "")

    def html(text: str) -> None:
        assert text.startswith("<!DOCTYPE html>")
        # The sides' names: once in their key, and nowhere else.
        assert [text.count(f"<bdi>sleep {ms}</bdi>") for ms in ("0.01", "0.03")] == [1, 1]
        assert text.count("sleep 0.01") == text.count("sleep 0.03") == 1

    def junit(text: str) -> None:
        suite = ET.fromstring(text)  # noqa: S314 - our own
        assert (suite.get("failures"), suite[0].get("name")) == ("1", "sleep")

    def text(text: str) -> None:
        assert text.startswith("bench  baseline")

    readers: dict[str, Callable[[str], object]] = {"json": json_of, "markdown": markdown, "html": html, "junit": junit}
    for form, read in {**readers, "text": text}.items():
        printed = ab("--replay", "pairs.jsonl", "--format", form, "--annotations", "never")
        written = ab("--replay", "pairs.jsonl", "--format", form, "-o", "made/report")
        assert (printed.returncode, written.returncode) == (1, 1)
        read(printed.stdout)
        said = (tmp_path / "made" / "report").read_text(encoding="utf-8")
        read(said)
        assert form == "html" or said == printed.stdout
        assert "::warning title=Performance regression%3A sleep::" in written.stdout


def test_the_step_summary_gets_a_copy(ab: Ab, tmp_path: Path) -> None:
    ab(*SLOWER, "--format", "json", env={"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
    assert "🔴 regression" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_what_a_bench_file_prints_is_not_in_the_report(ab: Ab, json_of: JsonOf) -> None:
    done = ab(FILE, "-B", "ms=6", "--max-time", "0.2", "--format", "json")
    assert json_of(done.stdout)["bench_id"] == "pace"


def test_pairs_that_were_kept_are_decided_alike_to_the_digit(ab: Ab, json_of: JsonOf) -> None:
    for measured in (SLOWER, ("benches.py", "-B", "pace.ms=6", "-B", "rate.kb=40", "--max-time", "2")):
        first = ab(*measured, "--save", "p", "--format", "json")
        again = ab("--replay", "p", "--format", "json")
        assert (again.stdout, again.returncode) == (first.stdout, first.returncode)
        assert json_of(again.stdout)["verdict"] != "error"


def test_pairs_that_were_kept_can_be_asked_something_else(ab: Ab, json_of: JsonOf) -> None:
    ab("benches.py", "-B", "pace.ms=6", "-B", "rate.kb=40", "--max-time", "1", "--save", "p")
    done = ab("--replay", "p", "--gate", "90%", "--alpha", "0.1", "--format", "json")
    benches = json_of(done.stdout)["benches"]
    assert {(bench["gate"], bench["alpha"]) for bench in benches} == {(0.9, 0.05)}
    tail = json_of(ab("--replay", "p", "--quantile", "p95", "--format", "json").stdout)["benches"]
    assert {bench["quantile"] for bench in tail} == {"p95"}
