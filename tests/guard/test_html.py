from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.verdict import Judgement, Verdict, build_report
from aether_guard.report.format import format_value
from aether_guard.report.html import SummaryPair, render_html
from aether_guard.report.html.page import MAX_SECTIONS
from aether_guard.report.html.scale import scale_over, ticks
from aether_guard.report.html.svg import MAX_DOTS
from aether_schema import Phase, Reference, Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VOID = {"meta", "line", "path", "rect"}
STRUCTURE = {"html", "head", "title", "style", "body", "main", "header", "section", "div", "h1", "h2", "h3", "p"}
TEXTUAL = {"a", "b", "bdi", "span", "figure", "figcaption", "ul", "li", "dl", "dt", "dd"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
ELEMENTS = VOID | STRUCTURE | TEXTUAL | TABLES | {"svg", "text"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> &amp; </style></title>\u202e\x00\ud800"
VERDICTS: tuple[Verdict, ...] = ("error", "regression", "inconclusive", "pass", "improvement")
MANY = 1000
LARGEST_PAGE_BYTES = 3_000_000
READABLE, VISIBLE = 4.5, 3.0


class Page(HTMLParser):
    """A strict parser: every element must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, tag: str, class_: str = "") -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and set(class_.split()) <= set((attributes.get("class") or "").split())
        ]

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def at(summaries: Mapping[str, Summary]) -> Callable[[Judgement], SummaryPair]:
    """Return a function that looks up both sides by their paths."""
    return lambda judgement: SummaryPair(
        baseline=summaries.get(judgement.baseline_path or ""), current=summaries.get(judgement.current_path or "")
    )


def page_of(*judgements: Judgement, level: float | None = None, **summaries: Summary) -> Page:
    """Return the page of `judgements`; the names of `summaries` are their paths."""
    page = Page(render_html(build_report(judgements, strict=False, level=level), at(summaries)))
    assert not page.open
    return page


def sampled(*rounds: tuple[float, ...], **changes: Any) -> Summary:
    kept = [value for values in rounds for value in values]
    fields = {
        "bench_id": "packaging",
        "metric": "duration_ms",
        "unit": "ms",
        "p50": quantile(kept, 0.5),
        "p95": quantile(kept, 0.95),
        "n": len(kept),
        "timestamp": "2026-11-23T23:52:51+00:00",
        "samples": rounds,
    }
    return Summary(**{**fields, **changes})


def reference(*times: tuple[float, ...], kernel: str = "archive-1") -> Reference:
    return Reference(kernel=kernel, unit="ms", samples=times)


@pytest.fixture(scope="module")
def compared(judgement: Callable[..., Judgement]) -> Callable[..., Page]:
    def build(baseline: Summary, current: Summary, **changes: Any) -> Page:
        item = judgement(**{"baseline_path": "before", "current_path": "after", **changes})
        return page_of(item, before=baseline, after=current)

    return build


def test_headline_shows_the_overall_verdict(judgement: Callable[..., Judgement]) -> None:
    benches = [judgement(gate=0.2, verdict=verdict, runs=5) for verdict in ("regression", "pass")]
    page = page_of(*benches, level=0.05)
    assert "2 benches: 1 regression, 1 passed" in page.text
    assert "gate 20 % on p95; false-alarm risk at most 5 % per build" in page.text
    assert "The build fails, with exit status 1." in page.text


def test_warn_only_regression_does_not_fail_the_build(judgement: Callable[..., Judgement]) -> None:
    page = page_of(judgement(warn_only=True))
    assert "The build passes, with exit status 0." in page.text
    assert "Its policy only warns" in page.text


def test_table_lists_every_bench_worst_first(judgement: Callable[..., Judgement]) -> None:
    page = page_of(*(judgement(verdict=verdict, bench_id=f"the {verdict}") for verdict in reversed(VERDICTS)))
    links = [attributes["href"] for attributes in page.of("a")]
    assert links == [f"#{section['id']}" for section in page.of("section")]
    named = [text for text in page.texts if text.startswith("the ")]
    assert named == 2 * [f"the {verdict}" for verdict in VERDICTS]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdict_has_a_word_and_a_glyph(judgement: Callable[..., Judgement], verdict: Verdict) -> None:
    page = page_of(judgement(verdict=verdict))
    assert len(page.of("span", f"badge {verdict}")) == 3
    assert page.texts.count(f" {verdict}") == 3


def test_bench_without_a_baseline_is_new(judgement: Callable[..., Judgement]) -> None:
    item = judgement(verdict="pass", baseline=None, baseline_path=None, current_path="after")
    page = page_of(item, after=sampled((1,)))
    assert page.of("span", "badge new")
    assert len(page.of("path", "dots")) == 1


def test_every_sample_is_a_mark_and_every_quantile_a_line(compared: Callable[..., Page]) -> None:
    page = compared(sampled((1, 2, 3), (2, 3, 4)), sampled((2, 3), (3, 4), (4, 5)))
    for side in ("baseline", "current"):
        (dots,) = page.of("path", f"dots {side}")
        assert str(dots["d"]).count("M") == 6
    assert len(page.of("line", "p50")) == len(page.of("line", "p95")) == 2


def test_every_round_is_a_column(compared: Callable[..., Page]) -> None:
    page = compared(sampled((1, 2, 3), (2, 3, 4)), sampled((2, 3), (3, 4), (4, 5)))
    assert [str(path["d"]).count("M") for path in page.of("path", "median")] == [2, 3]


def test_figures_without_samples_are_bars(compared: Callable[..., Page], summary: Callable[..., Summary]) -> None:
    page = compared(summary(p50=8.0), summary(p50=9.0, p95=12.5))
    assert [rect["width"] for rect in page.of("rect")] == ["64.00%", "72.00%", "80.00%", "100.00%"]
    assert "10 ms → 12.5 ms" in page.text
    assert not page.of("path")


def test_judged_figures_are_shown_without_summaries(judgement: Callable[..., Judgement]) -> None:
    page = page_of(judgement())
    assert "10 ms → 12.5 ms" in page.text
    assert "could not be read again" in page.text


def test_same_reference_on_both_sides_adds_a_normalized_plot(compared: Callable[..., Page]) -> None:
    slower = ((2.0, 2.0), (2.0, 2.0))
    before = sampled(
        *((4, 5), (5, 6)), reference=reference((1, 1), (1, 1)), cross_reference=reference((1,), (1,), kernel="x")
    )
    after = sampled(
        *((8, 10), (10, 12)), reference=reference(*slower), cross_reference=reference((3,), (3,), kernel="x")
    )
    page = compared(before, after)
    *_, normalized_before, normalized_after = (
        re.findall(r"M(\d+)", str(path["d"])) for path in page.of("path", "dots")
    )
    assert normalized_before == normalized_after
    assert "100 % slower" in page.text
    assert "200 % slower" in page.text


def test_different_references_add_no_normalized_plot(compared: Callable[..., Page]) -> None:
    page = compared(
        sampled((4, 5), reference=reference((1, 1))), sampled((4, 5), reference=reference((1, 1), kernel="other"))
    )
    assert len(page.of("path", "dots")) == 2
    assert "archive-1" in page.text
    assert "other" in page.text


def test_phases_have_two_bars_and_the_moved_phase_is_marked(
    compared: Callable[..., Page], summary: Callable[..., Summary]
) -> None:
    before = summary(phases={"hash": Phase(p50=1, p95=1), "gone": Phase(p50=1, p95=1)})
    after = summary(phases={"hash": Phase(p50=2, p95=2), "added": Phase(p50=1, p95=1)})
    page = compared(before, after, moved_phase="hash")
    assert "+100.0 %, most of the change" in page.text
    assert "1 ms → none" in page.text
    assert "none → 1 ms" in page.text


def test_differences_between_machines_and_notes_are_shown(
    compared: Callable[..., Page], summary: Callable[..., Summary]
) -> None:
    before = summary(environment={"cpu": "one", "os": "Linux", "caches": {"L1": 1}}, notes="a line\nanother")
    page = compared(before, summary(environment={"cpu": "two", "os": "Linux"}))
    assert {"one", "two", "cpu", '{"L1":1}', "a line", "another"} <= set(page.texts)
    assert "Linux" not in page.texts


def test_different_metrics_share_no_plot(compared: Callable[..., Page], summary: Callable[..., Summary]) -> None:
    page = compared(sampled((1, 2)), summary(throughput=True), verdict="error")
    assert not page.of("svg")
    assert "10 MB/s" in page.text


def test_page_loads_and_runs_nothing(compared: Callable[..., Page]) -> None:
    page = compared(sampled((1, 2)), sampled((1, 2)))
    assert {name for name, _ in page.elements} <= ELEMENTS
    assert not {name for _, attributes in page.elements for name in attributes} & {"src", "srcset", "style", "onclick"}
    assert all(str(attributes["href"]).startswith("#") for attributes in page.of("a"))
    assert not re.search("url|@import", stylesheet())
    assert str(page.of("meta")[1]["content"]).startswith("default-src 'none'")


@given(st.text(min_size=1), st.text(), st.sampled_from(VERDICTS))
def test_no_text_becomes_markup(text: str, reason: str, verdict: Verdict) -> None:
    hostile = f"{text}<script>{HOSTILE}"
    held = {"environment": {hostile: hostile}, "phases": {hostile: Phase(p50=1, p95=1)}, "notes": hostile}
    before = sampled((1, 2), commit=hostile, reference=reference((1, 1), kernel=hostile), **held)
    after = sampled((1, 3), commit=hostile, **{**held, "environment": {"x": hostile}})
    item = Judgement(
        bench_id=hostile,
        verdict=verdict,
        unit=hostile,
        reason=f"{reason}{hostile}",
        baseline=1.0,
        current=2.0,
        baseline_path="before",
        current_path="after",
    )
    nameless = Judgement(bench_id=None, verdict="error", reason=hostile, current_path=hostile)
    summaries = {"before": before, "after": after}
    rendered = render_html(build_report([item, nameless], strict=False), at(summaries))
    page = Page(rendered)
    assert not page.open
    assert "<script" not in rendered.lower()
    assert {name for name, _ in page.elements} <= ELEMENTS
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<script>" in page.text
    assert rendered.encode()


@given(
    values=st.lists(st.floats(0, allow_infinity=False, allow_nan=False), min_size=1, max_size=30),
    throughput=st.booleans(),
)
def test_any_figures_can_be_plotted(*, values: list[float], throughput: bool) -> None:
    ordered = tuple(sorted(values))
    metric = {"metric": "throughput_mbs", "unit": "MB/s"} if throughput else {}
    references = reference(tuple(0.5 + number for number in range(len(ordered))))
    side = sampled(ordered, reference=references, **metric)
    item = Judgement(bench_id="b", verdict="pass", reason="", baseline_path="side", current_path="side")
    page = page_of(item, side=side)
    places = [float(place) for path in page.of("path", "dots") for place in re.findall(r"M(\S+)", str(path["d"]))]
    assert places
    assert all(0 <= place <= 1000 for place in places)


@given(st.lists(st.floats(0, 1e300), min_size=1), st.sampled_from(["ms", "MB/s", "a unit of its"]))
def test_axis_has_one_to_four_ticks_within_its_range(values: list[float], unit: str) -> None:
    scale = scale_over(values)
    drawn = ticks(scale, unit)
    assert 1 <= len(drawn) <= 4
    assert all(0 <= scale.share(value) <= 1 and text == format_value(value, unit) for value, text in drawn)


def test_axis_over_several_decades_is_logarithmic() -> None:
    assert [text for _, text in ticks(scale_over([0.5, 2000]), "ms")] == ["1 ms", "10 ms", "100 ms", "1,000 ms"]
    assert [text for _, text in ticks(scale_over([0, 2000]), "ms")] == ["0 ms", "1,000 ms", "2,000 ms"]


def test_many_samples_are_thinned_but_keep_their_extremes(compared: Callable[..., Page]) -> None:
    values = tuple(float(number) for number in range(1, 2001))
    page = compared(sampled(values), sampled(values))
    drawn = [re.findall(r"M(\d+)", str(path["d"])) for path in page.of("path", "dots")]
    assert [len(places) for places in drawn] == [MAX_DOTS, MAX_DOTS]
    assert drawn[0][0] < drawn[0][-1]
    assert f"{MAX_DOTS} of 2,000 per side are drawn" in page.text


def test_page_of_a_thousand_benches_stays_small(judgement: Callable[..., Judgement]) -> None:
    side = sampled(*(tuple(1 + (7 * number + place) % 101 / 50 for place in range(10)) for number in range(100)))
    items = [judgement(bench_id=f"{number:0200}", baseline_path="a", current_path="a") for number in range(MANY)]
    rendered = render_html(build_report(items, strict=False), at({"a": side}))
    page = Page(rendered)
    assert len(rendered.encode()) < LARGEST_PAGE_BYTES
    assert len(page.of("section")) == len(page.of("a")) == MAX_SECTIONS
    assert sum(text.isdigit() and len(text) == 200 for text in page.texts) == MANY + MAX_SECTIONS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_contrast_with_the_page(scheme: str) -> None:
    light, dark = (dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in stylesheet().split("@media", 2)[:2])
    colors = light if scheme == "light" else dark
    assert light.keys() == dark.keys()
    for ground in ("page", "sheet"):
        for text in ("ink", "quiet", "bad", "doubt", "good"):
            assert contrast(colors[ground], colors[text]) >= READABLE
        for mark in ("baseline", "current"):
            assert contrast(colors[ground], blended(colors[mark], colors[ground], 0.75)) >= VISIBLE


def stylesheet() -> str:
    return files("aether_guard.report.html").joinpath("style.css").read_text(encoding="utf-8")


def channels(color: str) -> list[float]:
    return [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]


def blended(color: str, ground: str, share: float) -> str:
    mixed = (share * over + (1 - share) * under for over, under in zip(channels(color), channels(ground), strict=True))
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in mixed)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of WCAG 2.2."""
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(color: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels(color)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
