"""The interface of packers, which compress a stream of tar blocks, and how they are found."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from aether_harness import BenchError
from aether_pack_bench.codecs.deflate import gzip_packer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from importlib.metadata import EntryPoint
    from typing import BinaryIO

ENTRY_POINT_GROUP = "aether.packers"


class Compressor(Protocol):
    """One artifact being written. Its blocks come in order, all of `block_bytes` but the last."""

    @property
    def compress_ns(self) -> int:
        """How long compressing took so far, added up over all threads that did it."""

    @property
    def write_ns(self) -> int:
        """How long writing took so far."""

    def add(self, block: bytes | memoryview) -> None:
        """Compress a block and write the finished ones. At most the blocks that threads work on are kept."""

    def finish(self, block: bytes | memoryview) -> None:
        """Compress the last block, which may be empty, and write all that is left."""

    def close(self) -> None:
        """End its threads, finished or not."""


@runtime_checkable
class Packer(Protocol):
    """A packer, as an entry point of the group `aether.packers` names it.

    The bytes it makes depend on those it is given and on the level, not on threads, times or names.
    """

    @property
    def name(self) -> str:
        """Its name in `pack.packer`."""

    @property
    def suffix(self) -> str:
        """How the name of its artifacts ends: `.tar.gz`."""

    @property
    def levels(self) -> tuple[int, int]:
        """The least and the most it can be asked to compress."""

    @property
    def default_level(self) -> int:
        """The level where none is asked for."""

    @property
    def block_bytes(self) -> int:
        """How much it wants at a time."""

    def versions(self) -> Mapping[str, str]:
        """Return the name and version of its library."""

    def open(self, write: Callable[[bytes], None], *, level: int, threads: int) -> Compressor:
        """Start an artifact whose bytes go to `write`, with `threads` threads to compress."""

    def read(self, artifact: str) -> AbstractContextManager[BinaryIO]:
        """Open an artifact of its own for reading the tar in it; any exception means that it is broken."""


@cache
def find_packer(name: str) -> Packer:
    """Return the installed packer of this name, which is looked for once: it takes as long as to pack a small tree.

    The default packer needs no search.

    Raises:
        BenchError: there is none, or it cannot be imported.

    """
    if name == gzip_packer.name:
        return gzip_packer
    from importlib.metadata import entry_points

    installed = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in installed:
        known = ", ".join([*sorted(installed), "command", "python:MODULE.FUNCTION"])
        raise BenchError(f"pack.packer={name}: no such packer; known: {known}")
    return _load(installed[name])


def resolve_level(packer: Packer, level: int | None) -> int:
    """Return the requested level, or the packer's default.

    Raises:
        BenchError: the packer has no such level.

    """
    if level is None:
        return packer.default_level
    least, most = packer.levels
    if not least <= level <= most:
        raise BenchError(f"pack.level={level}: {packer.name} has levels {least} to {most}")
    return level


def _load(entry: EntryPoint) -> Packer:
    try:
        packer = entry.load()
        if isinstance(packer, Packer):
            packer.versions()
            return packer
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a bench does is reported, not raised
        raise BenchError(
            f"pack.packer={entry.name}: {entry.value} cannot be used: {type(error).__name__}: {error}"
        ) from None
    raise BenchError(
        f"pack.packer={entry.name}: {entry.value} is no packer: see aether_pack_bench.codecs.packer.Packer"
    )
