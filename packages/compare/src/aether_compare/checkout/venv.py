"""An environment for one side: made with uv, set up by commands, checked, and used again where nothing changed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from msgspec import Struct

from aether_compare.checkout.copied_packages import Copied, copied_sources
from aether_compare.checkout.environment_cache import translate_os_errors
from aether_compare.checkout.setup_commands import LOCKED, UNLOCKED, Command, filled
from aether_compare.vcs.repository import untracked_files
from aether_compare.vcs.run import run_command
from aether_guard.errors import GuardError
from aether_guard.vcs.run import error_line
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The parts of a cache entry.
TREE = "tree"
_ENVIRONMENT = "environment"
#: The folder in an environment for the byte code of its workers.
BYTE_CODE = "byte-code"
_GENERATED = "made"
_COMPLETE_MARKER = "whole"
_LOG = "setup.log"
_CHECK = "import aether_harness.worker.main"
_NO_HARNESS = "No module named 'aether_harness'"


class EnvironmentSpec(Struct, frozen=True, kw_only=True):
    """How a side is set up: its label, its tree, its entry of the cache, and the commands run in the tree.

    The tree goes away with the side, so that files which the set-up makes in it are kept apart. With `is_revision` its
    own files never change.
    """

    label: str
    tree: str
    entry: str
    commands: tuple[Command, ...]
    is_revision: bool
    needs_harness: bool = True


class VirtualEnvironment(Struct, frozen=True, kw_only=True):
    """A virtual environment, by its folder."""

    folder: str

    @property
    def python(self) -> str:
        """The path of its interpreter."""
        return os.path.join(self._programs, "python.exe" if sys.platform == "win32" else "python")

    @property
    def changes(self) -> dict[str, str]:
        """The environment variables of a program in it: the environment is active, no other code is on the path.

        A PYTHONPATH that leads to one side's code would make it the code of both.
        """
        path = os.pathsep.join(filter(None, (self._programs, os.environ.get("PATH"))))
        return {"VIRTUAL_ENV": self.folder, "PATH": path, "PYTHONPATH": "", "PYTHONHOME": ""}

    @property
    def _programs(self) -> str:
        return os.path.join(self.folder, "Scripts" if sys.platform == "win32" else "bin")


def find_uv() -> str:
    """Return the path of uv: from the PATH, or from the package `uv`.

    Raises:
        GuardError: there is neither.

    """
    if (found := shutil.which("uv")) is not None:
        return found
    try:
        from uv import find_uv_bin

        return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise GuardError(
            "two revisions are set up with uv, which is not there: pip install 'aether-guard[ab]'"
        ) from None


def ensure_environment(plan: EnvironmentSpec, uv: str, say: Callable[[str], object]) -> VirtualEnvironment:
    """Return the environment in the plan's entry; set it up unless it is complete, and pass each step to `say`.

    It contains the present code of the folders it was installed from, even if the installer copied them.

    Raises:
        GuardError: the set-up fails, or leaves out aether-harness, or the disk is full.

    """
    environment = VirtualEnvironment(folder=os.path.join(plan.entry, _ENVIRONMENT))
    marker, made = os.path.join(plan.entry, _COMPLETE_MARKER), os.path.join(plan.entry, _GENERATED)
    with translate_os_errors(plan.entry):
        # Files that belong to no commit may be the working tree's own.
        own = set(untracked_files(plan.tree))
        if os.path.isfile(marker):
            _copy([path for path in _files_in(made) if path not in own], made, plan.tree)
            # The interpreter beneath it may have gone, or another program may have cleaned up.
            if _import_problem(plan, environment) is None:
                say(f"{plan.label}: ready, set up before")
                if _changeable(plan, environment):
                    # An environment without its marker was broken off.
                    os.unlink(marker)
                    _copy_again(plan, environment, uv, say)
                    _mark(marker)
                return environment
            os.unlink(marker)
        _clear(environment.folder)
        _clear(made)
        try:
            _set_up(plan, environment, uv, say)
            _copy_again(plan, environment, uv, say)
            problem = _import_problem(plan, environment)
            if problem is not None and _NO_HARNESS in problem:
                _install_harness(plan, environment, uv, say)
                problem = _import_problem(plan, environment)
            if problem is not None:
                raise GuardError(
                    f"{plan.label}: its set-up must install aether-harness, with which it is measured ({problem}); "
                    "say how with [ab] setup in aether.toml"
                )
            _copy([path for path in untracked_files(plan.tree) if path not in own], plan.tree, made)
        except BaseException:
            _clear(environment.folder)
            _clear(made)
            raise
        _mark(marker)
    return environment


def _mark(marker: str) -> None:
    """Mark an environment as complete; the last step."""
    with open(marker, "xb") as file:
        os.fsync(file.fileno())


def _set_up(plan: EnvironmentSpec, environment: VirtualEnvironment, uv: str, say: Callable[[str], object]) -> None:
    """Make the environment and run the commands."""
    _clear(os.path.join(plan.entry, _LOG))
    make = (uv, "venv", "--quiet", "--no-project", "--python", sys.executable, environment.folder)
    _run(plan, environment, uv, make)
    for command in plan.commands:
        say(f"{plan.label}: setting up ({printable(shlex.join(command))})")
        _run(plan, environment, uv, command)


def _install_harness(
    plan: EnvironmentSpec, environment: VirtualEnvironment, uv: str, say: Callable[[str], object]
) -> None:
    """Install the harness of this process for a revision that does not require it."""
    say(f"{plan.label}: adding aether-harness")
    requirements = [_requirement(name) for name in ("aether-schema", "aether-harness")]
    _run(plan, environment, uv, (uv, "pip", "install", "--python", environment.python, *requirements))


def _requirement(name: str) -> str:
    """Return the requirement of a distribution as it is installed here: its folder, or its version."""
    distribution = metadata.distribution(name)
    with suppress(ValueError, KeyError):
        url = json.loads(distribution.read_text("direct_url.json") or "{}")["url"]
        if url.startswith("file://"):
            return url2pathname(urlsplit(url).path)
    return f"{name}=={distribution.version}"


def _changeable(plan: EnvironmentSpec, environment: VirtualEnvironment) -> list[Copied]:
    """Return the copied packages whose source may have changed: any source outside of a revision's own tree."""
    inside = os.path.join(os.path.realpath(plan.tree), "")
    return [
        copied
        for copied in copied_sources(environment.folder)
        if not (plan.is_revision and os.path.realpath(copied.path).startswith(inside))
    ]


