"""The plots of a bench as inline SVG that fills the available width.

Horizontal positions are percentages and heights are pixels, so that text keeps its size on any screen. Marks are
strokes in a nested SVG, 1,000 units wide, that is stretched to the available width. Stroke widths do not stretch: a
stroke of zero length with round ends stays a circle (baseline samples), a stroke as long as wide a square (current).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.report.format import format_value
from aether_guard.report.html.markup import joined, shortened, tag
from aether_guard.report.html.scale import scale_over, ticks
from aether_schema import Rounds, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.report.html.markup import Html
    from aether_guard.report.html.scale import Scale

BAR_KEY = "Upper bar: baseline. Lower bar: current."
MAX_DOTS = 400
MAX_ROUNDS = 24
#: A strip with more marks than this uses small marks.
_DENSE = 100
#: The length of a square mark; the style sheet sets the same width.
_SMALL, _LARGE, _MEDIAN = 3, 5, 6
_WIDTH = 1000
_MIN_BAND, _MAX_BAND, _ROUND_HEIGHT = 44, 110, 12
_LINE = 16
_ROUNDS_HEIGHT = 120
_UNIT_LENGTH = 12
_NAME_LENGTH = 60


class SampleSeries(Struct, frozen=True):
    """The samples of one side, `baseline` or `current`, by round."""

    side: str
    rounds: Rounds

    @property
    def values(self) -> list[float]:
        """All samples."""
        return [value for values in self.rounds for value in values]


class BarRow(Struct, frozen=True):
    """A named pair of figures, None if a side has none, and a note on their change."""

    name: str
    baseline: float | None
    current: float | None
    note: str = ""


def strip_plot(sides: Sequence[SampleSeries], unit: str) -> Html:
    """Return a strip of dots per side, one per sample, over a common axis; time runs downwards."""
    scale = scale_over([value for side in sides for value in side.values])
    top, parts = 0, []
    for side in sides:
        height = min(max(len(side.rounds) * _ROUND_HEIGHT, _MIN_BAND), _MAX_BAND)
        parts.append(_strip(side, scale, top + _LINE, height))
        top += height + 2 * _LINE
    axis = [
        joined(
            tag("line", class_="grid", x1=_percent(scale, value), x2=_percent(scale, value), y1=0, y2=top),
            tag("text", text, class_="tick", x=_percent(scale, value), y=top + 12),
        )
        for value, text in ticks(scale, _unit(unit))
    ]
    quantiles = "; ".join(f"{side.side}: {_quantiles(side, unit)}" for side in sides)
    return _svg(f"Samples on one axis. {quantiles}", top + _LINE, *axis, *parts, *_axis_note(scale))


def round_ranges(sides: Sequence[SampleSeries], unit: str) -> Html:
    """Return a column per round, from its smallest to its largest sample, marked at its median."""
    scale = scale_over([value for side in sides for value in side.values])
    bottom = _ROUNDS_HEIGHT
    labelled = [(round(bottom * (1 - scale.share(value))), text) for value, text in ticks(scale, _unit(unit))]
    share = _WIDTH / len(sides)
    columns = [
        joined(
            _columns(side, scale, share * number, share),
            tag("text", side.side, class_="tick", x=f"{(number + 0.5) * 100 / len(sides):g}%", y=bottom + 13),
        )
        for number, side in enumerate(sides)
    ]
    lines = [tag("line", class_="grid", x1=0, x2="100%", y1=place, y2=place) for place, _ in labelled]
    texts = [tag("text", text, class_="value", x="100%", y=place + 4) for place, text in labelled]
    return tag(
        "div",
        tag("svg", *texts, class_="scale", height=bottom + _LINE, aria_hidden="true"),
        _svg(
            "Median and range of each round, in order of measurement",
            bottom + _LINE,
            *lines,
            *columns,
            *_axis_note(scale),
        ),
        class_="columns",
    )


def bar_list(rows: Sequence[BarRow], unit: str) -> Html:
    """Return a list of names, each with the figures and bars of both sides; bars start at 0."""
    largest = max((value for row in rows for value in (row.baseline, row.current) if value is not None), default=0)
    return tag("ul", *(_bars(row, unit, largest) for row in rows), class_="bars")


def _strip(side: SampleSeries, scale: Scale, top: int, height: int) -> Html:
    dots = _dots(side.rounds)
    kind, size = ("dots dense", _SMALL) if len(dots) > _DENSE else ("dots", _LARGE)
    path = "".join(_mark(side.side, _WIDTH * scale.share(value), top + height * place, size) for value, place in dots)
    quantiles = [
        joined(
            tag("line", class_=name, x1=place, x2=place, y1=top - 3, y2=top + height + 3),
            tag("text", name, class_=f"mark {name}", x=place, dx=shift, y=top + height + 12),
        )
        for name, probability, shift in (("p50", 0.5, -3), ("p95", 0.95, 3))
        for place in [_percent(scale, quantile(side.values, probability))]
    ]
    title = tag("text", side.side, class_="side", x=0, y=top - 5)
    return joined(title, _stretched(top + height, tag("path", class_=f"{kind} {side.side}", d=path)), *quantiles)


def _dots(rounds: Rounds) -> list[tuple[float, float]]:
    """Return the samples and their times, from 0 to 1; beyond `MAX_DOTS`, a selection evenly spaced by rank."""
    taken = [
        (value, (number + (place + 0.5) / len(values)) / len(rounds))
        for number, values in enumerate(rounds)
        for place, value in enumerate(values)
    ]
    if len(taken) <= MAX_DOTS:
        return taken
    taken.sort()
    return [taken[round(rank * (len(taken) - 1) / (MAX_DOTS - 1))] for rank in range(MAX_DOTS)]


def _columns(side: SampleSeries, scale: Scale, left: float, width: float) -> Html:
    rounds = [values for values in side.rounds if values]
    rounds = rounds[:: -(-len(rounds) // MAX_ROUNDS)]
    ranges = medians = ""
    for number, values in enumerate(rounds):
        across = left + width * (0.06 + 0.88 * (number + 0.5) / len(rounds))
        high, middle, low = (_ROUNDS_HEIGHT * (1 - scale.share(quantile(values, part))) for part in (1, 0.5, 0))
        ranges += f"M{across:.0f} {high:.0f}V{low:.0f}"
        medians += _mark(side.side, across, middle, _MEDIAN)
    return _stretched(
        _ROUNDS_HEIGHT,
        tag("path", class_=f"range {side.side}", d=ranges),
        tag("path", class_=f"median {side.side}", d=medians),
    )


def _mark(side: str, across: float, down: float, size: int) -> str:
    """Return a stroke that the style sheet draws as a circle (baseline) or a square (current)."""
    if side == "baseline":
        return f"M{across:.0f} {down:.0f}h0"
    return f"M{across:.0f} {down - size / 2:.0f}v{size}"


def _bars(row: BarRow, unit: str, largest: float) -> Html:
    figures = ["none" if value is None else format_value(value, unit) for value in (row.baseline, row.current)]
    bars = [
        tag("rect", class_=side, x=0, y=top, height=9, width=f"{100 * value / largest:.2f}%")
        for side, value, top in (("baseline", row.baseline, 1), ("current", row.current, 12))
        if value is not None and largest
    ]
    return tag(
        "li",
        tag("span", tag("bdi", shortened(row.name, _NAME_LENGTH)), class_="name"),
        tag("span", " → ".join(figures), " ", tag("b", row.note), class_="figures"),
        tag("svg", *bars, height=22, width="100%", aria_hidden="true"),
    )


def _axis_note(scale: Scale) -> list[Html]:
    return [tag("text", "logarithmic axis", class_="value", x="100%", y=11)] if scale.logarithmic else []


def _svg(label: str, height: int, *parts: str) -> Html:
    return tag("svg", *parts, role="img", aria_label=label, width="100%", height=height)


def _stretched(height: int, *parts: str) -> Html:
    box = f"0 0 {_WIDTH} {height}"
    return tag("svg", *parts, viewBox=box, preserveAspectRatio="none", width="100%", height=height)


def _quantiles(side: SampleSeries, unit: str) -> str:
    return ", ".join(
        f"{name} {format_value(quantile(side.values, probability), _unit(unit))}"
        for name, probability in (("p50", 0.5), ("p95", 0.95))
    )


def _percent(scale: Scale, value: float) -> str:
    return f"{100 * scale.share(value):.2f}%"


def _unit(unit: str) -> str:
    return shortened(unit, _UNIT_LENGTH)
