"""The judge of a commit: `aether-guard ab`, as a process of its own, against the good end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct

from aether_compare.bisect.search import Answer
from aether_compare.vcs.run import run_command
from aether_guard.vcs.run import error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: How often the time is doubled for a commit on which there was no verdict.
_MAX_DOUBLINGS = 2


class Finding(Struct, frozen=True, kw_only=True):
    """The finding about one commit. `change` is the worsening against the good end as a fraction; positive is worse."""

    commit: str
    answer: Answer
    verdict: str
    change: float | None = None
    interval: tuple[float, float] | None = None
    pairs: int = 0
    elapsed_s: float = 0.0
    reason: str = ""


class BisectSpec(Struct, frozen=True, kw_only=True):
    """How commits are judged: the bench, the commit they are compared with, and the options of `ab`.

    `suite` holds the options with which `ab` runs a suite that has the bench; without it, the bench is one of ours.
    """

    bench: str
    suite: tuple[str, ...] = ()
    good: str
    gate: float
    alpha: float
    quantile: str
    max_time_s: float
    options: tuple[str, ...] = ()


class Judge(Protocol):
    """Decides whether a commit is like the good end or worse."""

    def judge(self, commit: str, terms: BisectSpec) -> Finding:
        """Measure the commit against the good end."""


class AbJudge:
    """Judges by `aether-guard ab`. `pairs_at` returns the file for the pairs of a commit."""

    def __init__(self, pairs_at: Callable[[str], str]) -> None:
        """Keep every pair that is measured."""
        self._pairs_at = pairs_at

    def judge(self, commit: str, terms: BisectSpec) -> Finding:
        """Measure until there is a verdict, for twice and four times as long where there is none at first."""
        finding = self._once(commit, terms, terms.max_time_s)
        for doubling in range(1, _MAX_DOUBLINGS + 1):
            if finding.verdict != "inconclusive":
                break
            finding = self._once(commit, terms, terms.max_time_s * 2**doubling)
        return finding

    def _once(self, commit: str, terms: BisectSpec, max_time_s: float) -> Finding:
        pairs = self._pairs_at(commit)
        os.makedirs(os.path.dirname(pairs), exist_ok=True)
        command = [sys.executable, "-m", "aether_guard", "ab", *(terms.suite or (terms.bench,))]
        command += ["--base", terms.good, "--head", commit]
        command += ["--gate", f"{terms.gate * 100:.6g}%", "--alpha", f"{terms.alpha:g}", "--quantile", terms.quantile]
        command += ["--max-time", f"{max_time_s:g}", "--format", "json", "--annotations", "never", "--quiet"]
        done = run_command([*command, "--save", pairs, *terms.options], folder=".", changes={"GITHUB_STEP_SUMMARY": ""})
        try:
            return finding_of(commit, bench_in(msgspec.json.decode(done.stdout, type=dict), terms.bench))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            reason = error_line(done.stderr).removeprefix("aether-guard: error: ")
            return Finding(commit=commit, answer="skip", verdict="error", reason=reason)


def bench_in(report: dict[str, Any], bench: str) -> Mapping[str, object]:
    """Return the outcome of a bench in a report of `ab`, which holds a list for several benches."""
    benches = report.get("benches")
    if not isinstance(benches, list):
        return report
    found = (each for each in benches if isinstance(each, dict) and each.get("bench_id") == bench)
    return next(found, {"verdict": "error", "reason": f"the suite has no benchmark {bench}"})


def finding_of(commit: str, report: Mapping[str, object]) -> Finding:
    """Return the finding that a report of `ab --format json` contains.

    Raises:
        msgspec.ValidationError: it is no such report.

    """
    verdict = report.get("verdict")
    answers: dict[object, Answer] = {"regression": "bad", "pass": "good", "improvement": "good"}
    keys = ("change", "interval", "pairs", "elapsed_s", "reason")
    fields = {key: report[key] for key in keys if report.get(key) is not None}
    return msgspec.convert(
        {"commit": commit, "answer": answers.get(verdict, "skip"), "verdict": verdict, **fields}, Finding
    )
