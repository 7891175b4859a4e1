"""Convert a tool's series into summaries: units, directions and names. Pure."""

from __future__ import annotations

import fnmatch
import hashlib
import math
import re
from collections import Counter
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from aether_formats.errors import ImportFileError
from aether_formats.units import conversion_for
from aether_schema import Interval, InvalidSummaryError, Phase, Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_formats.model import ImportedSeries, ImportOptions
    from aether_formats.units import Conversion
    from aether_schema import Better

_Listed = Literal["p50", "p95", "mean"]
#: Statistics in order of preference: runs without samples are pooled by the first that all runs hold.
_POOLED: tuple[_Listed, ...] = ("p50", "mean", "p95")
_ID_LENGTH = 200
_NAME_LENGTH = 10_000
_SLUG_LENGTH = 80


class Imported(Struct, frozen=True, kw_only=True):
    """One file's benches: `summaries` to be judged, and the other benches as pairs of `bench_id` and reason.

    `failed` benches ran with failures, which is an error. `unjudged` benches have no figures, or figures in a unit
    that does not imply which direction is better.
    """

    summaries: tuple[Summary, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    unjudged: tuple[tuple[str, str], ...] = ()


def summaries_of(series: Iterable[ImportedSeries], options: ImportOptions, measured_at: datetime) -> Imported:
    """Return the benches of one file under distinct names.

    `measured_at` is the timestamp of series without one.

    Raises:
        ImportProblem: a figure is impossible, or none of the benches can be judged.

    """
    found = [replace(item, name=sanitize_bench_id(options.prefix + item.name)) for item in series]
    summaries: list[Summary] = []
    failed: list[tuple[str, str]] = []
    unjudged: list[tuple[str, str]] = []
    for item in _distinct(found):
        known = _resolve_direction(conversion_for(item.unit), item, options)
        if (problem := _failure(item, options.allow_failures)) is not None:
            failed.append((item.name, problem))
        elif item.skipped is not None:
            unjudged.append((item.name, item.skipped))
        elif known is None:
            unjudged.append((item.name, _no_direction(item)))
        else:
            summaries.append(_summary(item, known, measured_at))
    if unjudged and not summaries and not failed:
        raise ImportFileError(unjudged[0][1], place=unjudged[0][0])
    return Imported(summaries=tuple(summaries), failed=tuple(failed), unjudged=tuple(unjudged))


def pool(runs: Sequence[Summary]) -> Summary:
    """Return several runs of one bench as one summary in which each run is a separate process.

    If all runs have samples, each run contributes its rounds. Otherwise each run contributes a round of one value: the
    first of p50, mean and p95 that all runs hold.

    Raises:
        ImportProblem: the runs do not measure the same thing.

    """
    first = runs[0]
    if len(runs) == 1:
        return first
    for run in runs[1:]:
        for key in ("metric", "unit", "better", "params"):
            if getattr(run, key) != getattr(first, key):
                raise ImportFileError(f"{key} differs: {getattr(run, key)!r} here, {getattr(first, key)!r}")
    rounds = tuple(chain.from_iterable(run.samples or () for run in runs))
    statistics: tuple[_Listed, ...] | None = None
    notes = f"{len(runs)} runs"
    if not all(run.samples for run in runs):
        held = next((name for name in _POOLED if all(run.statistic(name) is not None for run in runs)), None)
        if held is None:
            raise ImportFileError(f"statistics differ: {first.statistics} and others; no run holds those of all")
        rounds = tuple((run.statistic(held) or 0.0,) for run in runs)
        statistics = (held,)
        notes = f"{notes}, of each its {held}"
    kept = [value for values in rounds for value in values]
    common = {
        key: value
        for key, value in (first.environment or {}).items()
        if all((run.environment or {}).get(key) == value for run in runs)
    }
    return Summary(
        bench_id=first.bench_id,
        metric=first.metric,
        unit=first.unit,
        better=first.better,
        p50=quantile(kept, 0.5),
        p95=quantile(kept, 0.95),
        n=len(kept),
        timestamp=max(runs, key=lambda run: run.measured_at).timestamp,
        notes="; ".join(dict.fromkeys(filter(None, (notes, *(run.notes for run in runs))))),
        schema_version=1,
        samples=rounds,
        environment=common or None,
        params=first.params,
        commit=first.commit if len({run.commit for run in runs}) == 1 else None,
        p5=None if first.lower_is_better or statistics is not None else quantile(kept, 0.05),
        statistics=statistics,
    )


def sanitize_bench_id(name: str) -> str:
    """Return a name as a bench_id: on one line, and if too long, truncated and followed by a digest of the name."""
    if len(name) > _NAME_LENGTH:  # before the steps below take memory per character
        name = f"{name[:_NAME_LENGTH]}~{_digest(name, 12)}"
    name = " ".join("".join(character if character.isprintable() else " " for character in name).split())
    if not name:
        return "unnamed"
    if len(name) <= _ID_LENGTH:
        return name
    return f"{name[: _ID_LENGTH - 13]}~{_digest(name, 12)}"


def file_name_of(bench_id: str) -> str:
    """Return the file name of a bench's summary, which is stable and unique to the id."""
    slug = re.sub(r"[^a-z0-9._=+-]+", "-", bench_id.lower()).strip("-.")[:_SLUG_LENGTH]
    return f"bench-{slug}.json" if slug == bench_id else f"bench-{slug}-{_digest(bench_id, 8)}.json"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:length]


