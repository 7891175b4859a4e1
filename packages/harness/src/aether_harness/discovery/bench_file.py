"""Benches defined in a Python file."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from aether_harness.benchmark.parameters import suggestion
from aether_harness.benchmark.protocol import Benchmark
from aether_harness.discovery.locator import FileAddress, LocatedBench, check_bench, check_distinct
from aether_harness.errors import HarnessError, UsageError, in_a_line

if TYPE_CHECKING:
    from types import ModuleType


def locate_benches(text: str) -> list[LocatedBench]:
    """Return the benches of `FILE.py`, or only the bench `NAME` of `FILE.py::NAME`.

    Raises:
        UsageError: the file cannot be read or run, holds no bench, or none of that id.

    """
    path, _, wanted = text.partition("::")
    path = os.path.abspath(path)
    benches = load_benches(path)
    for bench in benches:
        check_bench(bench)
    check_distinct(benches)
    found = [LocatedBench(bench=bench, address=FileAddress(path, bench.bench_id)) for bench in benches]
    if wanted:
        found = [item for item in found if item.bench.bench_id == wanted]
    if not found:
        known = [bench.bench_id for bench in benches]
        what = f"no bench {wanted}{suggestion(wanted, known)}" if wanted else "no bench: put @bench over a function"
        raise UsageError(f"{text}: {what}")
    return found


def load_benches(path: str) -> list[Benchmark]:
    """Run the file `path` as a module and return the benches at its top level, in their order.

    Raises:
        UsageError: it cannot be read, or raises.

    """
    module = _import_file(path)
    distinct = {id(value): value for value in vars(module).values() if _is_bench(value)}
    return list(distinct.values())


def _is_bench(value: object) -> bool:
    return isinstance(value, Benchmark) and not isinstance(value, type)


def _import_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise UsageError(f"{path}: no such file")
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Import it as a script: it finds modules in its folder, and pickles of its functions find it.
    sys.path.insert(0, os.path.dirname(path))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
        line = getattr(error, "lineno", None)
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == path:
                line = trace.tb_lineno
            trace = trace.tb_next
        where = f"{path}:{line}" if line else path
        problem = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        raise UsageError(f"{where}: {in_a_line(problem)}") from None
    return module
