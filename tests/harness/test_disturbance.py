from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_harness.measure.disturbance import (
    TOLERATED_DRIFT,
    DisturbanceEvidence,
    TypicalDisturbance,
    attempts_limit,
    is_disturbed,
    keep_least_disturbed,
    preempted_ns,
    severity,
    typical_disturbance,
)

MS = 1_000_000


def waiting(**changes: int) -> DisturbanceEvidence:
    """Return the evidence on 10 ms, of which the thread ran 2 and waited of its own accord for the rest."""
    return DisturbanceEvidence(elapsed_ns=10 * MS, cpu_ns=2 * MS, voluntary_switches=4, **changes)


@pytest.mark.parametrize("elapsed_ms", [1, 10, 1_000, 3_600_000])
def test_a_slow_sample_with_no_evidence_stays(elapsed_ms: int) -> None:
    assert not is_disturbed(DisturbanceEvidence(elapsed_ns=elapsed_ms * MS))
    assert not is_disturbed(
        DisturbanceEvidence(elapsed_ns=elapsed_ms * MS, cpu_ns=elapsed_ms * MS, voluntary_switches=0)
    )


@given(st.integers(1, 10**12), st.integers(1, 10**12))
def test_the_value_itself_is_never_evidence(first: int, second: int) -> None:
    one, other = (
        DisturbanceEvidence(
            elapsed_ns=elapsed, cpu_ns=elapsed, involuntary_switches=0, voluntary_switches=0, steal_ns=0
        )
        for elapsed in (first, second)
    )
    assert severity(one) == severity(other) == 0


@pytest.mark.parametrize(
    ("elapsed_ms", "switches", "disturbed"),
    [
        (5, 0, False),
        (5, 1, True),
        (49.9, 1, True),
        (50, 1, False),
        (50, 2, True),
        (149.9, 2, False),
        (149.9, 3, True),
        (1000, 20, False),
        (1000, 21, True),
    ],
)
def test_one_switch_is_tolerated_for_each_whole_50_ms(elapsed_ms: float, switches: int, *, disturbed: bool) -> None:
    evidence = DisturbanceEvidence(elapsed_ns=int(elapsed_ms * MS), involuntary_switches=switches)
    assert is_disturbed(evidence) is disturbed


@pytest.mark.parametrize(("switches", "disturbed"), [(2, False), (3, False), (4, True)])
def test_switches_that_are_usual_are_no_evidence(switches: int, *, disturbed: bool) -> None:
    evidence = DisturbanceEvidence(elapsed_ns=5 * MS, involuntary_switches=switches)
    assert is_disturbed(evidence, TypicalDisturbance(involuntary_switches=3)) is disturbed


@pytest.mark.parametrize(("cpu_ms", "disturbed"), [(10, False), (9.9, False), (9.8, True), (0, True)])
def test_a_thread_that_never_waited_was_robbed_of_what_it_did_not_run(cpu_ms: float, *, disturbed: bool) -> None:
    evidence = DisturbanceEvidence(elapsed_ns=10 * MS, cpu_ns=int(cpu_ms * MS), voluntary_switches=0)
    assert preempted_ns(evidence) == 10 * MS - int(cpu_ms * MS)
    assert is_disturbed(evidence) is disturbed


@pytest.mark.parametrize("voluntary", [1, 1000, None])
def test_a_thread_that_waited_or_may_have_was_not_robbed(voluntary: int | None) -> None:
    evidence = DisturbanceEvidence(elapsed_ns=10 * MS, cpu_ns=MS, voluntary_switches=voluntary)
    assert preempted_ns(evidence) == 0
    assert not is_disturbed(evidence)


def test_a_thread_that_waited_for_companions_which_ran_meanwhile_was_not_robbed() -> None:
    assert preempted_ns(waiting(companion_cpu_ns=8 * MS)) == 0
    assert not is_disturbed(waiting(companion_cpu_ns=8 * MS))


def test_a_thread_that_waited_for_companions_which_did_not_run_was_robbed() -> None:
    assert preempted_ns(waiting(companion_cpu_ns=5 * MS)) == 3 * MS
    assert is_disturbed(waiting(companion_cpu_ns=5 * MS))


def test_companions_that_ran_beside_the_thread_make_no_negative_loss() -> None:
    assert preempted_ns(waiting(companion_cpu_ns=30 * MS)) == 0


