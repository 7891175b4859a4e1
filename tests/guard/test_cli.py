from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aether_guard.cli.app import main
from aether_guard.report.json_report import published_check_schema
from aether_schema.json_schema import published_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    Guard = Callable[..., subprocess.CompletedProcess[str]]
    Write = Callable[..., str]

COMMANDS = (
    *("check", "init", "validate", "policy", "promote", "import", "export", "noise", "schema"),
    *("ab", "bisect", "record", "trend"),
)

FIXTURES = Path(__file__).parents[2] / "fixtures"
PACK = FIXTURES / "baseline_pack.json"
PACK_BETTER = FIXTURES / "current_pack_better.json"
PACK_PLUS10 = FIXTURES / "current_pack_plus10.json"
PACK_PLUS25 = FIXTURES / "current_pack_plus25.json"
STREAM = FIXTURES / "baseline_stream.json"
STREAM_BETTER = FIXTURES / "current_stream_better.json"
STREAM_MINUS10 = FIXTURES / "current_stream_minus10.json"
STREAM_MINUS25 = FIXTURES / "current_stream_minus25.json"
INVALID = sorted((FIXTURES / "invalid").iterdir())
REQUIRED_KEYS = ("bench_id", "metric", "unit", "p50", "p95", "n", "timestamp")

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
needs_full_device = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


def assert_one_line_errors(done: subprocess.CompletedProcess[str], *named: str) -> None:
    """Assert exit status 2 and one error line per entry of `named`, without a traceback."""
    lines = done.stderr.splitlines()
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines) == len(named), done.stderr
    for line, name in zip(lines, named, strict=True):
        assert line.startswith("aether-guard: error: ")
        assert name in line


# Validation.


def test_validate_names_every_invalid_file_in_one_line(guard: Guard) -> None:
    done = guard("validate", FIXTURES / "invalid")
    assert_one_line_errors(done, *map(str, INVALID))
    assert done.stdout == ""


def test_validate_names_a_missing_key(guard: Guard) -> None:
    done = guard("validate", *(FIXTURES / "invalid" / f"missing_{key}.json" for key in REQUIRED_KEYS))
    assert_one_line_errors(done, *(f"missing_{key}.json: {key}: missing" for key in REQUIRED_KEYS))


def test_validate_accepts_every_valid_file(guard: Guard) -> None:
    done = guard("validate", FIXTURES / "valid", PACK, STREAM)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(list((FIXTURES / "valid").iterdir())) + 2
    assert all(line.startswith("ok: ") for line in done.stdout.splitlines())


def test_validate_reports_valid_and_invalid_files(guard: Guard) -> None:
    done = guard("validate", PACK, FIXTURES / "invalid" / "n_zero.json", STREAM)
    assert_one_line_errors(done, "n_zero.json: n: ")
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("side", [0, 1])
def test_check_of_an_invalid_file_names_file_and_key(guard: Guard, side: int) -> None:
    paths = [PACK, PACK]
    paths[side] = FIXTURES / "invalid" / "missing_p95.json"
    assert_one_line_errors(guard("check", *paths), "missing_p95.json: p95: missing")


# Passing checks.


@pytest.mark.parametrize(
    ("baseline", "current"),
    [(PACK, PACK), (PACK, PACK_BETTER), (PACK, PACK_PLUS10), (STREAM, STREAM_BETTER), (STREAM, STREAM_MINUS10)],
)
def test_p95_within_the_gate_passes(guard: Guard, baseline: Path, current: Path) -> None:
    done = guard("check", baseline, current)
    assert (done.returncode, done.stderr) == (0, "")
    assert "::warning" not in done.stdout


@pytest.mark.parametrize(("throughput", "factor"), [(False, 1.2), (True, 0.8)], ids=["duration", "throughput"])
def test_p95_exactly_at_the_gate_passes(guard: Guard, write: Write, *, throughput: bool, factor: float) -> None:
    paths = []
    for number, baseline in enumerate([0.1, 0.7, 1.1, 3.3, 6.75, 10, 123456.789, 1e-9, 1e12]):
        for name, p95 in (("old", baseline), ("new", baseline * factor)):
            bench_id = f"bench {number}"
            paths.append(write(f"{name}{number}.json", throughput=throughput, bench_id=bench_id, p95=p95))
    done = guard("check", *paths)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("\npass: 9 passed (gate 20 % on p95)\n")


@pytest.mark.parametrize(("p95", "status"), [(12.000000001, 0), (12.00001, 1)])
def test_gate_tolerates_rounding_errors_but_not_a_millionth(
    guard: Guard, write: Write, p95: float, status: int
) -> None:
    assert guard("check", write("old.json", p95=10), write("new.json", p95=p95)).returncode == status


# Regressions.


@pytest.mark.parametrize(("baseline", "current"), [(PACK, PACK_PLUS25), (STREAM, STREAM_MINUS25)])
def test_p95_beyond_the_gate_fails_with_its_percentage(guard: Guard, baseline: Path, current: Path) -> None:
    done = guard("check", baseline, current)
    assert (done.returncode, done.stderr) == (1, "")
    assert "+25.0 %  regression" in done.stdout
    assert "p95 25.0 % worse, gate 20 %" in done.stdout


def test_tighter_gate_fails_a_change_within_the_default(guard: Guard) -> None:
    done = guard("check", "--gate", "5%", PACK, PACK_PLUS10)
    assert done.returncode == 1
    assert "p95 10.0 % worse, gate 5 %" in done.stdout


def test_throughput_of_zero_is_a_regression(guard: Guard, write: Write) -> None:
    old, new = write("old.json", throughput=True, p95=1000), write("new.json", throughput=True, p95=0)
    done = guard("check", old, new)
    assert done.returncode == 1
    assert "+100.0 %" in done.stdout


# Annotations.


def test_regression_prints_a_warning_line(guard: Guard) -> None:
    done = guard("check", PACK, PACK_PLUS25)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert line.startswith("::warning title=Performance regression%3A packaging,file=")
    assert f"{PACK}::" in line
    assert line.endswith("::packaging: p95 25.0 %25 worse, gate 20 %25: 6.75 ms in the baseline, 8.438 ms now")


def test_warning_lines_list_the_worst_regression_first(guard: Guard, write: Write) -> None:
    paths = [write("old.json", p95=10), write("new.json", p95=20), PACK, PACK_PLUS25, STREAM, STREAM_MINUS25]
    lines = [line for line in guard("check", *paths).stdout.splitlines() if line.startswith("::warning ")]
    assert ["100.0 %25" in line for line in lines] == [True, False, False]


def test_warn_only_warns_and_exits_0(guard: Guard) -> None:
    done = guard("check", "--warn-only", PACK, PACK_PLUS25)
    assert done.returncode == 0
    assert "\n::warning " in done.stdout
    assert "+25.0 %  regression" in done.stdout


def test_annotations_never_prints_no_warning_lines(guard: Guard) -> None:
    done = guard("check", "--annotations", "never", PACK, PACK_PLUS25)
    assert done.returncode == 1
    assert "::" not in done.stdout + done.stderr


