from __future__ import annotations

from datetime import date, timedelta

import pytest

from aether_guard.check.policy import KEYS, Policy, PolicyOverrides, PolicySet, Waiver, policy_for, waiver_expired

WAIVER = Waiver(bench="pack*", gate=0.5, reason="a larger manifest", expires=date(2026, 11, 24))


def test_where_nobody_says_anything_the_defaults_hold() -> None:
    policy = policy_for("packaging", PolicySet())
    assert (policy.gate, policy.quantile, policy.warn_only) == (0.2, "p95", False)
    assert (policy.evidence, policy.host_mismatch, policy.waiver) == ("any", "warn", None)
    assert policy.sources == dict.fromkeys(KEYS, "default")


@pytest.mark.parametrize(
    ("pattern", "bench_id", "matches"),
    [
        ("packaging", "packaging", True),
        ("pack*", "packaging", True),
        ("*", "anything at all", True),
        ("pack?ging", "packaging", True),
        ("[ps]*", "streaming", True),
        ("*/level-9", "packaging/level-9", True),
        ("pack", "packaging", False),
        ("PACK*", "packaging", False),
        ("streaming", "packaging", False),
    ],
)
def test_a_glob_stands_for_the_benches_it_matches_to_the_letter(pattern: str, bench_id: str, *, matches: bool) -> None:
    book = PolicySet(
        by_glob=(("glob", pattern, PolicyOverrides(gate=0.1)),),
        waivers=(Waiver(**{**fields(WAIVER), "bench": pattern}),),
    )
    policy = policy_for(bench_id, book)
    assert policy.gate == (0.1 if matches else 0.2)
    assert (policy.waiver is not None) == matches


def fields(waiver: Waiver) -> dict[str, object]:
    return {name: getattr(waiver, name) for name in waiver.__struct_fields__}


def test_each_key_comes_from_the_strongest_source_that_says_anything_about_it() -> None:
    book = PolicySet(
        general=(("general", PolicyOverrides(gate=0.1, quantile="p50", evidence="samples", host_mismatch="ignore")),),
        by_glob=(("glob", "pack*", PolicyOverrides(gate=0.05, evidence="ruler", warn_only=True)),),
        cli_overrides=(("command line", PolicyOverrides(gate=0.02)),),
    )
    policy = policy_for("packaging", book)
    assert policy == Policy(
        gate=0.02,
        quantile="p50",
        warn_only=True,
        evidence="ruler",
        host_mismatch="ignore",
        sources={
            "gate": "command line",
            "quantile": "general",
            "warn_only": "glob",
            "evidence": "glob",
            "host_mismatch": "general",
            "limit": "default",
            "judge": "default",
        },
    )
    other = policy_for("streaming", book)
    assert (other.gate, other.evidence, other.warn_only) == (0.02, "samples", False)
    assert other.sources["warn_only"] == "default"


def test_of_globs_that_both_match_the_later_one_counts() -> None:
    narrow, wide = (
        ("narrow", "packaging", PolicyOverrides(gate=0.05)),
        ("wide", "pack*", PolicyOverrides(gate=0.1, quantile="p50")),
    )
    later_wide = policy_for("packaging", PolicySet(by_glob=(narrow, wide)))
    assert (later_wide.gate, later_wide.sources["gate"]) == (0.1, "wide")
    later_narrow = policy_for("packaging", PolicySet(by_glob=(wide, narrow)))
    assert (later_narrow.gate, later_narrow.quantile) == (0.05, "p50")


@pytest.mark.parametrize("wishes", [PolicyOverrides(gate=0.0), PolicyOverrides(warn_only=False)])
def test_to_wish_for_nothing_at_all_is_a_wish_too(wishes: PolicyOverrides) -> None:
    general = ("general", PolicyOverrides(gate=0.1, warn_only=True))
    policy = policy_for("packaging", PolicySet(general=(general,), cli_overrides=(("command line", wishes),)))
    assert (policy.gate, policy.warn_only) in {(0.0, True), (0.1, False)}
    assert "command line" in policy.sources.values()


def test_the_first_waiver_that_matches_goes_with_the_bench() -> None:
    second = Waiver(bench="*", gate=0.9, reason="all of them", expires=date(2030, 1, 1))
    book = PolicySet(waivers=(WAIVER, second))
    assert policy_for("packaging", book).waiver == WAIVER
    assert policy_for("streaming", book).waiver == second


@pytest.mark.parametrize(("days", "expired"), [(-1, False), (0, False), (1, True), (400, True)])
def test_a_waiver_holds_up_to_and_including_its_last_day(days: int, *, expired: bool) -> None:
    assert waiver_expired(WAIVER, WAIVER.expires + timedelta(days=days)) == expired
