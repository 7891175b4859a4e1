from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from aether_compare.stats.e_process import CostPair
from aether_compare.stats.sequential_test import SequentialTest, TestSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "ab_validity.py"


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
    plain = {"noise": validity.heavy, "rule": TestSpec(), "change": 0.02}
    return validity.Case(**{**plain, **changes})


def pairs_of(old: Iterable[float], new: Iterable[float], new_first: Iterable[bool]) -> list[CostPair]:
    """Return a block's pairs."""
    return [
        CostPair(old=float(before), new=float(after), new_first=bool(first))
        for before, after, first in zip(old, new, new_first, strict=True)
    ]


@pytest.mark.parametrize(
    "rule",
    [
        TestSpec(),
        TestSpec(gate=0.0),
        TestSpec(gate=0.05, lower_is_better=False),
        TestSpec(quantile="p95"),
        TestSpec(quantile="p95", lower_is_better=False),
    ],
)
@pytest.mark.parametrize("pairs", [1, 2, 3, 4, 6, 10])
def test_the_simulation_has_the_wealths_of_a_trial_after_every_block(
    validity: ModuleType, rule: TestSpec, pairs: int
) -> None:
    case = case_of(validity, rule=rule, pairs=pairs, blocks=60 + 40 // pairs, block_effect=0.01)
    runs = 5
    old, new, new_first = validity.costs_of(np.random.default_rng(1), case, runs)
    simulated = list(validity.wealths(old, new, new_first, rule))
    assert len(simulated) > 30
    for run in range(runs):
        trial, seen = SequentialTest(rule), []
        for figures in zip(old[..., run], new[..., run], new_first[..., run], strict=True):
            trial.add(*pairs_of(*figures))
            seen.append((trial.worse.wealth, trial.not_worse.wealth))
        bet_on = seen[len(seen) - len(simulated) :]
        assert np.array(bet_on) == pytest.approx(np.array([wealth[:, run] for wealth in simulated]), rel=1e-12)
        assert np.array(seen[: len(seen) - len(simulated)]) == pytest.approx(1)


def test_the_simulated_order_turns_round_in_a_block_and_a_coin_begins_it(validity: ModuleType) -> None:
    *_, new_first = validity.costs_of(np.random.default_rng(1), case_of(validity, pairs=4), 50)
    assert (new_first[:, 1:] != new_first[:, :-1]).all()
    assert np.mean(new_first[:, 0]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "name",
    [
        "gaussian",
        "heavy",
        "spiky",
        "drifting",
        "bimodal",
        "autocorrelated",
        "second_slower",
        "resonant",
        "resonant_from_two_to_four",
        "stepping",
    ],
)
def test_a_simulated_pair_falls_on_either_side_alike(validity: ModuleType, name: str) -> None:
    case = case_of(validity, noise=getattr(validity, name), blocks=12)
    old, new, _ = validity.costs_of(np.random.default_rng(2), case, 2000)
    assert old.shape == new.shape == (12, 4, 2000)
    assert np.mean(new > 1.02 * old) == pytest.approx(0.5, abs=0.01)


def test_a_broken_promise_is_found_and_a_kept_one_is_not_called_broken(validity: ModuleType) -> None:
    # Pairs that share their processes are no blocks of their own.
    case = case_of(validity, noise=validity.gaussian, block_effect=0.02, pairs=20, blocks=40)
    costs = validity.costs_of(np.random.default_rng(3), case, 1000)
    by_pair = [each.reshape(-1, 1, 1000) for each in costs]
    shares = [
        np.mean(np.max([wealth[0] for wealth in validity.wealths(*each, case.rule)], axis=0) >= 1000)
        for each in (by_pair, costs)
    ]
    assert shares[0] > 0.1
    assert shares[1] <= 0.005


def test_a_verdict_takes_as_many_blocks_as_a_trial_takes(validity: ModuleType) -> None:
    case = case_of(validity, noise=validity.gaussian, change=0.05)
    taken = validity.blocks_to_verdict(case, 0, 4, (4,))
    old, new, new_first = validity.costs_of(np.random.default_rng((4,)), case, 4)
    for run in range(4):
        trial, blocks = SequentialTest(case.rule), 0
        for figures in zip(old[..., run], new[..., run], new_first[..., run], strict=True):
            if trial.verdict != "regression":
                trial.add(*pairs_of(*figures))
                blocks += 1
        assert taken[run] == blocks < case.blocks


# The bounds are those of the tables of Clopper and Pearson (5 % of 10 and of 100), and 1 - 0.05^(1/n) for none.
@pytest.mark.parametrize(
    ("count", "runs", "bound"), [(0, 100, 0.0295130), (1, 10, 0.3941633), (5, 100, 0.1022534), (0, 59, 0.0495085)]
)
def test_the_bound_on_a_share_is_clopper_and_pearsons(
    validity: ModuleType, count: int, runs: int, bound: float
) -> None:
    assert validity.most_likely(count, runs) == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize(("count", "chance"), [(0, 1.0), (1, 1 - 0.9**3), (2, 0.028), (3, 0.001)])
def test_the_chance_of_a_count_or_more_is_the_binomials(validity: ModuleType, count: int, chance: float) -> None:
    assert validity.chance_of(count, 3, 0.1) == pytest.approx(chance)
