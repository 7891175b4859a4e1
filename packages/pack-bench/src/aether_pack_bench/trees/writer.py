"""Writing seeded trees to disk."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from aether_harness import BenchError
from aether_pack_bench.archive.tar_header import EXECUTABLE_MODE
from aether_pack_bench.trees.content import generate
from aether_pack_bench.trees.walk import os_error_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aether_pack_bench.trees.profiles import PlannedEntry

FILES_A_FOLDER = 100
CHANGED_BYTES = 16
#: A large file is drawn in pieces: `randbytes` takes no more than some 256 MiB, and memory is not for that.
DRAWN_AT_ONCE = 32 * 2**20


def write_seeded_tree(root: str, *, files: int, size: int, seed: int) -> None:
    """Fill the new folder `root` with `files` files of `size` bytes each, a hundred a folder.

    The bytes do not compress and are the same for the same seed on every system.
    """
    draw = random.Random(seed)  # noqa: S311 - a tree to pack, not a secret
    os.mkdir(root)
    for number in range(files):
        folder = os.path.join(root, f"part-{number // FILES_A_FOLDER:04}")
        if number % FILES_A_FOLDER == 0:
            os.mkdir(folder)
        with open(os.path.join(folder, f"file-{number:06}.bin"), "wb") as file:
            file.writelines(draw.randbytes(min(DRAWN_AT_ONCE, size - start)) for start in range(0, size, DRAWN_AT_ONCE))


def write_tree(root: str, planned: Iterable[PlannedEntry]) -> None:
    """Write the planned entries into the new folder `root`.

    Raises:
        BenchError: something cannot be written; the message names it.

    """
    os.mkdir(root)
    for each in planned:
        location = os.path.join(root, *each.path.split("/"))
        try:
            _write(location, each)
        except OSError as error:
            raise BenchError(f"{location}: {os_error_text(error)}") from None


def change_files(locations: Iterable[str], *, seed: int) -> None:
    """Write other bytes over the first few of each file, which keeps its size."""
    for location in locations:
        with open(location, "r+b") as file:
            file.write(random.Random(seed).randbytes(min(CHANGED_BYTES, os.path.getsize(location))))  # noqa: S311


def _write(location: str, planned: PlannedEntry) -> None:
    if planned.target is not None:
        os.symlink(planned.target, location)
    elif planned.sort is None:
        os.mkdir(location)
    else:
        with open(location, "wb") as file:
            file.writelines(generate(planned.sort.content, planned.size, planned.seed))
        if planned.sort.executable:
            os.chmod(location, EXECUTABLE_MODE)
