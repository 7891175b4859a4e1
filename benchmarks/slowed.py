"""The packaging and the streaming bench, made slower by a known share: `aether-bench run benchmarks/slowed.py`."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aether_harness import Benchmark, Place, Sampled, Session
    from aether_schema import Metric


class SlowedParams(Struct, frozen=True, kw_only=True):
    """By which share of its own time every sample goes on spinning."""

    share: float = 0.0


class SlowedSession:
    """A session whose samples take longer than another's, by a share."""

    def __init__(self, session: Session, share: float) -> None:
        """Slow `session` down by `share`."""
        self.companion_pids = getattr(session, "companion_pids", ())
        self._session = session
        self._share = share

    def sample(self) -> Sampled | None:
        """Do the operation, and spin on for its share."""
        started = perf_counter_ns()
        result = self._session.sample()
        ends = started + round((perf_counter_ns() - started) * (1 + self._share))
        while perf_counter_ns() < ends:
            pass
        return None if result is None else replace(result, elapsed_ns=perf_counter_ns() - started)

    def verify(self) -> None:
        """Check as the session does."""
        self._session.verify()


class SlowedBench:
    """A bench that is known to be slower than another by so much."""

    params_type = SlowedParams
    about = "another bench, slowed down by a known share"

    def __init__(self, name: str, metric: Metric, load: Callable[[], Benchmark], params: dict[str, Any]) -> None:
        """Slow down the bench that `load` imports, which is left until it is measured."""
        self.bench_id = self.name = f"slowed-{name}"
        self.metric = metric
        self._load = load
        self._params = params

    @contextmanager
    def open(self, params: SlowedParams, place: Place) -> Iterator[SlowedSession]:
        """Open the bench, and yield its session slowed down."""
        bench = self._load()
        with bench.open(bench.params_type(**self._params), place) as session:
            yield SlowedSession(session, params.share)


def _packaging() -> Benchmark:
    from aether_pack_bench.bench import packaging

    return packaging


def _streaming() -> Benchmark:
    from aether_stream_bench.bench import streaming

    return streaming


slowed_packaging = SlowedBench("pack", "duration_ms", _packaging, {})
slowed_streaming = SlowedBench("stream", "throughput_mbs", _streaming, {"one_cpu": True})
