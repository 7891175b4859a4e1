"""The bench interface that a plugin implements.

An entry point of the group `aether.benches` names an object that satisfies `Benchmark`. The harness opens it once per
round, in a fresh worker process, and asks the session for warm-ups and samples.

Everything else is optional. A bench or a session that has the members of one of the small protocols below has its
ability; no base class and no registration is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from aether_schema import Metric

ENTRY_POINT_GROUP = "aether.benches"


class RoundContext(Struct, frozen=True, kw_only=True):
    """The folders and CPUs of a round.

    `folder` is a scratch folder that is removed after the round. `worker_cpus` are the CPUs that the worker is pinned
    to; other processes of the bench, such as a server, belong on `companion_cpus`. Both are empty if the system cannot
    pin. `inputs`, if not None, is a folder that outlives the round: the bench finds there the files that it left in an
    earlier round with the same parameters. Use it for inputs that samples only read, such as a tree to pack.
    """

    folder: str
    worker_cpus: tuple[int, ...] = ()
    companion_cpus: tuple[int, ...] = ()
    inputs: str | None = None


class SampleResult(Struct, frozen=True, kw_only=True):
    """Measurements that a sample makes of itself, in addition to its time.

    `moved_bytes` is required for the metric `throughput_mbs`. `phases_ns` are named parts of the sample, in
    nanoseconds. `elapsed_ns` replaces the harness's own timing, for a duration that only the bench can time (a
    coroutine without the start of the event loop). `cost` replaces the time where two versions are compared by another
    quantity, such as peak memory: greater than 0, and larger is worse.
    """

    moved_bytes: int | None = None
    elapsed_ns: int | None = None
    cost: float | None = None
    phases_ns: dict[str, int] = {}


class FigureValue(Struct, frozen=True, kw_only=True):
    """A further figure of a round, such as the size of an output.

    `exact` marks a count that repeats exactly for the same code; the guard then compares it without an interval.
    """

    value: float
    unit: str
    better: Literal["lower", "higher"] = "lower"
    exact: bool = False


class Session(Protocol):
    """One open bench, ready to be sampled."""

    def sample(self) -> SampleResult | None:
        """Do the operation once. The harness times exactly this call."""

    def verify(self) -> None:
        """Check that the operation did its work; untimed, once per round after its samples.

        Raises:
            BenchError: it did not; the message names the difference.

        """


@runtime_checkable
class Benchmark(Protocol):
    """A bench, as a plugin names it."""

    @property
    def bench_id(self) -> str:
        """The id in the summary: `packaging`."""

    @property
    def name(self) -> str:
        """The short name: for the file `bench-<name>.json` and for `-p <name>.key=value`."""

    @property
    def about(self) -> str:
        """One line for `aether-bench list`."""

    @property
    def metric(self) -> Metric:
        """`duration_ms` or `throughput_mbs`."""

    @property
    def params_type(self) -> type[Struct]:
        """The parameters: a frozen Struct in which every field has a default."""

    def open(self, params: Any, place: RoundContext) -> AbstractContextManager[Session]:  # noqa: ANN401 - a params_type
        """Set the bench up in this process and return its session; leaving the context tears everything down.

        Raises:
            BenchError: a parameter cannot be met; the message names it and the reason.

        """


# Optional abilities of a session.


@runtime_checkable
class PreparesSamples(Protocol):
    """A session with untimed work before every sample. Its operation is then done once per sample, never repeated."""

    def prepare(self) -> None:
        """Prepare the next sample."""


@runtime_checkable
class HasCompanions(Protocol):
    """A session whose samples wait for other processes, such as a server.

    A sample is disturbed if the kernel took the CPU from one of them. A companion that is pinned to the worker's CPU
    takes turns with it.
    """

    companion_pids: Sequence[int]


@runtime_checkable
class WakesCompanions(Protocol):
    """A session with a companion that sleeps between samples."""

    def wake(self) -> None:
        """Wake the companion, untimed, before the reference kernel that precedes a sample."""


@runtime_checkable
class BringsReferences(Protocol):
    """A session with reference work of its own, which shares a resource that no kernel uses, such as a server process.

    `rulers` maps ids to functions that do the work. An id begins with the bench's id and a slash and ends with a
    version, `streaming/limit-3`: the work behind an id never changes and contains nothing of the measured code.
    """

    rulers: Mapping[str, Callable[[], int]]


@runtime_checkable
class ReportsReadings(Protocol):
    """A session with further figures of a round, which are reported and never judged."""

    def readings(self) -> Mapping[str, float]:
        """Return the figures by name, once per round after `verify`; the summary holds their medians over rounds."""


@runtime_checkable
class ReportsFigures(Protocol):
    """A session with further figures of a round, each of which the guard judges as a series of its own."""

    def figures(self) -> Mapping[str, FigureValue]:
        """Return the figures by name, such as `output-size`, once per round after `verify`.

        A name has lower-case letters, digits and dashes, at most 60.
        """


# Optional abilities of a bench.


@runtime_checkable
class NamesReference(Protocol):
    """A bench that chooses its reference: the id of a kernel or of its session's work, or a function of its parameters.

    The kernels are in `aether_harness.reference.kernels.KERNELS`; the default is the interpreter.
    """

    reference: str | Callable[[Any], str]


@runtime_checkable
class NamesCrossReference(Protocol):
    """A bench that chooses the reference that cross-checks its own one; the default is memory."""

    cross_reference: str


@runtime_checkable
class ReportsVersions(Protocol):
    """A bench that names the versions of the programs and libraries it measures."""

    versions: Mapping[str, str]


@runtime_checkable
class ChoosesAxes(Protocol):
    """A bench that chooses the axes of a sweep's plot: each a parameter, `p50`, `p95`, a phase or a reading."""

    axes: tuple[str, str]


@runtime_checkable
class HasSize(Protocol):
    """A bench that trades time for size. `size` is the reading that is better the smaller it is.

    A sweep plots p50 against it and marks the Pareto front, the points that no other point beats in both.
    """

    size: str


@runtime_checkable
class AddsColumns(Protocol):
    """A bench that adds readings to the table of a sweep."""

    columns: Sequence[str]


@runtime_checkable
class WritesNote(Protocol):
    """A bench that adds a sentence to the summary's notes."""

    def note(self, readings: Mapping[str, float]) -> str | None:
        """Return the sentence for the medians of the readings."""


@runtime_checkable
class Preloads(Protocol):
    """A bench that can import and look up in advance the objects that its session needs."""

    def preload(self, params: Any) -> None:  # noqa: ANN401 - a params_type
        """Preload for the parameters, while the workers of both versions start at the same time."""
