"""The judge of a commit: `aether-guard ab`, as a process of its own, against the good end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from aether_compare.bisect.search import Answer
from aether_compare.vcs.run import run_command
from aether_guard.vcs.run import error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
    """How commits are judged: the bench, the commit they are held against, and the options of `ab`."""

    bench: str
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
        command = [sys.executable, "-m", "aether_guard", "ab", terms.bench, "--base", terms.good, "--head", commit]
        command += ["--gate", f"{terms.gate * 100:.6g}%", "--alpha", f"{terms.alpha:g}", "--quantile", terms.quantile]
        command += ["--max-time", f"{max_time_s:g}", "--format", "json", "--annotations", "never", "--quiet"]
        done = run_command([*command, "--save", pairs, *terms.options], folder=".", changes={"GITHUB_STEP_SUMMARY": ""})
        try:
            return finding_of(commit, msgspec.json.decode(done.stdout, type=dict))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            reason = error_line(done.stderr).removeprefix("aether-guard: error: ")
            return Finding(commit=commit, answer="skip", verdict="error", reason=reason)


class FakeJudge:
    """A judge with predefined answers, for tests of a search."""

    def __init__(self, bad: Iterable[str], skipped: Mapping[str, str] | None = None, by: float = 0.1) -> None:
        """Call the commits `bad` worse by the fraction `by`; `skipped` maps other commits to a reason to skip them."""
        self._bad = set(bad)
        self._by = by
        self._skipped = skipped or {}
        self.asked: list[str] = []

    def judge(self, commit: str, terms: BisectSpec) -> Finding:
        """Return the predefined answer."""
        self.asked.append(commit)
        if commit in self._skipped:
            return Finding(commit=commit, answer="skip", verdict="error", reason=self._skipped[commit])
        change = self._by if commit in self._bad else 0.0
        worse = change > terms.gate
        return Finding(
            commit=commit, answer="bad" if worse else "good", verdict="regression" if worse else "pass", change=change
        )


def finding_of(commit: str, report: Mapping[str, object]) -> Finding:
    """Return the finding that a report of `ab --format json` contains.

    Raises:
        msgspec.ValidationError: it is no such report.

    """
    verdict = report.get("verdict")
    answers: dict[object, Answer] = {"regression": "bad", "pass": "good", "improvement": "good"}
    fields = {key: report.get(key) for key in ("change", "interval", "pairs", "elapsed_s", "reason")}
    return msgspec.convert(
        {"commit": commit, "answer": answers.get(verdict, "skip"), "verdict": verdict, **fields}, Finding
    )
