from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.lowlevel
import msgspec
import pytest
from sniffio import current_async_library

from aether_harness import BenchError, Benchmark, RoundContext, SampleResult, UsageError, bench
from aether_harness.benchmark.parameters import build_params

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager

    from aether_harness import Session
    from aether_harness.benchmark.decorator import FunctionBench

    Opened = Callable[[FunctionBench], AbstractContextManager[Session]]


@pytest.fixture
def opened(place: RoundContext) -> Opened:
    """Return a function that opens a bench."""
    return lambda made: made.open(made.params_type(), place)


@pytest.fixture
def events() -> list[str]:
    """Return what happened, in its order."""
    return []


def test_a_function_under_the_decorator_is_a_bench_of_its_name() -> None:
    @bench
    def sort_numbers() -> None:
        """Sort some numbers.

        This is not shown.
        """

    assert isinstance(sort_numbers, Benchmark)
    assert (sort_numbers.bench_id, sort_numbers.name) == ("sort_numbers", "sort_numbers")
    assert (sort_numbers.metric, sort_numbers.about) == ("duration_ms", "Sort some numbers.")


def test_a_function_without_a_docstring_is_told_by_its_name() -> None:
    assert bench(test_a_function_without_a_docstring_is_told_by_its_name).about.startswith("the function test_a")


def test_the_options_are_the_benchs_attributes() -> None:
    made = bench(bench_id="other", metric="throughput_mbs", reference="memory-1")(len)
    assert (made.bench_id, made.name, made.metric, made.reference) == ("other", "other", "throughput_mbs", "memory-1")


def test_a_bench_can_still_be_called_as_the_function_it_is() -> None:
    assert bench(len)("four") == 4


def test_a_generator_function_is_refused_as_a_bench() -> None:
    def rows() -> Iterator[int]:
        yield 1

    async def messages() -> AsyncIterator[int]:
        yield 1

    for generator in (rows, partial(rows), messages):
        with pytest.raises(UsageError, match="is a generator function: calling it only makes the generator"):
            bench(generator)


def test_a_sample_calls_the_function(opened: Opened, events: list[str]) -> None:
    with opened(bench(lambda: events.append("called"))) as session:
        for _ in range(3):
            assert session.sample() is None
        session.verify()
    assert events == ["called"] * 3


def test_the_sample_is_the_function_itself_with_nothing_around_it(opened: Opened) -> None:
    def plain() -> None:
        pass

    with opened(bench(plain)) as session:
        assert session.sample is plain


def test_a_generator_sets_up_and_tears_down_around_the_samples(opened: Opened, events: list[str]) -> None:
    def prepared() -> Iterator[str]:
        events.append("set up")
        yield "given"
        events.append("torn down")

    with opened(bench(setup=prepared)(events.append)) as session:
        session.sample()
        session.sample()
    assert events == ["set up", "given", "given", "torn down"]


def test_a_context_manager_sets_up_and_tears_down_even_when_a_sample_raises(opened: Opened, events: list[str]) -> None:
    @contextmanager
    def prepared() -> Iterator[str]:
        try:
            yield "no luck"
        finally:
            events.append("torn down")

    def fails(given: str) -> None:
        raise ValueError(given)

    with pytest.raises(ValueError, match="no luck"), opened(bench(setup=prepared)(fails)) as session:
        session.sample()
    assert events == ["torn down"]


def test_a_set_up_is_run_for_a_function_that_does_not_take_what_it_yields(opened: Opened, events: list[str]) -> None:
    def prepared() -> Iterator[None]:
        events.append("set up")
        yield

    with opened(bench(setup=prepared)(lambda: events.append("called"))) as session:
        session.sample()
    assert events == ["set up", "called"]


def test_a_set_up_that_is_no_context_is_refused_by_its_name(opened: Opened) -> None:
    def forty_two() -> int:
        return 42

    with (
        pytest.raises(UsageError, match="setup=forty_two: write it as a generator"),
        opened(bench(setup=forty_two)(len)),
    ):
        pass


