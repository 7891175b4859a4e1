from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from aether_guard.ab.bet import Pair
from aether_guard.ab.trial import Rule, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "ab_validity.py"


@pytest.fixture(scope="module")
def validity() -> Iterator[ModuleType]:
    spec = spec_from_file_location("ab_validity", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Where the annotations of its Structs are looked up.
    sys.modules["ab_validity"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["ab_validity"]


def case_of(validity: ModuleType, **changes: Any) -> Any:
    plain = {"noise": validity.heavy, "rule": Rule(), "change": 0.02, "pairs": 120}
    return validity.Case(**{**plain, **changes})


def pairs_of(old: Iterable[float], new: Iterable[float], new_first: Iterable[bool]) -> list[Pair]:
    """Return a life's pairs."""
    return [
        Pair(old=float(before), new=float(after), new_first=bool(first))
        for before, after, first in zip(old, new, new_first, strict=True)
    ]


@pytest.mark.parametrize(
    "rule",
    [
        Rule(),
        Rule(gate=0.0),
        Rule(gate=0.05, lower_is_better=False),
        Rule(quantile="p95"),
        Rule(quantile="p95", lower_is_better=False),
    ],
)
@pytest.mark.parametrize(("life", "forked"), [(1, False), (1, True), (4, True)])
def test_the_simulation_has_the_wealths_of_a_trial_after_every_life(
    validity: ModuleType, rule: Rule, life: int, *, forked: bool
) -> None:
    case = case_of(validity, rule=rule, life=life, luck=0.01, pairs=60 * life + 60)
    runs = 5
    drawn = validity.costs_of(np.random.default_rng(1), case, runs)
    old, new, new_first = (figures.reshape(-1, life, runs) for figures in drawn)
    simulated = list(validity.wealths(old, new, new_first, rule, forked=forked))
    assert len(simulated) > 30
    for run in range(runs):
        trial, seen = Trial(rule), []
        for figures in zip(old[..., run], new[..., run], new_first[..., run], strict=True):
            trial.add(*pairs_of(*figures), forked=forked)
            seen.append((trial.worse.wealth, trial.not_worse.wealth))
        bet_on = seen[len(seen) - len(simulated) :]
        assert np.array(bet_on) == pytest.approx(np.array([wealth[:, run] for wealth in simulated]), rel=1e-12)
        assert np.array(seen[: len(seen) - len(simulated)]) == pytest.approx(1)


def test_the_simulated_pairs_of_a_bet_have_one_order(validity: ModuleType) -> None:
    for lives_are_bets in (True, False):
        case = case_of(validity, life=4, lives_are_bets=lives_are_bets)
        *_, new_first = validity.costs_of(np.random.default_rng(1), case, 50)
        lives = new_first.reshape(-1, 4, 50)
        assert (lives == lives[:, :1]).all() == lives_are_bets


@pytest.mark.parametrize("name", ["gaussian", "heavy", "spiky", "drifting", "bimodal", "autocorrelated"])
def test_a_simulated_pair_falls_on_either_side_alike(validity: ModuleType, name: str) -> None:
    case = case_of(validity, noise=getattr(validity, name), pairs=50)
    old, new, _ = validity.costs_of(np.random.default_rng(2), case, 2000)
    assert old.shape == new.shape == (50, 2000)
    assert np.mean(new > 1.02 * old) == pytest.approx(0.5, abs=0.01)


def test_a_broken_promise_is_found_and_a_kept_one_is_not_called_broken(validity: ModuleType) -> None:
    shares = []
    for lives_are_bets in (False, True):
        case = case_of(
            validity,
            noise=validity.gaussian,
            luck=0.02,
            life=20,
            pairs=800,
            lives_are_bets=lives_are_bets,
        )
        shares.append(validity.play(case, 1000, (3,))[:, 1] / 1000)
    assert min(shares[0]) > 0.1
    assert max(shares[1]) <= 0.005


def test_a_verdict_takes_as_many_pairs_as_a_trial_takes(validity: ModuleType) -> None:
    case = case_of(validity, noise=validity.gaussian, change=0.05, life=3, pairs=240)
    taken = validity.pairs_to_verdict(case, 0, 4, (4,))
    drawn = validity.costs_of(np.random.default_rng((4,)), case, 4)
    old, new, new_first = (figures.reshape(-1, 3, 4) for figures in drawn)
    for run in range(4):
        trial = Trial(case.rule)
        for figures in zip(old[..., run], new[..., run], new_first[..., run], strict=True):
            if trial.verdict != "regression":
                trial.add(*pairs_of(*figures), forked=case.forked)
        assert taken[run] == len(trial.pairs) < 240


# The bounds are those of the tables of Clopper and Pearson (5 % of 10 and of 100), and 1 - 0.05^(1/n) for none.
@pytest.mark.parametrize(
    ("count", "runs", "bound"), [(0, 100, 0.0295130), (1, 10, 0.3941633), (5, 100, 0.1022534), (0, 59, 0.0495085)]
)
def test_the_bound_on_a_share_is_clopper_and_pearsons(
    validity: ModuleType, count: int, runs: int, bound: float
) -> None:
    assert validity.most_likely(count, runs) == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize(("count", "chance"), [(0, 1.0), (1, 1 - 0.9**3), (2, 0.028), (3, 0.001)])
def test_the_chance_of_so_many_or_more_is_the_binomials(validity: ModuleType, count: int, chance: float) -> None:
    assert validity.chance_of(count, 3, 0.1) == pytest.approx(chance)


def test_a_wealth_that_believes_in_the_coin_alone_grows_as_walds_by_little_and_at_most_doubles(
    validity: ModuleType,
) -> None:
    assert validity.growth_by_coin(0.05) == pytest.approx(0.05**2 / 2, rel=0.01)
    assert validity.growth_by_coin(6.0) == pytest.approx(np.log(2), rel=1e-6)
    # By 200,000 normal figures.
    figures = np.random.default_rng(5).standard_normal(200_000) + 1
    assert validity.growth_by_coin(1.0) == pytest.approx(np.log1p(np.tanh(figures)).mean(), abs=0.005)
