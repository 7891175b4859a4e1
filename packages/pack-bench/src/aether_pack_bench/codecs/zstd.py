"""The packer `zstd`: one frame, compressed by zstd's own threads."""

from __future__ import annotations

from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

#: The size of a zstd job at the levels with a window of 2 MiB, instead of zstd's own 8 MiB: even a tree of a few MiB is
#: shared by the threads, for 0.2 to 0.5 % more bytes. With larger windows a job would be little more than its window,
#: and with smaller windows zstd's own jobs are no larger.
JOB_BYTES = 4 * 2**20
JOB_WINDOW_LOG = 21


class _Zstd:
    """A frame. Its time to compress is the caller's: handing blocks to zstd's threads, and waiting for them."""

    def __init__(self, write: Callable[[bytes], None], compressor: Any) -> None:  # noqa: ANN401 - of either library
        self.compress_ns = 0
        self.write_ns = 0
        self._write = write
        self._compressor = compressor

    def add(self, block: bytes | memoryview) -> None:
        started = perf_counter_ns()
        ready = self._compressor.compress(block)
        self.compress_ns += perf_counter_ns() - started
        if ready:
            self._put(ready)

    def finish(self, block: bytes | memoryview) -> None:
        self.add(block)
        started = perf_counter_ns()
        rest = self._compressor.flush()
        self.compress_ns += perf_counter_ns() - started
        self._put(rest)

    def close(self) -> None:
        self._compressor = None

    def _put(self, compressed: bytes) -> None:
        started = perf_counter_ns()
        self._write(compressed)
        self.write_ns += perf_counter_ns() - started


class ZstdPacker:
    """A packer on zstd. The bytes are the same with any number of threads: a single one is a thread of zstd's too."""

    name = "zstd"
    suffix = ".tar.zst"
    levels = (1, 22)
    default_level = 3
    # It is copied once more, by zstd, so that a block should still be in the processor's cache by then.
    block_bytes = 128 * 2**10

    def versions(self) -> Mapping[str, str]:
        """Return the version of the library inside."""
        import zstandard

        return {"zstd": ".".join(map(str, zstandard.ZSTD_VERSION))}

    def open(self, write: Callable[[bytes], None], *, level: int, threads: int) -> _Zstd:
        """Start a frame that ends with a checksum, as the command `zstd` writes it."""
        import zstandard

        params = zstandard.ZstdCompressionParameters
        window_log = params.from_level(level).window_log
        job_bytes = JOB_BYTES if window_log == JOB_WINDOW_LOG else 0
        chosen = params.from_level(level, threads=threads, write_checksum=1, job_size=job_bytes)
        return _Zstd(write, zstandard.ZstdCompressor(compression_params=chosen).compressobj())

    @contextmanager
    def read(self, artifact: str) -> Iterator[BinaryIO]:
        """Open the stream in a zstd file, of however many frames."""
        import zstandard

        with open(artifact, "rb") as file:
            # As far back as the highest level may point.
            reader = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(file, read_across_frames=True)
            yield cast("BinaryIO", reader)


zstd_packer = ZstdPacker()