@pytest.mark.parametrize("form", ["json", "markdown", "html", "junit"])
def test_warning_lines_of_a_document_go_to_stderr(guard: Guard, form: str) -> None:
    quiet = guard("check", "--format", form, "--annotations", "never", PACK, PACK_PLUS25)
    done = guard("check", "--format", form, PACK, PACK_PLUS25)
    assert done.stderr.startswith("::warning ")
    assert "::warning " not in done.stdout
    if form != "html":  # a page holds the time of its creation
        assert done.stdout == quiet.stdout
    if form == "json":
        assert json.loads(done.stdout)["verdict"] == "regression"


def test_warning_lines_follow_the_text_report(guard: Guard) -> None:
    assert "\n::warning " in guard("check", PACK, PACK_PLUS25).stdout


@pytest.mark.parametrize("name", ["::error::x", "  ::error::x", "##[error]x", "x##vso[task.complete]y"])
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_bench_name_never_becomes_a_workflow_command(guard: Guard, write: Write, name: str, form: str) -> None:
    paths = write("old.json", bench_id=name), write("new.json", bench_id=name, p95=20)
    output = guard("check", "--annotations", "never", "--format", form, *paths).stdout
    output += guard("policy", name).stdout
    output += guard("promote", "--reason", "x", "--baseline", paths[0], "--current", paths[1]).stdout
    assert not [line for line in output.splitlines() if line.lstrip().startswith("::") or re.search(r"##\w*\[", line)]


# Missing files.


def test_check_lists_every_missing_path(guard: Guard) -> None:
    done = guard("check", "absent_a.json", "absent_b.json", "absent_c.json", STREAM, PACK, "absent_d.json")
    assert_one_line_errors(done, *(f"absent_{letter}.json: no such file" for letter in "abcd"))
    assert all(f"absent_{letter}.json" in done.stdout for letter in "abcd")


def test_an_error_appears_once_in_a_log(guard: Guard, write: Write) -> None:
    done = guard("check", write("old.json"), "absent.json")
    assert (done.stdout + done.stderr).count("absent.json: no such file") == 1
    document = guard("check", "--format", "markdown", write("old.json"), "absent.json")
    assert document.stderr == "aether-guard: error: absent.json: no such file\n"


def test_unknown_option_suggests_the_nearest_options(guard: Guard) -> None:
    done = guard("check", "--form", "auto", PACK, PACK)
    assert done.returncode == 2
    assert done.stderr.endswith("error: unrecognized arguments: --form; did you mean --format or --from?\n")


@pytest.mark.parametrize("side", [0, 1])
def test_missing_file_on_either_side_is_an_error(guard: Guard, side: int) -> None:
    paths: list[str | Path] = [PACK, PACK]
    paths[side] = "absent.json"
    assert_one_line_errors(guard("check", *paths), "absent.json: no such file")


def test_check_lists_missing_paths_of_both_options(guard: Guard) -> None:
    done = guard("check", "--baseline", "gone", "also-gone.json", "--current", "none/*.json")
    assert_one_line_errors(done, "gone: ", "also-gone.json: ", "none/*.json: ")


def test_check_lists_missing_paths_of_the_configuration(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "aether.toml").write_text('[guard]\nbaseline = ["gone"]\ncurrent = ["none"]\n')
    assert_one_line_errors(guard("check"), "gone: ", "none: ")


def test_missing_file_fails_despite_warn_only(guard: Guard) -> None:
    assert_one_line_errors(guard("check", "--warn-only", PACK, "absent.json"), "absent.json: ")


# Several benches.


def test_every_bench_has_a_line_and_the_worst_verdict_decides(guard: Guard) -> None:
    done = guard("check", PACK, PACK_BETTER, STREAM, STREAM_MINUS25)
    assert done.returncode == 1
    streaming, packaging = done.stdout.splitlines()[1:3]
    assert streaming.startswith("streaming ")
    assert streaming.endswith(" regression")
    assert packaging.startswith("packaging ")
    assert packaging.endswith(" pass")


def test_several_passing_benches_pass(guard: Guard) -> None:
    done = guard("check", PACK, PACK_PLUS10, STREAM, STREAM_MINUS10)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\npass: 2 passed (gate 20 % on p95)\n")


@pytest.mark.parametrize("flags", [(), ("--warn-only",), ("--strict",)])
def test_an_error_outranks_a_regression(guard: Guard, flags: tuple[str, ...]) -> None:
    done = guard("check", *flags, PACK, PACK_PLUS25, STREAM, "absent.json")
    assert_one_line_errors(done, "absent.json: no such file")
    assert "+25.0 %  regression" in done.stdout


def test_folders_are_paired_by_bench(guard: Guard, write: Write) -> None:
    write("old/1.json", bench_id="a")
    write("old/2.json", bench_id="b")
    write("new/3.json", bench_id="b", p95=20)
    write("new/4.json", bench_id="a")
    for paths in (["old", "new"], ["--baseline", "old", "--current", "new"], ["old/*.json", "new/*"]):
        done = guard("check", *paths)
        assert done.returncode == 1
        assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["b", "a"]


def test_second_file_of_a_bench_is_refused(guard: Guard, write: Write) -> None:
    for name in ("old/a", "new/a", "new/b"):
        write(f"{name}.json")
    done = guard("check", "old", "new")
    assert_one_line_errors(done, f"{os.path.join('new', 'b.json')}: bench_id: packaging is in ")


def test_new_bench_is_listed_and_passes(guard: Guard, write: Write) -> None:
    write("old/a.json", bench_id="a")
    write("new/a.json", bench_id="a")
    write("new/b.json", bench_id="b")
    done = guard("check", "old", "new")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nnew: b: it has no baseline yet\n" in done.stdout


def test_missing_bench_is_an_error(guard: Guard, write: Write) -> None:
    write("old/a.json", bench_id="a")
    write("old/b.json", bench_id="b")
    write("new/a.json", bench_id="a")
    assert_one_line_errors(guard("check", "old", "new"), "no current summary of the bench b")


# Incomparable files.


@pytest.mark.parametrize(
    ("baseline", "current", "problem"),
    [
        (FIXTURES / "valid" / "zero_baseline.json", PACK, "p95: 0 in the baseline"),
        (PACK, STREAM, "bench_id differs"),
        (PACK, FIXTURES / "invalid" / "nan.json", "p95: NaN is not a number"),
    ],
)
def test_incomparable_files_give_a_one_line_error(guard: Guard, baseline: Path, current: Path, problem: str) -> None:
    assert_one_line_errors(guard("check", baseline, current), problem)


def test_different_params_are_an_error_that_names_the_parameter(guard: Guard, write: Write) -> None:
    old, new = write("old.json", params={"files": 100}), write("new.json", params={"files": 1000})
    assert_one_line_errors(guard("check", old, new), "params.files differs: 100 in the baseline, 1000 now")


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        ({"files": 100}, {"files": 100, "level": 6}, "none in the baseline, 6 now; if the bench gained"),
        ({"files": 100, "level": 6}, {"files": 100}, "6 in the baseline, none now; if the bench lost"),
    ],
)
def test_parameter_on_one_side_only_suggests_a_promotion(
    guard: Guard, write: Write, before: dict[str, Any], after: dict[str, Any], hint: str
) -> None:
    old, new = write("old.json", params=before), write("new.json", params=after)
    message = f"params.level differs: {hint} this parameter, promote a new baseline"
    assert_one_line_errors(guard("check", old, new), message)
    done = guard("promote", "--baseline", old, "--current", new, "--reason", "another parameter")
    assert done.returncode == 0
    assert guard("check", old, new).returncode == 0


