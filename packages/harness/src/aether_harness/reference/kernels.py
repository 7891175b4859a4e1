"""Reference kernels: small fixed workloads that measure the speed of the machine.

A kernel is seeded and does exactly the same work everywhere. Its id carries a version: a released kernel never changes,
because a change would falsify every stored reference; a better kernel gets a new id. A kernel takes a few hundred
microseconds, short enough to run before and after every sample. It imports its modules when it is opened: every worker
imports this module, and most open one kernel or none.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from aether_harness.benchmark.parameters import suggestion
from aether_harness.benchmark.protocol import BringsReferences, NamesCrossReference, NamesReference, RoundContext
from aether_harness.errors import BenchError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aether_harness.benchmark.protocol import Benchmark, Session

DEFAULT_KERNEL = "interpreter-1"
#: The kernel that cross-checks a bench's own reference, unless the bench names another.
DEFAULT_CROSS_KERNEL = "memory-1"
PIECE_BYTES = 128 * 1024
_MASK = 0xFFFF_FFFF


class ReferenceKernel(Struct, frozen=True, kw_only=True):
    """A kernel: its id, the work it resembles, and the id of the kernel that cross-checks it.

    `open` yields the work. The work returns a number that proves that it was done and is the same everywhere.
    """

    kernel_id: str
    about: str
    cross_kernel_id: str
    open: Callable[[RoundContext], AbstractContextManager[Callable[[], int]]]


def interpreter_work(steps: int) -> int:
    """Look names up, index, add and branch, as most Python programs do."""
    table = dict.fromkeys(range(64), 1)
    total = 1
    for step in range(steps):
        key = (total ^ step) & 63
        total = (total * 31 + table[key]) & _MASK
        if total & 1:
            table[key] = step
    return total


@contextmanager
def _interpreter(_place: RoundContext) -> Iterator[Callable[[], int]]:
    yield lambda: interpreter_work(1500)


@contextmanager
def _deflate(_place: RoundContext) -> Iterator[Callable[[], int]]:
    import hashlib
    import random

    draw = random.Random(20260101)  # noqa: S311 - fixed data, not a secret
    data = draw.randbytes(10 * 1024)
    hashed = draw.randbytes(64 * 1024)

    def work() -> int:
        # Two versions of zlib may compress to different bytes, but always decompress to the same.
        packed = zlib.compress(data, 6)
        digest = hashlib.sha256(hashed).digest()
        return (interpreter_work(1000) ^ zlib.crc32(digest) ^ zlib.crc32(zlib.decompress(packed))) & _MASK

    yield work


@contextmanager
def _archive(place: RoundContext) -> Iterator[Callable[[], int]]:
    """Read, hash and compress small files with tar headers, like a small packer; each call takes the next files."""
    import hashlib
    import random
    import tarfile

    draw = random.Random(20260105)  # noqa: S311 - fixed data, not a secret
    folder = os.path.join(place.folder, "reference-archive")
    os.mkdir(folder)
    paths = [os.path.join(folder, f"{number:02}") for number in range(96)]
    for path in paths:
        with open(path, "wb") as file:
            file.write(draw.randbytes(1024))
    turns = cycle([paths[start : start + 6] for start in range(0, len(paths), 6)])

    def work() -> int:
        compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
        count = 0
        for path in next(turns):
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            size = os.fstat(descriptor).st_size
            data = os.read(descriptor, 2 * size)
            os.close(descriptor)
            header = tarfile.TarInfo(hashlib.sha256(data).hexdigest())
            header.size = size
            compressor.compress(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
            compressor.compress(data)
            count += size
        compressor.flush()
        return count

    yield work


@contextmanager
def _memory(_place: RoundContext) -> Iterator[Callable[[], int]]:
    import random

    source = bytearray(random.Random(20260102).randbytes(2**18))  # noqa: S311 - fixed data, not a secret
    target = bytearray(len(source))

    def work() -> int:
        for _ in range(8):
            target[:] = source
            source[:] = target
        return zlib.crc32(target[-16:])

    yield work


@contextmanager
def _filesystem(place: RoundContext) -> Iterator[Callable[[], int]]:
    import random

    path = os.path.join(place.folder, "reference.bin")
    data = random.Random(20260103).randbytes(1024)  # noqa: S311 - fixed data, not a secret
    with open(path, "wb") as created:
        created.write(data)

    def work() -> int:
        # Overwrite: the cost of creating and removing files depends on the history of the file system.
        count = 0
        for _ in range(8):
            with open(path, "r+b", buffering=0) as file:
                file.write(data)
            with open(path, "rb", buffering=0) as file:
                count += len(file.read()) + os.stat(path).st_size
        return count

    yield work


@contextmanager
def _loopback(drain_cpus: Sequence[int], /) -> Iterator[Callable[[], int]]:
    """Send data to a process on `drain_cpus` that discards and acknowledges it, as an upload does."""
    import random
    import socket

    from aether_harness.machine.helper_process import helper_process
    from aether_harness.reference.loopback_sink import ACKNOWLEDGEMENT, BURST_BYTES, tune_for_loopback

    # Several bursts, sent in turn, so that the data is not in the first caches, as in an upload.
    data = memoryview(random.Random(20260104).randbytes(8 * BURST_BYTES))  # noqa: S311 - fixed data, not a secret
    pieces = [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
    a_burst = BURST_BYTES // PIECE_BYTES
    bursts = cycle([pieces[start : start + a_burst] for start in range(0, len(pieces), a_burst)])
    drained = helper_process("aether_harness.reference.loopback_sink", *map(str, drain_cpus), cpus=drain_cpus)
    with drained as port, socket.socket() as connection:
        tune_for_loopback(connection)
        connection.connect(("127.0.0.1", int(port)))

        def work() -> int:
            for piece in next(bursts):
                connection.sendall(piece)
            if connection.recv(1) != ACKNOWLEDGEMENT:
                raise BenchError("the loopback reference lost its receiving process")
            return BURST_BYTES

        yield work


KERNELS = {
    kernel.kernel_id: kernel
    for kernel in (
        ReferenceKernel(
            kernel_id="interpreter-1",
            about="a loop in the Python interpreter",
            cross_kernel_id="deflate-1",
            open=_interpreter,
        ),
        ReferenceKernel(
            kernel_id="deflate-1",
            about="compression, hashing and some interpreter",
            cross_kernel_id="interpreter-1",
            open=_deflate,
        ),
        ReferenceKernel(
            kernel_id="archive-1",
            about="reading, hashing and compressing small files",
            cross_kernel_id="deflate-1",
            open=_archive,
        ),
        ReferenceKernel(
            kernel_id="memory-1",
            about="copying in memory",
            cross_kernel_id="interpreter-1",
            open=_memory,
        ),
        ReferenceKernel(
            kernel_id="filesystem-1",
            about="writing, reading and looking at a small file",
            cross_kernel_id="interpreter-1",
            open=_filesystem,
        ),
        ReferenceKernel(
            kernel_id="loopback-1",
            about="sending to a process on another CPU",
            cross_kernel_id="memory-1",
            open=lambda place: _loopback(place.companion_cpus),
        ),
        ReferenceKernel(
            kernel_id="loopback-one-cpu-1",
            about="sending to a process on the same CPU",
            cross_kernel_id="memory-1",
            open=lambda place: _loopback(place.worker_cpus),
        ),
    )
}


class KernelIds(NamedTuple):
    """The reference of a bench and its cross-check: ids of kernels, or of work that the session brings."""

    kernel_id: str
    cross_kernel_id: str


def kernel_for(bench: Benchmark, params: Struct) -> KernelIds:
    """Return the reference that `bench` names for `params`, or the interpreter.

    Raises:
        UsageError: the bench names a kernel that does not exist.

    """
    reference = bench.reference if isinstance(bench, NamesReference) else DEFAULT_KERNEL
    kernel_id = reference(params) if callable(reference) else reference
    if kernel_id in KERNELS:
        return KernelIds(kernel_id, KERNELS[kernel_id].cross_kernel_id)
    cross_kernel_id = bench.cross_reference if isinstance(bench, NamesCrossReference) else DEFAULT_CROSS_KERNEL
    for named_id in (kernel_id, cross_kernel_id):
        if named_id not in KERNELS and not str(named_id).startswith(f"{bench.bench_id}/"):
            hint = suggestion(str(named_id), KERNELS)
            raise UsageError(f"{bench.bench_id}: reference {named_id!r}: no such kernel{hint}")
    return KernelIds(kernel_id, cross_kernel_id)


def session_kernel(kernel_id: str, session: Session) -> Callable[[], int]:
    """Return reference work of the session.

    Raises:
        BenchError: the session has no work with this id.

    """
    work = session.rulers.get(kernel_id) if isinstance(session, BringsReferences) else None
    if work is None:
        raise BenchError(f"reference {kernel_id!r}: `rulers` of the session has no such id")
    return work
