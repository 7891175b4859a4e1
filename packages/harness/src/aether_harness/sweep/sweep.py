"""Expand parameters given as lists into one run per combination of values, and describe the plots. Pure."""

from __future__ import annotations

import re
import zlib
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, fields, replace

from aether_harness.benchmark.parameters import build_params
from aether_harness.benchmark.protocol import AddsColumns, ChoosesAxes, HasSize
from aether_harness.discovery.locator import Point, Variant, target_of
from aether_harness.errors import UsageError
from aether_harness.sweep.pareto import pareto_mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aether_harness.benchmark.protocol import Benchmark
    from aether_harness.discovery.locator import LocatedBench, RunTarget
    from aether_schema import Scalar, Summary

    #: A measured point.
    Measured = tuple[RunTarget, Summary]

#: A sweep of more points is probably a typing error.
MAX_POINTS = 1000
DEFAULT_FIGURE: Literal["p50"] = "p50"
#: The longest value in an id, the longest list of values, and the longest name of a file.
_VALUE_LENGTH, _VALUES_LENGTH, _NAME_LENGTH = 40, 120, 100
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.-]+")


class SweepLine(Struct, frozen=True, kw_only=True):
    """Points of a sweep that differ in one parameter only.

    `label` names the values of the other parameters, `y` is at p50 and `y95` at p95. `marks` are the values of the one
    parameter if no axis shows it.
    """

    label: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    y95: tuple[float | None, ...]
    marks: tuple[str, ...] = ()


class SweepPlot(Struct, frozen=True, kw_only=True):
    """The plot of one bench's sweep. `front` is the Pareto front: the points that no other point beats in x and y."""

    bench_id: str
    name: str
    x_label: str
    y_label: str
    lines: tuple[SweepLine, ...]
    front: tuple[tuple[float, float], ...] = ()


def expand_sweep(found: LocatedBench, settings: Mapping[str, str]) -> list[RunTarget]:
    """Return a target for every combination of the comma-separated values in `settings`.

    A value with commas that the parameter accepts as a whole, such as a path, is not a list.

    Raises:
        UsageError: an unknown parameter, an invalid value, or more than `MAX_POINTS` points.

    """
    bench = found.bench
    lists = {key: _values(bench, key, text) for key, text in settings.items()}
    order = [field.name for field in fields(bench.params_type)]
    varied = sorted((key for key, texts in lists.items() if len(texts) > 1), key=order.index)
    count = 1
    for key in varied:
        count *= len(lists[key])
    if count > MAX_POINTS:
        raise UsageError(f"{found.bench_id}: a sweep of {count} points; at most {MAX_POINTS} are run")
    targets = []
    for combination in product(*(lists[key] for key in varied)):
        chosen = {**settings, **dict(zip(varied, combination, strict=True))}
        params = build_params(bench.params_type, found.name, chosen)
        target = target_of(found, params)
        values = msgspec.to_builtins(asdict(params))
        if varied:
            targets.append(_at_point(target, bench, {key: values[key] for key in varied}))
        else:
            defaults = msgspec.to_builtins(asdict(bench.params_type()))
            changed = {key: values[key] for key in order if values[key] != defaults[key]}
            named = _with_values(target, changed)
            variant = Variant(bench_id=named.bench_id, name=named.name) if changed else None
            targets.append(replace(target, variant=variant))
    _check_distinct(targets)
    return targets


def _at_point(target: RunTarget, bench: Benchmark, varied: dict[str, Scalar]) -> RunTarget:
    """Return the target at one point of a sweep, with the varied parameters in its id and file name."""
    return replace(
        _with_values(target, varied),
        point=Point(
            bench_id=target.bench_id,
            name=target.name,
            varied=varied,
            axes=bench.axes if isinstance(bench, ChoosesAxes) else None,
            size=bench.size if isinstance(bench, HasSize) else None,
            columns=tuple(bench.columns) if isinstance(bench, AddsColumns) else (),
        ),
    )


def _with_values(target: RunTarget, values: Mapping[str, Scalar]) -> RunTarget:
    """Return the target with values of parameters in its id and file name; long values are shortened."""
    written = {key: _shortened(format_value(value), _VALUE_LENGTH) for key, value in values.items()}
    parts = [_NOT_IN_A_NAME.sub("_", part) for item in written.items() for part in item]
    listed = _shortened(",".join(f"{key}={text}" for key, text in written.items()), _VALUES_LENGTH)
    return replace(
        target,
        bench_id=f"{target.bench_id}[{listed}]",
        name=_shortened("-".join([target.name, *parts]), _NAME_LENGTH),
    )


def _shortened(text: str, length: int) -> str:
    """Return `text`, its end replaced by a checksum if it is too long, without control characters."""
    text = "".join(character if character.isprintable() else "_" for character in text)
    return text if len(text) <= length else f"{text[: length - 9]}-{zlib.crc32(text.encode()):08x}"


def swept_benches(measured: Sequence[Measured]) -> list[list[Measured]]:
    """Group the points by bench."""
    swept: dict[str, list[Measured]] = {}
    for target, summary in measured:
        if target.point is not None:
            swept.setdefault(target.point.bench_id, []).append((target, summary))
    return list(swept.values())


def build_plots(measured: Sequence[Measured]) -> list[SweepPlot]:
    """Return one plot per swept bench, with the axes that the bench chooses.

    Raises:
        UsageError: a summary lacks the quantity of an axis.

    """
    return [_picture(points) for points in swept_benches(measured)]


