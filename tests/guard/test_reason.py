from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from aether_guard.check.judge import assess, judge_all
from aether_guard.check.policy import Policy, Waiver

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_schema import Summary

TODAY = date(2026, 11, 24)


def reason(baseline: Summary, current: Summary, policy: Policy | None = None) -> str:
    (judged,) = judge_all([assess(baseline, current, policy or Policy(), TODAY)], 0.05)
    return judged.reason


def steady(value: float, rounds: int = 5, samples: int = 12) -> list[list[float]]:
    return [[value] * samples for _ in range(rounds)]


def test_figures_give_the_change_and_the_gate(summary: Callable[..., Summary]) -> None:
    assert reason(summary(), summary(p95=12.5)) == "p95 25.0 % worse, gate 20 %"
    assert reason(summary(), summary(p95=9.0)) == "p95 10.0 % better, gate 20 %"
    assert reason(summary(), summary()) == "p95 unchanged, gate 20 %"


def test_samples_give_an_interval(sampled: Callable[..., Summary]) -> None:
    text = reason(sampled(steady(10)), sampled(steady(12.5)))
    assert text == "p95 25.0 % worse (90 % interval +25.0 % to +25.0 %), gate 20 %"


@pytest.mark.parametrize(
    ("after", "reference", "lead", "rest"),
    [
        (
            *(9.6, 0.424, "p95 9.4 % better, normalized"),
            "as measured 4.0 % better, on a machine 6 % slower by the reference",
        ),
        (
            *(8.0, 0.3, "p95 6.7 % worse, normalized"),
            "as measured 20.0 % better, on a machine 25 % faster by the reference",
        ),
        (
            *(13.0, 0.36, "p95 44.4 % worse, normalized"),
            "as measured 30.0 % worse, on a machine 10 % faster by the reference",
        ),
        (12.4, 0.404, "p95 22.8 % worse, normalized", "as measured 24.0 % worse"),
    ],
)
def test_reference_gives_the_normalized_estimate_and_machine_speed(
    sampled: Callable[..., Summary], after: float, reference: float, lead: str, rest: str
) -> None:
    baseline, current = sampled(steady(10), rulers=steady(0.4)), sampled(steady(after), rulers=steady(reference))
    figures, _, others = reason(baseline, current).partition(", gate 20 %; ")
    assert figures.startswith(f"{lead} (90 % interval ")
    assert others == rest


def test_contradicting_reference_gives_both_estimates(
    sampled: Callable[..., Summary],
) -> None:
    baseline, current = sampled(steady(10), rulers=steady(0.4)), sampled(steady(12.4), rulers=steady(0.5))
    figures, *others = reason(baseline, current).split("; ")
    assert figures.startswith("p95 0.8 % better, normalized (90 % interval ")
    assert others == [
        "as measured 24.0 % worse (90 % interval +24.0 % to +24.0 %), on a machine 25 % slower by the reference",
        "the reference contradicts the figures as measured, and nothing shows that the bench follows it",
    ]


def test_bench_that_ignores_its_reference_gives_the_correlation(
    sampled: Callable[..., Summary],
) -> None:
    speeds, costs = (0.99, 1.01, 1.0, 1.0), (1.0, 1.0, 0.99, 1.01)
    baseline, current = (
        sampled([[10 * cost] * 12 for cost in costs], rulers=[[0.4 * slower * speed] * 12 for speed in speeds])
        for slower in (1, 0.75)
    )
    assert reason(baseline, current, Policy(quantile="p50")).endswith(
        "the bench was not seen to follow it (correlation 0.00 over 8 rounds, 1 times its movement)"
    )


def wandering() -> list[list[list[float]]]:
    """Return a reference per side that varies while the bench is steady."""
    paces = (0.9, 1.0, 1.0, 1.0, 1.1), (0.5, 0.6, 1.0, 1.4, 1.5)
    return [[[0.4 * pace] * 12 for pace in side] for side in paces]


def test_unused_reference_gives_its_less_certain_estimate(
    sampled: Callable[..., Summary],
) -> None:
    before, after = wandering()
    text = reason(sampled(steady(10), rulers=before), sampled(steady(10.5), rulers=after))
    figures, normalized = text.split("; ")
    assert figures == "p95 5.0 % worse (90 % interval +5.0 % to +5.0 %), gate 20 %"
    assert normalized == (
        "normalized 14.9 % worse (90 % interval -28.7 % to +85.3 %), far less certain: "
        "the bench does not follow the reference"
    )


def test_deciding_reference_is_not_called_unused(sampled: Callable[..., Summary]) -> None:
    assert "does not follow" not in reason(
        sampled(steady(10), rulers=steady(0.4)), sampled(steady(15), rulers=steady(0.6))
    )


def test_pooled_change_is_given_if_it_differs(sampled: Callable[..., Summary]) -> None:
    text = reason(sampled(steady(10)), sampled([*steady(10.0, rounds=4), [11.0] * 12]))
    assert text.startswith("p95 1.9 % worse (90 % interval ")
    assert text.endswith("), gate 20 %; 10.0 % worse over all samples pooled")


