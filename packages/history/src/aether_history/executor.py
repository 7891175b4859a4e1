"""Search series for changes: in this process, in a pool on this machine, or on a Dask cluster."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from aether_guard.errors import GuardError
from aether_history.changepoint import ChangePoint, find_changes
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

    Batch = list[list[float]]
    Found = list[list[ChangePoint]]
    # An executor, and a function that raises if the executor is gone without an error.
    Pool = tuple[Executor, Callable[[], None]]

#: Below this many points a pool takes longer to start than it saves.
WORTH_A_POOL = 150_000
#: Points per task, large enough that passing on a task costs little.
BATCH_POINTS = 20_000
_CONNECT_LIMIT_S = 5
#: A result that is longer in coming is asked after.
_ASK_AFTER_S = 5
_PROTOCOLS = ("tcp://", "tls://", "ws://", "wss://")


def find_changes_parallel(
    series: Sequence[list[float]], confidence: float, scheduler: str | None, say: Callable[[str], object]
) -> Found:
    """Return the changes of every series, in order.

    Without a `scheduler`, the CPUs of this machine do the work. If the scheduler is lost, stops answering or loses its
    last worker, or a process of the pool dies, the rest is done here, and `say` is called with a line about it.

    Raises:
        GuardError: the scheduler cannot be reached, or Dask is not installed.

    """
    batches = _batches(series)
    if scheduler:
        return _flat(_run_on_executor(batches, confidence, _cluster(scheduler), scheduler, say))
    if sum(map(len, series)) < WORTH_A_POOL or len(batches) == 1 or _cpus() == 1:
        return _flat([search(batch, confidence) for batch in batches])
    return _flat(_run_on_executor(batches, confidence, _local(), "the pool of processes", say))


def search(batch: Batch, confidence: float) -> Found:
    """Return the changes of each series of a batch; runs on an executor."""
    return [find_changes(values, confidence) for values in batch]


def _run_on_executor(
    batches: Sequence[Batch],
    confidence: float,
    pool: AbstractContextManager[Pool],
    name: str,
    say: Callable[[str], object],
) -> list[Found]:
    results: list[Found | None] = [None] * len(batches)
    try:
        with pool as (executor, ask):
            futures = [executor.submit(search, batch, confidence) for batch in batches]
            for at, future in enumerate(futures):
                while wait([future], _ASK_AFTER_S).not_done:
                    ask()
                results[at] = future.result()
    except GuardError:
        raise
    except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
        left = sum(result is None for result in results)
        why = printable(str(error).splitlines()[0][:160] if str(error) else type(error).__name__)
        say(f"{printable(name)}: went away with {left} of {len(batches)} batches to do, which were done here: {why}")
    return [
        search(batch, confidence) if found is None else found for batch, found in zip(batches, results, strict=True)
    ]


@contextmanager
def _local() -> Iterator[Pool]:
    import multiprocessing

    # Not forked: threads of the database may hold locks just then.
    with ProcessPoolExecutor(_cpus(), mp_context=multiprocessing.get_context("spawn")) as executor:
        # Its results report the death of a process.
        yield executor, lambda: None


@contextmanager
def _cluster(address: str) -> Iterator[Pool]:
    """Yield the executor of a Dask cluster, and a function that checks its scheduler.

    Raises:
        GuardError: it cannot be reached, or Dask is not installed.

    """
    if not address.startswith(_PROTOCOLS):
        raise GuardError(f"--scheduler {printable(address)}: takes an address such as tcp://10.0.0.1:8786")
    try:
        import logging

        import dask
        from distributed import Client
    except ModuleNotFoundError:
        raise GuardError("--scheduler needs Dask: pip install 'aether-guard[dask]'") from None
    # The state of the cluster is reported here, in one line.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    # A lost scheduler stays lost; the rest is done here.
    patience = {"distributed.comm.timeouts.connect": f"{_CONNECT_LIMIT_S}s", "distributed.comm.retry.count": 0}
    with dask.config.set(patience):
        try:
            client = Client(address, timeout=_CONNECT_LIMIT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            reason = printable(str(error).splitlines()[0][:160]) if str(error) else "no answer"
            raise GuardError(f"{printable(address)}: no Dask scheduler answers: {reason}") from None
        try:
            if not client.scheduler_info()["workers"]:
                raise GuardError(f"{printable(address)}: this scheduler has no workers")
            yield client.get_executor(pure=False), partial(_ask, client)
        finally:
            with suppress(Exception):
                client.close(timeout=_CONNECT_LIMIT_S)


def _ask(client: Client) -> None:
    """Ask a scheduler for its workers.

    Raises:
        ConnectionError: it has none left, or does not answer.

    """
    try:
        scheduler = client.scheduler
        workers = scheduler and client.sync(scheduler.identity, callback_timeout=_CONNECT_LIMIT_S)["workers"]
    except TimeoutError:
        raise ConnectionError("its scheduler does not answer") from None
    if not workers:
        raise ConnectionError("its last worker is gone")


def _batches(series: Sequence[list[float]]) -> list[Batch]:
    batches: list[Batch] = []
    points = BATCH_POINTS
    for values in series:
        if points >= BATCH_POINTS:
            batches.append([])
            points = 0
        batches[-1].append(values)
        points += len(values)
    return batches


def _flat(results: Sequence[Found]) -> Found:
    return [changes for found in results for changes in found]


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
