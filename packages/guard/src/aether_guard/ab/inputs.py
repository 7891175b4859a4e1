"""What both versions read, such as a tree to pack: kept for all lives, and in one place for both if it is alike.

Writing it anew for every life takes longer than the life's samples, and where it then lies on the disk and in memory is
a luck of its own, which falls on one version alone.
"""

from __future__ import annotations

import filecmp
import os
import stat
from contextlib import suppress


class Inputs:
    """A folder for each side, as long as its content has not been seen; then one for both, or none.

    Where the versions leave something else there, each life makes its own: what is kept on one side for all lives
    would be one luck in all of them.
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

    def settle(self) -> None:
        """Let the old version's be those of both from now on, if both have made the same; once both are set up."""
        if not self._settled:
            self._settled = True
            old, new = map(str, self._folders)
            self._folders = [old, old] if os.listdir(old) and alike(old, new) else [None, None]


def alike(one: str, other: str) -> bool:
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
        return alike(one, other)
    return stat.S_ISREG(mode) and filecmp.cmp(one, other, shallow=False)
