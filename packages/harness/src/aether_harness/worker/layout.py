"""Memory layouts: one and the same for several processes, and another one for the next.

The addresses of code, heap and stack decide which of them share entries in the caches and branch predictors of a CPU.
They change the speed of CPU-bound code by some percent. Linux draws a new layout for each process. Two processes that
are compared need the same layout, and a comparison needs many. Randomization is therefore off here (personality(2)); a
drawn stack limit moves all mappings below the stack, the size of the environment moves the stack, and the hash seed
decides the order of sets.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

if sys.platform != "win32":
    import resource

#: The variable with the stack limit that a process takes back once it has started.
STACK_VARIABLE = "AETHER_STACK_LIMIT"
PADDING_VARIABLE = "AETHER_PADDING"
_ADDR_NO_RANDOMIZE = 0x0040000
_ASK_PERSONALITY = 0xFFFFFFFF
#: Linux maps below a stack of at least this size; a larger limit moves the mappings.
_MIN_STACK_BYTES = 128 * 2**20
_PAGE_BYTES = 4096
_STACK_PAGES = 2**17
#: Stands for "unlimited", in as many characters as any other limit.
_UNLIMITED = -1
_LIMIT_CHARACTERS = 20
#: The C library's thread attributes take no more than this.
_ATTRIBUTE_BYTES = 256
_limits = Lock()


class Layout(Struct, frozen=True, kw_only=True):
    """A memory layout: the stack limit in bytes, the environment's size modulo a page, and Python's hash seed."""

    stack_bytes: int
    environment_bytes: int
    hash_seed: int


def draw_layout(draw: Random) -> Layout:
    """Return a layout out of some hundred million."""
    return Layout(
        stack_bytes=_MIN_STACK_BYTES + _PAGE_BYTES * draw.randrange(_STACK_PAGES),
        environment_bytes=16 * draw.randrange(_PAGE_BYTES // 16),
        hash_seed=draw.randrange(2**32),
    )


def draw_inherited_layout(draw: Random) -> Layout:
    """Draw a layout that keeps this process's stack limit, for programs whose threads would inherit another one."""
    layout = draw_layout(draw)
    if sys.platform == "win32":
        return layout
    return replace(layout, stack_bytes=resource.getrlimit(resource.RLIMIT_STACK)[0])


def layout_of_round(seed: int, number: int) -> Layout:
    """Return the layout of a run's round: the same for the same seed and number, in every run."""
    # Workers import this module, and draw nothing.
    from random import Random

    return draw_layout(Random(f"{seed}/{number}"))  # noqa: S311 - layouts, not secrets


def can_fix_layouts() -> bool:
    """Return whether this process may switch randomization off for its children, and raise their stack limit."""
    try:
        with _fixed(_MIN_STACK_BYTES + _PAGE_BYTES * _STACK_PAGES):
            return True
    except OSError:
        return False


@contextmanager
def start_with(layout: Layout, command: Sequence[str], env: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Give a process that this thread starts in the body a layout; yield the environment to start `command` with.

    `env` is the environment without it. If layouts cannot be fixed (macOS, Windows, many containers), only the hash
    seed is set.
    """
    env = {**env, "PYTHONHASHSEED": f"{layout.hash_seed:010d}"}
    if not can_fix_layouts():
        yield env
        return
    soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
    limit = _UNLIMITED if soft == resource.RLIM_INFINITY else soft
    env |= {STACK_VARIABLE: f"{limit:0{_LIMIT_CHARACTERS}d}", PADDING_VARIABLE: ""}
    env[PADDING_VARIABLE] = "-" * ((layout.environment_bytes - _size(command, env)) % _PAGE_BYTES)
    with _fixed(layout.stack_bytes):
        yield env


def restore_limits() -> None:
    """Take back the stack limit that this process was started with a layout instead of, for its threads and children.

    Its children are randomized again.
    """
    os.environ.pop(PADDING_VARIABLE, None)
    text = os.environ.pop(STACK_VARIABLE, None)
    if text is None or sys.platform != "linux":
        return
    with suppress(OSError, ValueError):
        limit = int(text)
        soft = resource.RLIM_INFINITY if limit == _UNLIMITED else limit
        resource.setrlimit(resource.RLIMIT_STACK, (soft, resource.getrlimit(resource.RLIMIT_STACK)[1]))
        _set_personality(_set_personality(_ASK_PERSONALITY) & ~_ADDR_NO_RANDOMIZE)
        if limit != _UNLIMITED:
            _set_thread_stack(limit)


def _size(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Return how many bytes of the stack a command and its environment take, but for their addresses."""
    strings = [command[0], *command, *(f"{name}={value}" for name, value in env.items())]
    return sum(len(os.fsencode(string)) + 1 for string in strings)


@contextmanager
def _fixed(stack_bytes: int) -> Iterator[None]:
    """Have this thread's children not randomized, and of this stack limit.

    Raises:
        OSError: neither is possible here.

    """
    if sys.platform != "linux":
        raise OSError("only Linux fixes layouts")
    # The limit is the whole process's; the personality is the thread's own.
    with _limits:
        personality = _set_personality(_ASK_PERSONALITY)
        soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
        if hard != resource.RLIM_INFINITY and hard < stack_bytes:
            raise OSError("the stack limit cannot be raised so far")
        _set_personality(personality | _ADDR_NO_RANDOMIZE)
        try:
            resource.setrlimit(resource.RLIMIT_STACK, (stack_bytes, hard))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
        finally:
            _set_personality(personality)


def _set_personality(persona: int) -> int:
    """Set this thread's execution domain and return the previous one; `_ASK_PERSONALITY` sets none.

    Raises:
        OSError: a sandbox forbids it.

    """
    before = int(ctypes.CDLL(None, use_errno=True).personality(ctypes.c_ulong(persona)))
    if before == -1:
        raise OSError(ctypes.get_errno(), "personality")
    return before


def _set_thread_stack(size_bytes: int) -> None:
    """Have new threads get stacks of this size: the C library remembers the limit that it started with."""
    library = ctypes.CDLL(None)
    attributes = ctypes.create_string_buffer(_ATTRIBUTE_BYTES)
    with suppress(AttributeError):  # a C library that does not remember it
        library.pthread_getattr_default_np(attributes)
        library.pthread_attr_setstacksize(attributes, ctypes.c_size_t(size_bytes))
        library.pthread_setattr_default_np(attributes)
