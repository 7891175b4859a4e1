from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from aether_harness import bench
from aether_harness.discovery.locator import EntryPointAddress, LocatedBench, RunTarget, target_of
from aether_harness.machine.affinity import CpuAssignment
from aether_harness.measure.summarize import (
    RunMetadata,
    join_notes,
    notes_on_machine,
    round_significant,
    summarise,
    summarise_phases,
)
from aether_schema import Phase, decode_summary, encode_summary, quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_harness.measure.plan import RunPlan
    from aether_harness.measure.runner import RoundResult
    from aether_harness.worker.protocol import SampleTaken
    from aether_schema import Metric

    RoundOf = Callable[..., RoundResult]
    PlanOf = Callable[..., RunPlan]

ENDED = RunMetadata(ended=datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC))


class Params(Struct, frozen=True, kw_only=True):
    files: Annotated[int, "how many"] = 100
    tree: str | None = None


def target(metric: Metric = "duration_ms", params: Struct | None = None, reference: str = "memory-1") -> RunTarget:
    made = bench(bench_id="mine", metric=metric, reference=reference)(len)
    return target_of(LocatedBench(bench=made, address=EntryPointAddress("mine")), params or made.params_type())


def test_the_samples_are_an_array_a_round_and_so_are_the_references(round_of: RoundOf, plan: PlanOf) -> None:
    summary = summarise(target(), [round_of(1.0, 2.0), round_of(3.0, 4.0)], plan(), ENDED)
    assert summary.samples == ((1.0, 2.0), (3.0, 4.0))
    assert summary.reference is not None
    assert (summary.reference.kernel, summary.reference.unit) == ("memory-1", "ms")
    assert summary.reference.samples == ((0.5, 0.5), (0.5, 0.5))


def test_the_cross_reference_has_one_value_a_round(round_of: RoundOf, plan: PlanOf) -> None:
    rounds = [round_of(1.0, cross_reference_ms=0.25), round_of(2.0, cross_reference_ms=0.75)]
    summary = summarise(target(), rounds, plan(), ENDED)
    assert summary.cross_reference is not None
    assert summary.cross_reference.kernel == "interpreter-1"
    assert summary.cross_reference.samples == ((0.25,), (0.75,))


def test_the_quantiles_are_over_the_kept_samples_of_all_rounds(round_of: RoundOf, plan: PlanOf) -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0, 9.0]
    summary = summarise(target(), [round_of(*values[:2]), round_of(*values[2:])], plan(), ENDED)
    assert (summary.n, summary.p50, summary.p95) == (6, 3.5, quantile(values, 0.95))


def test_disturbed_attempts_are_counted_and_left_out(
    taken: Callable[..., SampleTaken], round_of: RoundOf, plan: PlanOf
) -> None:
    robbed = taken(50.0, involuntary_switches=2)
    rounds = [round_of(1.0, robbed, 2.0, robbed, wanted=2), round_of(3.0, 4.0)]
    summary = summarise(target(), rounds, plan(), ENDED)
    assert summary.samples == ((1.0, 2.0), (3.0, 4.0))
    assert summary.disturbed == 2
    assert summary.rounds is not None
    assert [usage.disturbed for usage in summary.rounds] == [2, 0]
    assert summary.notes is None


def test_a_busy_machine_is_noted_with_how_many_samples_are_disturbed(
    taken: Callable[..., SampleTaken], round_of: RoundOf, plan: PlanOf
) -> None:
    attempts = [taken(1.0 + switches, involuntary_switches=switches) for switches in (3, 0, 1, 2)]
    summary = summarise(target(), [round_of(*attempts, wanted=2), round_of(1.0, 2.0)], plan(), ENDED)
    assert summary.samples == ((1.0, 2.0), (1.0, 2.0))
    assert summary.notes == "busy machine: 1 of 4 samples are disturbed, the least so of those taken"


