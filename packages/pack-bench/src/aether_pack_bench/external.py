"""External packers: a command, or a Python function, that makes an artifact of a tree."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aether_harness import BenchError
from aether_harness.benchmark.command_bench import split_command
from aether_pack_bench.archive.atomic_file import PART_SUFFIX
from aether_pack_bench.trees.walk import os_error_text
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Is given the folder to pack and the file to write.
    ExternalPacker = Callable[[str, str], object]

PYTHON = "python:"


def command_packer(command: str | None, level: int | None) -> ExternalPacker:
    """Return a packer that runs `command`, its `{tree}`, `{output}` and `{level}` filled in; no shell is between.

    Raises:
        BenchError: there is no command, its quotes do not match, it lacks a place for the tree or the output, or
            for the level that is asked for.

    """
    if not command:
        raise BenchError("pack.packer=command: say which, as in -p 'pack.command=tar -cf {output} -C {tree} .'")
    try:
        words = split_command(command, system=os.name)
    except ValueError as error:
        raise BenchError(f"pack.command={command}: {str(error).lower()}") from None
    for place, needed in (("{tree}", True), ("{output}", True), ("{level}", level is not None)):
        if needed and not any(place in word for word in words):
            raise BenchError(f"pack.command={command}: has no {place} in it")
    if level is None and any("{level}" in word for word in words):
        raise BenchError(f"pack.command={command}: has a {{level}} in it: give pack.level")

    def run(tree: str, output: str) -> None:
        filled = {"{tree}": tree, "{output}": output, "{level}": str(level)}
        _run([_filled(word, filled) for word in words])

    return run


def python_packer(name: str, level: int | None) -> ExternalPacker:
    """Return the function that `python:module.function` names, of an installed module or one in the working folder.

    Raises:
        BenchError: it cannot be imported or is no function, or a level is asked for.

    """
    module, _, attribute = name.removeprefix(PYTHON).rpartition(".")
    if level is not None:
        raise BenchError(f"pack.level={level}: pack.packer={name} decides that itself")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function: Any = getattr(import_module(module), attribute)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
        problem = printable(f"{type(error).__name__}: {error}")
        raise BenchError(f"pack.packer={name}: cannot be imported: {problem}") from None
    if not callable(function):
        raise BenchError(f"pack.packer={name}: is no function")

    def run(tree: str, output: str) -> None:
        try:
            function(tree, output)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
            raise BenchError(f"pack.packer={name}: {type(error).__name__}: {error}") from None

    return run


def run_external(packer: ExternalPacker, root: str, artifact: str) -> None:
    """Have a packer make the file `artifact`, which stands there under its name only when it is whole.

    Raises:
        BenchError: it failed, or made nothing.

    """
    part = artifact + PART_SUFFIX
    try:
        packer(root, part)
        os.replace(part, artifact)
    except FileNotFoundError:
        raise BenchError(f"the packer ended well but wrote no {part}") from None
    except OSError as error:
        raise BenchError(f"{artifact}: {os_error_text(error)}") from None
    finally:
        remove(part)


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    if os.path.lexists(path):
        os.unlink(path)


def _filled(word: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        word = word.replace(place, value)
    return word


def _run(words: list[str]) -> None:
    try:
        ended = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
    except OSError as error:
        raise BenchError(f"{words[0]}: {os_error_text(error)}") from None
    if ended.returncode:
        last = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise BenchError(": ".join([f"{words[0]}: exit status {ended.returncode}", *map(printable, last)]))
