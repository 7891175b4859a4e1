"""Bencher's metric format: `{bench: {measure: {value, lower_value?, upper_value?}}}`.

The built-in measures have a fixed unit, and here a direction. The name of another measure may be a unit, as
`aether-guard export bmf` writes it (`req-s`). Otherwise `--unit` and `--better` are needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_formats.model import ImportedSeries
from aether_formats.reading.document import keys_of
from aether_formats.units import conversion_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document
    from aether_schema import Better

ABOUT = "Bencher's metric format"
SUFFIXES: tuple[str, ...] = (".json",)
_P95 = "-p95"
#: The measures that Bencher itself creates and of which less is better, by their unit.
_COSTS: dict[str, tuple[str, ...]] = {
    "ns": ("latency", "sys-cpu-time"),
    "s": ("build-time",),
    "B": ("file-size", "allocated", "memory", "total-bytes", "at-t-gmax-bytes", "at-t-end-bytes", "maximum-bytes"),
    "instructions": ("instructions",),
    "cycles": ("estimated-cycles",),
    "accesses": ("l1-accesses", "l2-accesses", "ram-accesses"),
    "hits": ("l1-hits", "l2-hits", "ll-hits", "ram-hits"),
    "reads/writes": ("total-read-write",),
    "%": ("i1-miss-rate", "d1-miss-rate", "lli-miss-rate", "lld-miss-rate", "ll-miss-rate", "ram-hit-rate"),
    "blocks": ("total-blocks", "at-t-gmax-blocks", "at-t-end-blocks", "maximum-blocks"),
    "collects": ("gen0-collects", "gen1-collects", "gen2-collects"),
    "syscalls": ("sys-count",),
}
_YIELDS: dict[str, tuple[str, ...]] = {"ops/s": ("throughput",), "%": ("l1-hit-rate",)}
_KNOWN: dict[str, tuple[str, Better]] = {
    **{measure: (unit, "lower") for unit, measures in _COSTS.items() for measure in measures},
    **{measure: (unit, "higher") for unit, measures in _YIELDS.items() for measure in measures},
}
#: The units of the guard whose slug is not the unit with a slash.
_SLUGS = {"mb-s": "MB/s", "b": "B", "b-op": "B/op"}


class _Metric(Struct):
    value: float
    lower_value: float | None = None
    upper_value: float | None = None


def matches(document: Document) -> bool:
    """Return whether the first bench holds a measure with a value, and nothing else."""
    if not document.keys:
        return False
    measures = [keys_of(measure) for measure in keys_of(next(iter(document.keys.values()))).values()]
    allowed = {"value", "lower_value", "upper_value"}
    return bool(measures) and all("value" in measure and measure.keys() <= allowed for measure in measures)


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield each measure of each bench; with several measures, the name of the measure follows the bench's.

    A measure `latency-p95` is the p95 of `latency`, as `aether-guard export bmf` writes it.
    """
    for bench, measures in document.decode(dict[str, dict[str, _Metric]]).items():
        names = dict.fromkeys(measure.removesuffix(_P95) for measure in measures)
        for measure in names:
            unit, better = _unit(measure, options.unit)
            middle, tail = measures.get(measure), measures.get(f"{measure}{_P95}")
            yield ImportedSeries(
                name=bench if len(names) == 1 else f"{bench} {measure}",
                unit=unit,
                better=better,
                p50=None if middle is None else middle.value,
                p95=None if tail is None else tail.value,
            )


def _unit(measure: str, wished: str | None) -> tuple[str, Better | None]:
    """Return the unit of a measure, given by its name or its slug, and its direction if the unit has none."""
    slug = re.sub(r"[^a-z0-9]+", "-", measure.lower()).strip("-")
    if slug in _KNOWN:
        return _KNOWN[slug]
    if wished is not None:
        return wished, None
    guesses = (_SLUGS.get(slug, measure), slug.replace("-", "/", 1))
    return next((unit for unit in guesses if conversion_for(unit).better is not None), measure), None
