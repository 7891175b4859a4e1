"""The policy of each bench, and its sources: defaults, `aether.toml`, the command line. Pure."""

from __future__ import annotations

import fnmatch
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from aether_guard.check.verdict import Quantile

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The evidence that a bench must have: any, samples on both sides, or also the same reference on both.
EvidenceRequirement = Literal["any", "samples", "ruler"]
#: The reaction to different machines: ignore it, be careful and report it, or refuse.
HostMismatch = Literal["ignore", "warn", "error"]


class PolicyOverrides(Struct, frozen=True, kw_only=True):
    """The settings of one source; None for keys that it does not set."""

    gate: float | None = None
    quantile: Quantile | None = None
    warn_only: bool | None = None
    evidence: EvidenceRequirement | None = None
    host_mismatch: HostMismatch | None = None
    limit: str | None = None
    judge: bool | None = None


class Waiver(Struct, frozen=True, kw_only=True):
    """A larger gate for matching benches, with a reason, up to and including a day."""

    bench: str
    gate: float
    reason: str
    expires: date


class Policy(Struct, frozen=True, kw_only=True):
    """The policy of one series. `sources` maps each key to the source of its value.

    `limit` is an absolute bound, such as `200 MB`, which needs no baseline. With `judge` false the series is only
    reported.
    """

    gate: float = 0.2
    quantile: Quantile = "p95"
    warn_only: bool = False
    evidence: EvidenceRequirement = "any"
    host_mismatch: HostMismatch = "warn"
    limit: str | None = None
    judge: bool = True
    waiver: Waiver | None = None
    sources: dict[str, str] = {}

    @property
    def gate_in_force(self) -> float:
        """The gate, or the waiver's gate if it is larger."""
        return self.gate if self.waiver is None else max(self.gate, self.waiver.gate)


class PolicySet(Struct, frozen=True, kw_only=True):
    """All settings by their source, the weakest first; those for a glob apply to the benches that match it.

    `by_figure` holds the settings for further figures: the source, a glob for benches, and a glob for figures.

    `level` bounds the chance that a build without any regression goes red, over all its benches.
    """

    general: tuple[tuple[str, PolicyOverrides], ...] = ()
    by_glob: tuple[tuple[str, str, PolicyOverrides], ...] = ()
    by_figure: tuple[tuple[str, str, str, PolicyOverrides], ...] = ()
    cli_overrides: tuple[tuple[str, PolicyOverrides], ...] = ()
    waivers: tuple[Waiver, ...] = ()
    expected: tuple[str, ...] = ()
    level: float = 0.05


KEYS = tuple(PolicyOverrides.__struct_fields__)


#: The defaults of further figures. CPU time is reported only, because it goes with the time that is judged.
FIGURE_DEFAULTS = {
    "peak-memory": PolicyOverrides(gate=0.1),
    "output-size": PolicyOverrides(gate=0.01),
    "cpu-time": PolicyOverrides(judge=False),
}
EXACT_DEFAULTS = PolicyOverrides(gate=0.01)
_OF_FIGURES = ("gate", "limit", "judge", "warn_only")


def policy_for(bench_id: str, book: PolicySet) -> Policy:
    """Return the policy of a bench: each key from the strongest source that sets it."""
    matching = [
        (source, overrides) for source, pattern, overrides in book.by_glob if fnmatch.fnmatchcase(bench_id, pattern)
    ]
    values, sources = _strongest([*book.general, *matching, *book.cli_overrides], KEYS)
    return Policy(**values, waiver=_waiver(bench_id, book), sources={**dict.fromkeys(KEYS, "default"), **sources})


def figure_policy(bench_id: str, figure: str, series_id: str, book: PolicySet, *, exact: bool) -> Policy:
    """Return the policy of a further figure of a bench, whose series has an id of its own.

    The figure takes `warn-only` from its bench, and everything else from the tables of figures: a gate for a time says
    nothing of memory. Its median is judged, also on another machine.
    """
    usual = FIGURE_DEFAULTS.get(figure, EXACT_DEFAULTS if exact else PolicyOverrides())
    matching = [
        (source, overrides)
        for source, bench, pattern, overrides in book.by_figure
        if fnmatch.fnmatchcase(bench_id, bench) and fnmatch.fnmatchcase(figure, pattern)
    ]
    own = policy_for(bench_id, book)
    values, sources = _strongest([("default", usual), *matching], _OF_FIGURES)
    if "warn_only" not in values:
        values["warn_only"], sources["warn_only"] = own.warn_only, own.sources["warn_only"]
    return Policy(
        **values,
        quantile="p50",
        host_mismatch="ignore",
        waiver=_waiver(series_id, book),
        sources={**dict.fromkeys(KEYS, "default"), **sources},
    )


def _strongest(
    settings: Iterable[tuple[str, PolicyOverrides]], keys: Iterable[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the value of each key that is set, and its source."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    keys = tuple(keys)
    for source, overrides in settings:
        for key in keys:
            if (value := getattr(overrides, key)) is not None:
                values[key], sources[key] = value, source
    return values, sources


def _waiver(series_id: str, book: PolicySet) -> Waiver | None:
    return next((waiver for waiver in book.waivers if fnmatch.fnmatchcase(series_id, waiver.bench)), None)


def waiver_expired(waiver: Waiver, today: date) -> bool:
    """Return whether the last day of a waiver has passed."""
    return today > waiver.expires
