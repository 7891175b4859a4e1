"""The packaging bench, as the harness finds it."""

from __future__ import annotations

import os
import zlib
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from aether_harness import BenchError, ByteCount, RoundContext
from aether_harness.benchmark.parameters import suggestion
from aether_pack_bench.__about__ import __version__
from aether_pack_bench.codecs.packer import find_packer, resolve_level
from aether_pack_bench.cpu_threads import unpinned_executor
from aether_pack_bench.external import PYTHON, command_packer, python_packer
from aether_pack_bench.page_cache import check_evictable
from aether_pack_bench.session import ColdCacheSession, ExternalSession, IncrementalSession, PackSession, TreeSource
from aether_pack_bench.trees.profiles import PROFILES, plan_tree
from aether_pack_bench.trees.walk import walk
from aether_pack_bench.trees.writer import write_seeded_tree, write_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aether_harness import Session
    from aether_schema import Metric

TINY = "tiny"
MAX_FILES = 1_000_000


class PackParams(Struct, frozen=True, kw_only=True):
    """The parameters of the packaging bench.

    `profile` is a seeded tree: `tiny`, with `files` files of `size` bytes each, or one like a real tree with `scale`
    times its files. `tree` is a folder of the user instead, `ignore` the name of its ignore files. `cache` is the state
    of the system's cache. `packer` packs at `level` (None: its default), with `threads` threads to read and as many to
    compress; `command` goes with the packer `command`. `incremental` packs only changes since the tree was first
    packed: `changed` files of a seeded tree.
    """

    files: Annotated[int, Meta(ge=0, le=MAX_FILES)] = 100
    size: Annotated[ByteCount, Meta(ge=0, le=2**40)] = 1024
    seed: int = 1
    profile: Annotated[str, Meta(pattern=r"^[\w-]+$")] = TINY
    scale: Annotated[float, Meta(gt=0, le=50)] = 1.0
    tree: str | None = None
    ignore: str | None = None
    cache: Literal["warm", "cold"] = "warm"
    packer: Annotated[str, Meta(pattern=r"^[\w.:-]+$")] = "gzip"
    level: Annotated[int, Meta(ge=0, le=22)] | None = None
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    command: str | None = None
    incremental: bool = False
    changed: Annotated[int, Meta(ge=0, le=MAX_FILES)] = 0


