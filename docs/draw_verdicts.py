"""Draws the pictures of `explanation/check.md`: `hatch run docs:draw`."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent

#: Intervals next to the gate and their verdicts: (low, middle, high) in percent.
CASES = (
    ("pass", (-3, 1, 5), "#64748b"),
    ("pass, though worse", (6, 9, 13), "#64748b"),
    ("inconclusive: may be beyond the gate", (8, 15, 24), "#b45309"),
    ("inconclusive: may be an accident", (-6, 26, 58), "#b45309"),
    ("regression", (17, 26, 34), "#b91c1c"),
    ("regression, and sure to be beyond", (28, 34, 40), "#b91c1c"),
    ("improvement", (-41, -33, -25), "#15803d"),
)
GATE, REAL = 20, 5


def main() -> None:
    """Draw."""
    figure = Figure(figsize=(8.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="#94a3b8", linewidth=1)
    axes.axvline(GATE, color="#b91c1c", linewidth=1.5, label="gate, 20 %")
    axes.axvline(REAL, color="#b91c1c", linewidth=1, linestyle=":", label="a quarter of it: what must be real")
    for row, (name, (low, middle, high), colour) in enumerate(reversed(CASES)):
        axes.plot([low, high], [row, row], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot([middle], [row], "o", color=colour, markersize=8)
        axes.text(62, row, name, va="center", ha="left")
    axes.set(xlim=(-48, 118), ylim=(-0.6, len(CASES) + 0.2), xlabel="worse by, percent", yticks=[])
    axes.set_xticks(range(-40, 61, 20))
    axes.legend(loc="upper left", fontsize=8, framealpha=1)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    figure.savefig(HERE / "explanation" / "verdicts.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
