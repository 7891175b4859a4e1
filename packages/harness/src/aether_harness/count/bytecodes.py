"""Count the bytecode instructions of a call by function: with `sys.monitoring` from Python 3.12 on, else by tracing.

Only the calling thread is counted. The count is the same in every run of the same code if the code does the same.
"""

from __future__ import annotations

import gc
import os
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    #: Instructions and calls of each function.
    Counts = dict[str, tuple[int, int]]

_TOOL_ID = 4


def count_bytecodes(operation: Callable[[], object]) -> Counts:
    """Do the operation and return the instructions and calls of each function, by `module:function`."""
    by_code: dict[CodeType, list[int]] = {}
    was_enabled = gc.isenabled()
    # A collection would run finalizers at another point of each call.
    gc.disable()
    try:
        if sys.version_info >= (3, 12):
            _monitor(operation, by_code)
        else:
            _trace(operation, by_code)
    finally:
        if was_enabled:
            gc.enable()
    modules = {file: name for name, module in list(sys.modules.items()) if (file := getattr(module, "__file__", None))}
    counts: Counts = {}
    for code, (instructions, calls) in by_code.items():
        module = modules.get(code.co_filename) or os.path.splitext(os.path.basename(code.co_filename))[0].strip("<>")
        name = f"{module}:{code.co_qualname}"
        before = counts.get(name, (0, 0))
        counts[name] = (before[0] + instructions, before[1] + calls)
    return counts


def _trace(operation: Callable[[], object], by_code: dict[CodeType, list[int]]) -> None:
    def in_function(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 - a trace function
        if event == "opcode":
            by_code[frame.f_code][0] += 1
        return in_function

    def on_call(frame: FrameType, _event: str, _: object) -> Any:  # noqa: ANN401 - a trace function
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        by_code.setdefault(frame.f_code, [0, 0])[1] += 1
        return in_function

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        operation()
    finally:
        sys.settrace(before)


if sys.version_info >= (3, 12):

    def _monitor(operation: Callable[[], object], by_code: dict[CodeType, list[int]]) -> None:
        monitoring, events = sys.monitoring, sys.monitoring.events
        own = get_ident()
        here = sys._getframe().f_code  # noqa: SLF001 - the frame that starts and ends the counting

        def on_instruction(code: CodeType, _offset: int) -> None:
            if get_ident() == own:
                by_code.setdefault(code, [0, 0])[0] += 1

        def on_start(code: CodeType, _offset: int) -> None:
            if get_ident() == own:
                by_code.setdefault(code, [0, 0])[1] += 1

        monitoring.use_tool_id(_TOOL_ID, "aether-bench")
        try:
            monitoring.register_callback(_TOOL_ID, events.INSTRUCTION, on_instruction)
            monitoring.register_callback(_TOOL_ID, events.PY_START, on_start)
            monitoring.set_events(_TOOL_ID, events.INSTRUCTION | events.PY_START)
            try:
                operation()
            finally:
                monitoring.set_events(_TOOL_ID, 0)
        finally:
            monitoring.free_tool_id(_TOOL_ID)
        by_code.pop(here, None)
