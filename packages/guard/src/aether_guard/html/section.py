"""What the page says of one bench."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from aether_guard.compare import worsening
from aether_guard.figure import figure, percentage, signed_percentage
from aether_guard.html.markup import Html, joined, shortened, tag
from aether_guard.html.plot import MOST_DOTS, Bars, Series, bars, columns, strips
from aether_guard.ruler import differing_keys, read_ruler
from aether_guard.text import label
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_guard.verdict import Judgement
    from aether_schema import Reference, Rounds, Summary

#: A glyph a verdict, so that no colour has to be told from another.
GLYPHS = {"error": "!", "regression": "✗", "inconclusive": "?", "improvement": "★", "pass": "✓", "new": "+"}
_MEANINGS = {
    "error": "It could not be compared.",
    "regression": "It got worse by more than its gate allows.",
    "inconclusive": "The evidence is too thin to tell.",
    "improvement": "It got better, and by more than chance explains.",
    "pass": "It did not get worse beyond its gate.",
    "new": "It has no baseline yet, so there was nothing to compare.",
}
_TEXT_LENGTH = 2000
_VALUE_LENGTH = 200
_COMMIT_LENGTH = 12
_MOST_ROWS = 30


class Sides(Struct, frozen=True, kw_only=True):
    """The two summaries behind a judgement; None where there is none, or none that can be read any more."""

    baseline: Summary | None
    current: Summary | None

    @property
    def both(self) -> tuple[Summary, Summary] | None:
        """The two, where both are there and measure the same thing."""
        if self.baseline is None or self.current is None:
            return None
        measures = [(side.metric, side.unit, side.lower_is_better) for side in (self.baseline, self.current)]
        return (self.baseline, self.current) if measures[0] == measures[1] else None

    @property
    def named(self) -> list[tuple[str, Summary]]:
        """Those that are there, with their names."""
        sides = (("baseline", self.baseline), ("current", self.current))
        return [(name, summary) for name, summary in sides if summary is not None]


def badge(verdict: str) -> Html:
    """Return a verdict as it is marked everywhere: a glyph, its word, its colour."""
    return tag("span", tag("span", GLYPHS[verdict], aria_hidden="true"), f" {verdict}", class_=f"badge {verdict}")


def render_section(judgement: Judgement, sides: Sides, anchor: str, title: str) -> Html:
    """Return the section of one bench, with as much as its summaries hold."""
    meaning = _MEANINGS[label(judgement)]
    if judgement.verdict == "regression" and judgement.warn_only:
        meaning += " Its policy only warns, so the build does not fail for it."
    blocks = [
        _figures(sides),
        _samples(judgement, sides),
        _by_ruler(sides),
        _rounds(sides),
        _ruler(sides),
        _phases(judgement, sides),
        _environment(sides),
        _notes(sides),
    ]
    return tag(
        "section",
        tag("h2", badge(label(judgement)), " ", tag("bdi", title)),
        tag("p", tag("b", meaning), " ", shortened(judgement.reason, _TEXT_LENGTH)),
        tag("div", *(block for block in blocks if block), class_="blocks"),
        id=anchor,
    )


def _figures(sides: Sides) -> Html | None:
    if not sides.named:
        return None
    rows = [
        ("p50", [figure(summary.p50, summary.unit) for _, summary in sides.named]),
        ("p95", [figure(summary.p95, summary.unit) for _, summary in sides.named]),
        ("samples", [f"{summary.n:,}" for _, summary in sides.named]),
        ("rounds", ["-" if summary.samples is None else f"{len(summary.samples):,}" for _, summary in sides.named]),
        ("retaken", ["-" if summary.disturbed is None else f"{summary.disturbed:,}" for _, summary in sides.named]),
        ("measured", [f"{summary.measured_at:%Y-%m-%d %H:%M}" for _, summary in sides.named]),
        ("commit", [(summary.commit or "-")[:_COMMIT_LENGTH] for _, summary in sides.named]),
    ]
    told = [(name, *texts) for name, texts in rows if set(texts) != {"-"}]
    head = ["", *(name for name, _ in sides.named)]
    if sides.both is not None:
        head.append("worse by")
        changes = {name: _change(*sides.both, name) for name in ("p50", "p95")}
        told = [(*row, changes.get(row[0], "")) for row in told]
    return _block("Figures", _table(head, told))


def _change(baseline: Summary, current: Summary, name: str) -> str:
    before, after = getattr(baseline, name), getattr(current, name)
    return signed_percentage(worsening(before, after, lower_is_better=baseline.lower_is_better)) if before else "-"


def _samples(judgement: Judgement, sides: Sides) -> Html | None:
    """Return the samples of both sides, or where there are none, a bar for every figure."""
    series = _series(sides)
    if series:
        unit = sides.named[0][1].unit
        most = max(len(side.values) for side in series)
        thinned = f" {MOST_DOTS} of {most:,} a side are drawn, from every rank alike." if most > MOST_DOTS else ""
        told = f"One mark a sample, round for the baseline, square for the current side; time runs downwards.{thinned}"
        return _block("Samples", strips(series, unit), caption=told)
    if sides.both is not None:
        before, after = sides.both
        rows = [Bars("p50", before.p50, after.p50), Bars("p95", before.p95, after.p95)]
        return _block("Figures as bars", bars(rows, before.unit), caption="Upper bar the baseline, lower bar the current side.")
    if not sides.named and judgement.baseline is not None and judgement.quantile is not None:
        rows = [Bars(judgement.quantile, judgement.baseline, judgement.current)]
        told = "The summaries could not be read again; these are the figures the verdict rests on."
        return _block("Figures as bars", bars(rows, judgement.unit or ""), caption=told)
    return None


def _by_ruler(sides: Sides) -> Html | None:
    """Return the samples as they would be had both sides run at the baseline's speed."""
    if sides.both is None or read_ruler(*sides.both) is None:
        return None
    baseline, current = sides.both
    assert baseline.reference is not None
    standard = _median(baseline.reference)
    series = [Series("baseline", _ruled(baseline, standard)), Series("current", _ruled(current, standard))]
    if not all(math.isfinite(value) for side in series for value in side.values):
        return None
    told = "Each sample by the reference timed beside it, as if both sides had run at the baseline's speed."
    return _block("Samples by the ruler", strips(series, baseline.unit), caption=told)


