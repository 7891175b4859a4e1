"""Test doubles: a judge with predefined answers, and a source of predefined pairs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from aether_compare.bisect.judge import Finding
from aether_compare.pair import SamplePair
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aether_compare.bisect.judge import BisectSpec


class FakeJudge:
    """A judge with predefined answers."""

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


class ScriptedPairSource:
    """A source of given figures, each pair a bet. It fails after the last figure, as a version that crashes."""

    def __init__(
        self,
        figures: Iterable[tuple[float, float]],
        on_pair: Callable[[], None] = lambda: None,
        bets_per_block: int = 20,
    ) -> None:
        """Return the `figures` of the old and the new version in turn, and call `on_pair` for each pair."""
        self._figures = iter(figures)
        self._on_pair = on_pair
        self._bets = 0
        self.bets_per_block = bets_per_block
        self.blocks = 0

    @contextmanager
    def open_block(self) -> Iterator[Callable[[], tuple[SamplePair, ...]]]:
        """Begin a block and yield a function that takes the next pair.

        Raises:
            GuardError: from the function: the script is over.

        """
        self.blocks += 1
        yield self._take

    def _take(self) -> tuple[SamplePair, ...]:
        self._on_pair()
        self._bets += 1
        for old, new in self._figures:
            return (SamplePair(old=old, new=new, new_first=False, block=self._bets - 1),)
        raise GuardError("the script is over")
