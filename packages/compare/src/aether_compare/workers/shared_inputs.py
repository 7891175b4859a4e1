"""Files that both versions only read, such as a tree to pack: kept for all blocks, in one place for both if equal.

Writing them for every block takes longer than the block's samples, and their place on the disk and in memory, which
changes the speed, would fall on one version alone.
"""

from __future__ import annotations

import filecmp
import os
import stat
from contextlib import suppress


class SharedInputs:
    """A folder for each version until both have filled theirs; then one for both, or none.

    If the versions fill theirs differently, each block makes its own: a file that one version kept for all blocks would
    have the same place in all of them.
    """

    def __init__(self, folder: str) -> None:
        """Keep them below the folder `folder`, which is there."""
        self._folders: list[str | None] = [os.path.join(folder, f"inputs{index}") for index in range(2)]
        for each in self._folders:
            os.mkdir(str(each))
        self._settled = False

    def of(self, index: int) -> str | None:
        """Return the folder of the old (0) or the new (1) version, None if nothing is kept."""
        return self._folders[index]

    def share_if_identical(self) -> None:
        """Once both versions are set up, let both use the files of the old one if they made the same files."""
        if not self._settled:
            self._settled = True
            old, new = map(str, self._folders)
            self._folders = [old, old] if os.listdir(old) and trees_equal(old, new) else [None, None]


def trees_equal(one: str, other: str) -> bool:
    """Return whether two folders hold the same names, and under them the same contents, links and modes."""
    with suppress(OSError):
        names = sorted(os.listdir(one))
        return names == sorted(os.listdir(other)) and all(
            _entries_alike(os.path.join(one, name), os.path.join(other, name)) for name in names
        )
    return False


def _entries_alike(one: str, other: str) -> bool:
    mode = os.lstat(one).st_mode
    if mode != os.lstat(other).st_mode:
        return False
    if stat.S_ISLNK(mode):
        return os.readlink(one) == os.readlink(other)
    if stat.S_ISDIR(mode):
        return trees_equal(one, other)
    return stat.S_ISREG(mode) and filecmp.cmp(one, other, shallow=False)
