"""Load generators: what a file does not hold stays away, and a failed request is never a fast one."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_formats import ImportFileError, ImportOptions
from aether_formats.model import DEFAULT_OPTIONS
from aether_guard.check.imported_files import Reader
from aether_schema import Phase

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from aether_schema import Summary

    Guard = Callable[..., subprocess.CompletedProcess[str]]
    Import = Callable[..., dict[str, Summary]]

MADE = Path(__file__).parents[2] / "fixtures" / "import"
TOLERANT = ImportOptions(allow_failures=1.0)


def held(summary: Summary) -> dict[str, float]:
    found = {name: summary.statistic(name) for name in ("p50", "p95", "mean")}
    return {name: round(value, 9) for name, value in found.items() if value is not None}


def failed(form: str, path: Path | str, wishes: ImportOptions = DEFAULT_OPTIONS) -> dict[str, str]:
    return dict(Reader(form, wishes).read(str(path)).failed)


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}


def edited(tmp_path: Path, source: str, change: Callable[[Any], None]) -> Path:
    document = json.loads((MADE / source).read_text(encoding="utf-8"))
    change(document)
    path = tmp_path / Path(source).name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


# k6


@pytest.mark.parametrize(
    ("name", "bench", "expected"),
    [
        ("trend_stats", "http_req_duration", {"p95": 8.5}),
        ("trend_stats", "iteration_duration", {"p95": 110.25}),
        ("only_mean", "http_req_duration", {"mean": 5.5}),
        ("only_p99", "http_req_duration p(99)", {"p50": 14.25}),
        ("summary_export", "http_req_duration", {"p50": 4.75, "p95": 8.5}),
        ("machine_readable", "http_req_duration", {"p50": 4.75, "p95": 8.5}),
        ("machine_readable", "iteration_duration", {"p50": 105.5}),
    ],
)
def test_k6_holds_the_statistics_that_its_file_has(
    imported: Import, name: str, bench: str, expected: dict[str, float]
) -> None:
    summary = imported("k6", MADE / "k6" / f"{name}.json", TOLERANT)[bench]
    statistics = {key: value for key, value in held(summary).items() if key in (summary.statistics or expected)}
    assert statistics == expected
    assert (summary.unit, summary.lower_is_better) == ("ms", True)


def test_k6_counts_the_samples_of_a_trend(imported: Import) -> None:
    found = imported("k6", MADE / "k6" / "trend_stats.json", DEFAULT_OPTIONS)
    assert {name: item.n for name, item in found.items()} == {
        "http_req_duration": 1200,
        "http_req_duration{expected_response:true}": 1200,
        "iteration_duration": 600,
        "http_reqs": 1200,
        "iterations": 600,
    }


def test_k6_trend_without_a_usable_statistic_is_skipped() -> None:
    found = Reader("k6").read(str(MADE / "k6" / "only_max.json"))
    assert [summary.bench_id for summary in found.summaries] == ["http_reqs", "iterations"]
    ((bench, reason),) = found.unjudged
    assert bench == "http_req_duration"
    assert "--summary-trend-stats" in reason


@pytest.mark.parametrize("name", ["summary_export", "handle_summary"])
def test_k6_in_both_its_older_forms(imported: Import, name: str) -> None:
    found = imported("k6", MADE / "k6" / f"{name}.json", ImportOptions(allow_failures=0.02))
    assert (found["http_reqs"].p50, found["http_reqs"].unit, found["http_reqs"].n) == (40.0, "req/s", 1200)
    assert (found["iterations"].p50, found["iterations"].unit) == (20.0, "iterations/s")
    assert ("my_own_wait" in found) is (name == "handle_summary")
    phases = found["http_req_duration"].phases
    assert phases is not None
    assert phases["waiting"] == Phase(p50=4.5, p95=8.25)
    assert list(phases) == ["blocked", "connecting", "tls_handshaking", "sending", "waiting", "receiving"]


def test_k6_machine_readable_has_rates_from_its_counts() -> None:
    found = Reader("auto").read(str(MADE / "k6" / "machine_readable.json"))
    by_bench = {summary.bench_id: summary for summary in found.summaries}
    assert list(by_bench) == ["http_req_duration", "http_reqs", "iteration_duration", "iterations"]
    assert (by_bench["http_reqs"].p50, by_bench["iterations"].p50) == (40.0, 20.0)
    assert by_bench["http_reqs"].timestamp == "2026-11-20T10:00:30+00:00"
    # A custom trend that is no time has no known direction.
    assert [bench for bench, _ in found.unjudged] == ["my_queue"]


@pytest.mark.parametrize("name", ["summary_export", "handle_summary", "machine_readable_failing"])
def test_k6_failures_are_errors_of_every_bench(name: str) -> None:
    found = Reader("k6", ImportOptions(unit="ms")).read(str(MADE / "k6" / f"{name}.json"))
    problems = {problem.partition("; --allow-failures")[0] for _, problem in found.failed}
    assert found.summaries == ()
    assert len(problems) == 1
    assert problems.pop().startswith("12 of 1200 requests failed; ")


def test_k6_names_the_checks_that_failed() -> None:
    problems = failed("k6", MADE / "k6" / "machine_readable_failing.json", ImportOptions(unit="ms"))
    expected = (
        "12 of 1200 requests failed; 12 of 1200 checks failed (status is 200); --allow-failures 1% judges it anyway"
    )
    assert set(problems.values()) == {expected}


@pytest.mark.parametrize("groups", [list, dict])
def test_k6_finds_a_failed_check_in_a_group(tmp_path: Path, groups: type) -> None:
    check = {"name": "logged in", "passes": 599, "fails": 1}
    inner = {"name": "login", "groups": groups(), "checks": [check] if groups is list else {"logged in": check}}

    def change(document: Any) -> None:
        document["root_group"]["groups"] = [inner] if groups is list else {"login": inner}
        document["metrics"]["checks"]["values"] |= {"passes": 599, "fails": 1}

    problems = failed("k6", edited(tmp_path, "k6/old.json", change))
    assert problems["http_req_duration"].startswith("1 of 600 checks failed (logged in); ")


def test_a_crossed_k6_threshold_is_an_error_that_names_it(guard: Guard) -> None:
    old, new = (MADE / "k6" / f"{name}.json" for name in ("old", "slower"))
    done = guard("check", "--from", "k6", old, new)
    assert done.returncode == 2
    assert "1 of 2 thresholds crossed (http_req_duration: p(95)<10)" in done.stderr
    allowed = guard("check", "--from", "k6", old, new, "--allow-failures", "50%", "--format", "json")
    assert (allowed.returncode, set(verdicts(allowed).values())) == (1, {"regression"})
    within = guard("check", "--from", "k6", old, MADE / "k6" / "within_threshold.json", "--format", "json")
    assert (within.returncode, set(verdicts(within).values())) == (0, {"pass"})


def test_an_exported_k6_threshold_is_true_where_it_was_crossed(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        document["metrics"]["http_req_duration"]["thresholds"] = {"p(95)<5": True, "p(99)<50": False}

    problems = failed("k6", edited(tmp_path, "k6/trend_stats.json", change))
    assert problems["iterations"].startswith("1 of 2 thresholds crossed (http_req_duration: p(95)<5); ")


# Locust


def test_locust_rows_with_failures_are_errors() -> None:
    assert failed("locust", MADE / "locust" / "load_stats.csv") == {
        "GET /missing": "8 of 8 requests failed; nothing is left to judge",
        "Aggregated": "8 of 24 requests failed; --allow-failures 34% judges it anyway",
        "Aggregated req/s": "8 of 24 requests failed; --allow-failures 34% judges it anyway",
    }


def test_locust_judges_a_row_within_the_allowed_share(imported: Import) -> None:
    rows = list(csv.DictReader((MADE / "locust" / "load_stats.csv").read_text(encoding="utf-8").splitlines()))
    found = imported("locust", MADE / "locust" / "load_stats.csv", ImportOptions(allow_failures=0.34))
    page, everything = rows[1], rows[2]
    figures = {name: (item.p50, item.p95, item.n) for name, item in found.items() if item.metric == "duration_ms"}
    assert figures == {
        f"GET {page['Name']}": (float(page["50%"]), float(page["95%"]), int(page["Request Count"])),
        "Aggregated": (float(everything["50%"]), float(everything["95%"]), int(everything["Request Count"])),
    }
    assert found["Aggregated"].notes == "8 of 24 requests failed"
    assert found["Aggregated req/s"].p50 == float(everything["Requests/s"])


def test_locust_row_without_a_request_is_skipped(tmp_path: Path) -> None:
    lines = (MADE / "locust" / "old_stats.csv").read_text(encoding="utf-8").splitlines()
    empty = "GET,/never,0,0,N/A,0.0,0,0,0,0.0,0.0" + ",N/A" * 11
    (tmp_path / "some_stats.csv").write_text("\n".join([lines[0], empty, *lines[1:]]) + "\n", encoding="utf-8")
    found = Reader("locust").read(str(tmp_path / "some_stats.csv"))
    assert found.unjudged == (("GET /never", "skipped: no request was made"),)
    assert len(found.summaries) == 3


def test_a_slower_server_under_locust_is_a_regression(guard: Guard, tmp_path: Path) -> None:
    for name in ("old", "slower"):
        shutil.copy(MADE / "locust" / f"{name}_stats.csv", tmp_path)
    done = guard("check", "--from", "locust", "old_stats.csv", "slower_stats.csv", "--format", "json")
    assert (done.returncode, set(verdicts(done).values())) == (1, {"regression"})


# oha


def test_oha_statuses_and_errors_are_failures_though_its_rate_is_1(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        document["statusCodeDistribution"] = {"200": 990, "500": 10}

    problems = failed("oha", edited(tmp_path, "oha/report.json", change))
    assert set(problems) == {"oha response time", "oha req/s"}
    assert problems["oha req/s"].startswith("10 of 1000 requests failed (500: 10); --allow-failures 1%")
    problems = failed("oha", MADE / "oha" / "failing.json")
    expected = "120 of 1020 requests failed (503: 100, connection error: connection reset: 20); --allow-failures 12%"
    assert problems["oha response time"].startswith(expected)


def test_oha_requests_cut_off_at_the_end_are_no_failures(imported: Import) -> None:
    found = imported("oha", MADE / "oha" / "deadline.json", DEFAULT_OPTIONS)
    assert {name: (round(item.p50, 9), item.n) for name, item in found.items()} == {
        "oha response time": (4.0, 1000),
        "oha req/s": (400.0, 1000),
    }


def test_oha_times_of_failures_are_left_out_where_it_tells_them_apart(imported: Import) -> None:
    found = imported("oha", MADE / "oha" / "breakdown.json", ImportOptions(allow_failures=0.1))
    assert held(found["oha response time"]) == {"p50": 4.5, "p95": 9.5}
    assert found["oha response time"].notes == "100 of 1000 requests failed (503: 100)"


def test_oha_of_failures_alone_has_nothing_to_judge(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        document["statusCodeDistribution"] = {"503": 1000}

    problems = failed("oha", edited(tmp_path, "oha/report.json", change), TOLERANT)
    assert set(problems.values()) == {"1000 of 1000 requests failed (503: 1000); nothing is left to judge"}


def test_oha_success_rate_alone_tells_of_failures(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        del document["statusCodeDistribution"], document["errorDistribution"]
        document["summary"]["successRate"] = 0.75

    problems = failed("oha", edited(tmp_path, "oha/report.json", change))
    assert problems["oha req/s"] == "0.25 of the requests failed; --allow-failures 25% judges it anyway"


# vegeta


def test_vegeta_report_with_failures_is_an_error_that_names_one(imported: Import) -> None:
    path = MADE / "vegeta" / "failing.json"
    problem = "25 of 1000 requests failed (500 Internal Server Error); --allow-failures 3% judges it anyway"
    assert failed("vegeta", path) == {"vegeta latency": problem, "vegeta throughput": problem}
    assert imported("vegeta", path, ImportOptions(allow_failures=0.03))["vegeta latency"].p50 == 3.5


def test_vegeta_success_below_1_is_a_failure_without_statuses(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        del document["status_codes"]
        document["success"] = 0.5

    problems = failed("vegeta", edited(tmp_path, "vegeta/report.json", change))
    assert problems["vegeta latency"].startswith("500 of 1000 requests failed; ")


def test_vegeta_samples_of_failed_requests_are_left_out(imported: Import) -> None:
    path = MADE / "vegeta" / "requests.json"
    problem = "1 of 6 requests failed (status 500) and are left out; --allow-failures 17% judges it anyway"
    assert failed("vegeta", path) == {"vegeta latency": problem}
    (summary,) = imported("vegeta", path, ImportOptions(allow_failures=0.17)).values()
    assert summary.samples == (tuple((10**6 * (i + 1) + i) / 10**6 for i in (0, 1, 2, 4, 5)),)


def test_vegeta_request_with_an_error_failed_whatever_its_status(tmp_path: Path) -> None:
    lines = (MADE / "vegeta" / "requests.json").read_text(encoding="utf-8").replace('"code":500', '"code":200')
    path = tmp_path / "requests.json"
    path.write_text(lines.replace('"error":""', '"error":"unexpected EOF"', 1), encoding="utf-8")
    assert failed("vegeta", path)["vegeta latency"].startswith("1 of 6 requests failed (unexpected EOF)")


def test_an_empty_oha_run_is_refused(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        document |= {"statusCodeDistribution": {}, "latencyPercentiles": {"p50": None, "p95": None}}

    with pytest.raises(ImportFileError, match=r"^latencyPercentiles.p50: no response was timed$"):
        Reader("oha").read(str(edited(tmp_path, "oha/report.json", change)))


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ("k6", "k6/machine_readable_failing.json"),
        ("oha", "oha/failing.json"),
        ("vegeta", "vegeta/failing.json"),
        ("locust", "locust/load_stats.csv"),
    ],
)
def test_a_run_with_failures_exits_with_2(guard: Guard, form: str, path: str) -> None:
    done = guard("check", "--from", form, MADE / path, MADE / path)
    assert done.returncode == 2
    assert "requests failed" in done.stderr
