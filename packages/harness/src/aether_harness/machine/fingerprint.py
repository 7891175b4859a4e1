"""The fingerprint of a machine, and its state for the record."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

import psutil

from aether_harness.machine import sysinfo

if TYPE_CHECKING:
    from aether_harness.machine.affinity import CpuAssignment


def fingerprint(assignment: CpuAssignment) -> dict[str, Any]:
    """Return the facts that make figures comparable and do not drift, without facts that are not reported."""
    worker = assignment.worker_cpus[0] if assignment.worker_cpus else 0
    facts = {
        "os": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu_model": sysinfo.cpu_model(),
        "cpus_logical": psutil.cpu_count(),
        "cpus_physical": psutil.cpu_count(logical=False),
        "cpu_quota": sysinfo.cpu_quota(),
        "caches": sysinfo.caches(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "virtualization": sysinfo.virtualization(),
        "governor": sysinfo.governor(worker),
        "turbo": sysinfo.turbo(),
        "smt": sysinfo.smt(),
        "worker_cpus": list(assignment.worker_cpus),
        "companion_cpus": list(assignment.companion_cpus),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "python_build": python_build(),
    }
    return {key: value for key, value in facts.items() if value is not None}


def python_build() -> dict[str, Any]:
    """Return how this Python was built, as far as it changes its speed."""
    return {
        "compiler": platform.python_compiler(),
        "debug": sysinfo.debug_build(),
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "optimized": "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")),
    }


def machine_state() -> dict[str, Any]:
    """Return the machine's state at this moment. It drifts, so it is never compared."""
    state: dict[str, Any] = {"memory_free_gib": round(psutil.virtual_memory().available / 2**30, 1)}
    if hasattr(os, "getloadavg"):
        state["load_1min"] = round(os.getloadavg()[0], 2)
    try:
        if (frequency := psutil.cpu_freq()) is not None:
            state["cpu_mhz"] = round(frequency.current)
    except sysinfo.not_told():
        pass
    if sys.platform == "linux":
        state["steal_percent"] = round(psutil.cpu_times_percent(interval=None).steal, 1)
    return state
