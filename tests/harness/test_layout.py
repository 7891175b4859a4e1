"""Memory layouts: drawn, given to processes, and taken back by them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from random import Random
from typing import Any

import pytest

from aether_harness.worker.layout import (
    PADDING_VARIABLE,
    STACK_VARIABLE,
    Layout,
    can_fix_layouts,
    draw_layout,
    layout_of_round,
    start_with,
)

needs_layouts = pytest.mark.skipif(not can_fix_layouts(), reason="layouts cannot be fixed here")

#: Where a process's libraries, heap and stack lie, and what it may use of its stack.
SHOW = """
import ctypes, json, os, resource, sys, threading
from aether_harness.worker.layout import restore_limits
restore_limits()
places = {}
for line in open("/proc/self/maps"):
    name = line.split()[-1]
    if name in ("[heap]", "[stack]") or name.endswith("libc.so.6"):
        places.setdefault(name, line.split("-")[0])
text = open("/proc/self/stat").read()
print(json.dumps({
    "places": places,
    "stack": resource.getrlimit(resource.RLIMIT_STACK)[0],
    "personality": ctypes.CDLL(None).personality(0xFFFFFFFF),
    "hash": hash("text"),
    "start_stack": int(text.rsplit(")", 1)[1].split()[25]),
    "variables": [name for name in os.environ if name.startswith("AETHER_")],
}))
"""


def started(layout: Layout, **env: str) -> dict[str, Any]:
    """Start Python in a layout and return what it says of itself."""
    command = [sys.executable, "-c", SHOW]
    with start_with(layout, command, {**os.environ, **env}) as its_env:
        done = subprocess.run(command, env=its_env, capture_output=True, check=True)
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_a_layout_follows_from_its_seed() -> None:
    assert draw_layout(Random(1)) == draw_layout(Random(1)) != draw_layout(Random(2))
    assert layout_of_round(3, 1) == layout_of_round(3, 1) != layout_of_round(3, 2)
    assert layout_of_round(3, 1) != layout_of_round(4, 1)


@needs_layouts
def test_processes_of_one_layout_lie_at_the_same_addresses_and_of_another_elsewhere() -> None:
    one, other = draw_layout(Random(1)), draw_layout(Random(2))
    first, second, third = started(one), started(one), started(other)
    assert first == second
    assert first["places"]["[heap]"]
    differing = {name for name, place in first["places"].items() if third["places"][name] != place}
    assert any(name.endswith("libc.so.6") for name in differing)
    assert first["start_stack"] % 4096 != third["start_stack"] % 4096
    assert first["hash"] != third["hash"]


@needs_layouts
def test_an_environment_of_another_size_leaves_the_stack_where_it_is() -> None:
    layout = draw_layout(Random(1))
    short, long = (started(layout, VIRTUAL_ENV=value)["start_stack"] for value in ("/a", "/a/longer/path"))
    assert short % 4096 == long % 4096


@needs_layouts
def test_a_process_takes_back_the_stack_limit_and_randomization_for_its_children() -> None:
    import resource

    shown = started(draw_layout(Random(1)))
    assert shown["stack"] == resource.getrlimit(resource.RLIMIT_STACK)[0]
    assert shown["personality"] & 0x0040000 == 0
    assert shown["variables"] == []


@needs_layouts
def test_this_process_keeps_its_own_limits() -> None:
    import ctypes
    import resource

    def limits() -> tuple[object, int]:
        return resource.getrlimit(resource.RLIMIT_STACK), ctypes.CDLL(None).personality(0xFFFFFFFF)

    before = limits()
    with start_with(draw_layout(Random(1)), ["true"], {}):
        assert limits() != before
    assert limits() == before


@needs_layouts
def test_where_the_stack_limit_cannot_be_raised_only_the_hash_seed_is_set() -> None:
    limited = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_STACK, (2**23, 2**23))\n"
        "from random import Random\n"
        "from aether_harness.worker.layout import can_fix_layouts, draw_layout, start_with\n"
        "with start_with(draw_layout(Random(1)), ['true'], {}) as env:\n"
        "    print(can_fix_layouts(), sorted(env))\n"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "False ['PYTHONHASHSEED']\n"


def test_a_process_that_was_started_without_a_layout_keeps_its_limits() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from aether_harness.worker.layout import restore_limits; restore_limits()"],
        env={name: value for name, value in os.environ.items() if name not in {STACK_VARIABLE, PADDING_VARIABLE}},
        check=False,
    )
    assert done.returncode == 0
