"""The summary of a bench's run: its types and the rules between its keys."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from aether_schema.errors import InvalidSummaryError
from aether_schema.quantile import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA_VERSION: Literal[1] = 1

Metric = Literal["duration_ms", "throughput_mbs", "value"]
Better = Literal["lower", "higher"]
#: The statistics of one bench that a summary can hold.
Statistic = Literal["p5", "p50", "p95", "mean"]
_Listed = Literal["p50", "p95", "mean"]
PROBABILITY: dict[Statistic, float] = {"p5": 0.05, "p50": 0.5, "p95": 0.95}

#: The unit that goes with a metric; a `value` takes any.
UNIT_OF_METRIC = {"duration_ms": "ms", "throughput_mbs": "MB/s"}
BETTER_OF_METRIC: dict[str, Better] = {"duration_ms": "lower", "throughput_mbs": "higher"}

BENCH_ID_LENGTH = 200
#: A summary holds this many functions.
FUNCTIONS_LIMIT = 100
#: The most levels of lists and objects within one another, in the keys that take any value.
DEPTH_LIMIT = 100
NO_CONTROL_CHARS = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"

# The maximum relative distance of a written quantile from the quantile of its samples: writers round to six digits.
QUANTILE_TOLERANCE = 1e-6

Figure = Annotated[float, Meta(ge=0, description="A finite number, not negative.")]
Rounds = Annotated[
    tuple[tuple[Figure, ...], ...],
    Meta(description="An array a round (a fresh process), each an array of its samples, in `unit`."),
]
Scalar = str | int | float | bool | None
#: The name of a further figure, such as `peak-memory`.
FigureName = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,59}$")]


def statistic(values: Sequence[float], name: Statistic) -> float:
    """Return a statistic of `values`, which are not empty, in their unit."""
    if name == "mean":
        # In units of the largest, so that no sum overflows.
        largest = max(values)
        return largest * (math.fsum(value / largest for value in values) / len(values)) if largest > 0 else 0.0
    return quantile(values, PROBABILITY[name])


class Reference(Struct, frozen=True, kw_only=True):
    """A fixed kernel timed next to the samples. Lower means a faster machine."""

    kernel: Annotated[str, Meta(min_length=1, description="The kernel's id; ids are never reused.")]
    unit: Literal["ms"]
    samples: Rounds


class Phase(Struct, frozen=True, kw_only=True):
    """One part of a sample, in milliseconds."""

    p50: Figure
    p95: Figure


class RoundUsage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The costs of a round: the worker's peak memory and CPU time, and the retaken samples."""

    peak_memory_bytes: Annotated[int, Meta(ge=0)] | None = None
    user_cpu_s: Annotated[float, Meta(ge=0)] | None = None
    system_cpu_s: Annotated[float, Meta(ge=0)] | None = None
    disturbed: Annotated[int, Meta(ge=0)] | None = None


