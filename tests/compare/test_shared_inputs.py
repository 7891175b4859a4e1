"""What both versions read: kept in one place if it is alike, and nowhere if it is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aether_compare.workers.shared_inputs import SharedInputs, trees_equal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def fill(folder: str) -> None:
    os.makedirs(os.path.join(folder, "tree", "part"))
    with open(os.path.join(folder, "tree", "part", "file"), "wb") as file:
        file.write(b"content")
    os.symlink("file", os.path.join(folder, "tree", "part", "link"))


def rewritten(folder: str) -> None:
    with open(os.path.join(folder, "tree", "part", "file"), "wb") as file:
        file.write(b"CONTENT")


def more(folder: str) -> None:
    os.mkdir(os.path.join(folder, "tree", "another"))


def executable(folder: str) -> None:
    os.chmod(os.path.join(folder, "tree", "part", "file"), 0o700)


def led_elsewhere(folder: str) -> None:
    link = os.path.join(folder, "tree", "part", "link")
    os.unlink(link)
    os.symlink("nowhere", link)


def piped(folder: str) -> None:
    os.mkfifo(os.path.join(folder, "pipe"))


def both(tmp_path: Path) -> tuple[SharedInputs, str, str]:
    inputs = SharedInputs(str(tmp_path))
    old, new = inputs.of(0), inputs.of(1)
    assert old
    assert new
    assert old != new
    return inputs, old, new


def test_what_both_have_left_alike_is_kept_in_one_place_for_both(tmp_path: Path) -> None:
    inputs, old, new = both(tmp_path)
    fill(old)
    fill(new)
    inputs.share_if_identical()
    assert inputs.of(0) == inputs.of(1) == old
    rewritten(old)
    inputs.share_if_identical()
    assert inputs.of(0) == inputs.of(1) == old


@pytest.mark.skipif(os.name != "posix", reason="modes, links and pipes")
@pytest.mark.parametrize("differ", [rewritten, more, executable, led_elsewhere])
def test_what_differs_is_made_anew_in_every_life(tmp_path: Path, differ: Callable[[str], None]) -> None:
    inputs, old, new = both(tmp_path)
    fill(old)
    fill(new)
    differ(new)
    inputs.share_if_identical()
    assert inputs.of(0) is inputs.of(1) is None


def test_where_one_side_leaves_nothing_neither_keeps_anything(tmp_path: Path) -> None:
    inputs, old, _ = both(tmp_path)
    fill(old)
    inputs.share_if_identical()
    assert inputs.of(0) is inputs.of(1) is None


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_what_cannot_be_compared_is_not_alike(tmp_path: Path) -> None:
    _, old, new = both(tmp_path)
    piped(old)
    piped(new)
    assert not trees_equal(old, new)
    assert not trees_equal(old, str(tmp_path / "nowhere"))
