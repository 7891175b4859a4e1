"""One run's figures as the history keeps them: a row a bench, and the file they stand in. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from aether_guard.errors import GuardError
from aether_schema import Better, Metric, Summary, printable, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT_VERSION: Literal[1] = 1
DIRTY = "-dirty"
#: The longest row that is written.
LINE_LIMIT_BYTES = 8 * 2**20
_COUNT_LIMIT = 2**63 - 1
_SLUG_LENGTH = 40
_DIGEST_LENGTH = 16


class Provenance(Struct, frozen=True, kw_only=True):
    """The origin of figures: the commit, its time (ISO 8601, UTC), and the branch; None is unknown."""

    commit: str | None = None
    commit_time: str | None = None
    branch: str | None = None


class Row(Struct, frozen=True, kw_only=True):
    """The figures of one bench in one run, flat, as a line or a Parquet row holds them.

    `p50` and `p95` are in `unit`, or None if the summary does not hold them; a mean is kept as `p50`. `ruler` is the
    median of the reference kernel `kernel` in milliseconds. Times are ISO 8601 in UTC, to the microsecond, so that they
    sort as text. `params` and `environment` are JSON with sorted keys. A run has one row per bench; of two rows with
    the same `run_id` and `bench_id` the first recorded one counts.
    """

    aether_history: Literal[1] = FORMAT_VERSION
    run_id: str
    recorded_at: str
    timestamp: str
    bench_id: str
    metric: Metric
    unit: str
    better: Better
    p50: float | None
    p95: float | None
    n: int
    commit: str | None = None
    commit_time: str | None = None
    branch: str | None = None
    params: str = "{}"
    environment: str = "{}"
    kernel: str | None = None
    ruler: float | None = None


def rows_of(summaries: Sequence[Summary], origins: Sequence[Provenance], run_id: str, now: datetime) -> list[Row]:
    """Return the rows of a run: one per summary, with its origin, recorded at `now`.

    Raises:
        GuardError: there is no summary, two are of the same bench, or a count or a time is out of range.

    """
    if not summaries:
        raise GuardError("no summary to record")
    names = sorted(summary.bench_id for summary in summaries)
    for name, following in pairwise(names):
        if name == following:
            raise GuardError(f"{printable(name)}: two summaries of one bench in a run; record them one after the other")
    return [
        _row(summary, origin, run_id or derived_run_id(summaries), now)
        for summary, origin in zip(summaries, origins, strict=True)
    ]


def derived_run_id(summaries: Sequence[Summary]) -> str:
    """Return an id that depends only on the commits, benches and timestamps of the summaries."""
    parts = sorted((item.commit or "", item.bench_id, utc_text(item.measured_at)) for item in summaries)
    return _digest(parts)


def file_stem(rows: Sequence[Row]) -> str:
    """Return the name of a run's file without its extension: the same for the same run id and benches."""
    run_id = rows[0].run_id
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", run_id)[:_SLUG_LENGTH].strip("-") or "run"
    return f"run-{slug}-{_digest([run_id, *sorted(row.bench_id for row in rows)])[:8]}"


def encode_lines(rows: Sequence[Row]) -> bytes:
    """Return the rows as JSON lines.

    Raises:
        GuardError: one is longer than those that are read again; the message names its longest key.

    """
    lines = []
    for row in rows:
        line = msgspec.json.encode(row) + b"\n"
        if len(line) > LINE_LIMIT_BYTES:
            key = max(row.__struct_fields__, key=lambda key: len(str(getattr(row, key))))
            limit = f"the {LINE_LIMIT_BYTES // 2**20} MiB that a row of a history may have"
            raise GuardError(f"{printable(row.bench_id)}: {key}: {len(line):,} bytes with it, more than {limit}")
        lines.append(line)
    return b"".join(lines)


def utc_text(moment: datetime) -> str:
    """Return a moment as the history writes it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _row(summary: Summary, origin: Provenance, run_id: str, now: datetime) -> Row:
    reference = summary.reference
    ruler = None if reference is None else quantile((value for part in reference.samples for value in part), 0.5)
    try:
        measured = utc_text(summary.measured_at)
    except (OverflowError, ValueError):
        raise GuardError(
            f"{printable(summary.bench_id)}: timestamp: {summary.timestamp[:40]} is no time of ours"
        ) from None
    if summary.n > _COUNT_LIMIT:
        raise GuardError(f"{printable(summary.bench_id)}: n: {summary.n} is more than a history counts")
    return Row(
        run_id=_unicode(run_id),
        recorded_at=utc_text(now),
        timestamp=measured,
        bench_id=summary.bench_id,
        metric=summary.metric,
        unit=summary.unit,
        better="lower" if summary.lower_is_better else "higher",
        p50=None if summary.statistics == ("p95",) else summary.p50,
        p95=summary.statistic("p95"),
        n=summary.n,
        commit=None if origin.commit is None else _unicode(origin.commit),
        commit_time=origin.commit_time,
        branch=None if origin.branch is None else _unicode(origin.branch),
        params=_json(summary.params or {}),
        environment=_json(summary.environment or {}),
        kernel=None if reference is None else reference.kernel,
        ruler=ruler,
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def _unicode(text: str) -> str:
    """Return a text of the system's, in which bytes that are not UTF-8 are escaped."""
    return text.encode(errors="backslashreplace").decode()


def _digest(parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:_DIGEST_LENGTH]