# Usage.


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["check", str(PACK)], "paths come in pairs"),
        (["check", "--baseline", str(PACK)], "--baseline and --current must be given together"),
        (["check"], "nothing to compare"),
        (["check", "--gate", "150%", str(PACK), str(PACK)], "write 50%"),
        (["check", "--gate", "20", str(PACK), str(PACK)], "for a percentage write 20%"),
        (["check", "--quantile", "p99", str(PACK), str(PACK)], "--quantile"),
        (["check", "--fromat", "json", str(PACK), str(PACK)], "--fromat"),
        (["validate"], "FILE"),
        (["promote"], "--reason"),
        (["promote", "--reason", ""], "--reason"),
        ([], "COMMAND"),
        (["chekc"], "chekc"),
        (["check", "--evidence", "all", str(PACK), str(PACK)], "--evidence"),
        (["check", "--host-mismatch", "never", str(PACK), str(PACK)], "--host-mismatch"),
        (["policy", "--gate", "150%"], "write 50%"),
        (["noise"], "RECORDING"),
        (["noise", "absent.jsonl"], "absent.jsonl: no such file"),
        (["noise", "--rate", "20", "absent.jsonl"], "for a percentage write 20%"),
    ],
)
def test_invalid_command_line_exits_2_with_the_problem(guard: Guard, arguments: list[str], problem: str) -> None:
    done = guard(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["check", "init", "validate", "schema", "promote", "noise", "policy"])
def test_help_shows_an_example_within_80_columns(guard: Guard, command: str) -> None:
    done = guard(command, "-h")
    assert done.returncode == 0
    assert f"\n  aether-guard {command}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_check_reads_paths_and_gate_from_the_configuration(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("old/a.json", p95=10)
    write("new/a.json", p95=11)
    (tmp_path / "aether.toml").write_text('[guard]\nbaseline = ["old"]\ncurrent = ["new"]\ngate = "5%"\n')
    (tmp_path / "deep").mkdir()
    for cwd in (tmp_path, tmp_path / "deep"):
        assert guard("check", cwd=cwd).returncode == 1
        assert guard("check", "--gate", "10%", cwd=cwd).returncode == 0


def test_unknown_configuration_key_is_an_error_with_a_hint(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "aether.toml").write_text('[guard]\ngaet = "5%"\n')
    assert_one_line_errors(guard("check", PACK, PACK), "aether.toml: guard.gaet: no such key; did you mean gate?")


def test_quantile_option_selects_the_judged_quantile(guard: Guard, write: Write) -> None:
    old, new = write("old.json", p50=5, p95=10), write("new.json", p50=9, p95=10)
    assert guard("check", old, new).returncode == 0
    assert guard("check", "--quantile", "p50", old, new).returncode == 1


def test_strict_has_no_effect_without_inconclusive_verdicts(guard: Guard) -> None:
    assert guard("check", "--strict", PACK, PACK_PLUS10).returncode == 0
    assert guard("check", "--strict", PACK, PACK_PLUS25).returncode == 1


# Policies.

HERE, THERE = {"os": "Linux", "cpu_model": "A"}, {"os": "Linux", "cpu_model": "B"}


def steady(value: float) -> list[list[float]]:
    return [[value] * 12 for _ in range(5)]


def sampled(value: float, *, reference: float | None = None, **changes: Any) -> dict[str, Any]:
    """Return the keys of a summary with constant samples and, if given, a constant reference."""
    keys: dict[str, Any] = {"p50": value, "p95": value, "n": 60, "samples": steady(value)}
    if reference is not None:
        keys["reference"] = {"kernel": "archive-1", "unit": "ms", "samples": steady(reference)}
    return {**keys, **changes}


def wild(**changes: Any) -> dict[str, Any]:
    """Return the keys of a summary with one round that is much slower than the others."""
    return sampled(10.0, samples=[*steady(10.0)[:4], [40.0] * 12], p95=40.0, **changes)


def waiver(expires: date) -> str:
    return f'[[guard.waiver]]\nbench = "pack*"\ngate = "50%"\nreason = "a larger manifest"\nexpires = {expires}\n'


def moving(value: float, reference_ms: float) -> dict[str, Any]:
    """Return the keys of a summary whose samples and reference both follow the machine's speed."""
    speeds = (0.92, 0.96, 1.0, 1.04, 1.08)
    samples, references = ([[start * speed] * 12 for speed in speeds] for start in (value, reference_ms))
    reference = {"kernel": "archive-1", "unit": "ms", "samples": references}
    return {"p50": value, "p95": value * speeds[-1], "n": 60, "samples": samples, "reference": reference}


ONE_RUN = (
    "One baseline run does not show how much unchanged code varies from run to run; `aether-guard promote --runs 5` "
)


