"""A bench made slower by a known share; `slowed_pack.py` and `slowed_stream.py` beside it are such benches."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    def __init__(self, bench: Benchmark, params: Struct) -> None:
        """Slow down `bench`, set up with `params`."""
        self.bench_id = self.name = f"slowed-{bench.name}"
        self.metric: Metric = bench.metric
        self._bench = bench
        self._params = params

    def preload(self, _: SlowedParams) -> None:
        """Have the bench do so."""
        if (preload := getattr(self._bench, "preload", None)) is not None:
            preload(self._params)

    @contextmanager
    def open(self, params: SlowedParams, place: Place) -> Iterator[SlowedSession]:
        """Open the bench, and yield its session slowed down."""
        with self._bench.open(self._params, place) as session:
            yield SlowedSession(session, params.share)
