from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness.worker.client import WorkerClient, WorkerError
from aether_harness.worker.protocol import (
    PROTOCOL_VERSION,
    Close,
    Closed,
    Hello,
    Opened,
    SampleTaken,
    TakeSample,
    decode_request,
    encode_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HELLO = encode_message(Hello(protocol=PROTOCOL_VERSION, pid=1)).decode()
CLOSED = encode_message(Closed()).decode()

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


def fake(*script: str, greeting: str = HELLO) -> WorkerClient:
    """Return a worker that greets, and once it is asked something goes by the script."""
    lines = (
        "import os, signal, subprocess, sys, time",
        f"print({greeting!r}, flush=True)",
        "sys.stdin.readline()",
        *script,
    )
    return WorkerClient([sys.executable, "-c", "\n".join(lines)])


def failure_of(worker: WorkerClient, limit_s: float = 30.0) -> str:
    """Return why the worker could not be asked for a sample."""
    with pytest.raises(WorkerError) as failed, worker:
        worker.request(TakeSample(), SampleTaken, limit_s)
    assert len(str(failed.value).splitlines()) == 1
    return str(failed.value)


def test_a_worker_greets_and_closes_when_it_is_asked(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    script = f"print({HELLO!r}, flush=True); text = input(); open({str(asked)!r}, 'w').write(text); print({CLOSED!r})"
    with WorkerClient([sys.executable, "-c", script]):
        assert not asked.exists()
    assert decode_request(asked.read_bytes()) == Close()


def test_a_worker_with_nothing_open_has_nothing_to_sample() -> None:
    with WorkerClient() as worker, pytest.raises(WorkerError, match="nothing is open"):
        worker.request(TakeSample(), SampleTaken, 30)


def test_a_worker_that_cannot_be_started_is_told() -> None:
    with pytest.raises(WorkerError, match="the worker cannot be started: "):
        WorkerClient(["no-such-program"])


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        ("hello there", "the worker answered nonsense: \"b'hello there\\\\n'\""),
        ("", "the worker answered nonsense"),
        ("\x1b[31m\xff", "the worker answered nonsense"),
        ('{"type":"Hallo"}', "the worker answered nonsense"),
        ('{"type":"Hello","protocol":"1","pid":1}', "the worker answered nonsense"),
        (
            encode_message(Hello(protocol=PROTOCOL_VERSION + 1, pid=1)).decode(),
            f"speaks version {PROTOCOL_VERSION + 1} of the protocol",
        ),
        (CLOSED, "began with Closed"),
    ],
)
def test_a_program_that_is_no_worker_of_this_version_is_told(greeting: str, words: str) -> None:
    worker = fake(greeting=greeting)
    with pytest.raises(WorkerError) as failed, worker:
        pass
    assert words.replace('"', "").replace("\\\\", "\\") in str(failed.value).replace('"', "").replace("\\\\", "\\")
    assert str(failed.value).isprintable()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.exit(3)", "the worker exited with status 3"),
        ("raise ValueError('no luck')", "the worker exited with status 1: ValueError: no luck"),
        ('sys.stdout.write(\'{"type":"Tak\'); sys.stdout.flush(); os._exit(4)', "the worker exited with status 4"),
        ("print('hello', flush=True); time.sleep(60)", "the worker answered nonsense: b'hello"),
        (f"print({CLOSED!r}, flush=True); time.sleep(60)", "the worker answered Closed to TakeSample"),
        ('print(\'{"type":"Failed","problem":"no luck"}\', flush=True); time.sleep(60)', "no luck"),
    ],
)
def test_a_worker_that_fails_at_what_it_is_asked_is_told_by_how(script: str, words: str) -> None:
    assert words in failure_of(fake(script))


@posix
def test_a_worker_that_is_killed_is_told_by_the_signal() -> None:
    assert failure_of(fake("os.kill(os.getpid(), signal.SIGSEGV)")) == "the worker was killed by SIGSEGV"


@pytest.mark.parametrize("script", ["time.sleep(60)", "sys.stdout.write('{'); sys.stdout.flush(); time.sleep(60)"])
def test_a_worker_that_is_silent_is_ended_when_its_time_is_up(script: str) -> None:
    assert failure_of(fake(script), limit_s=0.3) == "no answer within 0.3 s"


