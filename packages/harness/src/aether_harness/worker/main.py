"""The worker process of one round: `python -m aether_harness.worker.main`, spoken to over its standard streams.

Its standard input and output are taken for the protocol before the bench's code is imported. What the
bench prints goes to a file, and what it complains of to the standard error stream, which the parent keeps.
"""

from __future__ import annotations

import math
import os
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import msgspec

from aether_harness.benchmark.protocol import RoundContext
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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aether_harness.benchmark.protocol import Benchmark, Session
    from aether_harness.discovery.locator import BenchLocator


class PreloadedBench(NamedTuple):
    """A bench that was imported before, and where."""

    address: BenchLocator
    bench: Benchmark


class RoundServer:
    """The worker's side of a round: one bench, opened once and sampled as asked."""

    def __init__(self, stack: ExitStack, loaded: PreloadedBench | None = None, waiting: int | None = None) -> None:
        """Tear the bench down when `stack` is left; that of `loaded` need not be looked for.

        `waiting` is the process that ends this one with its parent.
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
        """Do what is asked and say how it went."""
        if isinstance(request, Open):
            return self._open(request)
        if isinstance(request, Close):
            return self._close()
        if self._sampler is None or self._session is None:
            return Failed(problem="nothing is open")
        if isinstance(request, TakeSample):
            return self._sampler.take()
        self._session.verify()
        self._check_side_effects()
        readings = self._readings(self._session)
        return _usage(self._sampler.cross_reference_ms(), readings, self._note((*request.readings, readings)))

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
            os._exit(0)  # a child that the set-up left behind must not go on as a second worker
        references = (
            ReferenceWork(*(works.get(each) or session_kernel(each, session) for each in kernel_ids))
            if kernel_ids
            else None
        )
        # A bench need not name the processes that it has started.
        companions = getattr(session, "companion_pids", ()) or other_children(own, self._waiting) or ()
        counter_reader = self._stack.enter_context(CounterReader(companions, request.worker_cpus))
        sampler = Sampler(session, bench.metric, references, counter_reader)
        freeze_heap()
        sampler.calibrate(request.iterations)
        sys.stdout.flush()
        self._printed_bytes = os.fstat(1).st_size
        self._session, self._sampler = session, sampler
        return Opened(
            iterations=sampler.iterations,
            # Looking them up may take as long as a sample: who knows the iterations has been told.
            versions=dict(getattr(bench, "versions", {})) if request.iterations is None else {},
            note=note,
        )

    def _close(self) -> Closed:
        """Tear down in any case, and only then complain of samples that nobody had verified."""
        try:
            if self._sampler is not None:
                self._check_side_effects()
        finally:
            self._stack.close()
            # Processes that the bench has left behind too, in sessions and groups of their own.
            if other_children(os.getpid(), self._waiting) != []:
                kill_descendants(os.getpid())
        return Closed()

    def _load(self, address: BenchLocator) -> Benchmark:
        if self._loaded is not None and self._loaded.address == address:
            return self._loaded.bench
        return load_bench(address)

    @staticmethod
    def _readings(session: Session) -> dict[str, float]:
        """Return the figures a session has of its round.

        Raises:
            BenchError: one of them is no finite number.

        """
        readings = dict(getattr(session, "readings", dict)())
        for name, value in readings.items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise BenchError(f"readings() says that {name} is {value!r}, which is no finite number")
        return readings

    def _note(self, readings: Sequence[dict[str, float]]) -> str | None:
        """Return the bench's sentence on the medians of the rounds' readings, if it has one."""
        note: Callable[[dict[str, float]], str | None] | None = getattr(self._bench, "note", None)
        if note is None or not any(readings):
            return None
        # Takes long to import, and most benches have no note.
        from aether_harness.measure.summarize import median_readings

        sentence = note(median_readings(readings))
        return None if sentence is None else in_a_line(str(sentence))

    def _check_side_effects(self) -> None:
        """Refuse figures that the bench itself has spoilt.

        Raises:
            BenchError: it moved the worker to other CPUs, or printed, which costs time that is not the code's.

        """
        now = allowed_cpus()
        if now != self._pinned:
            raise BenchError(f"sample() changed the CPUs it may run on from {self._pinned} to {now}")
        sys.stdout.flush()
        if os.fstat(1).st_size > self._printed_bytes:
            raise BenchError("sample() printed to the standard output, which costs time that is not the code's")


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
    """Answer requests until told to close, or until the parent is gone; `loaded` was imported before."""

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
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
                reply = Failed(problem=described_error(error))
            if os.getpid() != own:
                os._exit(0)  # a child that the bench left behind, likewise
            say(reply)
            if isinstance(request, Close):
                return


def claim_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Return the streams the parent speaks through; leave the bench an empty input, and a file as output."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing, _temporary_file() as printed:
        os.dup2(nothing.fileno(), 0)
        os.dup2(printed.fileno(), 1)
    return requests, replies


def _temporary_file() -> BinaryIO:
    """Return a file without a name; on Linux without the modules that find one, which take long to import."""
    if sys.platform == "linux":
        with suppress(OSError):
            folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - nobody else can open a file without a name
            return os.fdopen(os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o600), "r+b", buffering=0)
    import tempfile

    return tempfile.TemporaryFile(buffering=0)


def preloaded(arguments: Sequence[str]) -> PreloadedBench | None:
    """Import the bench in the command line, if any, and return it; an error is reported when it is opened."""
    if not arguments:
        return None
    ahead = msgspec.json.decode(arguments[0], type=Preload)
    with suppress(Exception, SystemExit):
        bench = load_bench(ahead.address)
        if (preload := getattr(bench, "preload", None)) is not None:
            preload(msgspec.json.decode(ahead.params, type=bench.params_type))
        return PreloadedBench(ahead.address, bench)
    return None


if __name__ == "__main__":
    die_with_parent()
    restore_limits()
    its_end = watch_parent()
    streams = claim_stdio()
    serve(*streams, preloaded(sys.argv[1:]), its_end)
