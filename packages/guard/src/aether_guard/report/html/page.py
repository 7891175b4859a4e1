"""The HTML page: a headline, the table of all benches, and sections for the worst benches."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from aether_guard.check.verdict import EXIT_PASS
from aether_guard.report.html.markup import Html, joined, shortened, tag
from aether_guard.report.html.section import badge, render_section
from aether_guard.report.text import HEAD, NOTHING, caveats, summary_line, table_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_guard.check.verdict import Judgement, Report
    from aether_guard.report.html.summary_pair import SummaryPair

MAX_SECTIONS = 50
_CELL_LENGTH = 250
#: Forbids the page to load or run anything, whatever a summary contains.
_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_html(report: Report, sides_of: Callable[[Judgement], SummaryPair]) -> str:
    """Return the report as a self-contained HTML page.

    Args:
        report: the verdicts.
        sides_of: returns the samples and other details of both sides, which the report lacks.

    """
    detailed = report.benches[:MAX_SECTIONS]
    sections = [
        render_section(judgement, sides_of(judgement), _anchor(number), _title(judgement))
        for number, judgement in enumerate(detailed)
    ]
    if len(report.benches) > len(detailed):
        note = f"Only the worst {len(detailed)} of {len(report.benches):,} benches have a section."
        sections.append(tag("p", note, class_="more"))
    page = tag(
        "html",
        _head(report),
        tag("body", tag("main", _headline(report), _overview(report), *sections)),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{page}\n"


def _head(report: Report) -> Html:
    style = files("aether_guard.report.html").joinpath("style.css").read_text(encoding="utf-8")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_CONTENT_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{report.verdict}: performance guard"),
        tag("style", Html(style)),
    )


def _headline(report: Report) -> Html:
    """Return the overall verdict and its effect on the build."""
    _, _, listed = summary_line(report).partition(": ")
    build = "passes" if report.exit_code == EXIT_PASS else "fails"
    count = len(report.benches)
    return tag(
        "header",
        tag("h1", "Performance guard ", badge(report.verdict)),
        tag("p", f"{count:,} bench{'' if count == 1 else 'es'}: {listed}."),
        *(tag("p", caveat) for caveat in caveats(report)),
        tag("p", f"The build {build}, with exit status {report.exit_code}.", class_="build"),
    )


def _overview(report: Report) -> Html:
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in HEAD)))
    rows = (_row(judgement, number) for number, judgement in enumerate(report.benches))
    return tag("table", head, tag("tbody", *rows), class_="overview")


def _row(judgement: Judgement, number: int) -> Html:
    _, *figures, verdict = table_row(judgement)
    name = tag("bdi", _title(judgement))
    return tag(
        "tr",
        tag("th", tag("a", name, href=f"#{_anchor(number)}") if number < MAX_SECTIONS else name, scope="row"),
        *(
            tag("td", shortened(text, _CELL_LENGTH), data_label=column)
            for column, text in zip(HEAD[1:-1], figures, strict=True)
        ),
        tag("td", joined(badge(verdict))),
    )


def _title(judgement: Judgement) -> str:
    """Return the name of the bench, or of its file if the name is unknown."""
    name = judgement.bench_id or judgement.current_path or judgement.baseline_path or NOTHING
    return shortened(name, _CELL_LENGTH)


def _anchor(number: int) -> str:
    return f"bench-{number + 1}"
