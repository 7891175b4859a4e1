"""What a bench is: the interface that a plugin implements.

An entry point of the group `aether.benches` names an object that satisfies `Benchmark`. The harness
opens it once a round, in a fresh worker process, and asks the session it gets for warm-ups and samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from msgspec import Struct

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from aether_schema import Metric

ENTRY_POINT_GROUP = "aether.benches"


class RoundContext(Struct, frozen=True, kw_only=True):
    """Where a round takes place.

    `folder` is a scratch folder of the round's own, removed after it. `worker_cpus` are the CPUs the
    worker is pinned to; whatever else the bench starts (a server) belongs on `companion_cpus`. Both are
    empty where the system cannot pin. `inputs`, where there is one, is a folder that outlives the round: what a bench
    finds there is what it left there itself in an earlier round with the same parameters. It is for what is only read
    by samples, and not worth being written again: a tree to pack.
    """

    folder: str
    worker_cpus: tuple[int, ...] = ()
    companion_cpus: tuple[int, ...] = ()
    inputs: str | None = None


class SampleResult(Struct, frozen=True, kw_only=True):
    """What one sample did, beyond having taken its time.

    A bench whose metric is `throughput_mbs` says how many bytes it moved. `phases_ns` are parts of the
    sample by name, in nanoseconds. `elapsed_ns` is for what only the bench itself can time without
    counting its own surroundings in (a coroutine, without the event loop's start). `cost` stands for the time
    where two versions are compared by something else (a peak of memory): above 0, and larger is worse.
    """

    moved_bytes: int | None = None
    elapsed_ns: int | None = None
    cost: float | None = None
    phases_ns: dict[str, int] = {}


class Session(Protocol):
    """One open bench, ready to be sampled.

    More members are optional. `prepare()` is called before every sample, untimed; an operation that
    needs it is never done more than once in a sample. `companion_pids: tuple[int, ...]` are other
    processes that the sample waits for (a server): samples during which the kernel took the CPU from one
    of them count as disturbed too. One that is pinned to the worker's CPU runs in turn with it.
    `rulers: Mapping[str, Callable[[], int]]` are works of its own by which the bench can be measured, by their ids;
    `Benchmark.reference` says which of them is timed. `wake()` is called before the ruler that precedes a sample,
    untimed, so that no companion has to be woken from sleep by the one and not by the other.
    `readings() -> Mapping[str, float]` is asked once a round, after `verify`, for figures that are told and never
    compared; their medians over the rounds are in the summary's `readings`.
    """

    def sample(self) -> SampleResult | None:
        """Do the operation once. The harness times exactly this call."""

    def verify(self) -> None:
        """Check, untimed and once a round after its samples, that the operation did what it claims.

        Raises:
            BenchError: it did not; the message says what differs.

        """


@runtime_checkable
class Benchmark(Protocol):
    """A bench, as a plugin names it.

    More attributes are optional: `reference`, the id of the reference kernel that resembles it
    (`aether_harness.reference.kernels.KERNELS`) or a method that returns it for given parameters; `versions`, a
    mapping from what it measures to its version; `axes`, two names for the picture of a sweep, each that of a
    parameter, `p50`, `p95`, a phase or a reading; `size`, the name of a reading that is the better the smaller it is,
    and has its price in time: a sweep is then drawn as p50 against it, and the points that no other beats in both, the
    Pareto front, are marked there and in the table; `columns`, more readings for that table; `note`, a method that
    makes a sentence for the summary's notes of the medians of its readings; and `preload`, which `ab` calls with
    a worker's parameters while the workers of both versions start, each on its own CPU, and which may import and look
    up what the session will need.

    A reference may be one that the bench's sessions bring, to share in what no kernel elsewhere does: a server's
    process, where the data lies. Its id begins with the bench's own and a slash and ends with its version,
    `streaming/limit-3`, for it is a promise as a kernel's is: always the same work, and nothing of what is measured.
    `cross_reference` then names the one that cross-checks it, unless memory does.
    """

    @property
    def bench_id(self) -> str:
        """The id in the summary: `packaging`."""

    @property
    def name(self) -> str:
        """The short name, for the file `bench-<name>.json` and for `-p <name>.key=value`."""

    @property
    def about(self) -> str:
        """One line for `aether-bench list`."""

    @property
    def metric(self) -> Metric:
        """`duration_ms` or `throughput_mbs`."""

    @property
    def params_type(self) -> type[Struct]:
        """The parameters: a frozen Struct whose every field has a default."""

    def open(self, params: Any, place: RoundContext) -> AbstractContextManager[Session]:  # noqa: ANN401 - a params_type
        """Set the bench up in this process and return its session; leaving it tears everything down.

        Raises:
            BenchError: a parameter cannot be met; the message says which and why.

        """
