from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from aether_harness import UsageError
from aether_harness.count.bytecodes import count_bytecodes
from aether_harness.count.counter import bytecodes, load_counter
from aether_schema import read_summary

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

ME = "test_count"


def add(count: int) -> int:
    total = 0
    for number in range(count):
        total += number
    return total


def twice(count: int) -> int:
    return add(count) + add(count)


def test_counts_repeat_exactly() -> None:
    counts = [count_bytecodes(lambda: twice(100)) for _ in range(3)]
    assert counts[0] == counts[1] == counts[2]


def test_each_function_has_its_instructions_and_calls() -> None:
    small, large = count_bytecodes(lambda: twice(10)), count_bytecodes(lambda: twice(110))
    name = next(name for name in small if name.endswith(f"{ME}:add"))
    assert small[name][1] == large[name][1] == 2
    per_pass = (large[name][0] - small[name][0]) / 200
    assert per_pass == int(per_pass) > 3


def test_work_in_c_has_no_bytecodes() -> None:
    numbers = list(range(10_000))
    few, many = (bytecodes(lambda part=part: sum(part)).total for part in (numbers[:1], numbers))  # type: ignore[misc]
    assert few == many


def test_other_threads_are_not_counted() -> None:
    stop, started = threading.Event(), threading.Event()

    def spin() -> None:
        started.set()
        while not stop.is_set():
            add(10)

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        started.wait()
        counts = count_bytecodes(lambda: twice(10_000))
    finally:
        stop.set()
        thread.join()
    assert not any("spin" in name for name in counts)
    assert next(count for name, count in counts.items() if name.endswith(":add"))[1] == 2


def test_an_error_ends_the_counting() -> None:
    with pytest.raises(ZeroDivisionError):
        count_bytecodes(lambda: 1 // 0)
    assert count_bytecodes(lambda: add(1))


def test_an_unknown_counter_is_refused() -> None:
    with pytest.raises(UsageError, match="--count cycles: no such counter; known: auto, none, bytecodes"):
        load_counter("cycles")


FILE = """
import threading
from aether_harness import bench

def add(count):
    total = 0
    for number in range(count):
        total += number

@bench
def parse(size: int = 100):
    add(size)

turn = 0

@bench
def varying():
    global turn
    turn += 1
    add(turn * 1000)
"""


def test_a_run_counts_bytecodes_after_the_rounds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    done = run(str(tmp_path / "mine.py"))
    assert (done.returncode, done.stderr) == (0, "")
    summary = read_summary(str(tmp_path / "out" / "bench-parse.json"))
    count = (summary.figures or {})["bytecodes"]
    assert (len(set(count.values)), count.exact, count.unit) == (1, True, "bytecodes")
    assert next(iter(summary.functions or {})) == "mine:add"
    assert (summary.functions or {})["mine:add"]["calls"] == 1
    again = run(str(tmp_path / "mine.py"))
    assert again.returncode == 0
    assert (read_summary(str(tmp_path / "out" / "bench-parse.json")).figures or {})["bytecodes"] == count
    varied = (read_summary(str(tmp_path / "out" / "bench-varying.json")).figures or {})["bytecodes"]
    assert len(set(varied.values)) == 2


@pytest.mark.parametrize("count", ["none", "auto"])
def test_long_operations_are_counted_on_request_only(run: Run, tmp_path: Path, count: str) -> None:
    text = "import time\nfrom aether_harness import bench\n\n@bench\ndef wait():\n    time.sleep(0.03)\n"
    (tmp_path / "mine.py").write_text(text)
    assert run(str(tmp_path / "mine.py"), "--count", count).returncode == 0
    assert "figures" not in json.loads((tmp_path / "out" / "bench-wait.json").read_bytes())
    assert run(str(tmp_path / "mine.py"), "--count", "bytecodes").returncode == 0
    assert "figures" in json.loads((tmp_path / "out" / "bench-wait.json").read_bytes())


ODD = """
import os, sys
from aether_harness import bench

@bench
def odd():
    if sys.gettrace() or (hasattr(sys, "monitoring") and sys.monitoring.get_tool(4)):
        os._exit(3)
"""


def test_an_operation_that_cannot_be_counted_is_noted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ODD)
    done = run(str(tmp_path / "mine.py"))
    assert (done.returncode, done.stderr) == (0, "")
    summary = read_summary(str(tmp_path / "out" / "bench-odd.json"))
    assert summary.figures is None
    assert "bytecodes were not counted: " in (summary.notes or "")
