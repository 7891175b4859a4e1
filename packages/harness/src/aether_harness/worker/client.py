"""The parent's side of a process, such as a worker: start it, ask it, and be sure that it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from aether_harness.errors import HarnessError, in_a_line
from aether_harness.machine.affinity import raise_priority
from aether_harness.machine.process_tree import end_tree
from aether_harness.worker.layout import start_with
from aether_harness.worker.parent_death_pipe import ParentDeathPipe
from aether_harness.worker.protocol import (
    PROTOCOL_VERSION,
    Close,
    Closed,
    Failed,
    Hello,
    Message,
    Preload,
    Reply,
    Request,
    decode_reply,
    encode_message,
)
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from aether_harness.worker.layout import Layout

ReplyT = TypeVar("ReplyT", bound=Message)

START_LIMIT_S = 30.0
CLOSE_LIMIT_S = 10.0
#: How long a worker that has closed its output may take to end.
END_LIMIT_S = 1.0
_WATCH_INTERVAL_S = 0.2
#: A tick this late means that the machine was suspended, as a paused virtual machine.
_SUSPEND_THRESHOLD_S = 1.0


class WorkerError(HarnessError):
    """The process crashed, hung, failed to start, failed a request, or has another version."""


class Child:
    """A process that is asked over its standard streams. Leaving its `with` ends it and all it started."""

    #: The name of the process in messages.
    called = "the process"

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        folder: str | None = None,
        layout: Layout | None = None,
    ) -> None:
        """Start `command` in `folder`, with `env` on top of this process's environment and in `layout`, if any.

        Raises:
            WorkerError: it cannot be started.

        """
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._deadline: float | None = None
        self._suspended_s = 0.0
        self._timed_out = False
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._lifeline = ParentDeathPipe()
        try:
            self._process = self._start(command, env or {}, folder, layout)
        except OSError as error:
            self._log.close()
            self._lifeline.close()
            raise WorkerError(f"{self.called} cannot be started: {error.strerror}") from None
        self._lifeline.close_child_end()
        threading.Thread(target=self._watch, daemon=True).start()

    def _start(
        self, command: Sequence[str], env: Mapping[str, str], folder: str | None, layout: Layout | None
    ) -> subprocess.Popen[bytes]:
        whole = {**os.environ, **env, **self._lifeline.env}
        with nullcontext(whole) if layout is None else start_with(layout, command, whole) as its_env:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=folder,
                env=its_env,
                pass_fds=self._lifeline.child_fds,
                # A group of its own: a Ctrl-C reaches this parent alone, and the group can be killed whole.
                start_new_session=os.name == "posix",
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def __enter__(self) -> Self:
        """Be ended by the end of a `with`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.kill()

    def tell(self, data: bytes, limit_s: float, *, last: bool = False) -> None:
        """Write `data` to its input, which is closed after the `last`.

        Raises:
            WorkerError: it does not read within `limit_s`, or has ended.

        """
        assert self._process.stdin is not None
        self._allow(limit_s)
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
            if last:
                self._process.stdin.close()
        except OSError:
            raise WorkerError(_late(limit_s) if self._timed_out else self.how_it_ended()) from None

    def hear(self, limit_s: float) -> bytes:
        """Return the next line of its output, without a newline where the output ends.

        Raises:
            WorkerError: there is none within `limit_s`.

        """
        assert self._process.stdout is not None
        self._allow(limit_s)
        line = self._process.stdout.readline()
        self._deadline = None
        if self._timed_out:
            raise WorkerError(_late(limit_s))
        return line

    def _allow(self, limit_s: float) -> None:
        """Have the process killed after `limit_s`, by a clock that stands still when this process does."""
        self._deadline = time.monotonic() - self._suspended_s + limit_s

    def kill(self) -> None:
        """End the process and its descendants, at any time."""
        with self._lock:  # for it may be ended from two threads
            if self._ended.is_set():
                return
            self._ended.set()
        end_tree(self._process)
        self._process.wait()
        self._lifeline.close()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass  # nothing reads the rest of the output any more

    def _watch(self) -> None:
        """Kill the process once its deadline has passed, which ends this one's wait for its answer."""
        looked_s, was_late = time.monotonic(), False
        while not self._ended.wait(_WATCH_INTERVAL_S):
            now_s = time.monotonic()
            late_s, looked_s = now_s - looked_s - _WATCH_INTERVAL_S, now_s
            is_late = late_s > _SUSPEND_THRESHOLD_S
            # A machine that is late time and again is not standing still but slow, and that may be the worker's doing.
            if is_late and not was_late:
                self._suspended_s += late_s
            was_late = is_late
            deadline = self._deadline
            if deadline is not None and now_s - self._suspended_s > deadline:
                self._timed_out = True
                end_tree(self._process)
                return

    def how_it_ended(self) -> str:
        """Return how it ended and the last line of its complaints, in one line."""
        try:
            status = self._process.wait(timeout=END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"{self.called} closed its output and went on"
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
        last = self._last_words()
        return f"{self.called} {how}" + (f": {last}" if last else "")

    def _last_words(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 4096))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return printable(lines[-1].strip()[:300]) if lines else ""