def _distinct(series: Sequence[ImportedSeries]) -> list[ImportedSeries]:
    """Return the series with distinct names: repeated names get a number."""
    seen: Counter[str] = Counter()
    apart: list[ImportedSeries] = []
    taken = {item.name for item in series}
    for item in series:
        seen[item.name] += 1
        name = item.name
        if seen[name] > 1:
            name = sanitize_bench_id(f"{item.name} #{seen[item.name]}")
            while name in taken:
                seen[item.name] += 1
                name = sanitize_bench_id(f"{item.name} #{seen[item.name]}")
            taken.add(name)
        apart.append(item if name == item.name else replace(item, name=name))
    return apart


def _failure(item: ImportedSeries, allowed: float) -> str | None:
    """Return why a series is an error, or None: more operations failed than allowed, or no figure is left."""
    failures = item.failures
    if failures is None or failures.failed <= 0:
        return None
    share = failures.failed / failures.total if failures.total > 0 else 1.0
    has_figures = any(item.rounds or ()) or any(value is not None for value in (item.p50, item.mean, item.p95))
    if not has_figures:
        return f"{failures.problem}; nothing is left to judge"
    if share <= allowed:
        return None
    # The smallest whole percentage that lets the series be judged.
    return f"{failures.problem}; --allow-failures {math.ceil(min(share, 1.0) * 100)}% judges it anyway"


def _no_direction(item: ImportedSeries) -> str:
    unit = f"the unit {item.unit!r}" if item.unit else "no unit"
    return f"{unit} does not tell which direction is better: add --better lower or --better higher"