def _ruled(summary: Summary, standard: float) -> Rounds:
    """Return the samples as they would be where the reference takes `standard`."""
    assert summary.samples is not None
    assert summary.reference is not None
    lower = summary.lower_is_better
    return tuple(
        tuple(value * (standard / ruler if lower else ruler / standard) for value, ruler in zip(*pair, strict=True))
        for pair in zip(summary.samples, summary.reference.samples, strict=True)
    )


def _rounds(sides: Sides) -> Html | None:
    series = _series(sides)
    if all(len(side.rounds) == 1 for side in series):
        return None
    told = "One column a round, which is a fresh process: from its smallest to its largest sample, marked at its p50."
    return _block("Rounds", columns(series, sides.named[0][1].unit), caption=told)


def _series(sides: Sides) -> list[Series]:
    """Return the samples of the sides that are there; none unless all have some, and measure the same."""
    if len(sides.named) > 1 and sides.both is None:
        return []
    series = [Series(name, summary.samples or ()) for name, summary in sides.named]
    return series if all(side.values for side in series) else []


def _ruler(sides: Sides) -> Html | None:
    """Return what both kernels took on both sides, and what that says of the machine."""
    if sides.both is None:
        return None
    baseline, current = sides.both
    pairs = [(baseline.reference, current.reference), (baseline.cross_reference, current.cross_reference)]
    rows = [row for before, after in pairs for row in _kernel_rows(before, after)]
    if not rows:
        return None
    ruler = read_ruler(baseline, current)
    told = "A kernel that never changes, timed beside the samples: what it took more or less is the machine's doing."
    if ruler is not None and ruler.disagreement is not None:
        told += f" The two kernels disagree by {percentage(round(math.expm1(ruler.disagreement), 3))}."
    return _block("The ruler", _table(["median of", "baseline", "current", "machine"], rows), caption=told)


def _kernel_rows(before: Reference | None, after: Reference | None) -> list[tuple[str, ...]]:
    """Return the row of a kernel that both sides carry, or a row for each where they differ."""
    if before is not None and after is not None and before.kernel == after.kernel:
        moved = _median(after) / _median(before) - 1
        speed = f"{percentage(round(abs(moved), 3))} {'slower' if moved > 0 else 'faster'}" if round(moved, 3) else "as fast"
        return [(before.kernel, _length(before), _length(after), speed)]
    rows = [(before, True), (after, False)]
    return [
        (kernel.kernel, _length(kernel) if first else "-", "-" if first else _length(kernel), "-")
        for kernel, first in rows
        if kernel is not None
    ]


def _median(kernel: Reference) -> float:
    return quantile((value for values in kernel.samples for value in values), 0.5)


def _length(kernel: Reference) -> str:
    return figure(_median(kernel), kernel.unit)


def _phases(judgement: Judgement, sides: Sides) -> Html | None:
    before, after = ((side.phases or {}) if side else {} for side in (sides.baseline, sides.current))
    names = list(dict.fromkeys([*before, *after]))[:_MOST_ROWS]
    if not names:
        return None
    rows = []
    for name in names:
        old, new = (phases[name].p50 if name in phases else None for phases in (before, after))
        change = signed_percentage(new / old - 1) if old and new is not None else ""
        moved = ", most of the change" if name == judgement.moved_phase else ""
        rows.append(Bars(name, old, new, f"{change}{moved}"))
    return _block("Phases, p50", bars(rows, "ms"), caption="Upper bar the baseline, lower bar the current side.")


def _environment(sides: Sides) -> Html | None:
    keys = [] if sides.baseline is None or sides.current is None else differing_keys(sides.baseline, sides.current)
    if not keys:
        return None
    environments = [summary.environment or {} for _, summary in sides.named]
    rows = [(key, *(_value(environment.get(key)) for environment in environments)) for key in keys[:_MOST_ROWS]]
    more = f"and {len(keys) - _MOST_ROWS} more" if len(keys) > _MOST_ROWS else None
    return _block("Where the machines differ", _table(["", "baseline", "current"], rows), caption=more)


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else "-" if value is None else msgspec.json.encode(value).decode()
    return shortened(text, _VALUE_LENGTH)


def _notes(sides: Sides) -> Html | None:
    notes = [
        joined(tag("dt", name), *(tag("dd", line) for line in shortened(summary.notes, _TEXT_LENGTH).splitlines()))
        for name, summary in sides.named
        if summary.notes
    ]
    return _block("Notes", tag("dl", *notes)) if notes else None


def _block(title: str, content: Html, *, caption: str | None = None) -> Html:
    return tag("figure", tag("h3", title), content, *([tag("figcaption", caption)] if caption else []))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Return a table whose first column names the rows."""
    return tag(
        "table",
        tag("thead", tag("tr", *(tag("th", cell, scope="col") if cell else tag("td") for cell in head))),
        tag(
            "tbody",
            *(
                tag("tr", tag("th", shortened(row[0], _VALUE_LENGTH), scope="row"), *(tag("td", cell) for cell in row[1:]))
                for row in rows
            ),
        ),
    )