def test_check_of_samples_prints_an_interval(guard: Guard, write: Write) -> None:
    done = guard(
        "check", write("old.json", **sampled(10.0, reference=0.4)), write("new.json", **sampled(13.0, reference=0.4))
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "p95 30.0 % worse, normalized (90 % interval +30.0 % to +30.0 %), gate 20 %" in done.stdout
    assert f"\n\n{ONE_RUN}keeps several.\n\n" in done.stdout
    assert "(gate 20 % on p95)" in done.stdout


@pytest.mark.parametrize("form", ["text", "markdown", "html", "junit"])
def test_formats_for_people_print_the_interval_level(guard: Guard, write: Write, form: str) -> None:
    paths = write("old.json", **sampled(10.0)), write("new.json", **sampled(13.0))
    assert "90 % interval +30.0 % to +30.0 %" in guard("check", "--format", form, *paths).stdout


def test_reference_explains_one_slowdown_and_reveals_another(guard: Guard, write: Write) -> None:
    old = write("old.json", **moving(10.0, 0.4))
    explained = guard("check", old, write("slow.json", **moving(13.0, 0.52)))
    assert explained.returncode == 0
    assert "; as measured 30.0 % worse, on a machine 30 % slower by the reference" in explained.stdout
    revealed = guard("check", old, write("fast.json", **moving(10.0, 0.3)))
    assert revealed.returncode == 1
    assert "+33.3 %  regression" in revealed.stdout


def test_unsupported_reference_makes_a_contradiction_inconclusive(guard: Guard, write: Write) -> None:
    old = write("old.json", **sampled(10.0, reference=0.4))
    for current in (sampled(13.0, reference=0.52), sampled(10.0, reference=0.3)):
        done = guard("check", "--strict", old, write("new.json", **current))
        assert done.returncode == 3
        assert "the reference contradicts the figures as measured, and nothing shows" in done.stdout
        assert "would settle it" not in done.stdout


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_strict_exits_3_if_the_evidence_is_inconclusive(guard: Guard, write: Write, form: str) -> None:
    paths = [write("old.json", **sampled(10.0)), write("new.json", **wild())]
    assert guard("check", "--format", form, *paths).returncode == 0
    done = guard("check", "--strict", "--format", form, *paths)
    assert done.returncode == 3
    assert "inconclusive" in done.stdout
    assert "samples per side would settle it" in done.stdout
    assert "::warning" not in done.stdout + done.stderr


def test_strict_ranks_inconclusive_below_regression_and_error(guard: Guard, write: Write) -> None:
    paths: list[str | Path] = [write("old.json", **sampled(10.0)), write("new.json", **wild())]
    assert guard("check", "--strict", *paths, STREAM, STREAM_MINUS25).returncode == 1
    assert guard("check", "--strict", "--warn-only", *paths, STREAM, STREAM_MINUS25).returncode == 3
    assert guard("check", "--strict", *paths, STREAM, "absent.json").returncode == 2


def test_json_of_an_interval_matches_the_published_schema(guard: Guard, write: Write) -> None:
    old = write("old.json", **sampled(10.0, reference=0.4))
    done = guard("check", "--format", "json", old, write("new.json", **wild()))
    report = json.loads(done.stdout)
    assert list(Draft202012Validator(json.loads(published_check_schema())).iter_errors(report)) == []
    (bench,) = report["benches"]
    assert (report["level"], bench["verdict"], bench["gate"]) == (None, "inconclusive", 0.2)
    assert (bench["interval_level"], bench["runs"]) == (0.9, 1)
    assert bench["samples_needed"] > 60
    assert bench["interval"][0] < bench["interval"][1]


def test_missing_expected_bench_is_an_error(guard: Guard, tmp_path: Path) -> None:
    assert guard("check", "--expect", "packaging", PACK, PACK).returncode == 0
    done = guard("check", "--expect", "packaging", "--expect", "networking", "--warn-only", PACK, PACK)
    assert_one_line_errors(done, "networking: expected, and there is no current summary")
    (tmp_path / "aether.toml").write_text('[guard]\nexpected = ["networking"]\n')
    assert_one_line_errors(guard("check", PACK, PACK), "networking: expected")


def test_bench_expected_twice_is_reported_once(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "aether.toml").write_text('[guard]\nexpected = ["networking"]\n')
    assert_one_line_errors(guard("check", "--expect", "networking", PACK, PACK), "networking: expected")


def test_missing_required_evidence_is_an_error(guard: Guard, write: Write) -> None:
    bare = guard("check", "--evidence", "samples", PACK, PACK)
    assert_one_line_errors(bare, "the policy asks for samples on both sides")
    paths = [write("old.json", **sampled(10.0)), write("new.json", **sampled(10.0))]
    assert guard("check", "--evidence", "samples", *paths).returncode == 0
    without_reference = guard("check", "--evidence", "ruler", *paths)
    assert_one_line_errors(without_reference, "the policy asks for the same reference on both sides")


def test_host_mismatch_option_warns_ignores_or_refuses(guard: Guard, write: Write) -> None:
    paths = [
        write("old.json", **sampled(10.0, environment=HERE)),
        write("new.json", **sampled(13.0, environment=THERE)),
    ]
    warned = guard("check", *paths)
    assert warned.returncode == 0
    assert "inconclusive: packaging: " in warned.stdout
    assert "the machines differ in cpu_model and no reference was timed on both" in warned.stdout
    assert guard("check", "--strict", *paths).returncode == 3
    assert guard("check", "--host-mismatch", "warn", *paths).stdout == warned.stdout
    ignored = guard("check", "--host-mismatch", "ignore", *paths)
    assert ignored.returncode == 1
    assert "machines" not in ignored.stdout
    refused = guard("check", "--host-mismatch", "error", *paths)
    assert_one_line_errors(refused, "new.json: the machines differ in cpu_model (old.json)")


def test_waiver_in_force_raises_the_gate_of_its_bench(guard: Guard, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    (tmp_path / "aether.toml").write_text(waiver(today + timedelta(days=7)))
    done = guard("check", PACK, PACK_PLUS25, STREAM, STREAM_MINUS10)
    assert (done.returncode, done.stderr) == (0, "")
    assert "::warning" not in done.stdout
    assert guard("check", PACK, PACK_PLUS25, STREAM, STREAM_MINUS25).returncode == 1


def test_expired_waiver_is_an_error_with_date_and_reason(guard: Guard, tmp_path: Path) -> None:
    expires = datetime.now(UTC).date() - timedelta(days=2)
    (tmp_path / "aether.toml").write_text(waiver(expires))
    for flags in ((), ("--warn-only",), ("--gate", "100%")):
        done = guard("check", *flags, PACK, PACK)
        assert_one_line_errors(done, f"its waiver expired on {expires}: a larger manifest")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[guard.bench."pack*"]\ngaet = "5%"\n', "gaet: no such key; did you mean gate?"),
        (waiver(date(2026, 1, 1)).replace("expires", "expire"), "expire: no such key; did you mean expires?"),
    ],
)
@pytest.mark.parametrize("command", ["check", "policy", "noise"])
def test_unknown_policy_key_is_an_error_with_a_hint(
    guard: Guard, tmp_path: Path, command: str, text: str, problem: str
) -> None:
    (tmp_path / "aether.toml").write_text(text)
    assert_one_line_errors(guard(command, "x", *(["y"] if command == "check" else [])), problem)


def test_policy_prints_each_value_with_its_source(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("old/a.json")
    (tmp_path / "aether.toml").write_text(
        '[guard]\nbaseline = ["old"]\ncurrent = ["new"]\nquantile = "p50"\nexpected = ["streaming"]\nlevel = "1%"\n'
        '[guard.bench."pack*"]\nwarn-only = true\n' + waiver(date(2030, 1, 1))
    )
    done = guard("policy", "--gate", "7%")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "packaging\n"
        "  gate           7 %        command line\n"
        "  quantile       p50        aether.toml [guard]\n"
        '  warn-only      true       aether.toml [guard.bench."pack*"]\n'
        "  evidence       any        default\n"
        "  host-mismatch  warn       default\n"
        "  waiver         50 %       until 2030-01-01: a larger manifest\n"
        "streaming\n"
        "  gate           7 %        command line\n"
        "  quantile       p50        aether.toml [guard]\n"
        "  warn-only      false      default\n"
        "  evidence       any        default\n"
        "  host-mismatch  warn       default\n"
        "level 1 %: the false-alarm risk per build\n"
    )
    named = guard("policy", "streaming", "--evidence", "ruler")
    assert named.stdout.startswith("streaming\n  gate           20 %       default\n")
    assert "  evidence       ruler      command line\n" in named.stdout
    assert "packaging" not in named.stdout


@pytest.mark.parametrize(("days", "term"), [(-1, "expired on"), (0, "until"), (1, "until")])
def test_policy_shows_whether_a_waiver_is_in_force(guard: Guard, tmp_path: Path, days: int, term: str) -> None:
    expires = datetime.now(UTC).date() + timedelta(days=days)
    (tmp_path / "aether.toml").write_text(waiver(expires))
    lines = guard("policy", "packaging").stdout.splitlines()
    assert f"  waiver         50 %       {term} {expires}: a larger manifest" in lines


def test_policy_without_a_configuration_is_the_default(guard: Guard) -> None:
    done = guard("policy")
    assert done.returncode == 0
    assert done.stdout.startswith("*\n  gate           20 %       default\n")
    assert "command line" not in done.stdout