@pytest.mark.parametrize(("delay_ns", "disturbed"), [(0, False), (50_000, False), (200_000, True)])
def test_a_thread_that_was_woken_and_had_no_cpu_was_robbed_whatever_it_waited_for(
    delay_ns: int, *, disturbed: bool
) -> None:
    assert is_disturbed(waiting(delay_ns=delay_ns)) is disturbed
    assert not is_disturbed(waiting(delay_ns=delay_ns, companion_cpu_ns=8 * MS, shared_cpu=True))


def test_a_delay_that_every_sample_has_is_the_operations_own() -> None:
    usual = typical_disturbance([waiting(delay_ns=300_000), waiting(delay_ns=310_000), waiting(delay_ns=2_000_000)])
    assert not is_disturbed(waiting(delay_ns=500_000), usual)
    assert is_disturbed(waiting(delay_ns=2_000_000), usual)


@pytest.mark.parametrize(("delay_ns", "disturbed"), [(0, False), (MS // 10, False), (MS // 5, True)])
def test_companions_that_were_ready_and_had_no_cpu_disturb(delay_ns: int, *, disturbed: bool) -> None:
    assert is_disturbed(waiting(companion_cpu_ns=8 * MS, companion_delay_ns=delay_ns)) is disturbed


@given(st.integers(0, 1000), st.integers(0, 1000 * MS))
def test_on_a_shared_cpu_neither_switches_nor_the_companions_delay_are_evidence(switches: int, delay_ns: int) -> None:
    seen = {"companion_cpu_ns": 8 * MS, "involuntary_switches": switches, "companion_delay_ns": delay_ns}
    assert preempted_ns(waiting(**seen, shared_cpu=True)) == 0
    assert not is_disturbed(waiting(**seen, shared_cpu=True))


def test_the_same_switches_and_delay_are_evidence_where_the_companion_has_a_cpu_of_its_own() -> None:
    assert is_disturbed(waiting(companion_cpu_ns=8 * MS, involuntary_switches=1))
    assert is_disturbed(waiting(companion_cpu_ns=8 * MS, companion_delay_ns=MS))


@pytest.mark.parametrize("voluntary", [0, 4, None])
@pytest.mark.parametrize(("companion_ms", "lost_ms"), [(8, 0), (5, 3), (0, 8), (30, 0)])
def test_on_a_shared_cpu_what_neither_the_thread_nor_a_companion_had_was_taken(
    voluntary: int | None, companion_ms: int, lost_ms: int
) -> None:
    evidence = DisturbanceEvidence(
        elapsed_ns=10 * MS,
        cpu_ns=2 * MS,
        voluntary_switches=voluntary,
        companion_cpu_ns=companion_ms * MS,
        shared_cpu=True,
    )
    assert preempted_ns(evidence) == lost_ms * MS
    assert is_disturbed(evidence) is (lost_ms > 0)


def test_on_a_shared_cpu_nothing_is_known_to_be_lost_where_the_companions_time_is_not() -> None:
    evidence = DisturbanceEvidence(elapsed_ns=10 * MS, cpu_ns=2 * MS, voluntary_switches=0, shared_cpu=True)
    assert preempted_ns(evidence) == 0


@pytest.mark.parametrize(("own_ms", "disturbed"), [(5, False), (3, True)])
def test_what_the_processs_own_other_threads_had_was_not_taken(own_ms: int, *, disturbed: bool) -> None:
    evidence = DisturbanceEvidence(
        elapsed_ns=10 * MS,
        cpu_ns=5 * MS,
        own_others_ns=own_ms * MS,
        voluntary_switches=0,
        involuntary_switches=3,
        reference_drift=1.5,
    )
    assert is_disturbed(evidence) is disturbed


def test_a_delay_that_the_processs_own_other_threads_caused_is_no_evidence() -> None:
    assert is_disturbed(waiting(delay_ns=5 * MS))
    assert not is_disturbed(waiting(delay_ns=5 * MS, own_others_ns=5 * MS))


def test_steal_is_evidence_on_a_shared_cpu_too() -> None:
    assert is_disturbed(waiting(companion_cpu_ns=8 * MS, steal_ns=10 * MS, shared_cpu=True))


@pytest.mark.parametrize(("steal_ms", "disturbed"), [(0, False), (10, False), (11, True), (500, True)])
def test_steal_beyond_one_percent_disturbs(steal_ms: int, *, disturbed: bool) -> None:
    evidence = DisturbanceEvidence(elapsed_ns=1000 * MS, steal_ns=steal_ms * MS)
    assert preempted_ns(evidence) == steal_ms * MS
    assert is_disturbed(evidence) is disturbed


@pytest.mark.parametrize("usual", [0.5, 1.0, 1.3])
@pytest.mark.parametrize(("factor", "disturbed"), [(1.0, False), (1.14, False), (1 / 1.14, False), (1.2, True)])
def test_a_ruler_that_changed_beyond_what_is_usual_disturbs(usual: float, factor: float, *, disturbed: bool) -> None:
    evidence = DisturbanceEvidence(elapsed_ns=10 * MS, reference_drift=usual * factor)
    assert is_disturbed(evidence, TypicalDisturbance(reference_drift=usual)) is disturbed


def test_a_machine_that_became_faster_disturbs_as_much_as_one_that_became_slower() -> None:
    slower, faster = (DisturbanceEvidence(elapsed_ns=10 * MS, reference_drift=drift) for drift in (2.0, 0.5))
    assert severity(slower) == pytest.approx(severity(faster))
    assert severity(slower) > TOLERATED_DRIFT


@given(st.integers(0, 100), st.integers(0, 100))
def test_more_switches_are_never_less_severe(first: int, second: int) -> None:
    fewer, more = (
        severity(DisturbanceEvidence(elapsed_ns=5 * MS, involuntary_switches=count))
        for count in sorted((first, second))
    )
    assert fewer <= more


def test_nothing_is_usual_of_no_samples_and_of_quiet_ones() -> None:
    assert typical_disturbance([]) == TypicalDisturbance()
    assert (
        typical_disturbance(
            [DisturbanceEvidence(elapsed_ns=MS), DisturbanceEvidence(elapsed_ns=MS, involuntary_switches=0)]
        )
        == TypicalDisturbance()
    )


def test_what_three_quarters_of_the_samples_are_not_without_is_usual_with_one_more() -> None:
    counts = [1, 1, 2, 1, 9, 0, 1, 1]
    usual = typical_disturbance([DisturbanceEvidence(elapsed_ns=MS, involuntary_switches=count) for count in counts])
    assert usual.involuntary_switches == 2
    assert not is_disturbed(DisturbanceEvidence(elapsed_ns=MS, involuntary_switches=2), usual)
    assert is_disturbed(DisturbanceEvidence(elapsed_ns=MS, involuntary_switches=9), usual)


def test_disturbance_in_half_of_the_samples_does_not_become_usual() -> None:
    assert (
        typical_disturbance([DisturbanceEvidence(elapsed_ns=MS, involuntary_switches=count) for count in (0, 5, 0, 5)])
        == TypicalDisturbance()
    )


def test_the_usual_drift_is_the_median_one_of_those_that_are_known() -> None:
    drifts = (1.0, None, 1.2, 5.0, None)
    assert (
        typical_disturbance(
            [DisturbanceEvidence(elapsed_ns=MS, reference_drift=drift) for drift in drifts]
        ).reference_drift
        == 1.2
    )


@pytest.mark.parametrize("wanted", [1, 2, 12, 60])
def test_the_attempts_of_a_round_are_bounded_and_suffice(wanted: int) -> None:
    assert wanted < attempts_limit(wanted) <= 10 * wanted


def test_the_least_disturbed_are_kept_in_the_order_they_were_taken() -> None:
    severities = {"a": 3.0, "b": 0.0, "c": 1.0, "d": 0.0, "e": 2.0}
    assert keep_least_disturbed(list(severities), 3, severities.__getitem__) == ["b", "c", "d"]


def test_of_equals_the_earlier_ones_are_kept() -> None:
    assert keep_least_disturbed("abcd", 2, lambda _: 1.0) == ["a", "b"]


@given(st.lists(st.floats(0, 10)), st.integers(0, 20))
def test_what_is_kept_is_as_many_as_wanted_from_the_attempts_in_order(severities: list[float], wanted: int) -> None:
    attempts = list(enumerate(severities))
    kept = keep_least_disturbed(attempts, wanted, lambda attempt: attempt[1])
    assert len(kept) == min(wanted, len(attempts))
    assert kept == sorted(kept, key=lambda attempt: attempt[0])
    left = set(attempts) - set(kept)
    assert set(kept) <= set(attempts)
    assert not kept or not left or max(s for _, s in kept) <= min(s for _, s in left)