def _copy_again(plan: EnvironmentSpec, environment: VirtualEnvironment, uv: str, say: Callable[[str], object]) -> None:
    """Install copied packages again: an installer always rebuilds a folder that is named."""
    if not (sources := _changeable(plan, environment)):
        return
    names = ", ".join(os.path.basename(copied.path) for copied in sources)
    say(f"{plan.label}: installing copied packages again ({printable(names)})")
    places = [word for copied in sources for word in (*(("-e",) if copied.editable else ()), copied.path)]
    _run(plan, environment, uv, (uv, "pip", "install", "--python", environment.python, "--no-deps", *places))
    _remove_byte_code(environment)


def _remove_byte_code(environment: VirtualEnvironment) -> None:
    """Remove all byte code: files from a wheel have a fixed time, which hides a change of the same size."""
    caches = [os.path.join(environment.folder, BYTE_CODE)]
    for folder, names, _ in os.walk(environment.folder):
        caches += [os.path.join(folder, name) for name in names if name == "__pycache__"]
    for cache in caches:
        _clear(cache)


def _run(plan: EnvironmentSpec, environment: VirtualEnvironment, uv: str, command: Command) -> None:
    """Run a command of the set-up in the tree, its output going to the log.

    Raises:
        GuardError: it cannot be run, or fails.

    """
    changes = {
        **environment.changes,
        "UV_PROJECT_ENVIRONMENT": environment.folder,
        "UV_NO_PROGRESS": "1",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join((environment.changes["PATH"], os.path.dirname(uv))),
    }
    words = filled(command, {"python": environment.python, "environment": environment.folder, "tree": plan.tree})
    path = os.path.join(plan.entry, _LOG)
    with open(path, "ab+") as log:
        log.write(f"$ {shlex.join(words)}\n".encode(errors="replace"))
        log.flush()
        start = log.tell()
        try:
            done = run_command(words, folder=plan.tree, changes=changes, log=log)
        except GuardError as error:
            raise GuardError(f"{plan.label}: cannot be set up: {error} ([ab] setup in aether.toml)") from None
        log.seek(start)
        output = log.read()
    if done.returncode:
        hint = "; `[ab] setup` in aether.toml sets other commands" if command in {LOCKED, UNLOCKED} else ""
        raise GuardError(
            f"{plan.label}: cannot be set up: {error_line(output)} "
            f"(`{printable(shlex.join(command))}`, status {done.returncode}; its output: {printable(path)}){hint}"
        )


def _import_problem(plan: EnvironmentSpec, environment: VirtualEnvironment) -> str | None:
    """Return why the side cannot be measured, or None."""
    check = _CHECK if plan.needs_harness else "pass"
    try:
        done = run_command((environment.python, "-P", "-B", "-c", check), folder=plan.tree, changes=environment.changes)
    except GuardError as error:
        return str(error)
    return error_line(done.stderr) if done.returncode else None


def _files_in(folder: str) -> list[str]:
    return [
        os.path.relpath(os.path.join(parent, name), folder) for parent, _, names in os.walk(folder) for name in names
    ]


def _copy(paths: Sequence[str], source: str, target: str) -> None:
    """Copy files beneath `source` to beneath `target`; byte code is left, being written again when it is wanted."""
    for path in paths:
        if path.endswith(".pyc"):
            continue
        place = os.path.join(target, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy2(os.path.join(source, path), place, follow_symlinks=False)


def _clear(path: str) -> None:
    """Remove a file or a folder.

    Raises:
        OSError: it is still there.

    """
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
