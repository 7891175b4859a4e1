"""The trends as one HTML file that needs nothing else: no network, and no script to be read."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec

from aether_guard.report.format import format_value
from aether_guard.report.html.markup import Html, joined, shortened, tag
from aether_history.report.markdown import compare_address
from aether_history.report.svg import trend_svg
from aether_history.report.wording import (
    commit_range,
    conclusion,
    day,
    format_confidence,
    levels,
    location_range,
    short,
    worse_by,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_history.analysis import HistoryReport
    from aether_history.series import Series
    from aether_history.trend import LevelChange, Trend

MAX_SECTIONS = 100
MAX_RUNS = 5_000
_NAME_LENGTH = 250
_HEAD = ("bench", "runs", "level now", "changes", "last by", "on")


def render_html(course: HistoryReport) -> str:
    """Return the page: a table of all benches, and a section with a line for each of the first hundred."""
    pairs = list(zip(course.trends, course.series, strict=True))[:MAX_SECTIONS]
    sections = [_section(trend, series, number, course) for number, (trend, series) in enumerate(pairs)]
    if len(course.trends) > len(pairs):
        text = f"Only the {len(pairs)} that changed last of {len(course.trends):,} have a section."
        sections.append(tag("p", text, class_="more"))
    script = _part("page.js")
    body = tag(
        "body",
        tag("main", _headline(course), _overview(course), *sections),
        tag("script", Html(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', _head(course, script), body, lang='en')}\n"


def _head(course: HistoryReport, script: str) -> Html:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # This script and no other runs, for any content of a history.
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    shared = files("aether_guard.report.html").joinpath("style.css").read_text(encoding="utf-8")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"Performance over time: {course.history}"),
        tag("style", Html(shared + _part("page.css"))),
    )


def _headline(course: HistoryReport) -> Html:
    lines = [*course.hints, *course.problems]
    return tag(
        "header",
        tag("h1", "Performance over time"),
        tag("p", f"{conclusion(course.trends)}."),
        tag("p", f"{course.quantile} of each run in {course.history}.", class_="build"),
        *([tag("ul", *(tag("li", line) for line in lines), class_="notes")] if lines else []),
    )


def _overview(course: HistoryReport) -> Html:
    rows = []
    for number, trend in enumerate(course.trends):
        last = trend.changes[-1] if trend.changes else None
        name = tag("bdi", _title(trend))
        cells = (
            f"{trend.runs:,}",
            format_value(trend.level, trend.unit),
            str(len(trend.changes)),
            "-" if last is None else worse_by(last),
        )
        rows.append(
            tag(
                "tr",
                tag("th", tag("a", name, href=f"#bench-{number + 1}") if number < MAX_SECTIONS else name, scope="row"),
                *(tag("td", text, data_label=column) for column, text in zip(_HEAD[1:], cells, strict=False)),
                tag("td", "steady" if last is None else day(last.timestamp), class_=last.kind if last else "pass"),
            )
        )
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in _HEAD)))
    return tag("table", head, tag("tbody", *rows), class_="overview courses")


def _section(trend: Trend, series: Series, number: int, course: HistoryReport) -> Html:
    skipped = max(len(series.points) - MAX_RUNS, 0)
    points = series.points[skipped:]
    text = f"{trend.runs:,} runs, {len(trend.changes)} changes of level; now {format_value(trend.level, trend.unit)}"
    notes = list(trend.notes)
    if skipped:
        notes.append(f"the picture shows the latest {MAX_RUNS:,} of {trend.runs:,} runs")
    data = {
        "values": [format_value(point.value, trend.unit) for point in points],
        "days": [day(point.timestamp) for point in points],
        "commits": [short(point.commit) for point in points],
    }
    encoded = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    return tag(
        "section",
        tag("h2", tag("bdi", _title(trend))),
        tag("p", f"{text}. {'Lower' if trend.better == 'lower' else 'Higher'} is better.", class_="build"),
        tag(
            "figure",
            trend_svg([point.value for point in points], trend.changes, skipped, trend.unit, text),
            tag("p", tag("span", data["days"][0]), tag("span", data["days"][-1]), class_="ends"),
            tag(
                "figcaption", "Line: every run. Band: nine of ten runs of a level. Upright: a change.", class_="readout"
            ),
            # It has no style and no behaviour of its own; the script reads it.
            tag("script", Html(encoded), type="application/json"),
            class_="trend",
            tabindex="0",
        ),
        *([_changes(trend, course)] if trend.changes else []),
        *([tag("ul", *(tag("li", note) for note in notes), class_="notes")] if notes else []),
        id=f"bench-{number + 1}",
    )


def _changes(trend: Trend, course: HistoryReport) -> Html:
    items: Sequence[Html] = [_item(trend, moment, course.repository) for moment in reversed(trend.changes)]
    return tag("ol", *items, class_="changes")


def _item(trend: Trend, moment: LevelChange, repository: str | None) -> Html:
    text = commit_range(moment) or "commits unknown"
    address = compare_address(moment, repository)
    place = tag("code", tag("a", text, href=address, rel="noreferrer") if address else text)
    rest = ", ".join(filter(None, (day(moment.timestamp), format_confidence(moment), location_range(moment))))
    return tag(
        "li",
        joined(
            tag("b", f"{worse_by(moment)} {moment.kind}", class_=moment.kind),
            f" {levels(moment, trend.unit)}, ",
            place,
            f", {rest}",
        ),
        *([tag("span", f"; {moment.host_explanation}", class_="inconclusive")] if moment.host_explanation else []),
    )


def _title(trend: Trend) -> str:
    return shortened(trend.bench, _NAME_LENGTH)


def _part(name: str) -> str:
    return files("aether_history.report").joinpath(name).read_text(encoding="utf-8")
