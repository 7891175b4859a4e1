"""Pictures of runs, with matplotlib where it is installed (the extra `plot`)."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aether_harness.errors import UsageError
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aether_harness.measure.aa_study import Recording
    from aether_harness.sweep.sweep import SweepPlot

#: An axis is logarithmic if its largest value exceeds its smallest by this factor.
LOG_SCALE_RATIO = 16


def check_plot_path(path: str) -> None:
    """Make sure, before anything is measured, that a picture can be drawn into the file `path`.

    Raises:
        UsageError: matplotlib is not installed, there is no such folder, or the ending names no picture.

    """
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'aether-harness[plot]'")
    from matplotlib.backend_bases import FigureCanvasBase

    ending = os.path.splitext(path)[1].removeprefix(".")
    endings = FigureCanvasBase.get_supported_filetypes()
    if ending.lower() not in endings:
        raise UsageError(f"--plot {path}: its ending names no picture; take one of {', '.join(sorted(endings))}")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise UsageError(f"--plot {path}: there is no folder {folder}")


def plot_runs(path: str, bench_id: str, unit: str, recordings: Sequence[Recording]) -> None:
    """Draw every run's samples and its p50 and p95, as measured and normalized, into the file `path`.

    Raises:
        UsageError: the file cannot be written.

    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    as_came, normalized = figure.subplots(2, 1, sharex=True)
    _draw(as_came, [[v for values in recording.raw for v in values] for recording in recordings])
    as_came.set(title=f"{bench_id}: {len(recordings)} runs of unchanged code, as they came", ylabel=unit)
    _draw(normalized, [_ruled(recording, unit) for recording in recordings])
    normalized.set(title="disturbed samples retaken, and normalized", ylabel="normalized", xlabel="run")
    as_came.legend(loc="upper right")
    _save(figure, path)


def plot_sweep(path: str, picture: SweepPlot) -> None:
    """Draw a sweep, a line for every combination of the parameters that are no axis, into the file `path`.

    Raises:
        UsageError: the file cannot be written.

    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for line in picture.lines:
        (drawn,) = axes.plot(line.x, line.y, "o-", label=line.label)
        tops = [top for top in line.y95 if top is not None]
        if len(tops) == len(line.y) and not line.marks:
            axes.fill_between(line.x, line.y, tops, color=drawn.get_color(), alpha=0.15)
        for x, y, mark in zip(line.x, line.y, line.marks, strict=bool(line.marks)):
            place = {"xytext": (7, 5), "textcoords": "offset points", "fontsize": 8, "color": drawn.get_color()}
            axes.annotate(mark, (x, y), **place)  # type: ignore[arg-type]
    if any(line.marks for line in picture.lines):
        axes.margins(0.09)  # room for labels next to the points
    if picture.front:
        axes.plot(*zip(*picture.front, strict=True), "--", color="black", linewidth=1, alpha=0.5, zorder=1)
        ring = {"marker": "o", "s": 150, "facecolors": "none", "edgecolors": "black", "zorder": 3}
        axes.scatter(*zip(*picture.front, strict=True), **ring, label="Pareto front")  # type: ignore[arg-type]
    _scale_steps(axes, [step for line in picture.lines for step in line.x], picture.x_label)
    heights = [y for line in picture.lines for y in line.y]
    if picture.front and min(heights) > 0 and max(heights) >= LOG_SCALE_RATIO * min(heights):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,.4g}")
    else:
        axes.set_ylim(bottom=0)
    axes.set(title=picture.bench_id, xlabel=picture.x_label, ylabel=picture.y_label)
    axes.grid(alpha=0.3)
    if len(picture.lines) > 1 or picture.front:
        axes.legend()
    _save(figure, path)


def _scale_steps(axes: Axes, steps: Sequence[float | str], label: str) -> None:
    """Have an axis of numbers that go far written out at each, where they are few, and one of bytes in their multiples.

    Names are left as they are.
    """
    from matplotlib.ticker import EngFormatter

    numbers = sorted({step for step in steps if not isinstance(step, str)})
    if any(isinstance(step, str) for step in steps):
        return
    if min(numbers) > 0 and max(numbers) >= LOG_SCALE_RATIO * min(numbers):
        axes.set_xscale("log", base=2)
        axes.set_xticks(numbers, [f"{number:,.6g}" for number in numbers])
        axes.minorticks_off()
    elif label.endswith("_bytes"):
        axes.xaxis.set_major_formatter(EngFormatter(unit="B"))


def _save(figure: Figure, path: str) -> None:
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise UsageError(f"--plot {path}: {error.strerror or error}") from None


def _draw(axes: Axes, runs: Sequence[Sequence[float]]) -> None:
    for number, values in enumerate(runs, start=1):
        axes.plot([number] * len(values), values, ".", color="#8aa4c8", markersize=3, alpha=0.5)
    numbers = range(1, len(runs) + 1)
    for share, colour in ((0.5, "#1b4f9c"), (0.95, "#c2410c")):
        quantiles = [quantile(values, share) for values in runs]
        axes.plot(numbers, quantiles, "-", color=colour, label=f"p{share * 100:.0f}")
    axes.grid(axis="y", alpha=0.3)


def _ruled(recording: Recording, unit: str) -> list[float]:
    pairs = [
        (value, reference)
        for values, references in zip(recording.samples, recording.reference, strict=True)
        for value, reference in zip(values, references, strict=True)
    ]
    return [value / reference if unit == "ms" else value * reference for value, reference in pairs]
