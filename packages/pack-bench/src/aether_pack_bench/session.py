"""Sessions: a tree that every sample packs, by a built-in or an external packer."""

from __future__ import annotations

import hashlib
import os
import sys
from time import perf_counter_ns, process_time, sleep
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from aether_harness import BenchError, FigureValue, SampleResult
from aether_pack_bench.archive.stat_cache import TICK_NS, StatCache
from aether_pack_bench.archive.verify import verify_artifact
from aether_pack_bench.external import remove, run_external
from aether_pack_bench.manifest import Manifest, hash_tree
from aether_pack_bench.packing import Packed, pack
from aether_pack_bench.page_cache import evict
from aether_pack_bench.trees.walk import walk
from aether_pack_bench.trees.writer import change_files
from aether_schema import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aether_pack_bench.codecs.packer import Packer
    from aether_pack_bench.external import ExternalPacker

    Run = Callable[[Callable[[], Any]], Any]

if sys.platform != "win32":
    import resource

ResultT = TypeVar("ResultT")


class TreeSource(Struct, frozen=True):
    """The folder to pack, without the files that its ignore files with the name `ignore` exclude."""

    root: str
    ignore: str | None = None


class SampleCosts:
    """The costs of a round's samples, in addition to the harness's own figures."""

    def __init__(self) -> None:
        """Start with none."""
        self._elapsed_s: list[float] = []
        self._cpu_s: list[float] = []

    def timed(self, work: Callable[[], ResultT]) -> ResultT:
        """Do the work of a sample and add its time, and its CPU time including children."""
        cpu_s, started = _cpu_s(), perf_counter_ns()
        result = work()
        self._elapsed_s.append((perf_counter_ns() - started) / 1e9)
        self._cpu_s.append(_cpu_s() - cpu_s)
        return result

    def readings(self, manifest: Manifest, artifact: str) -> Mapping[str, float]:
        """Return the figures of a round: sizes in bytes, rates at the median time, and CPU seconds a sample."""
        sizes = [item.size for item in manifest.items if item.size is not None]
        input_bytes, output_bytes = sum(sizes), os.path.getsize(artifact)
        elapsed_s = quantile(self._elapsed_s, 0.5)
        readings = {
            "files": len(sizes),
            "input_bytes": input_bytes,
            "output_bytes": output_bytes,
            "files_per_s": len(sizes) / elapsed_s,
            "input_mbs": input_bytes / elapsed_s / 1e6,
            "cpu_s": quantile(self._cpu_s, 0.5),
        }
        if input_bytes:
            readings["output_share"] = output_bytes / input_bytes
        return readings


class PackSession:
    """A tree, packed by a built-in packer, or one that an entry point names."""

    def __init__(  # noqa: PLR0913, PLR0917 - what the parameters say
        self, source: TreeSource, folder: str, packer: Packer, level: int, threads: int, run: Run
    ) -> None:
        """Pack the source into `folder`; `run` runs the work."""
        self._source = source
        self._folder = folder
        self._packer = packer
        self._level = level
        self._threads = threads
        self._artifact = os.path.join(folder, f"artifact{packer.suffix}")
        self._packed: Packed | None = None
        self._costs = SampleCosts()
        self._run = run

    def sample(self) -> SampleResult:
        """Walk, read, hash, archive, and write artifact and manifest."""
        self._packed = self._costs.timed(lambda: self._run(lambda: self._pack_to(self._artifact)))
        return SampleResult(phases_ns=self._packed.phases_ns)

    def verify(self) -> None:
        """Unpack the last artifact and compare it with the tree; pack again and compare the bytes."""
        manifest = self._last().manifest
        unpacked = os.path.join(self._folder, "unpacked")
        source = self._source
        verify_artifact(
            self._artifact,
            manifest,
            source.root,
            unpacked,
            read=self._packer.read,
            ignore=source.ignore,
            base=self._base[0] if self._base else None,
        )
        again = os.path.join(self._folder, f"again{self._packer.suffix}")
        self._run(lambda: self._pack_to(again))
        if _digest(again) != _digest(self._artifact):
            raise BenchError("packing the same tree twice gave different bytes")

    def readings(self) -> Mapping[str, float]:
        """Return the readings of a round."""
        return self._costs.readings(self._last().manifest, self._artifact)

    def figures(self) -> Mapping[str, FigureValue]:
        """Return the size of the artifact, which is the same in every round."""
        return output_size(self._artifact, exact=True)

    @property
    def _base(self) -> tuple[str, StatCache] | None:
        """The artifact that an incremental one goes on from, and the record of its packing."""
        return None

    def _last(self) -> Packed:
        if self._packed is None:
            raise BenchError("nothing was packed yet")
        return self._packed

    def _pack_to(self, artifact: str, *, remember: bool = False) -> Packed:
        return pack(
            self._source.root,
            artifact,
            os.path.join(self._folder, "manifest.json"),
            packer=self._packer,
            level=self._level,
            threads=self._threads,
            ignore=self._source.ignore,
            previous=self._base[1] if self._base else None,
            keep_stats=remember,
        )


