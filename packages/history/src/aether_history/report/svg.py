"""The line of a bench as inline SVG, as wide as the page leaves room; a script may zoom into it.

One run is one unit of width in the picture, which is stretched to the available room; heights are pixels. Strokes are
not stretched. Values are text next to the picture, so that they keep their size.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from aether_guard.report.html.markup import Html, joined, tag
from aether_guard.report.html.scale import scale_over, ticks
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_history.trend import LevelChange

HEIGHT = 180
_LINE = 16
#: Nine of ten runs of a level lie in its band.
BAND = (0.05, 0.95)


def trend_svg(values: Sequence[float], moments: Sequence[LevelChange], skipped: int, unit: str, label: str) -> Html:
    """Return the picture of `values`, the runs after the first `skipped`: a line, a band a level, a mark a change."""
    scale = scale_over(values)

    def height(value: float) -> str:
        return f"{HEIGHT * (1 - scale.share(value)):.1f}"

    count = len(values)
    places = [moment.index - skipped for moment in moments]
    edges = [0, *(place for place in places if 0 < place < count), count]
    bands = [_band(height, values[low:high], low, high, last=high == count) for low, high in pairwise(edges)]
    marks = [
        tag("line", class_=f"change {moment.kind}", x1=place - 0.5, x2=place - 0.5, y1=0, y2=HEIGHT)
        for moment, place in zip(moments, places, strict=True)
        if 0 < place < count
    ]
    line = "M" + "L".join(f"{at},{height(value)}" for at, value in enumerate(values))
    # A single run is a point: a stroke without length, with round ends.
    line += "h0" if count == 1 else ""
    labelled = [(height(value), text) for value, text in ticks(scale, unit[:12])]
    grid = [tag("line", class_="grid", x1=-0.5, x2=count - 0.5, y1=place, y2=place) for place, _ in labelled]
    axis = [tag("text", text, class_="value", x="100%", y=float(place) + 4) for place, text in labelled]
    return tag(
        "div",
        tag("svg", *axis, class_="scale", height=HEIGHT + _LINE, aria_hidden="true"),
        tag(
            "svg",
            *grid,
            *bands,
            tag("path", d=line, class_="course"),
            *marks,
            viewBox=f"-0.5 0 {count} {HEIGHT}",
            preserveAspectRatio="none",
            height=HEIGHT,
            width="100%",
            role="img",
            aria_label=label,
            class_="picture",
        ),
        class_="columns",
    )


def _band(height: object, values: Sequence[float], low: int, high: int, *, last: bool) -> Html:
    assert callable(height)
    bottom, top = (quantile(values, probability) for probability in BAND)
    middle = quantile(values, 0.5)
    left, right = low - 0.5, high - 0.5
    kind = "level now" if last else "level"
    return joined(
        tag(
            "rect",
            class_="band",
            x=left,
            width=right - left,
            y=height(top),
            height=f"{max(float(height(bottom)) - float(height(top)), 1):.1f}",
        ),
        tag("line", class_=kind, x1=left, x2=right, y1=height(middle), y2=height(middle)),
    )
