from __future__ import annotations

import json
import os
import platform
import time
from typing import Any

import pytest

from aether_harness.machine.affinity import CpuAssignment
from aether_harness.machine.fingerprint import fingerprint, machine_state, python_build
from aether_harness.machine.sysinfo import caches, cpu_model, cpu_quota, parse_cpu_list, siblings

ASSIGNMENT = CpuAssignment(worker_cpus=(1,), companion_cpus=(0, 2))
#: What drifts from one moment to the next, by the words it would be called by.
LIVE = ("load", "memory_free", "available", "mhz", "freq", "percent", "steal", "temperature", "uptime", "time", "pid")


def keys_of(value: Any) -> list[str]:
    """Return the keys of a mapping and of all within it."""
    if not isinstance(value, dict):
        return []
    return [key for outer, inner in value.items() for key in (outer, *keys_of(inner))]


def test_the_fingerprint_is_the_same_at_any_moment() -> None:
    first = fingerprint(ASSIGNMENT)
    deadline = time.process_time() + 0.2
    while time.process_time() < deadline:
        pass
    assert fingerprint(ASSIGNMENT) == first


def test_the_fingerprint_holds_no_live_reading() -> None:
    assert [key for key in keys_of(fingerprint(ASSIGNMENT)) if any(word in key for word in LIVE)] == []


def test_the_fingerprint_can_be_written_as_json_and_leaves_out_what_is_not_known() -> None:
    facts = fingerprint(ASSIGNMENT)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert None not in facts.values()


def test_the_fingerprint_tells_machine_and_python_and_the_cpus_used() -> None:
    facts = fingerprint(ASSIGNMENT)
    assert (facts["os"], facts["kernel"]) == (platform.system(), platform.release())
    assert facts["python"] == platform.python_version()
    assert facts["python_implementation"] == platform.python_implementation()
    assert facts["cpus_logical"] == os.cpu_count()
    assert facts["memory_gib"] > 0
    assert (facts["worker_cpus"], facts["companion_cpus"]) == ([1], [0, 2])
    assert facts["cpu_model"] == cpu_model()


def test_the_fingerprint_of_a_run_that_is_not_pinned_names_no_cpus() -> None:
    facts = fingerprint(CpuAssignment())
    assert facts["worker_cpus"] == facts["companion_cpus"] == []


def test_the_build_of_python_is_told() -> None:
    build = python_build()
    assert set(build) == {"compiler", "debug", "free_threaded", "optimized"}
    assert build["compiler"] == platform.python_compiler()


def test_live_readings_are_apart_and_can_be_written_as_json() -> None:
    state = machine_state()
    assert state["memory_free_gib"] > 0
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert not set(state) & set(fingerprint(ASSIGNMENT))


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0-3,8", [0, 1, 2, 3, 8]), ("5", [5]), ("", []), ("0-0", [0]), ("1,3,5-6", [1, 3, 5, 6])],
)
def test_a_kernels_list_of_cpus_is_read(text: str, cpus: list[int]) -> None:
    assert list(parse_cpu_list(text)) == cpus


def test_a_cpu_is_not_its_own_sibling_and_one_that_is_not_there_has_none() -> None:
    assert 0 not in siblings(0)
    assert siblings(100_000) == ()


def test_what_the_system_says_has_a_sense_or_is_not_said() -> None:
    quota, sizes = cpu_quota(), caches()
    assert quota is None or quota > 0
    assert sizes is None or all(name.startswith("L") and size for name, size in sizes.items())
