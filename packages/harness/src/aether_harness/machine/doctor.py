"""Conditions of a machine that disturb measurements: facts in, findings out. Pure."""

from __future__ import annotations

from msgspec import Struct

#: A higher load per CPU means that other work is using the machine.
BUSY_LOAD_A_CPU = 0.3
#: A larger share of steal means that the hypervisor often gives the CPU to others.
MUCH_STEAL_PERCENT = 0.5
_MIN_CPUS = 2


class MachineFacts(Struct, frozen=True, kw_only=True):
    """The facts for `doctor`. None if the system does not report a fact."""

    system: str
    allowed_cpus: int | None
    worker_cpu: int | None
    cpu_quota: float | None = None
    governor: str | None = None
    turbo: bool | None = None
    worker_siblings: tuple[int, ...] = ()
    load_1min: float | None = None
    busiest: str | None = None
    steal_percent: float | None = None
    virtualization: str | None = None
    on_battery: bool | None = None
    debug_build: bool = False
    debug_environment: tuple[str, ...] = ()
    aslr: str | None = None
    counts_switches: bool = True


class Finding(Struct, frozen=True, kw_only=True):
    """A disturbing condition, its effect on figures, and the command that fixes it."""

    what: str
    consequence: str
    fix: str


def diagnose(facts: MachineFacts) -> list[Finding]:
    """Return the conditions that disturb measurements, the worst first."""
    findings = [*_processors(facts), *_clock(facts), *_load_findings(facts), *_interpreter(facts)]
    return [finding for finding in findings if finding is not None]


def _processors(facts: MachineFacts) -> list[Finding | None]:
    cpu = facts.worker_cpu
    siblings = ",".join(map(str, facts.worker_siblings))
    return [
        Finding(
            what="this system cannot pin a process to a CPU",
            consequence="the scheduler moves the worker between CPUs, and every move costs it its caches",
            fix="measure on Linux, or compare only with interleaved pairs",
        )
        if facts.allowed_cpus is None
        else None,
        Finding(
            what="one CPU only",
            consequence="servers, the terminal and the worker take turns: nearly every longer sample is disturbed",
            fix="give this machine or container a second CPU (docker run --cpuset-cpus 0,1)",
        )
        if facts.allowed_cpus is not None and facts.allowed_cpus < _MIN_CPUS
        else None,
        Finding(
            what=f"a quota of {facts.cpu_quota:g} CPUs",
            consequence="the kernel stops the whole group for the rest of a period once the quota is used up",
            fix="run the container without --cpus, or with --cpuset-cpus in its place",
        )
        if facts.cpu_quota is not None and facts.cpu_quota < _MIN_CPUS
        else None,
        Finding(
            what=f"CPU {cpu} shares its core with CPU {siblings} (SMT)",
            consequence="work on the sibling slows the worker by up to a third, and no counter shows it",
            fix="echo off | sudo tee /sys/devices/system/cpu/smt/control",
        )
        if siblings
        else None,
    ]


def _clock(facts: MachineFacts) -> list[Finding | None]:
    return [
        Finding(
            what=f"the frequency governor is {facts.governor}",
            consequence="the first samples after a pause run at a lower frequency than the later ones",
            fix="sudo cpupower frequency-set --governor performance",
        )
        if facts.governor not in {None, "performance"}
        else None,
        Finding(
            what="turbo is on",
            consequence="the frequency depends on the temperature and the load of the other cores",
            fix="echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
            " || echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
        )
        if facts.turbo
        else None,
        Finding(
            what="the machine runs on its battery",
            consequence="power saving lowers the frequency when it likes",
            fix="plug it in",
        )
        if facts.on_battery
        else None,
    ]


def _load_findings(facts: MachineFacts) -> list[Finding | None]:
    load, cpus = facts.load_1min, facts.allowed_cpus or 1
    busiest = f", most of it {facts.busiest}" if facts.busiest else ""
    return [
        Finding(
            what=f"other work is running: load {load:g} on {cpus} CPUs{busiest}",
            consequence="samples are disturbed and retaken, and a run takes longer",
            fix="wait, or stop the other work; `top` shows it",
        )
        if load is not None and load > BUSY_LOAD_A_CPU * cpus
        else None,
        Finding(
            what=f"the hypervisor takes {facts.steal_percent:g} % of the time (steal)",
            consequence="a neighbour on the same host is busy; the reference shows it, but figures spread",
            fix="measure at another hour, or on a machine with dedicated CPUs",
        )
        if facts.steal_percent is not None and facts.steal_percent > MUCH_STEAL_PERCENT
        else None,
        Finding(
            what=f"this is no machine of its own: {facts.virtualization}",
            consequence="neighbours share caches, memory and perhaps the core, and no counter here shows it",
            fix="trust normalized figures or interleaved pairs; `aether-bench noise` measures how far",
        )
        if facts.virtualization is not None
        else None,
        Finding(
            what="the system does not count involuntary context switches of a thread",
            consequence="disturbed samples are detected by the switches of the whole process, which is coarser",
            fix="measure on Linux",
        )
        if not facts.counts_switches
        else None,
    ]


def _interpreter(facts: MachineFacts) -> list[Finding | None]:
    names = ", ".join(facts.debug_environment)
    return [
        Finding(
            what="this Python is a debug build",
            consequence="everything in Python is several times slower, and not by the same factor",
            fix="use a release build of Python",
        )
        if facts.debug_build
        else None,
        Finding(
            what=f"set in the environment: {names}",
            consequence="the interpreter checks or traces what it otherwise would not",
            fix=f"unset {' '.join(facts.debug_environment)}",
        )
        if facts.debug_environment
        else None,
        Finding(
            what="address space layout randomization is off",
            consequence="every process has the same layout, so rounds no longer average out a lucky or unlucky one",
            fix="echo 2 | sudo tee /proc/sys/kernel/randomize_va_space",
        )
        if facts.aslr == "0"
        else None,
    ]
