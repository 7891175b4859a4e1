from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st

from aether_schema import UNIT_OF_METRIC, Phase, Reference, Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRED = {
    "bench_id": "packaging",
    "metric": "duration_ms",
    "unit": "ms",
    "p50": 6.5,
    "p95": 7.5,
    "n": 60,
    "timestamp": "2026-11-23T23:52:51+00:00",
}


@pytest.fixture(scope="session")
def summary() -> Callable[..., Summary]:
    def build(**changes: Any) -> Summary:
        return Summary(**{**REQUIRED, **changes})

    return build


@pytest.fixture(scope="session")
def document() -> Callable[..., bytes]:
    def build(**changes: Any) -> bytes:
        return json.dumps({**REQUIRED, **changes}).encode()

    return build


@pytest.fixture(scope="session")
def summaries() -> st.SearchStrategy[Summary]:
    return _summaries()


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
_FIGURE = st.floats(min_value=0, allow_infinity=False)
_LENGTH = st.floats(min_value=1e-9, max_value=1e9)
_SCALAR = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e300, 1e300) | _TEXT
_JSON = st.recursive(_SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3))
_HOURS = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
_TIMESTAMP = st.datetimes(timezones=st.none() | _HOURS).map(datetime.isoformat)


@st.composite
def _summaries(draw: st.DrawFn) -> Summary:
    metric = draw(st.sampled_from(["duration_ms", "throughput_mbs", "value"]))
    fields: dict[str, Any] = {
        "bench_id": draw(_LINE),
        "metric": metric,
        "unit": UNIT_OF_METRIC.get(metric) or draw(_LINE),
        "better": draw(st.sampled_from(["lower", "higher"])) if metric == "value" else None,
        "timestamp": draw(_TIMESTAMP),
        "notes": draw(st.none() | _TEXT),
        "schema_version": draw(st.sampled_from([None, 1])),
        "disturbed": draw(st.none() | st.integers(0, 10**9)),
        "environment": draw(st.none() | st.dictionaries(_TEXT, _JSON, max_size=3)),
        "params": draw(st.none() | st.dictionaries(_TEXT, _SCALAR, max_size=3)),
        "phases": draw(st.none() | st.dictionaries(_TEXT, st.builds(Phase, p50=_FIGURE, p95=_FIGURE), max_size=3)),
        "commit": draw(st.none() | _TEXT),
    }
    if draw(st.booleans()):
        low, high = sorted((draw(_FIGURE), draw(_FIGURE)))
        return Summary(**fields, p50=low, p95=high, n=draw(st.integers(1, 10**9)))
    rounds = tuple(map(tuple, draw(st.lists(st.lists(_FIGURE, min_size=1, max_size=4), min_size=1, max_size=4))))
    kept = [sample for samples in rounds for sample in samples]
    low, high = quantile(kept, 0.5), quantile(kept, 0.95)
    return Summary(
        **fields,
        samples=rounds,
        n=len(kept),
        p50=low,
        p95=max(low, high),
        reference=draw(st.none() | _references([len(samples) for samples in rounds])),
        cross_reference=draw(st.none() | _references([1] * len(rounds))),
    )


def _references(shape: list[int]) -> st.SearchStrategy[Reference]:
    rounds = st.tuples(*(st.tuples(*[_LENGTH] * count) for count in shape))
    return st.builds(Reference, kernel=_LINE, unit=st.just("ms"), samples=rounds)
