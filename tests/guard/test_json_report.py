from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from aether_guard.check.verdict import Judgement, build_report
from aether_guard.report.json_report import (
    generate_check_schema,
    published_check_schema,
    render_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

VALIDATOR = Draft202012Validator(json.loads(published_check_schema()))


def parsed(judged: Judgement) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(render_json(build_report([judged], strict=False)))
    return report


def test_published_schema_matches_the_types() -> None:
    assert published_check_schema() == generate_check_schema()


def test_published_schema_is_valid() -> None:
    Draft202012Validator.check_schema(json.loads(published_check_schema()))
    assert not VALIDATOR.is_valid({"verdict": "fine", "exit_code": 0, "benches": []})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"verdict": "pass", "interval": (-0.01, 0.02), "change_adjusted": 0.005},
        {"verdict": "inconclusive", "samples_needed": 59},
        {"warn_only": True, "moved_phase": "hash", "gate": 0.5},
    ],
)
def test_reports_match_the_published_schema(judgement: Callable[..., Judgement], changes: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors(parsed(judgement(**changes)))) == []


def test_inapplicable_keys_are_null() -> None:
    report = parsed(Judgement(bench_id=None, verdict="error", reason="no such file"))
    bench = report["benches"][0]
    assert (report["verdict"], report["exit_code"]) == ("error", 2)
    assert {key for key, value in bench.items() if value is None} == bench.keys() - {
        "verdict",
        "reason",
        "warn_only",
        "judged",
        "exact",
        "functions",
    }
    assert VALIDATOR.is_valid(report)


def test_report_has_every_key_of_the_contract(judgement: Callable[..., Judgement]) -> None:
    named = "bench_id verdict metric unit quantile baseline current change"
    added = "change_adjusted change_decisive interval samples_needed reason"
    report = parsed(judgement())
    assert {*named.split(), *added.split()} <= report["benches"][0].keys()
    assert report.keys() == {"verdict", "exit_code", "benches", "level"}


def test_path_that_is_not_utf8_is_reported(judgement: Callable[..., Judgement]) -> None:
    assert parsed(judgement(current_path="\udcff.json"))["verdict"] == "regression"


def test_control_characters_are_escaped_in_json(judgement: Callable[..., Judgement]) -> None:
    path = "a\x1b\x7f\x85\x9b.json"
    text = render_json(build_report([judgement(baseline_path=path)], strict=False))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert json.loads(text)["benches"][0]["baseline_path"] == path