class FigureSeries(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A further figure of a bench, such as its peak memory: one value per round."""

    unit: Annotated[str, Meta(min_length=1, extra_json_schema={"pattern": NO_CONTROL_CHARS})]
    better: Better
    values: Annotated[tuple[Figure, ...], Meta(min_length=1)]
    exact: Annotated[bool, Meta(description="The value is a count that repeats exactly for the same code.")] = False


class Interval(Struct, frozen=True, kw_only=True):
    """A confidence interval that a tool computed for `p50`, in `unit`."""

    level: Annotated[float, Meta(gt=0, lt=1, description="The coverage, such as 0.99.")]
    low: Figure
    high: Figure


_Level = Annotated[float, Meta(gt=0)]


class Levels(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Statistics of one run as geometric means over its rounds; without samples, the statistics themselves."""

    p5: _Level | None = None
    p50: _Level | None = None
    p95: _Level | None = None
    mean: _Level | None = None


class RunLevels(Levels, frozen=True, kw_only=True, omit_defaults=True):
    """One of the runs behind a baseline: its statistics in `unit`, and divided by the reference (`normalized`)."""

    timestamp: Annotated[str, Meta(description="ISO 8601, as in the summary of that run; no two runs share one.")]
    normalized: Levels | None = None
    figures: Annotated[
        dict[str, _Level] | None, Meta(description="The further figures of that run: geometric means over its rounds.")
    ] = None

    @property
    def measured_at(self) -> datetime:
        """The timestamp as an aware datetime."""
        return _moment(self.timestamp, "timestamp")


class Summary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of one bench's run. One JSON object; unknown keys are ignored.

    The constructor checks the rules between the keys.

    Raises:
        InvalidSummaryError: two keys contradict each other; the message names the key.

    """

    bench_id: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=BENCH_ID_LENGTH,
            extra_json_schema={"pattern": NO_CONTROL_CHARS},
            description="Which bench this is; figures are compared only under one id.",
        ),
    ]
    metric: Annotated[
        Metric,
        Meta(description="`duration_ms`: lower is better; `throughput_mbs`: higher is; `value`: see `better`."),
    ]
    unit: Annotated[
        str,
        Meta(
            min_length=1,
            extra_json_schema={"pattern": NO_CONTROL_CHARS},
            description="`ms`, `MB/s` (10^6 bytes), or any with `value`.",
        ),
    ]
    p50: Figure
    p95: Annotated[float, Meta(ge=0, description="The 95th percentile of the figure; never below `p50`.")]
    n: Annotated[int, Meta(ge=1, description="How many samples were kept.")]
    timestamp: Annotated[
        str,
        Meta(description="ISO 8601, when the run ended; without an offset it is read as UTC."),
    ]
    notes: str | None = None
    schema_version: Literal[1] | None = None
    better: Annotated[Better | None, Meta(description="Required with the metric `value`.")] = None
    samples: Rounds | None = None
    reference: Reference | None = None
    cross_reference: Annotated[
        Reference | None,
        Meta(description="A second kernel, one value a round, to tell a slow machine from another one."),
    ] = None
    disturbed: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Samples retaken because the CPU was taken away."),
    ] = None
    environment: Annotated[
        dict[str, Any] | None,
        Meta(description="What makes figures comparable and does not drift."),
    ] = None
    params: Annotated[
        dict[str, Scalar] | None,
        Meta(description="What the bench was asked to do; compared only when equal."),
    ] = None
    phases: dict[str, Phase] | None = None
    iterations: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="How often the operation was done in one sample; figures are per iteration."),
    ] = None
    rounds: Annotated[
        tuple[RoundUsage, ...] | None,
        Meta(description="What each round cost, in the order of `samples`."),
    ] = None
    readings: Annotated[
        dict[str, Any] | None,
        Meta(description="The machine's state while measuring (load, frequency); recorded, never compared."),
    ] = None
    commit: str | None = None
    p5: Annotated[
        Figure | None,
        Meta(description="The 5th percentile: the slow tail of a metric of which more is better."),
    ] = None
    statistics: Annotated[
        tuple[_Listed, ...] | None,
        Meta(
            description="The statistics that were measured, where that is not both `p50` and `p95`. A required key "
            "without a measurement repeats the measured one, and `p50` holds the mean where that is all there is."
        ),
    ] = None

    layout_seed: Annotated[
        int | None,
        Meta(
            description="The seed of the rounds' memory layouts, where they are fixed: rounds of one number in runs "
            "with one seed had the same layout."
        ),
    ] = None

    interval: Annotated[
        Interval | None,
        Meta(description="The interval of `p50`, from a tool that keeps no samples."),
    ] = None
    figures: Annotated[
        dict[FigureName, FigureSeries] | None,
        Meta(description="Further figures by name. Each is judged as a series of its own."),
    ] = None
    functions: Annotated[
        Annotated[dict[str, dict[str, Annotated[int, Meta(ge=0)]]], Meta(max_length=FUNCTIONS_LIMIT)] | None,
        Meta(description="The costliest functions of one operation, by `module:function`, with exact counts."),
    ] = None
    runs: Annotated[
        tuple[RunLevels, ...] | None,
        Meta(description="The runs of the same code behind a baseline; the last one is the run in the other keys."),
    ] = None

    def __post_init__(self) -> None:
        """Check rules that the types cannot express."""
        _check_figures(self)
        _check_texts(self)
        _check_direction(self)
        _check_depth(self)
        if self.samples is not None:
            _check_samples(self, self.samples)
        _check_references(self)
        _check_series(self)
        _check_runs(self)

    @property
    def lower_is_better(self) -> bool:
        """Whether a smaller figure is the better one."""
        return (self.better or BETTER_OF_METRIC[self.metric]) == "lower"

    def statistic(self, name: Statistic) -> float | None:
        """Return a statistic in `unit`, or None where this summary does not hold it.

        Samples hold every statistic unless `statistics` lists fewer. Without samples the keys hold the listed
        statistics.
        """
        written = {"p5": self.p5, "p50": self.p50, "p95": self.p95}.get(name)
        if name == "p5" and written is not None:
            return written
        if self.statistics is not None and name not in self.statistics:
            return None
        if name in {"p50", "p95"}:
            return written
        if self.samples is not None:
            return statistic([sample for samples in self.samples for sample in samples], name)
        return self.p50 if name == "mean" and self.statistics is not None else None

    @property
    def measured_at(self) -> datetime:
        """The timestamp as an aware datetime."""
        return _moment(self.timestamp, "timestamp")


def _check_figures(summary: Summary) -> None:
    for key in ("p50", "p95"):
        figure = getattr(summary, key)
        if not (math.isfinite(figure) and figure >= 0):
            raise InvalidSummaryError(f"{figure} is not a finite number of at least 0", key=key)
    if summary.p95 < summary.p50:
        raise InvalidSummaryError(f"{summary.p95} is below p50, {summary.p50}", key="p95")
    if summary.p5 is not None and not 0 <= summary.p5 <= summary.p50:
        raise InvalidSummaryError(f"{summary.p5} is not between 0 and p50, {summary.p50}", key="p5")
    _check_statistics(summary)
    interval = summary.interval
    if interval is not None and not 0 <= interval.low <= summary.p50 <= interval.high < math.inf:
        raise InvalidSummaryError(f"{interval.low} to {interval.high} does not hold p50", key="interval")
    if summary.n < 1:
        raise InvalidSummaryError(f"{summary.n} samples are no run", key="n")


def _check_statistics(summary: Summary) -> None:
    if summary.statistics is None:
        return
    held = sorted(set(summary.statistics))
    if held not in (["mean"], ["p50"], ["p95"], ["mean", "p95"], ["p50", "p95"]):
        raise InvalidSummaryError("lists p50 or mean, p95, or one of the two and p95", key="statistics")
    if len(held) == 1 and summary.samples is None and summary.p50 != summary.p95:
        raise InvalidSummaryError(f"lists {held[0]} alone: p50 and p95 have to repeat it", key="statistics")


def _check_texts(summary: Summary) -> None:
    if not 1 <= len(summary.bench_id) <= BENCH_ID_LENGTH:
        raise InvalidSummaryError(f"takes 1 to {BENCH_ID_LENGTH} characters", key="bench_id")
    for key, text in (("bench_id", summary.bench_id), ("unit", summary.unit)):
        if not text.isprintable() and any(unicodedata.category(character) == "Cc" for character in text):
            raise InvalidSummaryError(f"{text[:40]!r} holds a control character", key=key)
    _moment(summary.timestamp, "timestamp")


def _check_direction(summary: Summary) -> None:
    unit = UNIT_OF_METRIC.get(summary.metric)
    if unit is None:
        if summary.better is None:
            raise InvalidSummaryError("missing, and the metric `value` needs `lower` or `higher`", key="better")
        return
    if summary.unit != unit:
        raise InvalidSummaryError(f"`{summary.metric}` is in `{unit}`, not `{summary.unit[:40]}`", key="unit")
    better = BETTER_OF_METRIC[summary.metric]
    if summary.better not in {None, better}:
        raise InvalidSummaryError(f"of `{summary.metric}` the {better} is better", key="better")


def _check_depth(summary: Summary) -> None:
    """Reject nesting that would exhaust the stack when it is compared or written."""
    for key in ("environment", "readings"):
        level: list[Any] = [getattr(summary, key)]
        for _ in range(DEPTH_LIMIT + 1):
            containers = [value for value in level if isinstance(value, (dict, list, tuple))]
            level = [item for value in containers for item in (value.values() if isinstance(value, dict) else value)]
        if level:
            raise InvalidSummaryError(f"nested more than {DEPTH_LIMIT} deep", key=key)


def _check_samples(summary: Summary, rounds: tuple[tuple[float, ...], ...]) -> None:
    kept = [sample for samples in rounds for sample in samples]
    if not all(map(math.isfinite, kept)) or min(kept, default=0) < 0:
        raise InvalidSummaryError("every sample is a finite number of at least 0", key="samples")
    if len(kept) != summary.n:
        raise InvalidSummaryError(f"is {summary.n}, but `samples` holds {len(kept)}", key="n")
    # Sort once for both quantiles; it dominates the time for millions of samples.
    kept.sort()
    for key, probability in PROBABILITY.items():
        written = getattr(summary, key)
        if written is not None and not math.isclose(
            written, own := quantile(kept, probability), rel_tol=QUANTILE_TOLERANCE
        ):
            raise InvalidSummaryError(f"is {written}, but the samples give {own:.9g}", key=key)


def _check_references(summary: Summary) -> None:
    rounds = summary.samples or ()
    shape = [len(samples) for samples in rounds]
    expected = {"reference": shape, "cross_reference": [1] * len(shape)}
    for key, wanted in expected.items():
        reference: Reference | None = getattr(summary, key)
        if reference is None:
            continue
        if [len(samples) for samples in reference.samples] != wanted or not wanted:
            problem = "has not the shape that goes with `samples`"
            raise InvalidSummaryError(problem, key=f"{key}.samples")
        if not all(math.isfinite(sample) and sample > 0 for samples in reference.samples for sample in samples):
            raise InvalidSummaryError("a reference time must be finite and above 0", key=f"{key}.samples")


def _check_series(summary: Summary) -> None:
    for name, series in (summary.figures or {}).items():
        if not series.values or not all(math.isfinite(value) and value >= 0 for value in series.values):
            raise InvalidSummaryError("every value is a finite number of at least 0", key=f"figures.{name}.values")


def _check_runs(summary: Summary) -> None:
    """Refuse runs of which one would count twice, or that leave out the run in the other keys."""
    if summary.runs is None:
        return
    seen: set[datetime] = set()
    for number, run in enumerate(summary.runs):
        key = f"runs[{number}]"
        for place, levels in ((key, run), (f"{key}.normalized", run.normalized)):
            for name in Levels.__struct_fields__:
                if not math.isfinite(getattr(levels, name, None) or 0.0):
                    raise InvalidSummaryError("is not a finite number", key=f"{place}.{name}")
        for name, value in (run.figures or {}).items():
            if not math.isfinite(value):
                raise InvalidSummaryError("is not a finite number", key=f"{key}.figures.{name}")
        moment = _moment(run.timestamp, f"{key}.timestamp")
        if moment in seen:
            raise InvalidSummaryError(f"another run has {run.timestamp} too", key=f"{key}.timestamp")
        seen.add(moment)
    if not summary.runs or summary.runs[-1].measured_at != summary.measured_at:
        raise InvalidSummaryError(f"the last run is not the one of {summary.timestamp}", key="runs")


def _moment(timestamp: str, key: str) -> datetime:
    """Return a timestamp as an aware datetime; without an offset it is read as UTC."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        raise InvalidSummaryError(f"{timestamp[:40]!r} is not ISO 8601", key=key) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