def test_check_applies_the_policy_that_is_printed(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "aether.toml").write_text('[guard.bench."pack*"]\ngate = "30%"\n')
    assert "  gate           30 %  " in guard("policy", "packaging").stdout
    done = guard("check", PACK, PACK_PLUS25, STREAM, STREAM_MINUS10)
    assert done.returncode == 0
    assert "(gates differ by bench)" in done.stdout


def test_policy_prints_globs_escaped(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "aether.toml").write_text('[guard.bench."p*\\u001b[2J\\n::error::*"]\ngate = "30%"\n')
    done = guard("policy", "p\x1b[2J\n::error::")
    assert (done.returncode, done.stderr) == (0, "")
    assert '  gate           30 %       aether.toml [guard.bench."p*\\x1b[2J\\n::error::*"]\n' in done.stdout
    assert "\x1b" not in done.stdout


# Noise.


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., str]:
    """Write a recording of runs with constant samples, one value per run, and return its name."""

    def record(*values: float, name: str = "night.jsonl") -> str:
        lines = [json.dumps({"samples": steady(value), "reference": steady(0.4)}) for value in values]
        (tmp_path / name).write_text("\n".join(lines))
        return name

    return record


def test_noise_prints_false_alarms_and_detection_rates(guard: Guard, recording: Callable[..., str]) -> None:
    done = guard("noise", recording(10.0, 10.0, 10.4), "--slowdown", "10%", "--slowdown", "30%")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "night: 3 runs of unchanged code, 6 ordered pairs\n"
        "  policy: p95, gate 20 %, level 5 %\n"
        "  unchanged                 0.00 % regressions,   0.00 % inconclusive\n"
        "  slowed down by 10 %       0.00 % regressions,   0.00 % inconclusive\n"
        "  slowed down by 30 %     100.00 % regressions,   0.00 % inconclusive\n"
        "  tightest gate with at most 0.2 % false alarms: 5 %\n"
    )


def test_noise_evaluates_the_policy_in_force(guard: Guard, recording: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "aether.toml").write_text('[guard.bench."night"]\ngate = "3%"\nquantile = "p50"\n')
    done = guard("noise", recording(10.0, 10.0, 10.4), "--rate", "50%")
    assert "  policy: p50, gate 3 %, level 5 %\n  unchanged                33.33 % regressions" in done.stdout
    assert "at most 50 % false alarms: 1 %" in done.stdout
    assert "policy: p50, gate 10 %" in guard("noise", "night.jsonl", "--gate", "10%").stdout


def test_noise_reads_recordings_and_folders_of_summaries(
    guard: Guard, recording: Callable[..., str], write: Write
) -> None:
    write("runs/1.json", p95=10)
    write("runs/2.json", p95=10)
    done = guard("noise", recording(10.0, 10.0), "runs")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line[0] != " "] == ["night", "packaging"]


def test_noise_refuses_a_single_run_and_several_benches(
    guard: Guard, recording: Callable[..., str], write: Write
) -> None:
    assert_one_line_errors(guard("noise", recording(10.0)), "night.jsonl: must hold at least 2 runs of one bench")
    write("runs/1.json", bench_id="a")
    write("runs/2.json", bench_id="b")
    assert_one_line_errors(guard("noise", "runs"), "runs: must hold at least 2 runs of one bench")


def test_noise_counts_pairs_that_cannot_be_compared(guard: Guard, write: Write) -> None:
    for number, files in enumerate((100, 100, 1000)):
        write(f"runs/{number}.json", params={"files": files})
    done = guard("noise", "runs", "--slowdown", "30%")
    assert (done.returncode, done.stderr) == (0, "")
    first, second, *_ = done.stdout.splitlines()
    assert first == "packaging: 3 runs of unchanged code, 6 ordered pairs"
    reason = "params.files differs: 100 in the baseline, 1000 now"
    assert second == f"  4 pairs cannot be compared and are left out: {reason}"
    assert "  slowed down by 30 %     100.00 % regressions" in done.stdout


def test_noise_refuses_runs_of_which_no_pair_is_comparable(
    guard: Guard, recording: Callable[..., str], tmp_path: Path
) -> None:
    done = guard("noise", recording(0.0, 0.0))
    assert_one_line_errors(done, "night.jsonl: no two runs can be compared: p95: 0 in the baseline")
    assert done.stdout == ""
    lines = [json.dumps({"samples": steady(10.0)})] * 2
    (tmp_path / "bare.jsonl").write_text("\n".join(lines))
    done = guard("noise", "bare.jsonl", "--evidence", "ruler")
    assert_one_line_errors(done, "no two runs can be compared: the policy asks for the same reference on both sides")


