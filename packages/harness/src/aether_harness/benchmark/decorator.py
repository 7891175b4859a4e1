"""A bench from a function: `@bench` for the simple case.

    from aether_harness import bench

    @bench
    def parse():
        json.loads(TEXT)

    def opened():                      # a generator, or a context manager's function
        with open("data.json") as file:
            yield file.read()

    @bench(setup=opened)
    def parse_file(text):              # is given what the set-up yields
        json.loads(text)

The function is the sample. A coroutine function is awaited on an event loop of its own that lasts as long
as the round, asyncio's or, with `@bench(backend="trio")`, trio's; its set-up may then be an async generator.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, overload

from msgspec import Struct

from aether_harness.benchmark.protocol import RoundContext, SampleResult
from aether_harness.errors import BenchError, UsageError
from aether_harness.reference.kernels import DEFAULT_KERNEL
from aether_schema import Metric

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from aether_harness.benchmark.async_session import SampleOutcome, YieldSample
    from aether_harness.benchmark.protocol import Session


class NoParams(Struct, frozen=True, kw_only=True):
    """A bench without parameters."""


class FunctionSession:
    """A function, called by every sample."""

    def __init__(self, call: Callable[[], Any]) -> None:
        """Have `call` be the sample itself, without a layer between it and the clock."""
        self.sample = call

    def verify(self) -> None:
        """Nothing is claimed, so nothing is checked."""


class FunctionBench:
    """A bench whose sample is a function. Calling it calls the function."""

    params_type = NoParams

    def __init__(self, function: Callable[..., Any], options: FunctionOptions) -> None:
        """Make a bench of `function`.

        Raises:
            UsageError: it is a generator function, whose call runs nothing of its body.

        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__name__", repr(function))
            raise UsageError(
                f"{name} is a generator function: calling it only makes the generator; "
                "put @bench on a function that iterates over it"
            )
        self._function = function
        self._setup = options.setup
        self.bench_id = options.bench_id or function.__name__
        self.name = self.bench_id
        self.metric: Metric = options.metric
        self.reference = options.reference
        self._backend = options.backend
        self.about = (inspect.getdoc(function) or f"the function {function.__name__}").splitlines()[0]

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the function's own
        """Call the function."""
        return self._function(*arguments, **named)

    @contextmanager
    def open(self, params: NoParams, place: RoundContext) -> Iterator[Session]:  # noqa: ARG002 - the interface's
        """Set up, and yield the session."""
        if inspect.iscoroutinefunction(self._function):
            # An event loop's machinery takes long to import, and most benches have no use for it.
            from aether_harness.benchmark.async_session import AsyncSession

            session = AsyncSession(self._serve, self._backend)
            try:
                yield session
            finally:
                session.close()
            return
        with ExitStack() as stack:
            given = () if self._setup is None else (stack.enter_context(setup_context(self._setup)),)
            call = self._call(given)
            yield FunctionSession(partial(_with_bytes, call) if self.metric == "throughput_mbs" else call)

    def _call(self, given: tuple[Any, ...]) -> Callable[[], Any]:
        """Return the function bound to the value of the set-up, if it takes it."""
        takes = bool(inspect.signature(self._function).parameters)
        if takes and not given:
            raise BenchError(f"{self.bench_id}() takes an argument, and there is no setup to give it one")
        return partial(self._function, *given) if takes else self._function

    async def _serve(self, hand_over: YieldSample) -> None:
        async with AsyncExitStack() as stack:
            given: tuple[Any, ...] = ()
            if self._setup is not None:
                if inspect.isasyncgenfunction(self._setup):
                    given = (await stack.enter_async_context(asynccontextmanager(self._setup)()),)
                else:
                    given = (stack.enter_context(setup_context(self._setup)),)
            call: Callable[[], Awaitable[Any]] = self._call(given)
            taken: SampleOutcome = None
            while hand_over(taken):
                try:
                    started = perf_counter_ns()
                    result = await call()
                    ended = perf_counter_ns()
                except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
                    taken = error
                else:
                    moved = _bytes_moved(result) if self.metric == "throughput_mbs" else None
                    taken = SampleResult(elapsed_ns=ended - started, moved_bytes=moved)


class FunctionOptions(Struct, frozen=True, kw_only=True):
    """The arguments of `@bench`."""

    bench_id: str | None = None
    setup: Callable[[], Any] | None = None
    metric: Metric = "duration_ms"
    reference: str = DEFAULT_KERNEL
    backend: str = "asyncio"


@overload
def bench(function: Callable[..., Any]) -> FunctionBench: ...


@overload
def bench(
    *,
    bench_id: str | None = None,
    setup: Callable[[], Any] | None = None,
    metric: Metric = "duration_ms",
    reference: str = DEFAULT_KERNEL,
    backend: str = "asyncio",
) -> Callable[[Callable[..., Any]], FunctionBench]: ...


def bench(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a bench of a function. The default `bench_id` is the name of the function.

    `setup` is a generator function, or one that returns a context manager; the function gets the value that it yields.
    With the metric `throughput_mbs` the function returns the bytes that it moved. `reference` names the kernel that
    resembles it. `backend` is anyio's name of the event loop for a coroutine function.
    """
    if function is not None:
        return FunctionBench(function, FunctionOptions())
    return partial(FunctionBench, options=FunctionOptions(**options))


def setup_context(setup: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the set-up yields
    """Return the context manager of a set-up, which may be a generator function or return one.

    Raises:
        UsageError: it is neither.

    """
    if inspect.isgeneratorfunction(setup):
        return contextmanager(setup)()
    context = setup()
    if not hasattr(context, "__enter__"):
        name = getattr(setup, "__name__", repr(setup))
        raise UsageError(f"setup={name}: write it as a generator that yields once, or return a context manager")
    return context


def _with_bytes(call: Callable[[], Any]) -> SampleResult:
    return SampleResult(moved_bytes=_bytes_moved(call()))


def _bytes_moved(result: object) -> int | None:
    return result if isinstance(result, int) else None
