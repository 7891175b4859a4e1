"""Benches made slower by a known share: the same bench, doing more or going on for longer.

`slowed_pack.py` and `slowed_stream.py` are such benches.
"""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aether_harness import Benchmark, RoundContext, SampleResult, Session
    from aether_schema import Metric


class SlowedParams(Struct, frozen=True, kw_only=True):
    """The share by which every sample is slower."""

    share: float = 0.0


class SlowedSession:
    """A session whose samples are made by a function of another session."""

    def __init__(self, session: Session, sample: Callable[[], SampleResult | None]) -> None:
        """Have `sample` take the samples of `session`."""
        self.companion_pids = getattr(session, "companion_pids", ())
        self.sample = sample
        self.verify = session.verify


class SlowedBench:
    """A bench that is slower than another by a known share."""

    params_type = SlowedParams
    about = "another bench, slowed down by a known share"

    def __init__(
        self,
        bench: Benchmark,
        params_of: Callable[[float], Struct],
        sample_of: Callable[[Session, float], Callable[[], SampleResult | None]],
    ) -> None:
        """Slow down `bench`: `params_of` returns the parameters for a share, `sample_of` the samples."""
        self.bench_id = self.name = f"slowed-{bench.name}"
        self.metric: Metric = bench.metric
        self._bench = bench
        self._params_of = params_of
        self._sample_of = sample_of

    def preload(self, params: SlowedParams) -> None:
        """Have the bench do so."""
        if (preload := getattr(self._bench, "preload", None)) is not None:
            preload(self._params_of(params.share))

    @contextmanager
    def open(self, params: SlowedParams, place: RoundContext) -> Iterator[SlowedSession]:
        """Open the bench, and yield its session slowed down."""
        with self._bench.open(self._params_of(params.share), place) as session:
            yield SlowedSession(session, self._sample_of(session, params.share))


def spinning_on(session: Session, share: float) -> Callable[[], SampleResult | None]:
    """Return a function that does the operation of `session` and then spins for a share of its time."""

    def sample() -> SampleResult | None:
        started = perf_counter_ns()
        result = session.sample()
        ends = started + round((perf_counter_ns() - started) * (1 + share))
        while perf_counter_ns() < ends:
            pass
        return None if result is None else replace(result, elapsed_ns=perf_counter_ns() - started)

    return sample