@posix_only
def test_noise_refuses_a_pipe_or_device_without_waiting(guard: Guard, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert_one_line_errors(guard("noise", "pipe.jsonl"), "pipe.jsonl: not a regular file")
    assert_one_line_errors(guard("noise", "/dev/zero"), "/dev/zero: not a regular file")


def test_noise_refuses_a_file_with_too_many_values(guard: Guard, tmp_path: Path) -> None:
    line = b'{"samples": [[' + b",".join([b"1"] * 1_400_000) + b"]]}"
    (tmp_path / "large.jsonl").write_bytes(b"\n".join([line] * 3))
    assert_one_line_errors(
        guard("noise", "large.jsonl"), "large.jsonl: line 3: the file holds more than 4,000,000 values"
    )


def test_noise_names_an_invalid_line(guard: Guard, recording: Callable[..., str], tmp_path: Path) -> None:
    name = recording(10.0, 10.0)
    with (tmp_path / name).open("a") as file:
        file.write('\n{"samples": 3}\n')
    assert_one_line_errors(guard("noise", name), "night.jsonl: line 3: ")


def test_noise_survives_a_run_with_a_p95_of_zero(guard: Guard, write: Write) -> None:
    write("runs/1.json", p95=10)
    write("runs/2.json", p95=0)
    done = guard("noise", "runs")
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("depth", [101, 490, 900])
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "deep.json", "deep.json"),
        ("validate", "deep.json"),
        ("promote", "--reason", "x", "--baseline", "base", "--current", "deep.json"),
        ("import", "auto", "deep.json", "--out", "out"),
        ("export", "pytest-benchmark", "deep.json"),
        ("record", "deep.json"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_reports_a_deeply_nested_environment(
    guard: Guard, tmp_path: Path, arguments: tuple[str, ...], depth: int
) -> None:
    deep = '{"a":' * depth + "1" + "}" * depth
    (tmp_path / "deep.json").write_text(PACK.read_text().rstrip().removesuffix("}") + f', "environment": {deep}}}')
    done = guard(*arguments)
    assert done.returncode == 2
    assert set(done.stderr.splitlines()) == {"aether-guard: error: deep.json: environment: nested more than 100 deep"}


# Promotion of improvements.


def test_promote_improved_promotes_only_significant_improvements(guard: Guard, write: Write, tmp_path: Path) -> None:
    for name, before, after in (("a", 10.0, 9.0), ("b", 10.0, 10.0), ("c", 10.0, 11.0)):
        write(f"old/{name}.json", bench_id=name, **sampled(before))
        write(f"new/{name}.json", bench_id=name, **sampled(after))
    write("old/d.json", bench_id="d", p95=10)
    write("new/d.json", bench_id="d", p95=1)
    sides = ("--baseline", "old", "--current", "new")
    done = guard("promote", "--improved", *sides)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"a: p50 10 ms, p95 10 ms -> p50 9 ms, p95 9 ms: {os.path.join('old', 'a.json')}\n"
    assert json.loads((tmp_path / "old" / "a.json").read_bytes())["notes"] == "promoted: significant improvement"
    again = guard("promote", "--improved", *sides)
    assert (again.returncode, again.stdout) == (0, "no bench improved significantly; nothing was written\n")


def test_promote_improved_ignores_figures_from_another_machine(guard: Guard, write: Write) -> None:
    write("old/a.json", **sampled(10.0, environment=HERE))
    write("new/a.json", **sampled(5.0, environment=THERE))
    done = guard("promote", "--improved", "--baseline", "old", "--current", "new")
    assert done.stdout == "no bench improved significantly; nothing was written\n"


# Written files.


@pytest.mark.parametrize("current", [PACK_PLUS10, PACK_PLUS25, Path("absent.json")], ids=lambda path: path.stem)
def test_json_on_stdout_is_one_document_of_the_published_schema(guard: Guard, current: Path) -> None:
    done = guard("check", "--format", "json", PACK, current, STREAM, STREAM_BETTER)
    report = json.loads(done.stdout)
    assert list(Draft202012Validator(json.loads(published_check_schema())).iter_errors(report)) == []
    assert report["exit_code"] == done.returncode
    assert len(report["benches"]) == 2


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_report_in_a_file_equals_the_printed_report(guard: Guard, tmp_path: Path, form: str) -> None:
    arguments = ("check", "--annotations", "never", "--format", form, PACK, PACK_PLUS25)
    written = guard(*arguments, "-o", "made/report")
    assert written.returncode == 1
    assert (tmp_path / "made" / "report").read_text(encoding="utf-8") == guard(*arguments).stdout
    assert "+25.0 %  regression" in written.stdout


@pytest.mark.parametrize("output", ["file/report.json", "."])
def test_unwritable_report_is_a_one_line_error(guard: Guard, tmp_path: Path, output: str) -> None:
    (tmp_path / "file").touch()
    assert_one_line_errors(guard("check", "-o", output, PACK, PACK), "cannot be written")
    assert os.listdir(tmp_path) == ["file"]


@posix_only
def test_report_written_to_a_pipe_does_not_replace_it(guard: Guard, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        done = guard("check", "-o", "pipe", PACK, PACK)
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert "Traceback" not in done.stderr


def test_step_summary_is_appended_to(guard: Guard, tmp_path: Path) -> None:
    step = tmp_path / "step.md"
    step.write_text("before\n", encoding="utf-8")
    env = {"GITHUB_STEP_SUMMARY": str(step)}
    guard("check", PACK, PACK_PLUS10, env=env)
    first = step.read_text(encoding="utf-8")
    assert first.startswith("before\n### Performance guard\n")
    assert "| packaging | 6.75 ms | 7.425 ms | +10.0 % | ⚪ pass |" in first
    guard("check", "--format", "json", STREAM, STREAM_MINUS25, env=env)
    second = step.read_text(encoding="utf-8")
    assert second.startswith(first)
    assert "| streaming | 4,060 MB/s | 3,045 MB/s | +25.0 % | 🔴 regression |" in second


def test_unwritable_step_summary_does_not_change_the_verdict(guard: Guard, tmp_path: Path) -> None:
    done = guard("check", PACK, PACK_PLUS10, env={"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "the step summary" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "published"),
    [([], published_schema()), (["summary"], published_schema()), (["check"], published_check_schema())],
)
def test_schema_prints_the_published_schemas(guard: Guard, arguments: list[str], published: bytes) -> None:
    done = guard("schema", *arguments)
    assert done.returncode == 0
    assert done.stdout.encode() == published


def test_promote_prints_both_figures_and_keeps_the_reason(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("old/bench-pack.json", p50=6, p95=10)
    write("new/bench-pack.json", p50=7, p95=15)
    done = guard("promote", "--baseline", "old", "--current", "new", "--reason", "level 9 is worth its time")
    assert (done.returncode, done.stderr) == (0, "")
    path = os.path.join("old", "bench-pack.json")
    assert done.stdout == f"packaging: p50 6 ms, p95 10 ms -> p50 7 ms, p95 15 ms: {path}\n"
    assert json.loads((tmp_path / path).read_bytes())["notes"] == "promoted: level 9 is worth its time"
    assert guard("check", "old", "new").returncode == 0


def run_figures(day: int, p95: float) -> dict[str, Any]:
    return {"p50": 9.0, "p95": p95, "timestamp": f"2026-11-{day:02}T00:00:00+00:00"}


def test_baseline_of_several_runs_bounds_the_false_alarms(guard: Guard, write: Write, tmp_path: Path) -> None:
    runs = [os.path.dirname(write(f"run-{day}/a.json", **run_figures(day, 9.9 + day / 10))) for day in (1, 2, 3)]
    promote = ("promote", "--baseline", "old", "--reason", "it pays", "--current")
    first = os.path.join("run-1", "a.json")
    assert_one_line_errors(guard(*promote, *runs), f"bench_id: packaging is in {first} already; --runs 5 keeps several")
    (tmp_path / "old").mkdir()
    done = guard(*promote, *runs, "--runs", "5")
    path = os.path.join("old", "a.json")
    assert done.stdout == f"packaging: none -> p50 9 ms, p95 10.2 ms: {path} (3 runs)\n"
    assert guard("validate", "old").returncode == 0
    write("new/a.json", **run_figures(4, 10.1))
    checked = guard("check", "old", "new")
    assert "p95 unchanged (90 % interval -3.3 % to +3.4 %, from 3 runs), gate 20 %" in checked.stdout
    assert checked.stdout.endswith("(gate 20 % on p95; false-alarm risk at most 5 % per build)\n")
    for day, count in ((4, 4), (5, 5), (6, 5)):
        run = os.path.dirname(write(f"run-{day}/a.json", **run_figures(day, 10)))
        assert guard(*promote, run, "--runs", "5").stdout.endswith(f" ({count} runs)\n")
    kept = json.loads((tmp_path / path).read_bytes())["runs"]
    assert [run["timestamp"][8:10] for run in kept] == ["02", "03", "04", "05", "06"]


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5", "101", "²"])
def test_promote_refuses_an_invalid_number_of_runs(guard: Guard, write: Write, count: str) -> None:
    write("new/a.json")
    done = guard("promote", "--runs", count, "--baseline", "old", "--current", "new", "--reason", "x")
    assert done.returncode == 2
    assert done.stderr.endswith(f"argument --runs: {count!r} is not a number from 1 to 100\n")


def test_promote_improved_refuses_several_runs(guard: Guard, write: Write) -> None:
    sides = "--baseline", write("old.json"), "--current", write("new.json")
    assert_one_line_errors(guard("promote", "--improved", "--runs", "5", *sides), "omit --runs")


@pytest.mark.parametrize(
    ("runs", "key"),
    [
        ([], "runs: "),
        ("five", "runs: "),
        ([{"p50": 5.0}], "runs[0].timestamp: "),
        ([{"timestamp": "2026-11-22"}], "runs: "),
        ([{"timestamp": "2026-11-23T23:52:51+00:00", "p95": 0}], "runs[0].p95: "),
        ([{"timestamp": "2026-11-23T23:52:51+00:00", "normalized": 3}], "runs[0].normalized: "),
        ([{"timestamp": "2026-11-23T23:52:51+00:00"}] * 2, "runs[1].timestamp: "),
    ],
)
def test_invalid_runs_in_a_baseline_are_a_one_line_error(guard: Guard, write: Write, runs: Any, key: str) -> None:
    done = guard("check", write("old.json", runs=runs), write("new.json"))
    assert_one_line_errors(done, f"old.json: {key}")


def test_promote_with_an_invalid_file_writes_nothing(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("old/bench-pack.json")
    write("new/bench-pack.json", p95=15)
    (tmp_path / "new" / "bench-stream.json").write_bytes(b"{")
    before = (tmp_path / "old" / "bench-pack.json").read_bytes()
    done = guard("promote", "--baseline", "old", "--current", "new", "--reason", "it pays")
    assert_one_line_errors(done, "bench-stream.json: ")
    assert (tmp_path / "old" / "bench-pack.json").read_bytes() == before


@posix_only
def test_promote_survives_a_reason_that_is_not_utf8(guard: Guard, write: Write) -> None:
    write("new/bench-pack.json")
    done = guard("promote", "--baseline", "old", "--current", "new", "--reason", "\udcff")
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 2}


# Imports.


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("check", [str(PACK), str(PACK_PLUS10)]), ("validate", [str(PACK)]), ("policy", []), ("schema", [])],
)
def test_command_imports_no_other_command(tmp_path: Path, command: str, arguments: list[str]) -> None:
    source = (
        "import sys\n"
        "from aether_guard.cli.app import main\n"
        "main(sys.argv[1:])\n"
        "names = [name for name in sys.modules if name.startswith('aether_guard.cli.')]\n"
        "print(*sorted(names), file=sys.stderr)\n"
    )
    run = [sys.executable, "-c", source, command, *arguments]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    shared = {f"aether_guard.cli.{name}" for name in ("app", "output", "options", "import_options")}
    assert set(done.stderr.split()) - shared == {f"aether_guard.cli.{command}"}


def test_plain_check_imports_no_unused_modules(tmp_path: Path) -> None:
    source = (
        "import sys\nfrom aether_guard.cli.app import main\nmain(sys.argv[1:])\nprint(*sys.modules, file=sys.stderr)\n"
    )
    run = [sys.executable, "-c", source, "check", str(PACK), str(PACK_PLUS10)]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    loaded = set(done.stderr.split())
    assert "aether_guard.check.judge" in loaded
    others = ("noise", "recording", "init", "html", "junit", "machine", "promote", "ab")
    assert loaded.isdisjoint(f"aether_guard.{name}" for name in others)
    assert loaded.isdisjoint({"aether_harness", "psutil", "numpy"})


@pytest.mark.parametrize("arguments", [[], ["--help"], ["chekc"], ["--version"]])
def test_every_command_is_listed_if_none_is_named(guard: Guard, arguments: list[str]) -> None:
    done = guard(*arguments)
    assert "Traceback" not in done.stderr
    if arguments == ["--help"]:
        assert all(f"\n    {name} " in done.stdout for name in COMMANDS)
    elif arguments == ["chekc"]:
        assert all(name in done.stderr for name in COMMANDS)
    assert done.returncode == (0 if arguments[:1] in (["--help"], ["--version"]) else 2)


# Commands of other packages.


def _install(folder: Path, name: str, value: str, source: str) -> dict[str, str]:
    """Install a distribution with one more command, and return the environment that finds it."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[aether.commands]\n{name} = {value}\n", encoding="utf-8")
    (folder / f"{name}_command.py").write_text(source, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def test_entry_point_adds_a_command(guard: Guard, tmp_path: Path) -> None:
    source = (
        "from aether_guard.cli.options import add_command\n\n"
        "def register(commands):\n"
        "    add_command(commands, 'hello', 'greet', '', lambda options: print('hello') or 0)\n"
    )
    env = _install(tmp_path / "site", "hello", "hello_command", source)
    done = guard("hello", env=env)
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert re.search(r"^    hello +greet$", guard("--help", env=env).stdout, re.MULTILINE)


def test_broken_entry_point_is_a_one_line_error(guard: Guard, tmp_path: Path) -> None:
    env = _install(tmp_path / "site", "hello", "hello_command", "raise ValueError('broken')\n")
    done = guard("hello", env=env)
    assert done.returncode == 2
    assert done.stderr == "aether-guard: error: hello: hello_command cannot be imported: ValueError: broken\n"


@pytest.mark.parametrize(
    ("command", "extra"), [("ab", "ab"), ("bisect", "ab"), ("record", "history"), ("schema", "ab")]
)
def test_command_of_a_missing_package_names_the_extra(tmp_path: Path, command: str, extra: str) -> None:
    without = (
        "import sys\n"
        "import importlib.metadata\n"
        "sys.modules['aether_compare'] = None\n"
        "importlib.metadata.entry_points = lambda **_: ()\n"
        "from aether_guard.cli.app import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["ab"] if command == "schema" else ["--anything"]
    run = [sys.executable, "-c", without, command, *arguments]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    name = "ab" if command == "schema" else command
    assert done.stderr == f"aether-guard: error: {name}: not installed: pip install 'aether-guard[{extra}]'\n"


# No tracebacks for user errors.


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_every_invalid_current_file_is_a_one_line_error(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    status, _, errors = run_inside("check", str(PACK), str(path))
    assert status == 2
    assert errors.startswith(f"aether-guard: error: {path}: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "validate"])
def test_folder_named_like_a_summary_is_a_one_line_error(
    guard: Guard, write: Write, tmp_path: Path, command: str
) -> None:
    write("old/a.json")
    (tmp_path / "old" / "b.json").mkdir()
    arguments = ["old"] if command == "validate" else ["old", "old/a.json"]
    done = guard(command, *arguments)
    assert_one_line_errors(done, f"{os.path.join('old', 'b.json')}: a folder, not a file")


@pytest.mark.parametrize("command", ["check", "validate"])
def test_empty_folder_is_a_one_line_error(guard: Guard, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["empty"] if command == "validate" else [str(PACK), "empty"]
    done = guard(command, *arguments)
    assert done.returncode == 2
    assert "aether-guard: error: empty: no summary (*.json) in this folder\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_file_of_65_mib_is_a_one_line_error(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "big.json").touch()
    os.truncate(tmp_path / "big.json", 65 * 2**20)
    assert_one_line_errors(guard("check", PACK, "big.json"), "big.json: 68,157,440 bytes, over the limit")


@posix_only
def test_unreadable_file_is_a_one_line_error(tmp_path: Path) -> None:
    for name in ("open.json", "closed.json"):
        (tmp_path / name).write_bytes(PACK.read_bytes())
    (tmp_path / "closed.json").chmod(0)
    # Root may read anything, so drop privileges, but only after the imports, which another user may not read.
    source = (
        "import os, sys\n"
        "from aether_guard.cli.app import main\n"
        "main(['validate', 'open.json'])\n"
        "if os.geteuid() == 0:\n"
        "    os.seteuid(65534)\n"
        "sys.exit(main(['validate', 'closed.json']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
    )
    assert_one_line_errors(done, "closed.json: cannot be read: permission denied")


@posix_only
def test_pipe_device_and_link_loop_are_one_line_errors(guard: Guard, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    done = guard("validate", "pipe.json", "/dev/zero", "loop.json")
    assert_one_line_errors(done, "pipe.json: not a regular file", "/dev/zero: not a regular file", "loop.json: ")


@pytest.mark.parametrize(
    "arguments", [("check", "--no\x1b[2J\n::error::a"), ("\n::error::a",), ("policy", "--gate", "\x1b[2J%")]
)
def test_invalid_argument_is_printed_escaped(guard: Guard, arguments: tuple[str, ...]) -> None:
    done = guard(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "\x1b" not in done.stderr
    assert "\n::error" not in done.stderr


@pytest.fixture
def broken_plugin(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Install an importer that raises an error, and return the environment that finds it."""

    def install(error: str) -> dict[str, str]:
        folder = tmp_path / "site"
        info = folder / "broken_format-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-format\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[aether.importers]\nbroken = broken_format\n")
        (folder / "broken_format.py").write_text(
            "ABOUT = 'broken'\nSUFFIXES = ('.json',)\n\n"
            "def matches(document):\n    return True\n\n"
            f"def read(document, options):\n    raise {error}\n"
        )
        return {"PYTHONPATH": str(folder)}

    return install


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("KeyError('a\\x1b[2J\\n::error::b')", "unexpected KeyError: "),
        ("RecursionError()", "nested too deeply"),
        ("MemoryError()", "memory"),
        ("OverflowError('too large')", "too large"),
        ("FileNotFoundError(2, 'No such file', 'gone.json')", "no such file"),
    ],
)
def test_unexpected_error_exits_2_with_one_line(
    guard: Guard, tmp_path: Path, broken_plugin: Callable[[str], dict[str, str]], error: str, message: str
) -> None:
    (tmp_path / "x").write_text("{}")
    done = guard("import", "broken", "x", "--out", "y", env=broken_plugin(error))
    assert_one_line_errors(done, message)
    assert "\x1b" not in done.stderr