def test_change_is_printed_with_enough_digits_to_show_the_gate(sampled: Callable[..., Summary]) -> None:
    # 19.9 % worse over all samples pooled, 20.04 % over rounds.
    current = sampled([*steady(11.99, rounds=3), *steady(12.025, rounds=1), *steady(12.025, rounds=1, samples=6)])
    text = reason(sampled(steady(10)), current, Policy(quantile="p50"))
    assert text.startswith("p50 20.04 % worse (90 % interval ")
    assert text.endswith("; 19.9 % worse over all samples pooled")
    assert reason(sampled(steady(10)), sampled(steady(12.0004))).startswith("p95 20.004 % worse (")
    assert reason(sampled(steady(10)), sampled(steady(12))).startswith("p95 20.0 % worse (")


def test_throughput_gives_the_machine_speed_alike(sampled: Callable[..., Summary]) -> None:
    baseline = sampled(steady(1000), rulers=steady(0.4), throughput=True)
    current = sampled(steady(850), rulers=steady(0.44), throughput=True)
    text = reason(baseline, current)
    assert text.startswith("p5 6.5 % worse, normalized (90 % interval ")
    assert text.endswith("as measured 15.0 % worse, on a machine 10 % slower by the reference")


def test_too_few_samples_for_a_p95_bound_are_reported(sampled: Callable[..., Summary]) -> None:
    few, enough = sampled(steady(10, rounds=2, samples=29)), sampled(steady(10, samples=12))
    note = "at least 59 samples are needed to bound a p95"
    assert reason(few, enough).endswith(f"; {note}")
    assert reason(enough, few).endswith(f"; {note}")
    assert note not in reason(enough, enough)
    assert note not in reason(few, few, Policy(quantile="p50"))


def test_needed_samples_and_the_p95_minimum_are_given_once(
    sampled: Callable[..., Summary],
) -> None:
    text = reason(sampled([[10.0] * 3, [10.5] * 3]), sampled([[11.0] * 3, [11.6] * 3]))
    assert text.endswith("; about 59 samples per side would settle it, the minimum to bound a p95")


def test_uninformative_bound_is_printed_as_over(sampled: Callable[..., Summary]) -> None:
    assert "(90 % interval over -1000.0 % to +" in reason(
        sampled([[90.0] * 12, [100.0] * 12], throughput=True), sampled([[9.0] * 12, [300.0] * 12], throughput=True)
    )


def test_samples_of_one_process_give_a_caveat(sampled: Callable[..., Summary]) -> None:
    note = "samples from one process: the interval omits differences between processes"
    assert reason(sampled(steady(10, rounds=1, samples=60)), sampled(steady(10))).endswith(f"; {note}")
    assert note not in reason(sampled(steady(10)), sampled(steady(10)))


def test_inconclusive_gives_the_number_of_samples_needed(sampled: Callable[..., Summary]) -> None:
    current = sampled([*steady(10, rounds=4), [13.0] * 12])
    text = reason(sampled(steady(10)), current, Policy(gate=0.07))
    assert "; about " in text
    assert " samples per side would settle it" in text
    wild = sampled([[value] * 12 for value in (0.12, 1200.0, 12.0, 12.0, 12.0)])
    assert "over 10,000 samples per side would settle it" in reason(sampled(steady(10)), wild)


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "key0 and no"), (4, "key0, key1, key2, key3 and no"), (6, "key0, key1, key2, key3 and 2 more and no")],
)
def test_different_machines_give_the_first_differing_keys(
    sampled: Callable[..., Summary], count: int, words: str
) -> None:
    def side(value: str) -> Summary:
        return sampled(steady(10), environment={f"key{number}": value for number in range(count)})

    assert f"the machines differ in {words} reference was timed on both" in reason(side("a"), side("b"))


def test_waiver_gives_its_gate_date_and_reason(summary: Callable[..., Summary]) -> None:
    waiver = Waiver(bench="*", gate=0.5, reason="a larger manifest", expires=TODAY)
    text = reason(summary(), summary(p95=12.5), Policy(waiver=waiver))
    assert text == "p95 25.0 % worse, gate 50 %; waived up to 50 % until 2026-11-24: a larger manifest"


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {"cpu\n::error::model": "b"}},
        {"phases": {"a\n::error::b": {"p50": 1.0, "p95": 1.0}}},
        {"params": {"a\n::error::b": 1}},
    ],
)
def test_no_name_in_a_reason_starts_a_line(
    guard: Callable[..., Any], write: Callable[..., str], changes: dict[str, Any]
) -> None:
    other: dict[str, Any] = {
        "environment": {"cpu\n::error::model": "a"},
        "phases": {"a\n::error::b": {"p50": 5.0, "p95": 5.0}},
        "params": {"a\n::error::b": 2},
    }
    (key,) = changes
    done = guard("check", write("old.json", **{key: other[key]}), write("new.json", p95=30.0, **changes))
    assert done.returncode in {1, 2}
    lines = (done.stdout + done.stderr).splitlines()
    assert not [line for line in lines if line.startswith("::error")]
