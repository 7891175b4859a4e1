"""A bench of sorting numbers: the whole of what a third party writes."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_harness import BenchError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_schema import Metric


class SortParams(Struct, frozen=True, kw_only=True):
    """How many numbers are sorted."""

    count: int = 1000


class SortSession:
    """Numbers in a seeded disorder."""

    def __init__(self, count: int) -> None:
        """Draw the numbers."""
        draw = random.Random(1)
        self._numbers = [draw.random() for _ in range(count)]
        self._ordered: list[float] = []

    def sample(self) -> None:
        """Sort them."""
        self._ordered = sorted(self._numbers)

    def verify(self) -> None:
        """Check the order."""
        if any(first > second for first, second in zip(self._ordered, self._ordered[1:], strict=False)):
            raise BenchError("the numbers are not in order")


class SortingBench:
    """The object that the entry point names."""

    bench_id = "sorting"
    name = "sort"
    about = "sort random numbers"
    metric: Metric = "duration_ms"
    params_type = SortParams

    @contextmanager
    def open(self, params: SortParams, place: Place) -> Iterator[SortSession]:  # noqa: ARG002 - the interface's
        """Yield a session; there is nothing to tear down."""
        yield SortSession(params.count)


sorting = SortingBench()