def test_an_unexpected_error_shows_its_traceback_on_request(
    guard: Guard, tmp_path: Path, broken_plugin: Callable[[str], dict[str, str]]
) -> None:
    (tmp_path / "x").write_text("{}")
    env = {**broken_plugin("KeyError('k')"), "AETHER_TRACEBACK": "1"}
    done = guard("import", "broken", "x", "--out", "y", env=env)
    assert done.returncode == 2
    assert "in read\n" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("aether-guard: error: unexpected KeyError: 'k'; ")


@posix_only
@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_path_that_is_not_utf8_is_judged(guard: Guard, tmp_path: Path, form: str) -> None:
    (tmp_path / "\udcff.json").write_bytes(PACK.read_bytes())
    done = guard("check", "--format", form, "\udcff.json", PACK_PLUS25)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_count_with_a_decimal_point_hides_no_damage(guard: Guard, tmp_path: Path) -> None:
    data = PACK.read_bytes().replace(b"120", b"120.0").rstrip()
    (tmp_path / "a.json").write_bytes(data + b" x")
    deep = b"[" * 100_000 + b"]" * 100_000
    (tmp_path / "b.json").write_bytes(data.removesuffix(b"}") + b', "later": ' + deep + b"}")
    assert_one_line_errors(guard("validate", "a.json", "b.json"), "a.json: ", "b.json: ")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[guard]\nbaseline = ["a\\u0000b"]\ncurrent = ["c"]\n', id="a path with a zero byte"),
        pytest.param("[guard]\nbaseline = " + "[" * 10_000, id="nested too deeply"),
    ],
)
def test_invalid_paths_in_the_configuration_give_no_traceback(guard: Guard, tmp_path: Path, text: str) -> None:
    (tmp_path / "aether.toml").write_text(text)
    done = guard("check")
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


