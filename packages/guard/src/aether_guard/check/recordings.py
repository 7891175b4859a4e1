"""Recorded runs of unchanged code, as summaries: JSON lines, a run a line, or a folder of summaries."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from aether_guard.check.files import load_all
from aether_guard.errors import GuardError
from aether_schema import UNIT_OF_METRIC, Metric, Reference, SchemaError, Summary, printable, quantile
from aether_schema.codec import VALUES_LIMIT, count_values

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As large as a summary may be.
LINE_LIMIT_BYTES = 64 * 2**20

Numbers = tuple[tuple[float, ...], ...]


class KeptSamples(Struct, frozen=True):
    """The samples kept after disturbed ones were retaken, and the reference next to them."""

    samples: Numbers
    reference: Numbers


class RecordedRun(Struct, frozen=True, kw_only=True):
    """One line: samples as measured, one array per round, the reference next to them, and the evidence of disturbance.

    `cross_reference` is the second kernel's value a round, in an array of its own.
    """

    samples: Numbers
    reference: Numbers | None = None
    cross_reference: Numbers | None = None
    involuntary_switches: tuple[tuple[int | None, ...], ...] | None = None
    kept: KeptSamples | None = None
    bench_id: str | None = None
    metric: Metric = "duration_ms"


def read_recording(path: str) -> list[Summary]:
    """Return the runs in the file `path` of JSON lines, or in the folder `path` of summaries.

    Raises:
        GuardError: it cannot be read, or a line of it is no run; the message names the line.

    """
    if os.path.isdir(path):
        loaded, problems = load_all([path])
        if problems:
            raise GuardError("\n".join(problem.message for problem in problems))
        return [item.summary for item in loaded]
    return list(_runs(path))


def summary_of(run: RecordedRun, name: str) -> Summary:
    """Return one run as a summary, without the samples during which the CPU was taken away.

    Raises:
        SchemaError: its figures are none a summary can hold.

    """
    samples, reference = _undisturbed(run)
    flat = [value for values in samples for value in values]
    return Summary(
        bench_id=run.bench_id or name,
        metric=run.metric,
        unit=UNIT_OF_METRIC.get(run.metric, "ms"),
        p50=quantile(flat, 0.5),
        p95=quantile(flat, 0.95),
        n=len(flat),
        timestamp=datetime.now(UTC).isoformat(timespec="seconds"),
        samples=samples,
        reference=_as_reference(reference, "recorded"),
        cross_reference=_as_reference(run.cross_reference, "recorded beside it"),
    )


def _as_reference(samples: Numbers | None, kernel: str) -> Reference | None:
    return None if samples is None else Reference(kernel=kernel, unit="ms", samples=samples)


def _runs(path: str) -> Iterator[Summary]:
    name = os.path.splitext(os.path.basename(path))[0]
    decode = msgspec.json.Decoder(RecordedRun).decode
    values = 0
    try:
        # A pipe might block, and a device never end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise GuardError(f"{printable(path)}: not a regular file")
        with open(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LINE_LIMIT_BYTES + 1), b""), start=1):
                if len(line) > LINE_LIMIT_BYTES:
                    raise GuardError(f"{printable(path)}: line {number}: over the limit of {LINE_LIMIT_BYTES:,} bytes")
                if not line.strip():
                    continue
                values += count_values(line)
                if values > VALUES_LIMIT:
                    raise GuardError(
                        f"{printable(path)}: line {number}: the file holds more than {VALUES_LIMIT:,} values"
                    )
                try:
                    yield summary_of(decode(line), name)
                except (msgspec.MsgspecError, SchemaError, ValueError, IndexError, RecursionError) as error:
                    raise GuardError(f"{printable(path)}: line {number}: {printable(str(error))}") from None
    except OSError as error:
        raise GuardError(f"{printable(path)}: {(error.strerror or str(error)).lower()}") from None


def _undisturbed(run: RecordedRun) -> tuple[Numbers, Numbers | None]:
    if run.kept is not None:
        return run.kept.samples, run.kept.reference
    if run.involuntary_switches is None:
        return run.samples, run.reference
    parts = (run.samples, run.reference, run.involuntary_switches)
    shapes = {tuple(map(len, part)) for part in parts if part is not None}
    if len(shapes) > 1:
        raise SchemaError("samples, reference and involuntary_switches have not the same shape")
    calm = [[index for index, switches in enumerate(counts) if not switches] for counts in run.involuntary_switches]

    def chosen(numbers: Numbers) -> Numbers:
        return tuple(tuple(values[index] for index in indices) for values, indices in zip(numbers, calm, strict=True))

    return chosen(run.samples), None if run.reference is None else chosen(run.reference)
