"""The worker process of one round: `python -m aether_harness.worker.main`, controlled over its standard streams.

The protocol claims standard input and output before the bench is imported. Output of the bench goes to a file; its
standard error is kept by the parent.
"""

from __future__ import annotations

import math
import os
import re
import sys
from contextlib import ExitStack, suppress
from time import perf_counter_ns
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import msgspec
from msgspec.structs import replace

from aether_harness.benchmark.protocol import (
    FigureValue,
    HasCompanions,
    Preloads,
    PreparesSamples,
    ReportsFigures,
    ReportsReadings,
    ReportsVersions,
    RoundContext,
    WritesNote,
)
from aether_harness.discovery.registry import load_bench
from aether_harness.errors import BenchError, described_error, in_a_line
from aether_harness.machine.affinity import allowed_cpus, pin
from aether_harness.machine.counters import CounterReader, peak_memory_bytes
from aether_harness.machine.process_tree import kill_descendants, other_children
from aether_harness.reference.kernels import KERNELS, kernel_for, session_kernel
from aether_harness.worker.layout import restore_limits
from aether_harness.worker.parent_death_pipe import die_with_parent, watch_parent
from aether_harness.worker.protocol import (
    PROTOCOL_VERSION,
    Close,
    Closed,
    Count,
    Counted,
    Failed,
    Hello,
    Message,
    Open,
    Opened,
    Preload,
    Reply,
    Request,
    TakeSample,
    Verified,
    decode_request,
    encode_message,
)
from aether_harness.worker.sampler import ReferenceWork, Sampler, freeze_heap

#: Operations before the counts, and counts, which must agree.
WARM_UPS, COUNTS = 2, 2
_FIGURE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aether_harness.benchmark.protocol import Benchmark, Session
    from aether_harness.discovery.locator import BenchLocator


class PreloadedBench(NamedTuple):
    """A bench that is already imported, and its address."""

    address: BenchLocator
    bench: Benchmark


class RoundServer:
    """The worker's side of a round: one bench, opened once and sampled as asked."""

    def __init__(self, stack: ExitStack, loaded: PreloadedBench | None = None, waiting: int | None = None) -> None:
        """Tear the bench down when `stack` is left; do not load the bench again if it is `loaded`.

        `waiting` is the pid of the process that ends this one with its parent.
        """
        self._stack = stack
        self._waiting = waiting
        self._loaded = loaded
        self._bench: Benchmark | None = None
        self._session: Session | None = None
        self._sampler: Sampler | None = None
        self._pinned: list[int] | None = None
        self._printed_bytes = 0

    def answer(self, request: Request) -> Reply:
        """Handle a request and return the reply."""
        if isinstance(request, Open):
            return self._open(request)
        if isinstance(request, Close):
            return self._close()
        if self._sampler is None or self._session is None:
            return Failed(problem="nothing is open")
        if isinstance(request, TakeSample):
            return self._sampler.take()
        if isinstance(request, Count):
            return self._count(request, self._session)
        self._session.verify()
        self._check_side_effects()
        readings = self._readings(self._session)
        usage = _usage(self._sampler.cross_reference_ms(), readings, self._note((*request.readings, readings)))
        return replace(usage, figures=_figures(self._session))

    def _open(self, request: Open) -> Reply:
        note = pin(request.worker_cpus)
        self._pinned = allowed_cpus()
        bench = self._bench = self._load(request.address)
        params = msgspec.json.decode(request.params, type=bench.params_type)
        place = RoundContext(
            folder=request.folder,
            worker_cpus=request.worker_cpus,
            companion_cpus=request.companion_cpus,
            inputs=request.inputs,
        )
        kernel = kernel_for(bench, params)
        kernel_ids = (kernel.kernel_id, kernel.cross_kernel_id) if request.time_reference else ()
        works = {each: self._stack.enter_context(KERNELS[each].open(place)) for each in kernel_ids if each in KERNELS}
        own = os.getpid()
        session = self._stack.enter_context(bench.open(params, place))
        if os.getpid() != own:
            os._exit(0)  # a child of the set-up must not become a second worker
        references = (
            ReferenceWork(*(works.get(each) or session_kernel(each, session) for each in kernel_ids))
            if kernel_ids
            else None
        )
        # Fall back on the child processes of a bench that does not name its companions.
        companions = (
            (session.companion_pids if isinstance(session, HasCompanions) else ())
            or other_children(own, self._waiting)
            or ()
        )
        counter_reader = self._stack.enter_context(CounterReader(companions, request.worker_cpus))
        sampler = Sampler(session, bench.metric, references, counter_reader)
        freeze_heap()
        sampler.calibrate(request.iterations)
        sys.stdout.flush()
        self._printed_bytes = os.fstat(1).st_size
        self._session, self._sampler = session, sampler
        return Opened(
            iterations=sampler.iterations,
            # Looking them up may take as long as a sample; a client that knows the iterations knows the versions.
            versions=dict(bench.versions) if request.iterations is None and isinstance(bench, ReportsVersions) else {},
            note=note,
        )

    @staticmethod
    def _count(request: Count, session: Session) -> Counted:
        """Count the operation several times, after some that fill caches."""
        from aether_harness.count.counter import load_counter

        counter = load_counter(request.counter)
        prepare = session.prepare if isinstance(session, PreparesSamples) else None
        results = []
        for number in range(WARM_UPS + COUNTS):
            if prepare is not None:
                prepare()
            if number >= WARM_UPS:
                results.append(counter(session.sample))
                continue
            started = perf_counter_ns()
            session.sample()
            if request.limit_s is not None and perf_counter_ns() - started > request.limit_s * 1e9 * (2 - number):
                return Counted(totals=(), unit="")
        return Counted(
            totals=tuple(result.total for result in results), unit=results[-1].unit, functions=results[-1].functions
        )

    def _close(self) -> Closed:
        """Tear down, even if the last samples had side effects, and only then report these."""
        try:
            if self._sampler is not None:
                self._check_side_effects()
        finally:
            self._stack.close()
            # The bench may have left processes behind, also in other sessions and process groups.
            if other_children(os.getpid(), self._waiting) != []:
                kill_descendants(os.getpid())
        return Closed()

    def _load(self, address: BenchLocator) -> Benchmark:
        if self._loaded is not None and self._loaded.address == address:
            return self._loaded.bench
        return load_bench(address)

    @staticmethod
    def _readings(session: Session) -> dict[str, float]:
        """Return the readings of a session.

        Raises:
            BenchError: a reading is not a finite number.

        """
        readings = dict(session.readings()) if isinstance(session, ReportsReadings) else {}
        for name, value in readings.items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise BenchError(f"readings(): {name} is {value!r}, not a finite number")
        return readings

    def _note(self, readings: Sequence[dict[str, float]]) -> str | None:
        """Return the bench's note on the medians of the readings over the rounds, if it writes one."""
        bench: object = self._bench
        if not isinstance(bench, WritesNote) or not any(readings):
            return None
        # A slow import that most benches do not need.
        from aether_harness.measure.summarize import median_readings

        sentence = bench.note(median_readings(readings))
        return None if sentence is None else in_a_line(str(sentence))

    def _check_side_effects(self) -> None:
        """Reject samples with side effects that falsify the figures.

        Raises:
            BenchError: the bench moved the worker to other CPUs or printed.

        """
        now = allowed_cpus()
        if now != self._pinned:
            raise BenchError(f"sample() changed the CPUs it may run on from {self._pinned} to {now}")
        sys.stdout.flush()
        if os.fstat(1).st_size > self._printed_bytes:
            raise BenchError("sample() printed to the standard output, which costs time that is not the code's")


