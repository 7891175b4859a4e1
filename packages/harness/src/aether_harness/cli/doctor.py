"""`aether-bench doctor`."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING

import psutil

from aether_harness.cli.options import EXIT_OK, Commands, add_command
from aether_harness.machine import sysinfo
from aether_harness.machine.affinity import allowed_cpus, assign_cpus
from aether_harness.machine.counters import HAS_THREAD_RUSAGE
from aether_harness.machine.doctor import MachineFacts, diagnose

if TYPE_CHECKING:
    import argparse

#: How long the machine is watched for other work and for steal.
WATCH_S = 1.0
#: A process that uses less than this share of a CPU is not named.
_NAMED_FROM_PERCENT = 5.0
_DEBUG_VARIABLES = ("PYTHONDEVMODE", "PYTHONDEBUG", "PYTHONTRACEMALLOC", "PYTHONMALLOC", "COVERAGE_PROCESS_START")

EXAMPLE = """example:
  aether-bench doctor

exit status: 0 the machine was looked at, whatever was found; 1 it could not be
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "say what about this machine disturbs measurements, and change nothing"
    add_command(commands, "doctor", about, EXAMPLE, run)


def run(_options: argparse.Namespace) -> int:
    """Print every finding with its consequence and its remedy."""
    print(f"looking at this machine for {WATCH_S:g} s", file=sys.stderr)
    findings = diagnose(collect_machine_facts())
    for number, finding in enumerate(findings, start=1):
        print(f"{number}. {finding.what}")
        print(f"   so:   {finding.consequence}")
        print(f"   mend: {finding.fix}")
    if findings:
        print(f"\n{len(findings)} found; nothing was changed")
    else:
        print("nothing here is known to disturb measurements")
    return EXIT_OK


def collect_machine_facts() -> MachineFacts:
    """Collect the facts about this machine, observed for a moment."""
    cpus = allowed_cpus()
    worker = next(iter(assign_cpus(cpus).worker_cpus), None)
    busiest, steal = _watch()
    return MachineFacts(
        system=platform.system(),
        allowed_cpus=None if cpus is None else len(cpus),
        worker_cpu=worker,
        cpu_quota=sysinfo.cpu_quota(),
        governor=None if worker is None else sysinfo.governor(worker),
        turbo=sysinfo.turbo(),
        worker_siblings=() if worker is None else sysinfo.siblings(worker),
        load_1min=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        busiest=busiest,
        steal_percent=steal,
        virtualization=sysinfo.virtualization(),
        on_battery=sysinfo.on_battery(),
        debug_build=sysinfo.debug_build(),
        debug_environment=tuple(name for name in _DEBUG_VARIABLES if os.environ.get(name)),
        aslr=sysinfo.aslr(),
        counts_switches=HAS_THREAD_RUSAGE,
    )


def _watch() -> tuple[str | None, float | None]:
    """Return the process that uses the CPU most, and the share of steal in percent, over a moment."""
    processes = {}
    psutil.cpu_times_percent(interval=None)
    for process in psutil.process_iter():
        try:
            process.cpu_percent(interval=None)
            processes[process.pid] = process
        except psutil.Error:
            continue
    time.sleep(WATCH_S)
    shares = []
    for process in processes.values():
        try:
            if process.pid != os.getpid():
                shares.append((process.cpu_percent(interval=None), process.name()))
        except psutil.Error:
            continue
    steal = getattr(psutil.cpu_times_percent(interval=None), "steal", None)
    share, name = max(shares, default=(0.0, ""))
    busiest = f"{name} ({share:.0f} % of a CPU)" if share >= _NAMED_FROM_PERCENT else None
    return busiest, None if steal is None else round(steal, 1)
