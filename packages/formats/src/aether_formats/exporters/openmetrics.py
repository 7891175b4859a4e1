"""OpenMetrics 1.0 text: a family a metric, in base units, with the quantiles 0.5 and 0.95 of each bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_schema import Metric, Summary


class _Family(Struct, frozen=True):
    name: str
    unit: str
    about: str
    multiply: int = 1
    divide: int = 1


_FAMILIES: dict[Metric, _Family] = {
    "duration_ms": _Family("aether_bench_duration_seconds", "seconds", "How long an operation takes.", divide=1000),
    "throughput_mbs": _Family(
        "aether_bench_throughput_bytes_per_second", "bytes_per_second", "How much goes through.", multiply=10**6
    ),
    "value": _Family("aether_bench_value", "", "A figure in the unit of its label."),
}


def render(summaries: Sequence[Summary]) -> str:
    """Return the exposition, its families in a fixed order, with `# EOF`."""
    lines: list[str] = []
    for metric, family in _FAMILIES.items():
        of_family = [summary for summary in summaries if summary.metric == metric]
        if not of_family:
            continue
        lines.append(f"# TYPE {family.name} gauge")
        if family.unit:
            lines.append(f"# UNIT {family.name} {family.unit}")
        lines.append(f"# HELP {family.name} {family.about}")
        for summary in of_family:
            unit = f',unit="{_escaped(summary.unit)}"' if metric == "value" else ""
            way = "lower" if summary.lower_is_better else "higher"
            labels = f'bench="{_escaped(summary.bench_id)}",better="{way}"{unit}'
            p50 = summary.statistic("p50")
            figures = {
                'quantile="0.5"': p50,
                'quantile="0.95"': summary.statistic("p95"),
                'statistic="mean"': summary.statistic("mean") if p50 is None else None,
            }
            for label, value in figures.items():
                if value is not None:
                    lines.append(f"{family.name}{{{labels},{label}}} {value * family.multiply / family.divide!r}")
    if summaries:
        lines.append("# TYPE aether_bench_samples gauge")
        lines.append("# HELP aether_bench_samples How many samples the figures are of.")
        lines += [f'aether_bench_samples{{bench="{_escaped(item.bench_id)}"}} {item.n}' for item in summaries]
    return "\n".join([*lines, "# EOF", ""])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