def test_an_argument_that_nothing_gives_is_refused_by_the_functions_name(opened: Opened) -> None:
    def takes(one: int) -> int:
        return one

    with pytest.raises(BenchError, match=r"takes\(\) takes an argument, and there is no setup"), opened(bench(takes)):
        pass


def test_a_throughput_says_how_many_bytes_the_function_returned(opened: Opened) -> None:
    with opened(bench(metric="throughput_mbs")(lambda: 1024)) as session:
        assert session.sample() == SampleResult(moved_bytes=1024)


@pytest.mark.parametrize("returned", [None, "1024", 1024.0, b"1024"])
def test_a_throughput_that_returns_no_count_says_so(opened: Opened, returned: object) -> None:
    with opened(bench(metric="throughput_mbs")(lambda: returned)) as session:
        assert session.sample() == SampleResult(moved_bytes=None)


# Coroutines.


def test_a_coroutine_is_awaited_by_every_sample_and_timed_within_the_loop(opened: Opened, events: list[str]) -> None:
    async def waits() -> None:
        await asyncio.sleep(0.002)
        events.append("awaited")

    with opened(bench(waits)) as session:
        sampled = [session.sample() for _ in range(3)]
    assert events == ["awaited"] * 3
    assert all(one is not None and one.elapsed_ns is not None and one.elapsed_ns >= 2_000_000 for one in sampled)


def test_an_async_generator_sets_up_and_tears_down_in_the_loop_and_task_of_the_samples(
    opened: Opened, events: list[str]
) -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def prepared() -> AsyncIterator[str]:
        tasks.append(asyncio.current_task())
        async with asyncio.timeout(60):  # which must be left in the task it was entered in
            yield "given"
        events.append("torn down")

    async def takes(given: str) -> None:
        tasks.append(asyncio.current_task())
        events.append(given)

    with opened(bench(setup=prepared)(takes)) as session:
        session.sample()
        session.sample()
    assert events == ["given", "given", "torn down"]
    assert len(set(tasks)) == 1


def test_a_plain_generator_sets_a_coroutine_up_too(opened: Opened, events: list[str]) -> None:
    def prepared() -> Iterator[str]:
        yield "given"
        events.append("torn down")

    async def takes(given: str) -> None:
        events.append(given)

    with opened(bench(setup=prepared)(takes)) as session:
        session.sample()
    assert events == ["given", "torn down"]


def test_a_coroutine_that_raises_fails_its_sample_and_is_torn_down(opened: Opened, events: list[str]) -> None:
    async def prepared() -> AsyncIterator[None]:
        try:
            yield
        finally:
            events.append("torn down")

    async def fails() -> None:
        raise ValueError("no luck")

    with opened(bench(setup=prepared)(fails)) as session, pytest.raises(ValueError, match="no luck"):
        session.sample()
    assert events == ["torn down"]


def test_a_set_up_of_a_coroutine_that_raises_fails_to_open(opened: Opened) -> None:
    async def prepared() -> AsyncIterator[None]:
        raise BenchError("no server")
        yield

    async def never() -> None:
        raise AssertionError

    with pytest.raises(BenchError, match="no server"), opened(bench(setup=prepared)(never)):
        raise AssertionError


def test_a_set_up_of_a_coroutine_that_ends_by_itself_ends_the_samples(opened: Opened) -> None:
    async def prepared() -> AsyncIterator[anyio.CancelScope]:
        with anyio.CancelScope() as scope:
            yield scope

    async def cancels(scope: anyio.CancelScope) -> None:
        scope.cancel()
        await anyio.lowlevel.checkpoint()

    with opened(bench(setup=prepared)(cancels)) as session:
        for _ in range(2):
            with pytest.raises(BenchError, match=r"^the bench's set-up ended before its samples did$"):
                session.sample()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_coroutine_runs_on_the_event_loop_that_is_asked_for_with_tasks_of_its_set_up(
    opened: Opened, events: list[str], backend: str
) -> None:
    async def prepared() -> AsyncIterator[Callable[[], Awaitable[None]]]:
        wanted, done = anyio.Semaphore(0), anyio.Semaphore(0)

        async def server() -> None:
            while True:
                await wanted.acquire()
                events.append(current_async_library())
                done.release()

        async def ask() -> None:
            wanted.release()
            await done.acquire()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server)
            yield ask
            tasks.cancel_scope.cancel()

    async def asks(ask: Callable[[], Awaitable[None]]) -> None:
        await ask()

    with opened(bench(setup=prepared, backend=backend)(asks)) as session:
        session.sample()
        session.sample()
    assert events == [backend, backend]