class WorkerClient(Child):
    """The worker of one round. Entering its `with` waits for its greeting, and leaving it asks it to close."""

    called = "the worker"

    def __init__(
        self,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        folder: str | None = None,
        layout: Layout | None = None,
    ) -> None:
        """Start `command` (this Python's worker, if none) as any process.

        Raises:
            WorkerError: it cannot be started.

        """
        super().__init__(command or worker_command(sys.executable), env, folder, layout)
        # From outside, so that it comes up before others too.
        raise_priority(self.pid)

    def __enter__(self) -> Self:
        """Wait for the worker's greeting.

        Raises:
            WorkerError: it does not come, or is of another protocol version.

        """
        try:
            hello = self._receive(START_LIMIT_S)
            if not isinstance(hello, Hello):
                raise WorkerError(f"the worker began with {type(hello).__name__}")
            if hello.protocol != PROTOCOL_VERSION:
                raise WorkerError(
                    f"the worker speaks version {hello.protocol} of the protocol, not {PROTOCOL_VERSION}: "
                    "its aether-harness is of another version"
                )
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process: by a request after success, by force otherwise."""
        try:
            if kind is None:
                self.request(Close(), Closed, CLOSE_LIMIT_S)
        finally:
            self.kill()

    def request(self, request: Request, answer: type[ReplyT], limit_s: float) -> ReplyT:
        """Send `request` and return the answer, which is of the type `answer`, waiting at most `limit_s`.

        Raises:
            WorkerError: no answer in time, a wrong answer, the worker ended, or it failed.

        """
        self.send(request, limit_s)
        return self.receive(request, answer, limit_s)

    def send(self, request: Request, limit_s: float) -> None:
        """Send `request`, whose answer is waited for later.

        Raises:
            WorkerError: the worker ended, or does not read.

        """
        self.tell(encode_message(request) + b"\n", limit_s)

    def receive(self, request: Request, answer: type[ReplyT], limit_s: float) -> ReplyT:
        """Return the answer to the `request` that was sent, waiting at most `limit_s`.

        Raises:
            WorkerError: as for `request`.

        """
        reply = self._receive(limit_s)
        if isinstance(reply, Failed):
            raise WorkerError(in_a_line(reply.problem))
        if not isinstance(reply, answer):
            raise WorkerError(f"the worker answered {type(reply).__name__} to {type(request).__name__}")
        return reply

    def _receive(self, limit_s: float) -> Reply:
        line = self.hear(limit_s)
        if not line.endswith(b"\n"):
            raise WorkerError(self.how_it_ended())
        try:
            reply: Reply = decode_reply(line)
        except msgspec.MsgspecError:
            raise WorkerError(f"the worker answered nonsense: {printable(repr(line[:60]))}") from None
        return reply


def _late(limit_s: float) -> str:
    return f"no answer within {limit_s:g} s"


def worker_command(python: str, preload: Preload | None = None) -> tuple[str, ...]:
    """Return the command of a worker in an interpreter's environment, which does the `preload` before it greets."""
    command = (python, "-P", "-m", "aether_harness.worker.main")
    return command if preload is None else (*command, encode_message(preload).decode())