def test_the_notes_name_the_machine_the_batches_and_each_thing_once(round_of: RoundOf, plan: PlanOf) -> None:
    rounds = [round_of(1.0, iterations=64, note="not pinned"), round_of(1.0, iterations=64, note="not pinned")]
    summary = summarise(target(), rounds, plan(assignment=CpuAssignment(note="one CPU only")), ENDED)
    batched = "each sample is 64 iterations, figures are per iteration"
    assert summary.notes == f"one CPU only; not pinned; {batched}"
    assert summary.iterations == 64


def test_a_throughput_is_summarised_in_mb_per_s(round_of: RoundOf, plan: PlanOf) -> None:
    summary = summarise(target("throughput_mbs"), [round_of(100.0, 300.0)], plan(), ENDED)
    assert (summary.metric, summary.unit, summary.p50) == ("throughput_mbs", "MB/s", 200.0)


def test_the_circumstances_are_recorded(round_of: RoundOf, plan: PlanOf) -> None:
    circumstances = RunMetadata(
        ended=ENDED.ended, commit="abc", environment={"os": "Linux"}, readings={"load_1min": 0.5}
    )
    summary = summarise(target(params=Params(files=7)), [round_of(1.0)], plan(), circumstances)
    assert summary.timestamp == "2026-11-24T01:02:03+00:00"
    assert (summary.commit, summary.readings) == ("abc", {"load_1min": 0.5})
    assert summary.environment == {"os": "Linux", "measured": {"thing": "1.0"}}
    assert summary.params == {"files": 7, "tree": None}


@given(values=st.lists(st.lists(st.floats(1e-9, 1e12), min_size=2, max_size=2), min_size=1, max_size=5))
def test_whatever_was_measured_the_summary_is_valid(round_of: RoundOf, plan: PlanOf, values: list[list[float]]) -> None:
    summary = summarise(target(), [round_of(*two) for two in values], plan(), ENDED)
    assert decode_summary(encode_summary(summary)) == summary
    assert summary.n == 2 * len(values)


def test_phases_are_quantiles_in_milliseconds_of_the_samples_that_name_them(taken: Callable[..., SampleTaken]) -> None:
    samples = [taken(1.0, phases_ns={"walk": 1_000_000, "hash": 5}), taken(1.0, phases_ns={"walk": 2_000_000})]
    phases = summarise_phases(samples)
    assert phases == {"walk": Phase(p50=1.5, p95=1.95), "hash": Phase(p50=5e-6, p95=5e-6)}
    assert summarise_phases([taken(1.0)]) is None


@pytest.mark.parametrize(
    ("figure", "written"), [(0.0, 0.0), (1.23456789, 1.23457), (123456789.0, 123457000.0), (1.5e-7, 1.5e-7)]
)
def test_figures_are_rounded_to_six_significant_digits(figure: float, written: float) -> None:
    assert round_significant(figure) == written


def test_no_notes_are_none() -> None:
    assert join_notes([None, ""]) is None
    assert join_notes(["b", None, "a", "b"]) == "b; a"


@pytest.mark.parametrize(
    ("quota", "step_s", "words"),
    [
        (None, 0.0, ()),
        (1.0, 0.9, ()),
        (0.5, 0.0, ("a quota of 0.5 CPUs",)),
        (2.0, 3600.2, ("the clock was set by +3600 s",)),
        (0.25, -7.0, ("a quota of 0.25 CPUs", "the clock was set by -7 s")),
    ],
)
def test_a_small_quota_and_a_clock_that_was_set_are_noted(
    quota: float | None, step_s: float, words: tuple[str, ...]
) -> None:
    notes = notes_on_machine(quota, step_s)
    assert len(notes) == len(words)
    assert all(note.startswith(word) for note, word in zip(notes, words, strict=True))


def test_what_is_noted_of_the_machine_stands_in_the_summary(round_of: RoundOf, plan: PlanOf) -> None:
    circumstances = RunMetadata(ended=datetime.now(UTC), notes=("the machine is odd",))
    assert "the machine is odd" in (summarise(target(), [round_of(1.0)], plan(), circumstances).notes or "")
