"""Facts that the system reports about the machine, one small reader per fact; None if it does not report a fact."""

from __future__ import annotations

import os
import platform
import re
import sys
import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CPU_ROOT = "/sys/devices/system/cpu"
#: How long the system may still count a thread that has ended, about.
_THREAD_EXIT_GRACE_S = 0.02


def not_told() -> tuple[type[Exception], ...]:
    """Return the errors of psutil for facts that a system does not report or does not permit to read.

    Some systems lack some of its functions, and a container some of the files that they read.
    """
    import psutil

    return AttributeError, NotImplementedError, OSError, psutil.Error


def read_line(path: str) -> str | None:
    """Return the first line of a file of the system's, without its end, or None."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return None


def cpu_model() -> str | None:
    """Return the processor's name."""
    found = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or None


def _cpuinfo() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def caches() -> dict[str, str] | None:
    """Return the sizes of the first CPU's caches by level and type: `{"L2 Unified": "512K"}`."""
    sizes = {}
    for index in range(8):
        folder = f"{CPU_ROOT}/cpu0/cache/index{index}"
        level, size = read_line(f"{folder}/level"), read_line(f"{folder}/size")
        if level and size:
            sizes[f"L{level} {read_line(f'{folder}/type') or ''}".strip()] = size
    return sizes or None


def governor(cpu: int) -> str | None:
    """Return the frequency governor of a CPU, such as `performance` or `powersave`."""
    return read_line(f"{CPU_ROOT}/cpu{cpu}/cpufreq/scaling_governor")


def turbo() -> bool | None:
    """Return whether CPUs may run above their nominal frequency."""
    if (no_turbo := read_line(f"{CPU_ROOT}/intel_pstate/no_turbo")) is not None:
        return no_turbo == "0"
    if (boost := read_line(f"{CPU_ROOT}/cpufreq/boost")) is not None:
        return boost == "1"
    return None


def smt() -> bool | None:
    """Return whether simultaneous multithreading is on, or None if unknown."""
    active = read_line(f"{CPU_ROOT}/smt/active")
    return None if active is None else active == "1"


def siblings(cpu: int) -> tuple[int, ...]:
    """Return the CPUs that share a core with `cpu`, itself left out."""
    listed = read_line(f"{CPU_ROOT}/cpu{cpu}/topology/thread_siblings_list") or ""
    return tuple(sorted(set(parse_cpu_list(listed)) - {cpu}))


def parse_cpu_list(text: str) -> Iterable[int]:
    """Yield the CPUs of a kernel list such as `0-3,8`."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if first.isdigit():
            yield from range(int(first), int(last or first) + 1)


def virtualization() -> str | None:
    """Return the kind of container or hypervisor of this machine, or None on bare metal."""
    kinds = []
    marked = os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")
    if marked or re.search(r"docker|kubepods|containerd|lxc", read_line("/proc/1/cgroup") or ""):
        kinds.append("container")
    if re.search(r"^flags\s*:.*\bhypervisor\b", _cpuinfo(), re.MULTILINE):
        product = read_line("/sys/class/dmi/id/product_name") or read_line("/sys/hypervisor/type")
        kinds.append(f"virtual machine ({product})" if product else "virtual machine")
    return " in a ".join(kinds) or None


def cpu_quota() -> float | None:
    """Return how many CPUs' worth of time this process's control group may use, None for no limit."""
    group = next((line for line in (read_line("/proc/self/cgroup") or "",) if line.startswith("0::")), "0::/")
    for folder in (f"/sys/fs/cgroup{group[3:].rstrip('/')}", "/sys/fs/cgroup"):
        fields = (read_line(f"{folder}/cpu.max") or "").split()
        if len(fields) == 2 and fields[0].isdigit():
            return int(fields[0]) / int(fields[1])
    quota, period = (read_line(f"/sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
    if quota and period and int(quota) > 0:
        return int(quota) / int(period)
    return None


def aslr() -> str | None:
    """Return the kernel's setting for address space layout randomization: `0`, `1` or `2`."""
    return read_line("/proc/sys/kernel/randomize_va_space")


def on_battery() -> bool | None:
    """Return whether the machine runs on its battery; None where it has none."""
    import psutil

    try:
        battery = psutil.sensors_battery()
    except not_told():
        return None
    return None if battery is None else not battery.power_plugged


def is_single_threaded() -> bool:
    """Return whether this process is known to have a single thread, so that a fork of it is complete.

    One that was joined may be there for another moment.
    """
    until_s = monotonic() + _THREAD_EXIT_GRACE_S
    try:
        while len(os.listdir("/proc/self/task")) > 1:
            if threading.active_count() > 1 or monotonic() > until_s:
                return False
            sleep(0.001)
    except OSError:
        return False
    return True


def debug_build() -> bool:
    """Return whether this Python was built for debugging."""
    return hasattr(sys, "gettotalrefcount")
