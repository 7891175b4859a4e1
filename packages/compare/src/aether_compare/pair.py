"""Pairs as they were measured, and the costs of both versions. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from aether_compare.stats.e_process import CostPair
from aether_guard.errors import GuardError

#: No clock or scale shows figures beyond these limits, and ratios within them fit a float.
LEAST_FIGURE, LARGEST_FIGURE = 1e-100, 1e100

Count = Annotated[int, Meta(ge=0, lt=2**31)]


class SamplePair(Struct, frozen=True, kw_only=True):
    """A pair as it was measured: the figures of both versions in the metric's unit, and which came first.

    `block` is the number of the block, counted from 0; saved files have it under another key. With `disturbed` the
    kernel took the CPU away during one of the samples; the pair counts nevertheless.
    """

    old: float
    new: float
    new_first: bool
    block: Count = field(name="life")
    disturbed: bool = False


def to_costs(drawn: SamplePair, *, lower_is_better: bool, sides: tuple[str, str] = ("old", "new")) -> CostPair:
    """Return the costs of both versions: a duration as it is, and of a throughput the time that a byte takes.

    Raises:
        GuardError: a figure is none that has a ratio to another, such as 0; the message names the side of `sides`.

    """
    for side, figure in zip(sides, (drawn.old, drawn.new), strict=True):
        if not LEAST_FIGURE < figure < LARGEST_FIGURE:
            raise GuardError(f"{side}: a sample of {figure:g} cannot be compared with anything")
    if not lower_is_better:
        return CostPair(old=1 / drawn.old, new=1 / drawn.new, new_first=drawn.new_first)
    return CostPair(old=drawn.old, new=drawn.new, new_first=drawn.new_first)
