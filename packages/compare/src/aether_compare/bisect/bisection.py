"""The search itself: the commits between, the ends first, then halves, until one commit is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from aether_compare.bisect.judge import Finding
from aether_compare.bisect.search import Answer, next_commit, suspects
from aether_compare.vcs.run import run_git
from aether_guard.errors import GuardError
from aether_guard.report.format import MAX_GATE, format_change, format_percent
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_compare.bisect.findings import FindingStore
    from aether_compare.bisect.judge import BisectSpec, Judge
    from aether_compare.vcs.repository import Repository, Revision

_SHORT = 10


class Commit(Struct, frozen=True, kw_only=True):
    """A commit as people know it."""

    commit: str
    author: str
    date: str
    subject: str
    parents: int


class BisectResult(Struct, frozen=True, kw_only=True):
    """The result of a search. `suspects` is one commit, or several if the commits between them could not be judged.

    `change` is the worsening between the ends as a fraction, `gate` the limit between good and bad. `findings` are in
    the order of the search, the bad end first. `evidence` is the folder that keeps them.
    """

    bench: str
    good: str
    bad: str
    commits: int
    gate: float
    change: float
    suspects: tuple[Commit, ...]
    findings: tuple[Finding, ...]
    evidence: str


def commits_between(repository: Repository, good: Revision, bad: Revision) -> list[str]:
    """Return the commits after `good` up to `bad`, oldest first, along first parents: a merge counts as one.

    Raises:
        GuardError: there is none, or `good` is no ancestor of `bad`.

    """
    if good.commit == bad.commit:
        raise GuardError(f"{good.label} and {bad.label} are the same commit")
    if run_git(repository.root, "merge-base", "--is-ancestor", good.commit, bad.commit).problem:
        raise GuardError(
            f"{good.label}: not an ancestor of {bad.label}, so no commit between them is the first bad one"
        )
    listed = run_git(repository.root, "rev-list", "--reverse", "--first-parent", f"{good.commit}..{bad.commit}")
    if listed.problem:
        raise GuardError(f"{bad.label}: git: {listed.problem}")
    return listed.text.split()


def bisect(  # noqa: PLR0913 - what a search is made of
    repository: Repository,
    ends: tuple[Revision, Revision],
    terms: BisectSpec,
    judge: Judge,
    evidence: FindingStore,
    *,
    say: Callable[[str], object],
    fixed_gate: bool,
) -> BisectResult:
    """Find the first commit with which the bench is as much worse as the bad end.

    `terms` are those for the ends. Unless `fixed_gate`, the gate for the commits in between is half of the change
    between the ends, which is the furthest from both, and at most the largest gate. `say` is called with one line per
    step.

    Raises:
        GuardError: the bad end is not worse, or cannot be measured, or the evidence cannot be kept.

    """
    good, bad = ends
    commits = commits_between(repository, good, bad)
    count = len(commits)
    say(f"{count:,} commit{'' if count == 1 else 's'} after {good.label} up to {bad.label}")
    at_end = _judged(bad.commit, terms, judge, evidence, say)
    if at_end.answer != "bad" or at_end.change is None:
        raise GuardError(_not_worse(ends, at_end, terms))
    if not fixed_gate:
        terms = replace(terms, gate=round(min(max(at_end.change / 2, 1e-6), MAX_GATE), 6))
    answers: dict[str, Answer] = {bad.commit: "bad"}
    findings = [at_end]
    while (commit := next_commit(commits, answers)) is not None:
        finding = _judged(commit, terms, judge, evidence, say)
        answers[commit] = finding.answer
        findings.append(finding)
    return BisectResult(
        bench=terms.bench,
        good=good.commit,
        bad=bad.commit,
        commits=count,
        gate=terms.gate,
        change=at_end.change,
        suspects=tuple(_described(repository, commit) for commit in suspects(commits, answers)),
        findings=tuple(findings),
        evidence=evidence.folder,
    )


def format_finding(finding: Finding) -> str:
    """Return a finding in one line: `1a2b3c4d5e: bad: 5.0 % worse (40 pairs in 3.1 s)`."""
    short = finding.commit[:_SHORT]
    if finding.answer == "skip":
        return printable(f"{short}: cannot be judged: {finding.reason}")
    change = "" if finding.change is None else f": {format_change(finding.change)}"
    return f"{short}: {finding.answer}{change} ({finding.pairs:,} pairs in {finding.elapsed_s:.1f} s)"


def _judged(
    commit: str, terms: BisectSpec, judge: Judge, evidence: FindingStore, say: Callable[[str], object]
) -> Finding:
    known = evidence.read(commit, terms, say)
    if known is not None:
        say(f"{format_finding(known)}, known from before")
        return known
    finding = judge.judge(commit, terms)
    evidence.keep(finding, terms)
    say(format_finding(finding))
    return finding


def _not_worse(ends: tuple[Revision, Revision], finding: Finding, terms: BisectSpec) -> str:
    good, bad = ends
    against = f"{bad.label} against {good.label}"
    if finding.answer == "good":
        change = "" if finding.change is None else f" ({format_change(finding.change)})"
        return f"{against}: not worse by more than {format_percent(terms.gate)}{change}, so there is nothing to find"
    if finding.verdict == "inconclusive":
        return f"{against}: no verdict in the time there was; give it more: --max-time"
    return f"{against}: cannot be measured: {printable(finding.reason)}"


def _described(repository: Repository, commit: str) -> Commit:
    shown = run_git(repository.root, "show", "--no-patch", "--format=%an%x00%cI%x00%P%x00%s", commit, "--")
    author, date, parents, subject = (shown.line.split("\0") + [""] * 4)[:4]
    return Commit(commit=commit, author=author, date=date, subject=subject, parents=len(parents.split()))
