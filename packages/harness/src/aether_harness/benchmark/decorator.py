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

    @bench
    def encode(size: int = 100):       # `-p encode.size=1000`, or `-p encode.size=10,100` for a sweep
        json.dumps([0] * size)

The function is the sample. Arguments with defaults are parameters, also those of the set-up. A coroutine function is
awaited on an event loop of its own that lasts as long as the round: asyncio's, or trio's with `@bench(backend="trio")`.
Its set-up may then be an async generator.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from enum import Enum
from functools import partial
from time import perf_counter_ns
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_type_hints, overload

from msgspec import Struct, defstruct

from aether_harness.benchmark.protocol import FigureValue, RoundContext, SampleResult
from aether_harness.errors import BenchError, UsageError
from aether_harness.reference.kernels import DEFAULT_KERNEL
from aether_schema import Metric

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from aether_harness.benchmark.async_session import SampleOutcome, YieldSample
    from aether_harness.benchmark.protocol import Session


#: The types of a parameter, and of its default.
_SCALARS = (bool, int, float, str, type(None), Enum)


class FunctionSession:
    """A function, called by every sample."""

    def __init__(self, call: Callable[[], Any]) -> None:
        """Have `call` be the sample itself, without a layer between it and the clock."""
        self.sample = call

    def verify(self) -> None:
        """Nothing is claimed, so nothing is checked."""


class FunctionBench:
    """A bench whose sample is a function. Calling it calls the function."""

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
        own = parameters_of(function, is_given_value=options.setup is not None)
        setup = parameters_of(options.setup) if options.setup is not None else {}
        for name in own.keys() & setup.keys():
            if own[name] != setup[name]:
                raise UsageError(f"{function.__name__}: {name} differs between the function and its setup")
        self._own, self._of_setup = tuple(own), tuple(setup)
        listed = [(name, kind, default) for name, (kind, default) in {**setup, **own}.items()]
        self.params_type = defstruct(f"{function.__name__}_params", listed, frozen=True, kw_only=True)
        self.bench_id = options.bench_id or function.__name__
        self.name = self.bench_id
        self.metric: Metric = options.metric
        self.reference = options.reference
        self._backend = options.backend
        self._figures = options.figures
        self.about = (inspect.getdoc(function) or f"the function {function.__name__}").splitlines()[0]

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the function's own
        """Call the function."""
        return self._function(*arguments, **named)

    @contextmanager
    def open(self, params: Struct, place: RoundContext) -> Iterator[Session]:  # noqa: ARG002 - the interface's
        """Set up, and yield the session."""
        setup = None if self._setup is None else _bound(self._setup, params, self._of_setup)
        if inspect.iscoroutinefunction(self._function):
            # An event loop's machinery takes long to import, and most benches have no use for it.
            from aether_harness.benchmark.async_session import AsyncSession

            session = AsyncSession(partial(self._serve, setup, params), self._backend)
            self._add_figures(session)
            try:
                yield session
            finally:
                session.close()
            return
        with ExitStack() as stack:
            given = () if setup is None else (stack.enter_context(setup_context(setup)),)
            call = self._call(given, params)
            made = FunctionSession(partial(_with_bytes, call) if self.metric == "throughput_mbs" else call)
            self._add_figures(made)
            yield made

    def _add_figures(self, session: Session) -> None:
        """Let the session report the figures of the options, if there are any."""
        if self._figures is not None:
            session.figures = self._figures  # type: ignore[attr-defined]

    def _call(self, given: tuple[Any, ...], params: Struct) -> Callable[[], Any]:
        """Return the function bound to the value of the set-up, if it takes it, and to its parameters."""
        arguments = _signature(self._function).parameters.values()
        needs = [each for each in arguments if _is_positional(each)]
        if not given and any(each.default is each.empty and each.kind != each.VAR_POSITIONAL for each in needs):
            raise BenchError(f"{self.bench_id}() takes an argument, and there is no setup to give it one")
        call = partial(self._function, *given) if needs and given else self._function
        return _bound(call, params, self._own)

    async def _serve(self, setup: Callable[[], Any] | None, params: Struct, hand_over: YieldSample) -> None:
        async with AsyncExitStack() as stack:
            given: tuple[Any, ...] = ()
            if setup is not None:
                if inspect.isasyncgenfunction(self._setup):
                    given = (await stack.enter_async_context(asynccontextmanager(setup)()),)
                else:
                    given = (stack.enter_context(setup_context(setup)),)
            call: Callable[[], Awaitable[Any]] = self._call(given, params)
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
    figures: Callable[[], Mapping[str, FigureValue]] | None = None


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
    figures: Callable[[], Mapping[str, FigureValue]] | None = None,
) -> Callable[[Callable[..., Any]], FunctionBench]: ...


def bench(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a bench of a function. The default `bench_id` is the name of the function.

    Arguments with defaults, of the function and of `setup`, are parameters of the bench. `setup` is a generator
    function, or one that returns a context manager; the function gets the value that it yields as its first argument.
    With the metric `throughput_mbs` the function returns the bytes that it moved. `reference` names the kernel that
    resembles it. `backend` is anyio's name of the event loop for a coroutine function. `figures` is called once per
    round after the samples, and returns further figures to be judged.
    """
    if function is not None:
        return FunctionBench(function, FunctionOptions())
    return partial(FunctionBench, options=FunctionOptions(**options))


def parameters_of(
    function: Callable[..., Any], *, is_given_value: bool = False
) -> dict[str, tuple[Any, bool | float | str | Enum | None]]:
    """Return the type and default of each argument with a default that is a number, a text, a truth value or an enum.

    The type is the annotation, or the type of the default. Other defaults are none of the command line's business. With
    `is_given_value` the first argument by position is the value of a set-up.

    Raises:
        UsageError: an annotation cannot be read.

    """
    try:
        arguments = list(_signature(function).parameters.values())
    except ValueError:  # a built-in function
        return {}
    if is_given_value and arguments and _is_positional(arguments[0]):
        del arguments[0]
    listed = [each for each in arguments if each.default is not each.empty and isinstance(each.default, _SCALARS)]
    return {each.name: (_type_of(function, each), each.default) for each in listed}


def _type_of(function: Callable[..., Any], argument: inspect.Parameter) -> Any:  # noqa: ANN401 - a type
    """Return the annotated type of one argument; other annotations may name types that are imported for checks only."""
    if argument.annotation is argument.empty:
        return type(argument.default)
    annotated = SimpleNamespace(__annotations__={argument.name: argument.annotation})
    try:
        scope = getattr(function, "__globals__", {})
        return get_type_hints(annotated, globalns=scope, include_extras=True)[argument.name]
    except (NameError, TypeError) as error:
        name = getattr(function, "__name__", repr(function))
        raise UsageError(f"{name}: the type of {argument.name} cannot be read: {error}") from None


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


def _bound(function: Callable[..., Any], params: Struct, names: tuple[str, ...]) -> Callable[..., Any]:
    """Return the function with the parameters that it takes; the function itself if it takes none."""
    return partial(function, **{name: getattr(params, name) for name in names}) if names else function


def _is_positional(parameter: inspect.Parameter) -> bool:
    return parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL}


def setup_context(setup: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the set-up yields
    """Return the context manager of a set-up, which may be a generator function or return one.

    Raises:
        UsageError: it is neither.

    """
    if inspect.isgeneratorfunction(setup.func if isinstance(setup, partial) else setup):
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