def _figures(session: Session) -> dict[str, FigureValue]:
    """Return the further figures of a session.

    Raises:
        BenchError: a figure has no proper name, or is not a finite number of at least 0.

    """
    figures = dict(session.figures()) if isinstance(session, ReportsFigures) else {}
    for name, figure in figures.items():
        if not isinstance(name, str) or not _FIGURE_NAME.fullmatch(name):
            raise BenchError(f"figures(): {name!r:.60}: a name has lower-case letters, digits and dashes, at most 60")
        if not isinstance(figure, FigureValue) or not (math.isfinite(figure.value) and figure.value >= 0):
            raise BenchError(f"figures(): {name} is {figure!r:.60}, not a FigureValue of at least 0")
    return figures


def _usage(cross_reference_ms: float | None, readings: dict[str, float], note: str | None) -> Verified:
    times = os.times()
    return Verified(
        cross_reference_ms=cross_reference_ms,
        peak_memory_bytes=peak_memory_bytes(),
        user_cpu_s=times.user + times.children_user,
        system_cpu_s=times.system + times.children_system,
        readings=readings,
        note=note,
    )


def serve(
    requests: BinaryIO, replies: BinaryIO, loaded: PreloadedBench | None = None, waiting: int | None = None
) -> None:
    """Answer requests until one closes the bench or the parent is gone."""

    def say(message: Message) -> None:
        replies.write(encode_message(message) + b"\n")
        replies.flush()

    own = os.getpid()
    say(Hello(protocol=PROTOCOL_VERSION, pid=own))
    with ExitStack() as stack:
        current = RoundServer(stack, loaded, waiting)
        for line in requests:
            request = decode_request(line)
            try:
                reply = current.answer(request)
            except BenchError as error:
                reply = Failed(problem=in_a_line(str(error)))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - any error of a bench is reported
                reply = Failed(problem=described_error(error))
            if os.getpid() != own:
                os._exit(0)  # the same
            say(reply)
            if isinstance(request, Close):
                return


def claim_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Return the streams to and from the parent; give the bench an empty input and a file as output."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing, _temporary_file() as printed:
        os.dup2(nothing.fileno(), 0)
        os.dup2(printed.fileno(), 1)
    return requests, replies


def _temporary_file() -> BinaryIO:
    """Return a temporary file without a name; on Linux without importing tempfile, which is slow."""
    if sys.platform == "linux":
        with suppress(OSError):
            folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - the file has no name that another user could open
            return os.fdopen(os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o600), "r+b", buffering=0)
    import tempfile

    return tempfile.TemporaryFile(buffering=0)


def preloaded(arguments: Sequence[str]) -> PreloadedBench | None:
    """Import the bench that the command line names, if any; its errors are reported when it is opened."""
    if not arguments:
        return None
    ahead = msgspec.json.decode(arguments[0], type=Preload)
    with suppress(Exception, SystemExit):
        bench = load_bench(ahead.address)
        if isinstance(bench, Preloads):
            bench.preload(msgspec.json.decode(ahead.params, type=bench.params_type))
        return PreloadedBench(ahead.address, bench)
    return None


if __name__ == "__main__":
    die_with_parent()
    restore_limits()
    its_end = watch_parent()
    streams = claim_stdio()
    serve(*streams, preloaded(sys.argv[1:]), its_end)
