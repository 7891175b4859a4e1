"""The policy of each bench, and its sources: defaults, `aether.toml`, the command line. Pure."""

from __future__ import annotations

import fnmatch
from datetime import date
from typing import Any, Literal

from msgspec import Struct

from aether_guard.check.verdict import Quantile

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


class Waiver(Struct, frozen=True, kw_only=True):
    """A larger gate for matching benches, with a reason, up to and including a day."""

    bench: str
    gate: float
    reason: str
    expires: date


class Policy(Struct, frozen=True, kw_only=True):
    """The policy of one bench. `sources` maps each key to the source of its value."""

    gate: float = 0.2
    quantile: Quantile = "p95"
    warn_only: bool = False
    evidence: EvidenceRequirement = "any"
    host_mismatch: HostMismatch = "warn"
    waiver: Waiver | None = None
    sources: dict[str, str] = {}

    @property
    def gate_in_force(self) -> float:
        """The gate, or the waiver's gate if it is larger."""
        return self.gate if self.waiver is None else max(self.gate, self.waiver.gate)


class PolicySet(Struct, frozen=True, kw_only=True):
    """Every wish by its source, the weakest first; those for a glob apply to the benches that match it.

    `level` bounds the chance that a build without any regression goes red, over all its benches.
    """

    general: tuple[tuple[str, PolicyOverrides], ...] = ()
    by_glob: tuple[tuple[str, str, PolicyOverrides], ...] = ()
    cli_overrides: tuple[tuple[str, PolicyOverrides], ...] = ()
    waivers: tuple[Waiver, ...] = ()
    expected: tuple[str, ...] = ()
    level: float = 0.05


KEYS = tuple(PolicyOverrides.__struct_fields__)


def policy_for(bench_id: str, book: PolicySet) -> Policy:
    """Return the policy of a bench: each key from the strongest source that sets it."""
    matching = [(source, wishes) for source, pattern, wishes in book.by_glob if fnmatch.fnmatchcase(bench_id, pattern)]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(KEYS, "default")
    for source, wishes in (*book.general, *matching, *book.cli_overrides):
        for key in KEYS:
            if (value := getattr(wishes, key)) is not None:
                values[key], sources[key] = value, source
    waiver = next((waiver for waiver in book.waivers if fnmatch.fnmatchcase(bench_id, waiver.bench)), None)
    return Policy(**values, waiver=waiver, sources=sources)


def waiver_expired(waiver: Waiver, today: date) -> bool:
    """Return whether the last day of a waiver has passed."""
    return today > waiver.expires
