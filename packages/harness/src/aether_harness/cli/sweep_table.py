"""The table of a sweep: a line a point, its parameters and its figures in columns. Pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aether_harness.cli.progress import aligned_table
from aether_harness.sweep.sweep import format_value, pareto_flags, point_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_harness.sweep.sweep import Measured
    from aether_schema import Summary

FRONT = "on the front: no other point has both a better p50 and a smaller {size}"
MARK = "*"


def sweep_table(points: Sequence[Measured], folder: str) -> str:
    """Return the table of one bench's sweep, whose summaries are in `folder`.

    Next to the quantiles it has the `size` and `columns` of the bench, if the summaries hold them, and a mark for
    points on the Pareto front.
    """
    point, summary = point_of(points[0][0]), points[0][1]
    size = point.size
    columns = [name for name in (size, *point.columns) if name is not None]
    columns = [name for name in columns if any(name in (each.readings or {}) for _, each in points)]
    front = pareto_flags(points)
    unit = f" ({summary.unit})"
    head = [*point.varied, f"p50{unit}", f"p95{unit}", "n", *columns, *([] if front is None else ["front"])]
    rows = []
    for index, (target, each) in enumerate(points):
        varied = [format_value(value) for value in point_of(target).varied.values()]
        figures = [f"{each.p50:,.5g}", f"{each.p95:,.5g}", str(each.n), *(_told(each, name) for name in columns)]
        rows.append([*varied, *figures, *([] if front is None else [MARK if front[index] else ""])])
    words = {column for column in range(len(point.varied)) if not all(row[column].isdigit() for row in rows)}
    right = [column for column in range(len(head) - (front is not None)) if column not in words]
    files = os.path.join(folder, f"bench-{point.name}-*.json")
    lines = [f"{point.bench_id}, {summary.metric}, in {files}", aligned_table([head, *rows], right)]
    return "\n".join(lines if front is None else [*lines, f"{MARK} {FRONT.format(size=size)}"])


def notes_not_in_table(measured: Measured, own: str | None) -> str | None:
    """Return the notes of a summary; without `own`, the bench's note on readings, if the table shows these."""
    _, summary = measured
    if not own or pareto_flags([measured]) is None or not summary.notes:
        return summary.notes
    return summary.notes.removesuffix(own).removesuffix("; ") or None


def _told(summary: Summary, name: str) -> str:
    figure = (summary.readings or {}).get(name)
    if not isinstance(figure, (int, float)):
        return ""
    return f"{figure:,.0f}" if float(figure).is_integer() else f"{figure:,.4g}"