def test_a_coroutine_is_awaited_in_the_thread_that_samples(opened: Opened) -> None:
    threads: list[int] = []

    async def mine() -> None:
        await anyio.lowlevel.checkpoint()
        threads.append(threading.get_ident())

    with opened(bench(mine)) as session:
        session.sample()
    assert threads == [threading.get_ident()]


@pytest.mark.parametrize("backend", ["curio", "", "anyio"])
def test_an_event_loop_that_is_not_there_is_refused(opened: Opened, backend: str) -> None:
    async def never() -> None:
        raise AssertionError

    with pytest.raises(UsageError, match="take asyncio, or trio"), opened(bench(backend=backend)(never)):
        raise AssertionError


def test_a_throughput_of_a_coroutine_says_how_many_bytes_it_returned(opened: Opened) -> None:
    async def moves() -> int:
        return 2048

    with opened(bench(metric="throughput_mbs")(moves)) as session:
        sampled = session.sample()
    assert sampled is not None
    assert sampled.moved_bytes == 2048


def test_arguments_with_defaults_are_parameters() -> None:
    @bench
    def parse(size: int = 10, *, mode: Literal["a", "b"] = "a", ratio=0.5, load: object = len) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        seen.append((size, mode, ratio, load))

    seen: list[Any] = []
    assert msgspec.to_builtins(parse.params_type()) == {"size": 10, "mode": "a", "ratio": 0.5}
    params = build_params(parse.params_type, "parse", {"size": "20", "mode": "b", "ratio": "2"})
    with parse.open(params, RoundContext(folder=".")) as session:
        session.sample()
    assert seen == [(20, "b", 2.0, len)]
    with pytest.raises(UsageError, match=r"-p parse\.mode=c"):
        build_params(parse.params_type, "parse", {"mode": "c"})


def test_a_set_up_has_parameters_too(events: list[str]) -> None:
    def numbers(size: int = 3) -> Iterator[list[int]]:
        events.append(f"set up {size}")
        yield list(range(size))

    @bench(setup=numbers)
    def add(values: list[int], start: int = 0) -> None:
        events.append(f"sum {sum(values, start)}")

    assert msgspec.to_builtins(add.params_type()) == {"size": 3, "start": 0}
    params = build_params(add.params_type, "add", {"size": "4", "start": "100"})
    with add.open(params, RoundContext(folder=".")) as session:
        session.sample()
    assert events == ["set up 4", "sum 106"]


def test_a_coroutine_takes_its_parameters(events: list[str]) -> None:
    async def ready(size: int = 3) -> AsyncIterator[int]:
        yield size

    @bench(setup=ready)
    async def wait(value: int, times: int = 1) -> None:
        await anyio.lowlevel.checkpoint()
        events.append(f"{value} {times}")

    params = build_params(wait.params_type, "wait", {"size": "5", "times": "2"})
    with wait.open(params, RoundContext(folder=".")) as session:
        session.sample()
    assert events == ["5 2"]


def test_a_parameter_of_two_defaults_is_refused() -> None:
    def ready(size: int = 3) -> Iterator[int]:
        yield size

    def wait(value: int, size: int = 4) -> None:
        del value, size

    with pytest.raises(UsageError, match="wait: size differs between the function and its setup"):
        bench(setup=ready)(wait)
