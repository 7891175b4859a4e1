"""Two revisions made the sides of a comparison, ready to be measured, and gone without a trace afterwards."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_compare.checkout.dependencies import describe_difference, installed_versions
from aether_compare.checkout.environment_cache import cache_folder, locked_entry, prune, translate_os_errors, try_lock
from aether_compare.checkout.setup_commands import PACKAGE_FILES, cache_key, fingerprint_files, parse_setup
from aether_compare.checkout.venv import BYTE_CODE, TREE, EnvironmentSpec, ensure_environment, find_uv
from aether_compare.side import VariantEnvironment
from aether_compare.vcs.repository import (
    Repository,
    Revision,
    copy_own_files,
    find_repository,
    remove_worktree,
    resolve,
    unignored_files,
    worktree,
    worktrees_under,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORKING_TREE = "working tree"


class _SetupContext(Struct, frozen=True, kw_only=True):
    """The settings that both sides share for their set-up."""

    repository: Repository
    setup: tuple[str, ...]
    cache: str
    uv: str
    log: Callable[[str], object]
    needs_harness: bool


@contextmanager
def checked_out_revisions(  # noqa: PLR0913 - each is a decision of the command's
    folder: str,
    base: str,
    head: str | None,
    setup: Sequence[str],
    log: Callable[[str], object],
    *,
    cache: str | None = None,
    needs_harness: bool = True,
) -> Iterator[tuple[VariantEnvironment, VariantEnvironment]]:
    """Get two revisions of the repository around `folder` ready to be measured: the base, and the head.

    Args:
        folder: the folder that workers run in, on either side if it is there.
        base: the revision compared with.
        head: the revision judged; None for the working tree as it is, untracked files with it.
        setup: the commands of `[ab] setup`; empty for the usual one.
        log: called with a line for each step.
        cache: the folder for environments; None for the platform's cache folder.
        needs_harness: whether the set-up has to install aether-harness.

    Raises:
        GuardError: there is no such repository or revision, or a side cannot be set up; one line.

    """
    parse_setup(setup, has_lock=False)
    repository = find_repository(folder)
    revisions = [resolve(repository, base), None if head is None else resolve(repository, head)]
    cache = cache_folder() if cache is None else os.path.realpath(cache)
    context = _SetupContext(
        repository=repository, setup=tuple(setup), cache=cache, uv=find_uv(), log=log, needs_harness=needs_harness
    )
    with ExitStack() as stack:
        _clear_leftovers(repository, cache)
        old, new = (
            stack.enter_context(_working_tree(context) if revision is None else _checked_out(context, revision, role))
            for role, revision in zip(("base", "head"), revisions, strict=True)
        )
        with suppress(OSError):  # an entry that is kept too long does no harm
            prune(cache)
        if differing := describe_difference(*(installed_versions(context.uv, side.python) for side in (old, new))):
            log(f"the installed packages differ: {differing}")
        yield old, new


@contextmanager
def _checked_out(context: _SetupContext, revision: Revision, role: str) -> Iterator[VariantEnvironment]:
    # The role is part of the key, so that a revision can be compared with itself.
    key = cache_key([os.fsencode(part) for part in (*_common_parts(context), role, revision.commit)])
    with locked_entry(context.cache, key, lambda: _say_wait(context, revision.label)) as place:
        tree = os.path.join(place, TREE)
        context.log(f"{revision.label}: checking out")
        with worktree(context.repository, revision, tree):
            yield _prepare(context, revision.label, tree, place, is_revision=True)


@contextmanager
def _working_tree(context: _SetupContext) -> Iterator[VariantEnvironment]:
    """Set up a copy of the working tree, at a path as long as any revision's: paths change the speed of a program."""
    root = context.repository.root
    parts = [os.fsencode(part) for part in _common_parts(context)]
    commands = parse_setup(context.setup, has_lock=False)
    for path in fingerprint_files(unignored_files(root), commands):
        parts += [os.fsencode(path), _contents(os.path.join(root, path))]
    with locked_entry(context.cache, cache_key(parts), lambda: _say_wait(context, WORKING_TREE)) as place:
        tree = os.path.join(place, TREE)
        context.log(f"{WORKING_TREE}: copying")
        with worktree(context.repository, resolve(context.repository, "HEAD"), tree, has_submodules=False):
            copy_own_files(root, tree)
            yield _prepare(context, WORKING_TREE, tree, place, is_revision=False)


def _prepare(context: _SetupContext, label: str, tree: str, place: str, *, is_revision: bool) -> VariantEnvironment:
    present = {name for name in ("uv.lock", *PACKAGE_FILES) if os.path.isfile(os.path.join(tree, name))}
    commands = parse_setup(
        context.setup,
        has_lock="uv.lock" in present,
        # A bench of ours needs the harness, which only a package's requirements bring.
        is_package=context.needs_harness or not present.isdisjoint(PACKAGE_FILES),
    )
    plan = EnvironmentSpec(
        label=label,
        tree=tree,
        entry=place,
        commands=commands,
        is_revision=is_revision,
        needs_harness=context.needs_harness,
    )
    environment = ensure_environment(plan, context.uv, context.log)
    folder = os.path.join(tree, context.repository.prefix) if context.repository.prefix else tree
    return VariantEnvironment(
        name=label,
        # A revision without the folder may still have installed benches.
        folder=folder if os.path.isdir(folder) else tree,
        python=environment.python,
        # Byte code is kept with the environment, because the tree goes away.
        env_overrides={**environment.changes, "PYTHONPYCACHEPREFIX": os.path.join(environment.folder, BYTE_CODE)},
    )


def _clear_leftovers(repository: Repository, cache: str) -> None:
    """Take away the worktrees of runs that were killed: those in entries that no process uses."""
    for tree in worktrees_under(repository, cache):
        # An entry that was deleted by hand has no lock any more, and needs none.
        with translate_os_errors(cache):
            os.makedirs(cache, exist_ok=True)
            with try_lock(cache, os.path.basename(os.path.dirname(tree))) as is_free:
                if is_free:
                    remove_worktree(repository, tree)


def _common_parts(context: _SetupContext) -> tuple[str, ...]:
    return context.repository.root, repr(context.setup), sys.version, sys.base_prefix


def _contents(path: str) -> bytes:
    """Return a digest of a file's content, and where it is a link to; no file (deleted, a submodule) has none.

    A link may lead to a device without an end, of which only the link itself counts.
    """
    digest = hashlib.sha256()
    with suppress(OSError):
        if os.path.islink(path):
            digest.update(os.fsencode(os.readlink(path)) + b"\0")
        if os.path.isfile(path):
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.digest()


def _say_wait(context: _SetupContext, label: str) -> None:
    context.log(f"{label}: waiting for another run that uses it")
