"""How much is measured: profiles, and the plan a run follows."""

from __future__ import annotations

from msgspec import Struct

from aether_harness.errors import UsageError
from aether_harness.machine.affinity import CpuAssignment


class Profile(Struct, frozen=True, kw_only=True):
    """How many rounds, and in each how many warm-ups that are thrown away and samples that are kept."""

    rounds: int
    samples: int
    warmups: int


PROFILES = {
    "quick": Profile(rounds=2, samples=10, warmups=2),
    # More than 59 samples give a p95 a finite upper bound. Many processes are better than many samples per process,
    # because all samples of a process share its process effect.
    "ci": Profile(rounds=24, samples=10, warmups=3),
    "local": Profile(rounds=20, samples=20, warmups=3),
}
DEFAULT_PROFILE = "ci"


class RunPlan(Struct, frozen=True, kw_only=True):
    """Everything that decides how a run goes, apart from the benches themselves.

    `timeout_s` bounds each step of a worker: its set-up, one sample, its verification. Each round takes its layout in
    memory from `layout_seed`: rounds of one number have the same one in all runs with the same seed.
    """

    profile: Profile
    seed: int
    assignment: CpuAssignment
    timeout_s: float = 60.0
    layout_seed: int = 0


def adjusted_profile(name: str, *, rounds: int | None, samples: int | None, warmups: int | None) -> Profile:
    """Return the profile `name`; arguments that are not None replace its values.

    Raises:
        UsageError: fewer than one round or sample, or less than no warm-up.

    """
    profile = PROFILES[name]
    changed = Profile(
        rounds=profile.rounds if rounds is None else rounds,
        samples=profile.samples if samples is None else samples,
        warmups=profile.warmups if warmups is None else warmups,
    )
    if changed.rounds < 1 or changed.samples < 1:
        raise UsageError("--rounds and --samples take at least 1")
    if changed.warmups < 0:
        raise UsageError("--warmups takes at least 0")
    return changed
