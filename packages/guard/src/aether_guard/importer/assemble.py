"""From a tool's series to summaries: units, directions, names. Pure."""

from __future__ import annotations

import fnmatch
import hashlib
import math
import re
from collections import Counter
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.unit import conversion
from aether_schema import InvalidSummaryError, Phase, Summary, quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aether_guard.importer.series import Series, Wishes
    from aether_guard.importer.unit import Conversion
    from aether_schema import Better

_ID_LENGTH = 200
_SLUG_LENGTH = 80


def summaries_of(series: Iterable[Series], wishes: Wishes, measured_at: datetime) -> list[Summary]:
    """Return a summary each, under names that tell them apart.

    `measured_at` stands for the time that a tool did not write.

    Raises:
        ImportProblem: a figure is impossible, or a unit has no direction and none was given.

    """
    found = [replace(item, name=bench_id_of(wishes.prefix + item.name)) for item in series]
    return [_summary(item, wishes, measured_at) for item in _distinct(found)]


def bench_id_of(name: str) -> str:
    """Return a name as a bench_id: on one line, and where it is too long, cut with a mark of the whole."""
    name = " ".join("".join(character if character.isprintable() else " " for character in name).split())
    if not name:
        return "unnamed"
    if len(name) <= _ID_LENGTH:
        return name
    return f"{name[: _ID_LENGTH - 13]}~{_digest(name, 12)}"


def file_name_of(bench_id: str) -> str:
    """Return the name of the file for a bench's summary: the same always, and another for every other id."""
    slug = re.sub(r"[^a-z0-9._=+-]+", "-", bench_id.lower()).strip("-.")[:_SLUG_LENGTH]
    return f"bench-{slug}.json" if slug == bench_id else f"bench-{slug}-{_digest(bench_id, 8)}.json"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:length]


def _distinct(series: Sequence[Series]) -> list[Series]:
    """Return the series, those of one name told apart by their number."""
    seen: Counter[str] = Counter()
    apart: list[Series] = []
    taken = {item.name for item in series}
    for item in series:
        seen[item.name] += 1
        name = item.name
        if seen[name] > 1:
            name = bench_id_of(f"{item.name} #{seen[item.name]}")
            while name in taken:
                seen[item.name] += 1
                name = bench_id_of(f"{item.name} #{seen[item.name]}")
            taken.add(name)
        apart.append(item if name == item.name else replace(item, name=name))
    return apart


def _summary(item: Series, wishes: Wishes, measured_at: datetime) -> Summary:
    known = _directed(conversion(item.unit), item, wishes)
    rounds = None if item.rounds is None else tuple(known.all(values) for values in item.rounds if values)
    # Sorted once, which is what takes the time, for both.
    kept = sorted(chain.from_iterable(rounds)) if rounds else []
    if kept:
        p50, p95, n = quantile(kept, 0.5), quantile(kept, 0.95), len(kept)
    elif item.p50 is not None:
        p50, n, rounds = known.one(item.p50), item.n, None
        p95 = p50 if item.p95 is None else max(p50, known.one(item.p95))
    else:
        raise ImportProblem("no figure at all", place=item.name)
    if not all(map(math.isfinite, (p50, p95, *kept[:1], *kept[-1:]))):
        raise ImportProblem("a figure that is not finite", place=item.name)
    whole = {"n": n, **(item.params or {}), **(item.environment or {})}
    if large := next((key for key, value in whole.items() if isinstance(value, int) and abs(value) >= 2**63), None):
        raise ImportProblem("a whole number of more than 64 bits", place=f"{item.name}: {large}")
    if not all(math.isfinite(value) for value in (item.params or {}).values() if isinstance(value, float)):
        raise ImportProblem("a parameter that is not finite", place=item.name)
    notes = [item.notes, "the tool tells no p95: p50 stands for it" if not kept and item.p95 is None else None]
    phases = {}
    for name, (middle, high) in (item.phases or {}).items():
        if not (middle >= 0 and math.isfinite(middle) and math.isfinite(high)):
            raise ImportProblem(f"{name}: a duration is a finite number from 0 on", place=item.name)
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
            notes="; ".join(filter(None, notes)) or None,
            schema_version=1,
        )
    except InvalidSummaryError as error:
        raise ImportProblem(str(error), place=item.name) from None


def _directed(known: Conversion, item: Series, wishes: Wishes) -> Conversion:
    """Return the conversion with a direction: from whoever named the bench, the format, the unit, or whoever asked."""
    named = next((way for glob, way in wishes.better if glob and fnmatch.fnmatchcase(item.name, glob)), None)
    better: Better | None = named or item.better or known.better
    if better is None:
        better = next((way for glob, way in wishes.better if not glob), None)
    if better is None:
        unit = f"the unit {known.unit!r}" if known.unit else "no unit"
        raise ImportProblem(
            f"{unit} does not say which way is better: add --better lower or --better higher", place=item.name
        )
    if known.better == better or known.metric == "value":
        return replace(known, better=better)
    # A time of which more is better is no duration, nor a rate of which less is a throughput.
    return replace(known, metric="value", better=better)


def _timestamp(written: str | None, measured_at: datetime) -> str:
    try:
        moment = datetime.fromisoformat(written.strip()) if written else measured_at
    except ValueError:
        moment = measured_at
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat(timespec="seconds")