class IncrementalSession(PackSession):
    """Packs the changes of a tree since it was first packed; changes a number of files before each sample."""

    def __init__(self, *arguments: Any, changed: int) -> None:  # noqa: ANN401 - a PackSession's
        """Pack the whole tree once, as the base of later packings.

        Raises:
            BenchError: the tree has fewer files than are to be changed.

        """
        super().__init__(*arguments)
        self._known: tuple[str, StatCache] | None = None
        self._samples = 0
        files = [entry.location for entry in walk(self._source.root) if entry.kind == "file"]
        self._changed = [location for location in files if os.path.getsize(location)][:changed]
        if len(self._changed) < changed:
            raise BenchError(f"pack.changed={changed}: only {len(self._changed)} files of the tree have contents")
        sleep(TICK_NS / 1e9)
        base = os.path.join(self._folder, f"base{self._packer.suffix}")
        packed = self._run(lambda: self._pack_to(base, remember=True))
        self._known = (base, packed.record)

    @property
    def _base(self) -> tuple[str, StatCache] | None:
        return self._known

    def prepare(self) -> None:
        """Write to the files that are to have changed."""
        self._samples += 1
        change_files(self._changed, seed=self._samples)


class ExternalSession:
    """A tree, packed by a command or a function, whose artifact is unpacked and compared all the same."""

    def __init__(self, source: TreeSource, folder: str, packer: ExternalPacker, run: Run) -> None:
        """Pack the source into `folder`; `run` runs the work."""
        self._source = source
        self._folder = folder
        self._packer = packer
        self._artifact = os.path.join(folder, "artifact")
        self._manifest: Manifest | None = None
        self._costs = SampleCosts()
        self._run = run

    def prepare(self) -> None:
        """Remove the last artifact, so that a program that appends does not find it."""
        remove(self._artifact)

    def sample(self) -> SampleResult:
        """Have the artifact made."""
        self._costs.timed(lambda: self._run(lambda: run_external(self._packer, self._source.root, self._artifact)))
        return SampleResult()

    def verify(self) -> None:
        """Unpack the last artifact and compare it with the tree."""
        if not os.path.exists(self._artifact):
            raise BenchError("nothing was packed yet")
        self._manifest = hash_tree(self._source.root)
        unpacked = os.path.join(self._folder, "unpacked")
        verify_artifact(self._artifact, self._manifest, self._source.root, unpacked)

    def readings(self) -> Mapping[str, float]:
        """Return the readings of a round."""
        return self._costs.readings(self._manifest or hash_tree(self._source.root), self._artifact)

    def figures(self) -> Mapping[str, FigureValue]:
        """Return the size of the artifact."""
        return output_size(self._artifact, exact=False)


class ColdCacheSession:
    """A session before each of whose samples the tree's files leave the cache."""

    def __init__(self, session: PackSession | ExternalSession, source: TreeSource) -> None:
        """Delegate everything else to `session`."""
        self._session = session
        self._source = source
        self.sample = session.sample
        self.verify = session.verify
        self.readings = session.readings
        self.figures = session.figures

    def prepare(self) -> None:
        """Take the tree's files out of the cache."""
        if isinstance(self._session, (ExternalSession, IncrementalSession)):
            self._session.prepare()
        evict(walk(self._source.root, self._source.ignore))


def output_size(artifact: str, *, exact: bool) -> Mapping[str, FigureValue]:
    """Return the size of an artifact as a figure; `exact` if the packer makes the same bytes every time."""
    return {"output-size": FigureValue(value=os.path.getsize(artifact), unit="bytes", exact=exact)}


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cpu_s() -> float:
    if sys.platform == "win32":
        return process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return process_time() + children.ru_utime + children.ru_stime