class PackagingBench:
    """Packs a tree of files into an artifact with a manifest."""

    bench_id = "packaging"
    name = "pack"
    about = "walk, hash and pack a tree into a reproducible artifact"
    metric: Metric = "duration_ms"
    params_type = PackParams
    reference = "archive-1"
    size = "output_bytes"
    columns = ("output_share",)

    def __init__(self) -> None:
        """Know the versions that every run uses, until a session is opened."""
        self.versions: Mapping[str, str] = {"zlib": zlib.ZLIB_RUNTIME_VERSION, "aether-pack-bench": __version__}

    def preload(self, params: PackParams) -> None:
        """Find the packer."""
        if params.packer != "command" and not params.packer.startswith(PYTHON):
            find_packer(params.packer)

    @contextmanager
    def open(self, params: PackParams, place: RoundContext) -> Iterator[Session]:
        """Write the seeded tree, or take the user's own, and yield the session."""
        source = _prepare_tree(params, place)
        if params.cache == "cold":
            check_evictable(walk(source.root, source.ignore))
        cpus = (*place.worker_cpus, *place.companion_cpus) if params.threads > 1 else ()
        with ExitStack() as stack:
            run: Any = stack.enter_context(unpinned_executor(cpus)) if params.threads > 1 else _run_inline
            session: PackSession | ExternalSession = self._session(params, source, place, run)
            yield ColdCacheSession(session, source) if params.cache == "cold" else session

    def note(self, readings: Mapping[str, float]) -> str:
        """Return a sentence about a round's readings."""
        share = f" ({100 * readings['output_share']:.1f} % of it)" if "output_share" in readings else ""
        return (
            f"{readings['files']:,.0f} files, {_short(readings['input_bytes'] / 1e6)} MB, packed to"
            f" {_short(readings['output_bytes'] / 1e6)} MB{share} at {_short(readings['input_mbs'])} MB/s and"
            f" {readings['files_per_s']:,.0f} files a second, {_short(readings['cpu_s'] * 1e3)} ms of CPU time"
        )

    def _session(
        self,
        params: PackParams,
        source: TreeSource,
        place: RoundContext,
        run: Any,  # noqa: ANN401 - a function of any work
    ) -> PackSession | ExternalSession:
        if params.changed and not params.incremental:
            raise BenchError(f"pack.changed={params.changed}: goes with pack.incremental=true")
        if params.incremental and (params.packer == "command" or params.packer.startswith(PYTHON)):
            raise BenchError(f"pack.incremental=true: pack.packer={params.packer} packs everything")
        if params.packer == "command":
            return ExternalSession(source, place.folder, command_packer(params.command, params.level), run)
        if params.command is not None:
            raise BenchError("pack.command: goes with pack.packer=command")
        if params.packer.startswith(PYTHON):
            return ExternalSession(source, place.folder, python_packer(params.packer, params.level), run)
        packer = find_packer(params.packer)
        self.versions = {**self.versions, **packer.versions()}
        arguments = (source, place.folder, packer, resolve_level(packer, params.level), params.threads, run)
        if params.incremental:
            return IncrementalSession(*arguments, changed=params.changed)
        return PackSession(*arguments)


packaging = PackagingBench()


def _short(figure: float) -> str:
    """Return three digits of a figure, or all before the point."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def _run_inline(work: Any) -> Any:  # noqa: ANN401 - whatever the work returns
    return work()


def _prepare_tree(params: PackParams, place: RoundContext) -> TreeSource:
    """Return the folder to pack, which is written here if it is a seeded one.

    Raises:
        BenchError: parameters that contradict each other, an unknown profile, a tree that is no folder.

    """
    if params.tree is not None:
        _refuse_others(params, "pack.tree", "files", "size", "seed", "profile", "scale", "changed")
        root = os.path.realpath(params.tree)
        if not os.path.isdir(root):
            raise BenchError(f"pack.tree={params.tree}: not a folder")
        return TreeSource(root, params.ignore)
    _refuse_others(params, "a seeded tree", "ignore")
    # A tree that samples write to is the round's own.
    folder = place.folder if params.changed or place.inputs is None else place.inputs
    if params.profile == TINY:
        _refuse_others(params, "pack.profile=tiny", "scale")
        tiny = partial(write_seeded_tree, files=params.files, size=params.size, seed=params.seed)
        return TreeSource(_written_once(folder, tiny))
    _refuse_others(params, f"pack.profile={params.profile}", "files", "size")
    if params.profile not in PROFILES:
        hint = suggestion(params.profile, (TINY, *PROFILES))
        raise BenchError(f"pack.profile={params.profile}: no such profile{hint}")
    profile = PROFILES[params.profile]
    files = max(1, round(profile.files * params.scale))
    planned = partial(plan_tree, profile, files=files, seed=params.seed)
    return TreeSource(_written_once(folder, lambda root: write_tree(root, planned())))


def _written_once(folder: str, write: Callable[[str], None]) -> str:
    """Return the tree in `folder`, which `write` fills unless an earlier round has left a whole one."""
    root = os.path.join(folder, "tree")
    if not os.path.isdir(root):
        write(f"{root}.part")
        os.rename(f"{root}.part", root)
    return root


def _refuse_others(params: PackParams, chosen: str, *names: str) -> None:
    for name in names:
        if getattr(params, name) != getattr(PackParams(), name):
            raise BenchError(f"pack.{name}={getattr(params, name)}: does not go with {chosen}")