def point_of(target: RunTarget) -> Point:
    """Return the sweep point of a target of a sweep."""
    assert target.point is not None
    return target.point


def pareto_flags(points: Sequence[Measured]) -> list[bool] | None:
    """Return for each point whether it is on the Pareto front of median and `size`.

    None if the bench has no size, or a summary lacks it.
    """
    sizes = [size for _, summary in points if (size := _size(points, summary)) is not None]
    if len(sizes) < len(points):
        return None
    medians = [-summary.p50 if summary.metric == "throughput_mbs" else summary.p50 for _, summary in points]
    return pareto_mask(list(zip(medians, sizes, strict=True)))


def _size(points: Sequence[Measured], summary: Summary) -> float | None:
    """Return the reading of a summary that the bench names as its size."""
    return (summary.readings or {}).get(point_of(points[0][0]).size or "")


def require_sweep(targets: Sequence[RunTarget]) -> None:
    """Check before measuring that there is a sweep to plot.

    Raises:
        UsageError: there is no sweep.

    """
    if all(target.point is None for target in targets):
        raise UsageError("--plot draws a sweep: give a parameter several values, for example -p pack.level=1,6,9")


def _values(bench: Benchmark, key: str, text: str) -> list[str]:
    if "," not in text:
        return [text]
    try:
        build_params(bench.params_type, bench.name, {key: text})
    except UsageError:
        if key not in {field.name for field in fields(bench.params_type)}:
            raise
        return [part.strip() for part in text.split(",")]
    return [text]


def _check_distinct(targets: Sequence[RunTarget]) -> None:
    seen: set[str] = set()
    for target in targets:
        if target.bench_id in seen:
            raise UsageError(f"{target.bench_id}: the sweep has the same point twice")
        seen.add(target.bench_id)


def _picture(points: Sequence[Measured]) -> SweepPlot:
    point = point_of(points[0][0])
    size = point.size
    x, y = point.axes or (next(iter(point.varied)) if size is None else size, DEFAULT_FIGURE)
    others = [key for key in point.varied if key not in {x, y}]
    line_key = None if x in point.varied else _last_number(point, others)
    groups: dict[str, list[Measured]] = {}
    for target, summary in points:
        varied = point_of(target).varied
        label = ", ".join(f"{key}={format_value(varied[key])}" for key in others if key != line_key)
        groups.setdefault(label, []).append((target, summary))
    front = pareto_flags(points) if (x, y) == (size, DEFAULT_FIGURE) else None
    on_it = [summary for (_, summary), on in zip(points, front or [], strict=bool(front)) if on]
    return SweepPlot(
        bench_id=point.bench_id,
        name=point.name,
        x_label=_label(x, points[0][1]),
        y_label=_label(y, points[0][1]),
        lines=tuple(_line(label, group, x, y, line_key) for label, group in groups.items()),
        front=tuple(sorted((_size(points, summary) or 0.0, summary.p50) for summary in on_it)),
    )


def _last_number(point: Point, keys: Sequence[str]) -> str | None:
    """Return the last swept parameter that is a number: points that differ only in it form a line."""
    values = {key: point.varied[key] for key in keys}
    numbers = [key for key, each in values.items() if isinstance(each, (int, float)) and not isinstance(each, bool)]
    return numbers[-1] if numbers else None


def _line(label: str, points: Sequence[Measured], x: str, y: str, line_key: str | None) -> SweepLine:
    found = [
        (axis_value(target, summary, x), axis_value(target, summary, y), target, summary) for target, summary in points
    ]
    if line_key is not None:
        found.sort(key=lambda each: point_of(each[2]).varied[line_key])  # type: ignore[arg-type,return-value]
    elif all(isinstance(each[0], (int, float)) for each in found):
        found.sort(key=lambda each: each[0])  # type: ignore[arg-type,return-value]
    numbers = []
    for _, value, _, _ in found:
        if not isinstance(value, (int, float)):
            raise UsageError(f"--plot: {y} is {value!r}, not a number")
        numbers.append(float(value))
    return SweepLine(
        label=label,
        x=tuple(value if isinstance(value, (int, float)) else format_value(value) for value, _, _, _ in found),
        y=tuple(numbers),
        y95=tuple(summary.p95 if y == DEFAULT_FIGURE else None for _, _, _, summary in found),
        marks=()
        if line_key is None
        else tuple(f"{line_key} {format_value(point_of(each[2]).varied[line_key])}" for each in found),
    )


def axis_value(target: RunTarget, summary: Summary, name: str) -> Scalar:
    """Return the value of `name` at a point: a quantile, a parameter, the p50 of a phase in ms, or a reading.

    Raises:
        UsageError: the point has no such quantity.

    """
    places: Iterator[Mapping[str, Any]] = iter(
        (
            {"p50": summary.p50, "p95": summary.p95},
            {**target.params, **(target.point.varied if target.point is not None else {})},
            {key: phase.p50 for key, phase in (summary.phases or {}).items()},
            summary.readings or {},
        )
    )
    for place in places:
        if name in place:
            value: Scalar = place[name]
            return value
    raise UsageError(f"--plot: {summary.bench_id} has no {name!r} for an axis")


def _label(name: str, summary: Summary) -> str:
    if name in {"p50", "p95"}:
        return f"{summary.metric}, {name} ({summary.unit})"
    return f"{name} (ms)" if name in (summary.phases or {}) else name


def format_value(value: Scalar) -> str:
    """Return the value of a parameter as `-p` accepts it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