STANDS_STILL = """
from aether_harness.worker.client import WorkerClient
from aether_harness.worker.protocol import Opened, TakeSample

with WorkerClient({command!r}) as worker:
    print(worker.pid, flush=True)
    print(worker.request(TakeSample(), Opened, 5), flush=True)
    worker.kill()
"""


@posix
def test_a_machine_that_stood_still_gave_a_worker_no_time(eventually: Callable[..., Any]) -> None:
    script = f"""
import signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCONT])
print({HELLO!r}, flush=True)
sys.stdin.readline()
signal.sigwait([signal.SIGCONT])
print('{{"type":"Opened","iterations":7}}', flush=True)
time.sleep(600)
"""
    asking = [sys.executable, "-c", STANDS_STILL.format(command=[sys.executable, "-c", script])]
    with subprocess.Popen(asking, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        worker = psutil.Process(int(running.stdout.readline()))
        both = (psutil.Process(running.pid), worker)
        try:
            time.sleep(0.3)
            for process in both:
                process.suspend()
            eventually(lambda: all(process.status() == psutil.STATUS_STOPPED for process in both))
            time.sleep(6)
            for process in both:
                process.resume()
                # Who waits looks at the clock before the worker can answer.
                time.sleep(0.5)
            assert "iterations=7" in running.stdout.read()
        finally:
            for process in both:
                with suppress(psutil.Error):
                    process.kill()


@posix
def test_a_worker_that_cannot_be_asked_politely_is_ended_all_the_same() -> None:
    stubborn = "[signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]"
    assert failure_of(fake(stubborn, "time.sleep(60)"), limit_s=0.3) == "no answer within 0.3 s"


def test_a_worker_that_closes_its_output_and_goes_on_is_ended() -> None:
    worker = fake("os.close(1)", "time.sleep(600)")
    assert failure_of(worker) == "the worker closed its output and went on"


def test_a_worker_that_has_ended_before_it_is_asked_is_told_by_how(eventually: Callable[..., Any]) -> None:
    others = set(psutil.Process().children())

    def ask_the_dead(worker: WorkerClient) -> None:
        ended = {psutil.STATUS_ZOMBIE}
        eventually(lambda: {child.status() for child in set(psutil.Process().children()) - others} <= ended)
        worker.request(TakeSample(), SampleTaken, 30)

    worker = WorkerClient([sys.executable, "-c", f"print({HELLO!r}); raise SystemExit('no luck')"])
    with pytest.raises(WorkerError, match="the worker exited with status 1: no luck"), worker:
        ask_the_dead(worker)


def test_only_the_end_of_what_a_worker_complains_of_is_told() -> None:
    told = failure_of(fake("print('x' * 1_000_000 + '\\x1b', file=sys.stderr)", "sys.exit(1)"))
    assert told.startswith("the worker exited with status 1: xxx")
    assert len(told) < 1000


@pytest.mark.parametrize("fails", [False, True])
def test_leaving_a_worker_ends_what_it_started(
    *, fails: bool, is_running: Callable[[int], bool], eventually: Callable[..., Any]
) -> None:
    script = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
        'print(\'{"type":"Opened","iterations":%d}\' % child.pid, flush=True)',
        "sys.stdin.readline()",
        f"print({CLOSED!r}, flush=True)",
    )
    pids = []
    try:
        with fake(*script) as worker:
            pids.append(worker.request(TakeSample(), Opened, 30).iterations)
            assert is_running(pids[0])
            if fails:
                raise InterruptedError
    except InterruptedError:
        pass
    assert eventually(lambda: not is_running(pids[0]))


def test_a_worker_has_its_environment_on_top_of_the_parents() -> None:
    says = "import os; print(os.environ['OF_THE_TEST'] + str('PATH' in os.environ), file=os.sys.stderr); os._exit(1)"
    worker = WorkerClient([sys.executable, "-c", says], env={"OF_THE_TEST": "one"})
    with pytest.raises(WorkerError, match="exited with status 1: oneTrue"), worker:
        pass