@posix_only
@pytest.mark.parametrize("arguments", [["validate", str(PACK)], ["check", str(PACK), str(PACK_PLUS25)], ["schema"]])
def test_closed_output_pipe_exits_2_without_a_traceback(guard: Guard, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = guard(*arguments, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


@needs_full_device
@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", str(PACK)],
        ["schema"],
        ["check", str(PACK), str(PACK_PLUS10)],
        ["check", "--format", "json", str(PACK), str(PACK_PLUS10)],
    ],
)
def test_full_disk_behind_stdout_is_a_one_line_error(guard: Guard, arguments: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = guard(*arguments, stdout=full.fileno())
    assert_one_line_errors(done, "the output cannot be written: no space left on device")


@needs_full_device
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["validate", str(PACK)], 2),
        (["policy"], 2),
        (["check", str(PACK), str(PACK_PLUS10)], 2),
        (["check", "--format", "json", str(PACK), str(PACK_PLUS25)], 2),
        (["noise", "absent.jsonl"], 2),
    ],
)
def test_full_disk_behind_both_streams_exits_2(guard: Guard, arguments: list[str], status: int) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = guard(*arguments, stdout=full.fileno(), stderr=full.fileno())
    assert done.returncode == status


@posix_only
@pytest.mark.parametrize(("stream", "current", "status"), [(1, PACK_PLUS10, 2), (2, Path("absent.json"), 2)])
def test_closed_stream_gives_no_traceback(tmp_path: Path, stream: int, current: Path, status: int) -> None:
    line = f'exec "$@" {stream}>&-'
    command = ["sh", "-c", line, "sh", sys.executable, "-m", "aether_guard", "check", str(PACK), str(current)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == status


def run_inside(*arguments: str) -> tuple[int, str, str]:
    """Run the command in this process and return its status and its output on both streams."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())  # type: ignore[attr-defined]
    return status, texts[0], texts[1]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("validate") / "bench.json"


def assert_validated_without_a_traceback(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    status, out, err = run_inside("validate", str(path))
    line = err if status else out
    assert status in {0, 2}
    assert line.startswith(f"aether-guard: error: {path}: " if status else f"ok: {path}: ")
    assert line.count("\n") == 1
    assert (out if status else err) == ""


@given(st.binary())
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
def test_validate_prints_one_line_for_any_bytes(scratch: Path, data: bytes) -> None:
    assert_validated_without_a_traceback(scratch, data)


@given(
    start=st.integers(0, 160),
    removed=st.integers(0, 20),
    inserted=st.binary(max_size=6)
    | st.sampled_from([b"NaN", b"1e999", b"{", b"[", b'"', b"\\u0000", b"\\n", b"\xc2\x85", "\u2028".encode(), b"6e1"]),
)
def test_validate_prints_one_line_for_any_damaged_summary(
    scratch: Path, start: int, removed: int, inserted: bytes
) -> None:
    data = PACK.read_bytes()
    assert_validated_without_a_traceback(scratch, data[:start] + inserted + data[start + removed :])


def test_output_over_the_fixtures_matches_the_golden_files() -> None:
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "lock.py")], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout
    assert " as locked" in done.stdout
