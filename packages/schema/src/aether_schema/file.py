"""Summary files: the only place of the project that opens one."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING

from aether_schema.codec import decode_summary, encode_summary
from aether_schema.errors import InvalidSummaryError, SummaryFileError

if TYPE_CHECKING:
    from aether_schema.summary import Summary

SIZE_LIMIT_BYTES = 64 * 2**20
NOT_REGULAR = "not a regular file"


def read_summary(path: str | os.PathLike[str]) -> Summary:
    """Return the summary in the file `path`, of at most 64 MiB.

    Raises:
        SummaryFileError: the file is missing, unreadable, too large or no summary.

    """
    name = os.fspath(path)
    try:
        return decode_summary(_read(name))
    except InvalidSummaryError as error:
        raise SummaryFileError(name, str(error)) from None
    except MemoryError:
        raise SummaryFileError(name, "too large for this machine's memory") from None


def write_summary(path: str | os.PathLike[str], summary: Summary) -> None:
    """Write `summary` to the file `path`, its folder made if need be.

    Raises:
        SummaryFileError: the file cannot be written, or the summary is invalid.

    """
    name = os.fspath(path)
    try:
        data = encode_summary(summary)
    except InvalidSummaryError as error:
        raise SummaryFileError(name, str(error)) from None
    write_atomically(name, data)


def write_atomically(path: str, data: bytes) -> None:
    """Put `data` at `path` so that a reader sees the old file or the new one, never a part.

    Raises:
        SummaryFileError: the system refuses; a file that was there is as it was.

    """
    folder, base = os.path.split(path)
    # Short enough for any file system, and its own for every writer.
    temporary = os.path.join(folder, f".{base[:40]}.{os.getpid()}-{time.perf_counter_ns()}.tmp")
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe would be replaced by a file of its name.
        raise SummaryFileError(path, f"cannot be written: {NOT_REGULAR}")
    try:
        os.makedirs(folder or ".", exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(folder or ".")
    except (OSError, ValueError) as error:
        raise SummaryFileError(path, f"cannot be written: {_reason(error)}") from None


def _read(path: str) -> bytes:
    try:
        # Do not block: a named pipe without a writer would hold the reader forever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise SummaryFileError(path, "no such file", missing=True) from None
    except IsADirectoryError:
        raise SummaryFileError(path, "a folder, not a file") from None
    except (OSError, ValueError) as error:
        problem = "a folder, not a file" if os.path.isdir(path) else f"cannot be read: {_reason(error)}"
        raise SummaryFileError(path, problem) from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise SummaryFileError(path, "a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise SummaryFileError(path, NOT_REGULAR)
        if status.st_size > SIZE_LIMIT_BYTES:
            raise SummaryFileError(path, f"{status.st_size:,} bytes, over the limit of {SIZE_LIMIT_BYTES:,}")
        # A file of the kernel reports no size and may never end.
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            data = file.read() if status.st_size else file.read(SIZE_LIMIT_BYTES)
            return data or b""
    except OSError as error:
        raise SummaryFileError(path, f"cannot be read: {_reason(error)}") from None
    finally:
        os.close(descriptor)


def _reason(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _sync_folder(folder: str) -> None:
    """Make the rename itself durable, where a folder can be opened at all (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
