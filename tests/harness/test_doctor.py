from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from aether_harness.machine.doctor import MachineFacts, diagnose

QUIET = MachineFacts(
    system="Linux",
    allowed_cpus=8,
    worker_cpu=7,
    governor="performance",
    turbo=False,
    load_1min=0.1,
    steal_percent=0.0,
    on_battery=False,
    aslr="2",
)

DISTURBING = [
    ({"allowed_cpus": None, "worker_cpu": None}, "this system cannot pin a process to a CPU"),
    ({"allowed_cpus": 1}, "one CPU only"),
    ({"cpu_quota": 0.5}, "a quota of 0.5 CPUs"),
    ({"cpu_quota": 1.5}, "a quota of 1.5 CPUs"),
    ({"worker_siblings": (3,)}, "CPU 7 shares its core with CPU 3 (SMT)"),
    ({"governor": "powersave"}, "the frequency governor is powersave"),
    ({"turbo": True}, "turbo is on"),
    ({"on_battery": True}, "the machine runs on its battery"),
    ({"load_1min": 4.0}, "other work is running: load 4 on 8 CPUs"),
    ({"load_1min": 4.0, "busiest": "make (99 % of a CPU)"}, "load 4 on 8 CPUs, most of it make (99 % of a CPU)"),
    ({"steal_percent": 2.5}, "the hypervisor takes 2.5 % of the time (steal)"),
    ({"virtualization": "container"}, "this is no machine of its own: container"),
    ({"counts_switches": False}, "does not count involuntary context switches"),
    ({"debug_build": True}, "this Python is a debug build"),
    ({"debug_environment": ("PYTHONDEVMODE", "PYTHONMALLOC")}, "set in the environment: PYTHONDEVMODE, PYTHONMALLOC"),
    ({"aslr": "0"}, "address space layout randomization is off"),
]


def test_on_a_quiet_machine_nothing_is_found() -> None:
    assert diagnose(QUIET) == []


def test_what_the_system_does_not_say_is_no_finding() -> None:
    assert diagnose(MachineFacts(system="Plan 9", allowed_cpus=8, worker_cpu=7)) == []


@pytest.mark.parametrize(("fact", "what"), DISTURBING)
def test_one_disturbing_fact_is_one_finding_with_its_consequence_and_mend(fact: dict[str, Any], what: str) -> None:
    (finding,) = diagnose(replace(QUIET, **fact))
    assert what in finding.what
    assert finding.consequence
    assert finding.fix


@pytest.mark.parametrize(
    "fact",
    [
        {"allowed_cpus": 2},
        {"cpu_quota": 2.0},
        {"load_1min": 2.4},
        {"load_1min": 0.0, "busiest": "make (99 % of a CPU)"},
        {"steal_percent": 0.5},
        {"aslr": "1"},
        {"virtualization": None},
    ],
)
def test_what_is_within_bounds_is_no_finding(fact: dict[str, Any]) -> None:
    assert diagnose(replace(QUIET, **fact)) == []


def test_everything_at_once_is_found_in_a_fixed_order_and_each_once() -> None:
    facts = {key: value for fact, _ in DISTURBING[1:] for key, value in fact.items()}
    found = [finding.what for finding in diagnose(replace(QUIET, **{**facts, "allowed_cpus": 1}))]
    assert len(found) == len(set(found)) == len(facts) - 1
    assert found[0] == "one CPU only"
