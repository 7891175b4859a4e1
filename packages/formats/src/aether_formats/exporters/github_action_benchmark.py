"""github-action-benchmark's custom results. A file holds one direction: bigger is better, or smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from aether_formats.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Summary

_NAMES: Final[tuple[Literal["p50", "mean", "p95"], ...]] = ("p50", "mean", "p95")


def render(summaries: Sequence[Summary]) -> str:
    """Return the p50 of each bench, or else its mean or its p95.

    Raises:
        FormatError: the benches have not all one direction.

    """
    if len({summary.lower_is_better for summary in summaries}) > 1:
        raise FormatError(
            "of some benches the lower is better and of some the higher, and a file holds one: add --better lower "
            "(customSmallerIsBetter) or --better higher (customBiggerIsBetter)"
        )
    results = [_result(summary) for summary in summaries]
    return msgspec.json.format(msgspec.json.encode(results), indent=2).decode() + "\n"


def _result(summary: Summary) -> dict[str, Any]:
    figures = {name: value for name in _NAMES if (value := summary.statistic(name)) is not None}
    (name, value), p95 = next(iter(figures.items())), figures.get("p95")
    details = (
        None if name == "p50" else f"value: {name}",
        None if p95 is None else f"p95: {p95:g} {summary.unit}",
        f"samples: {summary.n}",
    )
    return {"name": summary.bench_id, "unit": summary.unit, "value": value, "extra": "\n".join(filter(None, details))}
