"""The place of a history's files: a folder, or any address that fsspec knows."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from aether_guard.errors import GuardError
from aether_schema import SchemaError, printable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

LINES = ".jsonl"
PARQUET = ".parquet"
#: The prefix of files with many runs; every other file holds one run.
COMPACT_PREFIX = "pack-"


class Store(Protocol):
    """A place for whole files, written once each, which readers see whole or not at all."""

    address: str

    def files(self) -> list[str]:
        """Return the names of all data files, sorted.

        Raises:
            GuardError: there is no such place, or it cannot be reached.

        """

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name."""

    def write(self, name: str, data: bytes) -> None:
        """Put a file there.

        Raises:
            GuardError: it cannot be written; existing files are unchanged.

        """

    def remove(self, name: str) -> None:
        """Take a file away, if it is still there."""

    def path(self, name: str) -> str:
        """Return the address of a file."""

    def source(self, name: str) -> str:
        """Return how DuckDB is asked for a file, and for no other."""

    def fault(self, name: str) -> str:
        """Return why a file cannot even be opened, nothing where it can, or has gone."""

    def attach(self, connection: DuckDBPyConnection) -> None:
        """Make the place known to DuckDB."""


class LocalStore:
    """A history in a folder of this machine: files come under a temporary name and are renamed."""

    def __init__(self, address: str) -> None:
        """Keep the path as it was written."""
        self.address = address

    def files(self) -> list[str]:
        """Return the names of the data files in the folder."""
        try:
            with os.scandir(self.address) as entries:
                return sorted(entry.name for entry in entries if is_data(entry.name))
        except FileNotFoundError:
            raise GuardError(f"{printable(self.address)}: no history here; `aether-guard record` begins one") from None
        except (OSError, ValueError) as error:
            raise GuardError(f"{printable(self.address)}: cannot be read: {_reason(error)}") from None

    def has(self, name: str) -> bool:
        """Return whether the folder has this file."""
        return os.path.isfile(self.path(name))

    def write(self, name: str, data: bytes) -> None:
        """Write the file under another name, flush it to the disk and rename it."""
        try:
            write_atomically(self.path(name), data)
        except SchemaError as error:
            raise GuardError(str(error)) from None

    def remove(self, name: str) -> None:
        """Remove the file."""
        with suppress(OSError):
            os.unlink(self.path(name))

    def path(self, name: str) -> str:
        """Return the file's path."""
        return os.path.join(self.address, name)

    def source(self, name: str) -> str:
        """Return the file's path as a glob that matches it alone; a leading `~` would be the home folder."""
        return escaped_glob(os.path.abspath(self.path(name)))

    def fault(self, name: str) -> str:
        """Return whether the file is a pipe, a folder or a broken link, or has a name that DuckDB cannot take."""
        if not _is_unicode(self.path(name)):
            return "its path is not UTF-8"
        return "not a regular file" if os.path.lexists(self.path(name)) and not self.has(name) else ""

    def attach(self, connection: DuckDBPyConnection) -> None:
        """Do nothing: DuckDB reads this machine's files by itself."""


class FsspecStore:
    """A history behind fsspec: object storage and the like, where putting an object is one step."""

    def __init__(self, address: str) -> None:
        """Find the file system that goes with the address.

        Raises:
            GuardError: a package for this address is not installed, or the address is invalid.

        """
        self.address = address
        import fsspec

        with self._translated("cannot be reached"):
            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(address)
            self._root = self._root.rstrip("/")

    def files(self) -> list[str]:
        """Return the names of the data files under the address."""
        with self._translated("cannot be read"):
            # Files that another job wrote a moment ago count.
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._root, detail=False)
            except FileNotFoundError:
                raise GuardError(
                    f"{redacted(self.address)}: no history here; `aether-guard record` begins one"
                ) from None
            return sorted(name for name in (str(path).rsplit("/", 1)[-1] for path in found) if is_data(name))

    def has(self, name: str) -> bool:
        """Return whether there is such an object."""
        with self._translated("cannot be read"):
            return bool(self._files.exists(f"{self._root}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """Put the object."""
        with self._translated("cannot be written"):
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(f"{self._root}/{name}", data)

    def remove(self, name: str) -> None:
        """Remove the object, if it is still there."""
        with self._translated("cannot be written"), suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{name}")

    def path(self, name: str) -> str:
        """Return the object's address."""
        return str(self._files.unstrip_protocol(f"{self._root}/{name}"))

    def source(self, name: str) -> str:
        """Return the object's address as a glob that matches it alone."""
        return escaped_glob(self.path(name))

    def fault(self, name: str) -> str:
        """Return whether the object has a name that DuckDB cannot take."""
        return "" if _is_unicode(name) else "its name is not UTF-8"

    def attach(self, connection: DuckDBPyConnection) -> None:
        """Let DuckDB read through fsspec."""
        with self._translated("cannot be read"):
            connection.register_filesystem(self._files)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except GuardError:
            raise
        except Exception as error:  # noqa: BLE001 - a broken pool's, a lost scheduler's: each has errors of its own
            raise GuardError(f"{redacted(self.address)}: {what}: {_reason(error)}") from None


def open_store(address: str) -> Store:
    """Return the history at `address`, there or not.

    Raises:
        GuardError: the address cannot be made sense of.

    """
    if not address or "\0" in address:
        raise GuardError("--history: takes a folder, or an address such as s3://bucket/history")
    return FsspecStore(address) if "://" in address or "::" in address else LocalStore(address)


def is_data(name: str) -> bool:
    """Return whether a file of this name is read at all; temporary files begin with a dot."""
    return name.endswith((LINES, PARQUET)) and not name.startswith(".")


def escaped_glob(path: str) -> str:
    """Return a glob, as DuckDB and fsspec read it, that matches `path` alone."""
    return re.sub(r"([*?[])", r"[\1]", path)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def redacted(address: str) -> str:
    """Return an address without the password it may carry."""
    before, marker, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return printable(before + marker + host.rpartition("@")[2] + slash + path)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    line = printable(text.splitlines()[0][:300])
    # The first word of a sentence, unless it is a name.
    return line[:1].lower() + line[1:] if line.split(" ")[0].istitle() else line
