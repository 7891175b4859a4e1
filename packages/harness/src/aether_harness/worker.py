"""The worker process of one round: `python -m aether_harness.worker`, spoken to over its standard streams.

Its standard input and output are taken for the protocol before the bench's code is imported; what the
bench prints goes to the standard error stream, which the parent keeps.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from contextlib import ExitStack
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from aether_harness.affinity import pin
from aether_harness.bench import Place
from aether_harness.error import BenchError, HarnessError
from aether_harness.protocol import (
    PROTOCOL_VERSION,
    Close,
    Done,
    Failed,
    Hello,
    Message,
    Open,
    Opened,
    Reply,
    Request,
    Sample,
    Verify,
    decode_request,
    encode_message,
)
from aether_harness.registry import load_bench
from aether_harness.sampling import freeze_heap, take_sample

if TYPE_CHECKING:
    from aether_harness.bench import Benchmark, Session

_PR_SET_PDEATHSIG = 1


class Round:
    """The worker's side of a round: one bench, opened once and sampled as asked."""

    def __init__(self, stack: ExitStack) -> None:
        """Tear the bench down when `stack` is left."""
        self._stack = stack
        self._bench: Benchmark | None = None
        self._session: Session | None = None

    def answer(self, request: Request) -> Reply:
        """Do what is asked and say how it went."""
        if isinstance(request, Open):
            return self._open(request)
        if self._bench is None or self._session is None:
            return Failed(problem="nothing is open")
        match request:
            case Sample():
                return take_sample(self._session, self._bench.metric)
            case Verify():
                self._session.verify()
            case Close():
                self._stack.close()
        return Done()

    def _open(self, request: Open) -> Reply:
        note = pin(request.worker_cpus)
        self._bench = load_bench(request.address)
        params = msgspec.json.decode(request.params, type=self._bench.params_type)
        place = Place(folder=request.folder, worker_cpus=request.worker_cpus, companion_cpus=request.companion_cpus)
        self._session = self._stack.enter_context(self._bench.open(params, place))
        freeze_heap()
        return Opened(note=note)


def describe(error: BaseException) -> str:
    """Return one line for an error: its own words if it was meant for users, else also where it arose."""
    if isinstance(error, HarnessError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until told to close, or until the parent is gone."""

    def say(message: Message) -> None:
        replies.write(encode_message(message) + b"\n")
        replies.flush()

    say(Hello(protocol=PROTOCOL_VERSION, pid=os.getpid()))
    with ExitStack() as stack:
        current = Round(stack)
        for line in requests:
            request = decode_request(line)
            try:
                reply = current.answer(request)
            except BenchError as error:
                reply = Failed(problem=str(error))
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
                traceback.print_exc()
                reply = Failed(problem=describe(error))
            say(reply)
            if isinstance(request, Close):
                return


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends; elsewhere the closed pipe does, later."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the streams the parent speaks through, and leave the bench an empty input and the error stream."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    die_with_parent()
    serve(*take_standard_streams())
