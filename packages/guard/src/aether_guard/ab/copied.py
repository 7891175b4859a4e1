"""What of an environment an installer copied from folders of this machine.

Such a copy is not the folder any more once that changes, and an installer that has built it before may take what it has
built: uv does so until the `pyproject.toml` changes.
"""

from __future__ import annotations

import csv
import glob
import os
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Where packages lie in an environment, on POSIX and on Windows.
_PACKAGES = (("lib", "python*", "site-packages"), ("Lib", "site-packages"))
#: What an editable install puts beside its metadata: a pointer to the folder, of whichever build backend.
_POINTERS = ("__editable__", "_editable_impl_")


class Copied(Struct, frozen=True, kw_only=True, order=True):
    """A folder, or an archive, that was installed; editable, where it left more than a pointer all the same."""

    path: str
    editable: bool


class _Folder(Struct, frozen=True):
    editable: bool = False


class _Origin(Struct, frozen=True):
    """Where a package was installed from, as PEP 610 has it written down."""

    url: str
    dir_info: _Folder | None = None


def copied_sources(environment: str) -> list[Copied]:
    """Return what was copied into the environment in this folder."""
    found = set()
    for parts in _PACKAGES:
        pattern = os.path.join(glob.escape(environment), *parts, "*.dist-info", "direct_url.json")
        for written in glob.glob(pattern):
            with suppress(OSError, msgspec.MsgspecError), open(written, "rb") as file:
                origin = msgspec.json.decode(file.read(), type=_Origin)
                path = _local(origin.url)
                editable = origin.dir_info is not None and origin.dir_info.editable
                if path is not None and not (editable and _points(os.path.dirname(written))):
                    found.add(Copied(path=path, editable=editable))
    return sorted(found)


def _local(url: str) -> str | None:
    """Return the path of what is on this machine and still there."""
    parts = urlsplit(url)
    path = url2pathname(parts.path)
    return path if parts.scheme == "file" and os.path.exists(path) else None


def _points(info: str) -> bool:
    """Return whether a package is nothing but its metadata, its programs and a pointer to its folder."""
    try:
        with open(os.path.join(info, "RECORD"), encoding="utf-8", newline="") as record:
            return all(map(_is_pointer, _installed(record, os.path.basename(info))))
    except (OSError, ValueError, csv.Error):
        return False


def _installed(record: Iterable[str], info: str) -> list[str]:
    """Return the files of a package that are neither its metadata nor, outside of its place, its programs."""
    return [row[0] for row in csv.reader(record) if row and not row[0].startswith((f"{info}/", "../"))]


def _is_pointer(path: str) -> bool:
    name = path.rpartition("/")[2]
    return path.endswith((".pth", ".pyc")) or name.startswith(_POINTERS)
