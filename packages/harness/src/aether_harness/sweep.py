"""Sweeps: a parameter given as a list makes a run of every value, several lists of every combination. Pure."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import asdict, fields

from aether_harness.error import UsageError
from aether_harness.front import pareto_front
from aether_harness.parameter import build_params, params_as_scalars
from aether_harness.target import Found, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aether_harness.plugin import Benchmark
    from aether_schema import Summary

    #: A point that was measured.
    Measured = tuple[Target, Summary]

#: More points than anybody waits for; a slip of the pen should not start them.
MOST_POINTS = 1000
DEFAULT_FIGURE: Literal["p50"] = "p50"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.-]+")

Scalar = str | int | float | bool | None


class Point:
    """A bench at one point of a sweep: the parameters that vary are part of its id and of its file's name.

    In all else it is the bench itself, optional attributes included.
    """

    def __init__(self, bench: Benchmark, varied: Mapping[str, Scalar]) -> None:
        """Stand for `bench` where the swept parameters are `varied`."""
        self._bench = bench
        self.varied = dict(varied)
        #: The id of the bench that is swept, to which its rulers belong.
        self.swept_id = bench.bench_id
        written = {key: text_of(value) for key, value in varied.items()}
        self.bench_id = f"{bench.bench_id}[{','.join(f'{key}={text}' for key, text in written.items())}]"
        parts = [part for key, text in written.items() for part in (key, text)]
        self.name = "-".join([bench.name, *(_NOT_IN_A_NAME.sub("_", part) for part in parts)])

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the bench has
        """Return the bench's own attribute."""
        return getattr(self._bench, name)

    @property
    def bench(self) -> Benchmark:
        """The bench that is swept."""
        return self._bench


class Line(Struct, frozen=True, kw_only=True):
    """Points of a sweep that differ in one parameter only: what they have in common, and x, y at p50 and p95.

    `marks` is what that parameter is at each, where the picture's axes do not tell.
    """

    label: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    y95: tuple[float | None, ...]
    marks: tuple[str, ...] = ()


class Picture(Struct, frozen=True, kw_only=True):
    """What is drawn of a sweep of one bench. `front` are the points that no other beats in both x and y."""

    bench_id: str
    name: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    front: tuple[tuple[float, float], ...] = ()


def points_of(found: Found, settings: Mapping[str, str]) -> list[Target]:
    """Return a target for every combination of the values that `settings` lists with commas.

    A value with commas is a list where it is, as a whole, none of the parameter's own: a path may hold commas.

    Raises:
        UsageError: a parameter the bench has not, a value that does not fit, or more points than anybody wants.

    """
    bench = found.bench
    lists = {key: _values(bench, key, text) for key, text in settings.items()}
    order = [field.name for field in fields(bench.params_type)]
    varied = sorted((key for key, texts in lists.items() if len(texts) > 1), key=order.index)
    count = 1
    for key in varied:
        count *= len(lists[key])
    if count > MOST_POINTS:
        raise UsageError(f"{bench.bench_id}: a sweep of {count} points; at most {MOST_POINTS} are run")
    targets = []
    for combination in product(*(lists[key] for key in varied)):
        chosen = {**settings, **dict(zip(varied, combination, strict=True))}
        params = build_params(bench.params_type, bench.name, chosen)
        point = Point(bench, {key: asdict(params)[key] for key in varied}) if varied else bench
        targets.append(Target(found=Found(bench=point, address=found.address), params=params))
    _check_distinct(targets)
    return targets


def swept_benches(measured: Sequence[Measured]) -> list[list[Measured]]:
    """Return the points of each bench that was swept."""
    swept: dict[str, list[Measured]] = {}
    for target, summary in measured:
        if isinstance(target.found.bench, Point):
            swept.setdefault(target.found.bench.bench.bench_id, []).append((target, summary))
    return list(swept.values())


def pictures_of(measured: Sequence[Measured]) -> list[Picture]:
    """Return a picture for each bench that was swept, its axes as the bench names them (`axes`, `size`).

    Raises:
        UsageError: no bench was swept, or one names an axis that its summaries have not.

    """
    return [_picture(points) for points in swept_benches(measured)]


def point_of(target: Target) -> Point:
    """Return the point of a target that is one."""
    point = target.found.bench
    assert isinstance(point, Point)
    return point


