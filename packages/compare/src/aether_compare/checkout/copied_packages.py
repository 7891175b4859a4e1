"""Find the packages in an environment that an installer copied from folders or archives on this machine.

Such a copy is out of date once the folder changes. Installing again may not update it, because an installer may reuse
an earlier build: uv does so until the `pyproject.toml` changes.
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

#: The folders of installed packages in an environment, on POSIX and on Windows.
_PACKAGES = (("lib", "python*", "site-packages"), ("Lib", "site-packages"))
#: Prefixes of the pointers to the folder that build backends install next to the metadata of an editable package.
_POINTERS = ("__editable__", "_editable_impl_")


class Copied(Struct, frozen=True, kw_only=True, order=True):
    """A folder or an archive that was copied; `editable` if an editable install copied more than a pointer."""

    path: str
    editable: bool


class _Folder(Struct, frozen=True):
    editable: bool = False


class _Origin(Struct, frozen=True):
    """The source that a package was installed from, as recorded under PEP 610."""

    url: str
    dir_info: _Folder | None = None


def copied_sources(environment: str) -> list[Copied]:
    """Return the sources that were copied into the environment at this path."""
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
    """Return the path of a `file:` URL if it still exists, else None."""
    parts = urlsplit(url)
    path = url2pathname(parts.path)
    return path if parts.scheme == "file" and os.path.exists(path) else None


def _points(info: str) -> bool:
    """Return whether a package consists of its metadata, its scripts and a pointer to its folder, and nothing else."""
    try:
        with open(os.path.join(info, "RECORD"), encoding="utf-8", newline="") as record:
            return all(map(_is_pointer, _installed(record, os.path.basename(info))))
    except (OSError, ValueError, csv.Error):
        return False


def _installed(record: Iterable[str], info: str) -> list[str]:
    """Return the files of a package except its metadata and its scripts, which lie outside of site-packages."""
    return [row[0] for row in csv.reader(record) if row and not row[0].startswith((f"{info}/", "../"))]


def _is_pointer(path: str) -> bool:
    name = path.rpartition("/")[2]
    return path.endswith((".pth", ".pyc")) or name.startswith(_POINTERS)
