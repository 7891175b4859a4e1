"""Give a revision the bench files that it does not have yet, so that today's bench can measure old code."""

from __future__ import annotations

import filecmp
import os
import shutil
from typing import TYPE_CHECKING

from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aether_compare.side import VariantEnvironment


def share_bench_files(
    sides: tuple[VariantEnvironment, VariantEnvironment], names: Iterable[str], log: Callable[[str], object]
) -> None:
    """Copy each bench file among `names` from the new side to the old one, unless the old one has it.

    A name is a bench, or `FILE.py` or `FILE.py::ID`. A file that neither side has comes from the working folder. A file
    that both sides have stays: each is measured by its own.
    """
    old, new = sides
    for file in dict.fromkeys(name.partition("::")[0] for name in names):
        source, target = (os.path.join(side.folder, file) for side in (new, old))
        if not file.endswith(".py") or os.path.isabs(file):
            continue
        if not os.path.lexists(source) and not os.path.lexists(target) and os.path.isfile(file):
            log(f"{printable(file)}: taken from the working folder for both")
            _copy(file, source)
            _copy(file, target)
        if not os.path.isfile(source):
            continue
        if not os.path.lexists(target):
            log(f"{old.name}: has no {printable(file)}; measured by the one of {new.name}")
            _copy(source, target)
        elif not filecmp.cmp(source, target, shallow=False):
            log(f"{printable(file)} differs: each side is measured by its own")


def _copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy2(source, target)
