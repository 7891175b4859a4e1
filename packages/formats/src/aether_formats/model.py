"""One bench's figures as a tool wrote them, before they are a summary. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_schema import Better, Interval, Rounds, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping


#: A bench takes some two kilobytes of memory from its figures to its summary.
BENCHES_LIMIT = 100_000


class Failures(Struct, frozen=True, kw_only=True):
    """Operations that failed: `failed` of `total`, and a short text such as "3 of 10 runs exited with status 1"."""

    failed: float
    total: float
    problem: str


class ImportedSeries(Struct, frozen=True, kw_only=True):
    """The figures of one bench, in the tool's own unit.

    Either `rounds` holds the samples, one array per process, or the statistics that the tool computed (`p50` or
    `mean`, `p95`) describe `n` samples that it did not keep. A statistic that the file does not hold stays None.
    `better` is the direction that the format itself fixes; it outranks the unit's. `phases` has the p50 and p95 of
    each part in milliseconds. `failures` makes the series an error unless the share is allowed; samples of failed
    operations are left out. `skipped` is the reason why the tool measured nothing, and then there are no figures.
    `interval` is the tool's own for `p50`, in its unit.
    """

    name: str
    unit: str
    rounds: Rounds | None = None
    p50: float | None = None
    p95: float | None = None
    mean: float | None = None
    n: int = 1
    better: Better | None = None
    params: dict[str, Scalar] | None = None
    phases: dict[str, tuple[float, float]] | None = None
    environment: dict[str, Any] | None = None
    timestamp: str | None = None
    commit: str | None = None
    notes: str | None = None
    failures: Failures | None = None
    skipped: str | None = None
    interval: Interval | None = None


class ImportOptions(Struct, frozen=True, kw_only=True):
    """The user's options for an import.

    `better` holds pairs of a glob of bench ids, empty for every unit without a direction, and the direction. `columns`
    maps roles to columns of a CSV, and `unit` is the unit of figures without one. `allow_failures` is the maximum share
    of failed operations with which a series is still judged.
    """

    better: tuple[tuple[str, Better], ...] = ()
    columns: dict[str, str] = {}
    unit: str | None = None
    prefix: str = ""
    allow_failures: float = 0.0


DEFAULT_OPTIONS = ImportOptions()


def name_with_params(name: str, params: dict[str, Scalar]) -> str:
    """Return the name of one point of a sweep, its parameters behind it."""
    return f"{name} [{', '.join(f'{key}={value}' for key, value in params.items())}]" if params else name


def environment_from(info: Mapping[str, Any], **keys: str) -> dict[str, Any]:
    """Return the properties of the machine under `keys`, our names to the tool's: texts and whole numbers.

    An importer names fixed properties, never a clock rate or a temperature that was read while measuring.
    """
    found = {ours: info.get(theirs) for ours, theirs in keys.items()}
    return {ours: value for ours, value in found.items() if value and isinstance(value, (str, int))}