def front_of(points: Sequence[Measured]) -> list[bool] | None:
    """Say of every point of a sweep whether no other has both a better median and a smaller `size`.

    None where the bench names no size, or one that a summary has not.
    """
    sizes = [size for _, summary in points if (size := _size(points, summary)) is not None]
    if len(sizes) < len(points):
        return None
    medians = [-summary.p50 if summary.metric == "throughput_mbs" else summary.p50 for _, summary in points]
    return pareto_front(list(zip(medians, sizes, strict=True)))


def _size(points: Sequence[Measured], summary: Summary) -> float | None:
    """Return what a summary says is the size that the bench names."""
    return (summary.readings or {}).get(getattr(point_of(points[0][0]).bench, "size", ""))


def require_sweep(targets: Sequence[Target]) -> None:
    """Make sure, before anything is measured, that there is a sweep to be drawn.

    Raises:
        UsageError: there is none.

    """
    if not any(isinstance(target.found.bench, Point) for target in targets):
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


def _check_distinct(targets: Sequence[Target]) -> None:
    seen: set[str] = set()
    for target in targets:
        bench_id = target.found.bench.bench_id
        if bench_id in seen:
            raise UsageError(f"{bench_id}: the sweep comes to the same point twice")
        seen.add(bench_id)


def _picture(points: Sequence[Measured]) -> Picture:
    point = point_of(points[0][0])
    size = getattr(point.bench, "size", None)
    usual = (next(iter(point.varied)) if size is None else size, DEFAULT_FIGURE)
    x, y = getattr(point.bench, "axes", usual)
    others = [key for key in point.varied if key not in {x, y}]
    along = None if x in point.varied else _last_number(point, others)
    groups: dict[str, list[Measured]] = {}
    for target, summary in points:
        varied = point_of(target).varied
        label = ", ".join(f"{key}={text_of(varied[key])}" for key in others if key != along)
        groups.setdefault(label, []).append((target, summary))
    front = front_of(points) if (x, y) == (size, DEFAULT_FIGURE) else None
    on_it = [summary for (_, summary), on in zip(points, front or [], strict=bool(front)) if on]
    return Picture(
        bench_id=point.bench.bench_id,
        name=point.bench.name,
        x_label=_label(x, points[0][1]),
        y_label=_label(y, points[0][1]),
        lines=tuple(_line(label, group, x, y, along) for label, group in groups.items()),
        front=tuple(sorted((_size(points, summary) or 0.0, summary.p50) for summary in on_it)),
    )


def _last_number(point: Point, keys: Sequence[str]) -> str | None:
    """Return the last of the swept parameters that is a number: points that differ in it only make a line."""
    values = {key: point.varied[key] for key in keys}
    numbers = [key for key, each in values.items() if isinstance(each, (int, float)) and not isinstance(each, bool)]
    return numbers[-1] if numbers else None


def _line(label: str, points: Sequence[Measured], x: str, y: str, along: str | None) -> Line:
    found = [(figure(target, summary, x), figure(target, summary, y), target, summary) for target, summary in points]
    if along is not None:
        found.sort(key=lambda each: point_of(each[2]).varied[along])  # type: ignore[arg-type,return-value]
    elif all(isinstance(each[0], (int, float)) for each in found):
        found.sort(key=lambda each: each[0])  # type: ignore[arg-type,return-value]
    numbers = []
    for _, value, _, _ in found:
        if not isinstance(value, (int, float)):
            raise UsageError(f"--plot: {y} is {value!r}, which is no number")
        numbers.append(float(value))
    return Line(
        label=label,
        x=tuple(value if isinstance(value, (int, float)) else text_of(value) for value, _, _, _ in found),
        y=tuple(numbers),
        y95=tuple(summary.p95 if y == DEFAULT_FIGURE else None for _, _, _, summary in found),
        marks=() if along is None else tuple(f"{along} {text_of(point_of(each[2]).varied[along])}" for each in found),
    )


def figure(target: Target, summary: Summary, name: str) -> Scalar:
    """Return what `name` is at a point: a quantile, a parameter, a phase's p50 in ms, or a reading.

    Raises:
        UsageError: it is none of them.

    """
    places: Iterator[Mapping[str, Any]] = iter(
        (
            {"p50": summary.p50, "p95": summary.p95},
            {**params_as_scalars(target.params), **asdict(target.params)},
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


def text_of(value: Scalar) -> str:
    """Return a parameter's value as `-p` takes it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