def _summary(item: ImportedSeries, known: Conversion, measured_at: datetime) -> Summary:
    rounds = None if item.rounds is None else tuple(known.convert_all(values) for values in item.rounds if values)
    # Sort once for all quantiles, because sorting takes most of the time.
    kept = sorted(chain.from_iterable(rounds)) if rounds else []
    statistics: tuple[_Listed, ...] | None = None
    p5 = None
    if kept:
        p50, p95, n = quantile(kept, 0.5), quantile(kept, 0.95), len(kept)
        p5 = quantile(kept, 0.05) if known.better == "higher" else None
    else:
        n, rounds = item.n, None
        p50, p95, statistics = _computed(item, known)
    if not all(map(math.isfinite, (p50, p95, *kept[:1], *kept[-1:]))):
        raise ImportFileError("a figure that is not finite", place=item.name)
    whole = {"n": n, **(item.params or {}), **(item.environment or {})}
    if large := next((key for key, value in whole.items() if isinstance(value, int) and abs(value) >= 2**63), None):
        raise ImportFileError("a whole number of more than 64 bits", place=f"{item.name}: {large}")
    if not all(math.isfinite(value) for value in (item.params or {}).values() if isinstance(value, float)):
        raise ImportFileError("a parameter that is not finite", place=item.name)
    failed = None if item.failures is None or item.failures.failed <= 0 else item.failures.problem
    phases = {}
    for name, (middle, high) in (item.phases or {}).items():
        if not (middle >= 0 and math.isfinite(middle) and math.isfinite(high)):
            raise ImportFileError(f"{name}: a duration is a finite number from 0 on", place=item.name)
        phases[name] = Phase(p50=middle, p95=max(middle, high))
    try:
        return Summary(
            bench_id=item.name,
            metric=known.metric,
            unit=known.unit or "1",
            better=known.better if known.metric == "value" else None,
            p50=p50,
            p95=p95,
            n=n,
            timestamp=_timestamp(item.timestamp, measured_at),
            samples=rounds,
            params=item.params or None,
            phases=phases or None,
            environment=item.environment or None,
            commit=item.commit,
            notes="; ".join(filter(None, (item.notes, failed))) or None,
            schema_version=1,
            p5=p5,
            statistics=statistics,
            interval=None if kept else _interval(item.interval, known, p50),
        )
    except InvalidSummaryError as error:
        raise ImportFileError(str(error), place=item.name) from None


def _interval(interval: Interval | None, known: Conversion, p50: float) -> Interval | None:
    """Return a tool's interval in the summary's unit, or None unless it is positive, finite and contains the p50."""
    if interval is None:
        return None
    low, high = known.convert(interval.low), known.convert(interval.high)
    return Interval(level=interval.level, low=low, high=high) if 0 < low <= p50 <= high < math.inf else None


def _computed(item: ImportedSeries, known: Conversion) -> tuple[float, float, tuple[_Listed, ...] | None]:
    """Return the p50 and p95 of a summary without samples, and the statistics that the tool computed (None: both).

    Raises:
        ImportProblem: the tool computed no statistic.

    """
    middle = item.mean if item.p50 is None else item.p50
    name: _Listed = "mean" if item.p50 is None else "p50"
    if middle is not None and item.p95 is not None:
        p50, p95 = known.convert(middle), known.convert(item.p95)
        if name == "p50":
            return p50, max(p50, p95), None  # the tool rounds them separately
        # A mean may exceed the p95, but a summary's p50 may not.
        return (p50, p95, (name, "p95")) if p95 >= p50 else (p50, p50, (name,))
    if middle is not None:
        return known.convert(middle), known.convert(middle), (name,)
    if item.p95 is not None:
        return known.convert(item.p95), known.convert(item.p95), ("p95",)
    raise ImportFileError("no figure at all", place=item.name)


def _resolve_direction(known: Conversion, item: ImportedSeries, options: ImportOptions) -> Conversion | None:
    """Return the conversion with a direction, or None if the direction is unknown.

    In order of precedence, the direction comes from `--better GLOB=WAY`, the format, the unit, and `--better WAY`.
    """
    named = next((way for glob, way in options.better if glob and fnmatch.fnmatchcase(item.name, glob)), None)
    better: Better | None = named or item.better or known.better
    if better is None:
        better = next((way for glob, way in options.better if not glob), None)
    if better is None:
        return None
    if known.better == better or known.metric == "value":
        return replace(known, better=better)
    # The metrics imply a direction: a time with "higher" is not a duration, a rate with "lower" not a throughput.
    return replace(known, metric="value", better=better)


def _timestamp(written: str | None, measured_at: datetime) -> str:
    try:
        moment = datetime.fromisoformat(written.strip()) if written else measured_at
    except ValueError:
        moment = measured_at
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat(timespec="seconds")
