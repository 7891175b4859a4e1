"""Decide whether a sample was disturbed, from counters and the reference and never from its value. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AttemptT = TypeVar("AttemptT")

#: A long sample is allowed one involuntary switch for each of these: it cannot go without, and its figure
#: hardly shows it. A shorter sample is allowed none.
TOLERATED_EVERY_NS = 50_000_000
#: The share of a sample's time that may have been taken from it unseen, by steal or by interrupts.
TOLERATED_LOSS = 0.01
#: The maximum relative change of the reference between before and after a sample. A larger change means that the speed
#: of the machine changed in between (a neighbor on the same core started or stopped), and no reference fits the sample.
TOLERATED_DRIFT = 0.15
#: The maximum average number of attempts per kept sample before a round stops retaking.
MAX_ATTEMPTS_PER_SAMPLE = 3


class DisturbanceEvidence(Struct, frozen=True, kw_only=True):
    """The kernel's counters for one sample.

    `involuntary_switches` counts how often a CPU was taken from the sampling thread, from the processes it waited for,
    and, if their delay is unknown, from the companions that the bench named. `voluntary_switches` counts how often the
    sampling thread blocked. `cpu_ns` is the CPU time of that thread, `delay_ns` its time in the run queue (read only
    for threads that block), and `steal_ns` the time that the hypervisor took from the worker's CPU. `own_others_ns` is
    the CPU time of the other threads of the process, which belongs to the operation. `companion_cpu_ns` is the CPU time
    of the companions as far as it is accounted, and `companion_delay_ns` their time in the run queue. With `shared_cpu`
    the companions run on the CPU of the thread: each takes it from the other as a part of the operation.
    `reference_drift` is the reference after the sample over the reference before it. Values that a system does not
    report are None.
    """

    elapsed_ns: int
    involuntary_switches: int | None = None
    voluntary_switches: int | None = None
    cpu_ns: int | None = None
    delay_ns: int | None = None
    steal_ns: int | None = None
    own_others_ns: int = 0
    companion_cpu_ns: int | None = None
    companion_delay_ns: int | None = None
    shared_cpu: bool = False
    reference_drift: float | None = None


class TypicalDisturbance(Struct, frozen=True, kw_only=True):
    """The counters that the operation itself causes, which are no evidence against its samples.

    The operation causes `involuntary_switches` and `delay_ns`, and leaves caches in a state that makes the reference
    after it differ by the factor `reference_drift`.
    """

    involuntary_switches: int = 0
    delay_ns: int = 0
    reference_drift: float = 1.0


NONE_TYPICAL = TypicalDisturbance()


def preempted_ns(evidence: DisturbanceEvidence, usual: TypicalDisturbance = NONE_TYPICAL) -> int:
    """Return how long the CPUs that the sample needed were demonstrably doing something else.

    A thread that never waited of its own accord and yet had less CPU time than time passed was robbed of
    the difference. One that waited for its companions, or shares its CPU with them, should see them busy
    meanwhile: the time in which neither it nor they ran was taken from them. One that waited for anything
    else was robbed of the time that passed between its being woken and its running. Time in which the process's own
    other threads ran was not taken from it.
    """
    own_delay = (evidence.delay_ns or 0) - usual.delay_ns - evidence.own_others_ns
    delay = 0 if evidence.shared_cpu else max(own_delay, evidence.companion_delay_ns or 0)
    known = max(evidence.steal_ns or 0, delay)
    if evidence.cpu_ns is None:
        return known
    missing = evidence.elapsed_ns - evidence.cpu_ns - evidence.own_others_ns
    if evidence.voluntary_switches != 0 or evidence.shared_cpu:
        if evidence.companion_cpu_ns is None:
            return known
        missing -= evidence.companion_cpu_ns
    return max(known, missing)


def typical_disturbance(taken: Sequence[DisturbanceEvidence]) -> TypicalDisturbance:
    """Return the typical counters of an operation, from all samples so far.

    A command takes the CPU from the worker that started it, every time. Disturbance comes and goes, so that a count
    that three quarters of the samples reach belongs to the operation. Every sample may have it, plus one or the same
    again, because it varies. The typical drift of the reference is the median drift.
    """
    counts = sorted(evidence.involuntary_switches or 0 for evidence in taken)
    drifts = sorted(evidence.reference_drift for evidence in taken if evidence.reference_drift is not None)
    delays = sorted(evidence.delay_ns or 0 for evidence in taken)
    switches = counts[len(counts) // 4] if counts else 0
    return TypicalDisturbance(
        delay_ns=2 * delays[len(delays) // 4] if delays else 0,
        involuntary_switches=switches + 1 if switches else 0,
        reference_drift=drifts[len(drifts) // 2] if drifts else 1.0,
    )


def is_disturbed(evidence: DisturbanceEvidence, usual: TypicalDisturbance = NONE_TYPICAL) -> bool:
    """Return whether the CPU was taken from the sample to an extent that its figure must not be trusted."""
    return severity(evidence, usual) > 0


def severity(evidence: DisturbanceEvidence, usual: TypicalDisturbance = NONE_TYPICAL) -> float:
    """Return how badly the sample was disturbed: 0 for not at all, and comparable between samples."""
    tolerated_switches = max(usual.involuntary_switches, evidence.elapsed_ns // TOLERATED_EVERY_NS)
    loss = preempted_ns(evidence, usual) / max(evidence.elapsed_ns, 1)
    if evidence.own_others_ns > TOLERATED_LOSS * evidence.elapsed_ns:
        # Threads of the bench take the CPU from each other, and from the reference next to the sample.
        return 100 * loss if loss > TOLERATED_LOSS else 0.0
    taken = 0 if evidence.shared_cpu else evidence.involuntary_switches or 0
    switches = max(0, taken - tolerated_switches)
    drift = excess_drift(evidence, usual)
    return switches + (100 * loss if loss > TOLERATED_LOSS else 0.0) + (drift if drift > TOLERATED_DRIFT else 0.0)


def excess_drift(evidence: DisturbanceEvidence, usual: TypicalDisturbance) -> float:
    """Return the fraction by which the reference changed during the sample, beyond the typical drift."""
    if not evidence.reference_drift:
        return 0.0
    ratio = evidence.reference_drift / usual.reference_drift
    return max(ratio, 1 / ratio) - 1


def attempts_limit(wanted: int) -> int:
    """Return how many samples a round takes at most to keep `wanted`."""
    return wanted * MAX_ATTEMPTS_PER_SAMPLE


def keep_least_disturbed(
    attempts: Sequence[AttemptT], wanted: int, severity_of: Callable[[AttemptT], float]
) -> list[AttemptT]:
    """Return the `wanted` least disturbed attempts in their order; among equals, the earlier ones."""
    ranked = sorted(range(len(attempts)), key=lambda index: severity_of(attempts[index]))
    return [attempts[index] for index in sorted(ranked[:wanted])]
