"""github-action-benchmark's custom results. A file holds one direction: bigger is better, or smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from aether_guard.error import GuardError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Summary


def render(summaries: Sequence[Summary]) -> str:
    """Return the p50 of each bench.

    Raises:
        GuardError: the benches have not all one direction.

    """
    if len({summary.lower_is_better for summary in summaries}) > 1:
        raise GuardError(
            "of some benches the lower is better and of some the higher, and a file holds one: add --better lower "
            "(customSmallerIsBetter) or --better higher (customBiggerIsBetter)"
        )
    results = [
        {
            "name": summary.bench_id,
            "unit": summary.unit,
            "value": summary.p50,
            "extra": f"p95: {summary.p95:g} {summary.unit}\nsamples: {summary.n}",
        }
        for summary in summaries
    ]
    return msgspec.json.format(msgspec.json.encode(results), indent=2).decode() + "\n"
