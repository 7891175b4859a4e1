"""The parent's side of a process that forks workers: start it, have it fork, and be told how its forks ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from aether_harness.affinity import come_last, go_first, pin
from aether_harness.descendant import end_tree
from aether_harness.error import HarnessError
from aether_harness.forking import (
    FORKING_VERSION,
    MESSAGE_BYTES,
    Born,
    Fork,
    Load,
    Ready,
    Reap,
    Reaped,
    decode_answer,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aether_harness.lifeline import Lifeline
    from aether_harness.target import Address

AnswerT = TypeVar("AnswerT", Ready, Born, Reaped)

#: Elsewhere forks are not told from their parent, or a system's own libraries do not stand being forked.
CAN_FORK = sys.platform == "linux"
NO_PARAMS = msgspec.Raw(b"{}")
_POLL_INTERVAL_S = 0.005
#: Forking takes milliseconds, as does the end of what was killed.
_ANSWER_LIMIT_S = 30.0


class NurseryError(HarnessError):
    """It cannot be started, cannot import the bench, or has ended."""


class Nursery:
    """A process that has imported a bench and forks workers of it. It is used by one thread at a time."""

    def __init__(
        self, python: str, address: Address, env: Mapping[str, str], folder: str, params: msgspec.Raw = NO_PARAMS
    ) -> None:
        """Start it in the environment of `python`, in `folder`, with `env` on top of this process's environment.

        Its workers will be asked to open the bench with `params`.

        Raises:
            NurseryError: it cannot be started.

        """
        self._lock = Lock()
        #: How long a CPU worked until it could fork; 0 before.
        self.cpu_s = 0.0
        self._line, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            try:
                self._process = subprocess.Popen(
                    [python, "-P", "-m", "aether_harness.forking"],
                    stdin=other.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env={**os.environ, **env},
                    start_new_session=True,
                )
            except OSError as error:
                self._line.close()
                raise NurseryError(f"cannot be started: {error.strerror}") from None
        # While it imports, others are measured, and between two samples their workers wait for this process.
        come_last(self._process.pid)
        with suppress(NurseryError):  # which whoever waits for it is told
            self._tell(Load(address, params))

    def run_on(self, cpus: Sequence[int]) -> None:
        """Have it run on `cpus`, if this system can pin, and fork there."""
        pin(cpus, self._process.pid)

    def go_first(self) -> None:
        """Have it get the CPU before others from now on, as do its forks: it is waited for."""
        go_first(self._process.pid)

    def wait_until_ready(self, limit_s: float) -> None:
        """Wait until the bench is imported, going first from now on; once, before the first fork.

        Raises:
            NurseryError: it cannot be, or its workers would be none.

        """
        self.go_first()
        self._line.settimeout(limit_s)
        ready = self._told(Ready)
        self._line.settimeout(_ANSWER_LIMIT_S)
        if ready.version != FORKING_VERSION:
            raise NurseryError(f"it forks by version {ready.version}, not {FORKING_VERSION}")
        if ready.problem is not None:
            raise NurseryError(ready.problem)
        self.cpu_s = ready.cpu_s

    def fork(self, log: IO[bytes], lifeline: Lifeline) -> Forked:
        """Fork a worker that complains to `log` and holds on to `lifeline`.

        Raises:
            NurseryError: it has ended.

        """
        requests, to_worker = os.pipe()
        from_worker, replies = os.pipe()
        try:
            with self._lock:
                self._tell(Fork(), (requests, replies, log.fileno(), *lifeline.handed_over))
                pid = self._told(Born).pid
        except BaseException:
            os.close(to_worker)
            os.close(from_worker)
            raise
        finally:
            os.close(requests)
            os.close(replies)
        return Forked(self, pid, os.fdopen(to_worker, "wb"), os.fdopen(from_worker, "rb"))

    def reap(self, pid: int, *, wait: bool) -> int | None:
        """Return the exit status of the fork `pid`, negative for a signal; None if it runs and is not waited for."""
        try:
            with self._lock:
                self._tell(Reap(pid, wait))
                return self._told(Reaped).status
        except NurseryError:
            return -signal.SIGKILL.value  # with it ended all its forks

    def kill(self) -> None:
        """End it, and with it its forks."""
        if self._process.returncode is None:
            end_tree(self._process)
        self._process.wait()
        self._line.close()

    def _tell(self, order: Load | Fork | Reap, descriptors: Sequence[int] = ()) -> None:
        try:
            socket.send_fds(self._line, [encode(order)], descriptors)
        except OSError:
            raise NurseryError("it has ended") from None

    def _told(self, kind: type[AnswerT]) -> AnswerT:
        try:
            answer = decode_answer(self._line.recv(MESSAGE_BYTES))
        except (OSError, msgspec.MsgspecError):
            # Of one that is only late the answer would be taken for the next one.
            self._process.kill()
            raise NurseryError("it has ended") from None
        if not isinstance(answer, kind):
            raise NurseryError(f"it answered {type(answer).__name__}")
        return answer


class Forked:
    """A worker that a nursery has forked: as much of `subprocess.Popen` as a worker needs."""

    def __init__(self, nursery: Nursery, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        """Stand for the fork `pid`, whose streams these are."""
        self._nursery = nursery
        self.returncode: int | None = None
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit status, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it has not ended within `timeout` seconds.

        """
        ends = time.monotonic() + (timeout or 0)
        while self.returncode is None:
            self.returncode = self._nursery.reap(self.pid, wait=timeout is None)
            if self.returncode is None:
                if time.monotonic() > ends:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
                time.sleep(_POLL_INTERVAL_S)
        return self.returncode

    def kill(self) -> None:
        """End it by force, if it has not ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):  # it ended with its nursery
                os.kill(self.pid, signal.SIGKILL)
