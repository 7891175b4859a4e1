from __future__ import annotations

import pytest

from aether_harness import UsageError
from aether_harness.measure.plan import DEFAULT_PROFILE, PROFILES, Profile, adjusted_profile

#: With fewer, no sample is above a one-sided 95 % bound of the p95.
LEAST_FOR_P95 = 59


def test_the_profiles_are_quick_ci_and_local_from_little_to_much() -> None:
    counts = [profile.rounds * profile.samples for profile in PROFILES.values()]
    assert list(PROFILES) == ["quick", "ci", "local"]
    assert counts == sorted(counts)
    assert DEFAULT_PROFILE in PROFILES


@pytest.mark.parametrize("name", ["ci", "local"])
def test_profiles_that_decide_take_enough_samples_for_a_bound_on_the_p95_over_several_rounds(name: str) -> None:
    profile = PROFILES[name]
    assert profile.rounds * profile.samples > LEAST_FOR_P95
    assert profile.rounds >= 5
    assert profile.warmups >= 1


def test_what_is_not_given_is_the_profiles() -> None:
    assert adjusted_profile("ci", rounds=None, samples=None, warmups=None) == PROFILES["ci"]


def test_what_is_given_stands_in_place_of_the_profiles_figures() -> None:
    assert adjusted_profile("ci", rounds=1, samples=2, warmups=0) == Profile(rounds=1, samples=2, warmups=0)


@pytest.mark.parametrize(("rounds", "samples", "warmups"), [(0, 1, 0), (1, 0, 0), (-1, 1, 0), (1, 1, -1)])
def test_less_than_one_round_or_sample_is_refused(rounds: int, samples: int, warmups: int) -> None:
    with pytest.raises(UsageError, match=r"takes? at least"):
        adjusted_profile("quick", rounds=rounds, samples=samples, warmups=warmups)
