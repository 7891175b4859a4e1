from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aether_pack_bench.archive.atomic_file import replace_file, write_all

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_as_long_as_what_was_written_last(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"long enough", b"short"):
        with replace_file(str(path)) as file:
            write_all(file, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def test_while_it_is_written_there_is_nothing_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"the last one")
    with replace_file(str(path)) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"


def test_what_failed_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(TypeError), replace_file(str(path)) as file:
        assert file.write(b"half") + "way"  # type: ignore[operator]
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_it_is_written_over_in_place_so_that_the_file_system_has_nothing_to_do(tmp_path: Path) -> None:
    path = tmp_path / "file"
    inodes = set()
    for _ in range(3):
        with replace_file(str(path)) as file:
            file.write(b"content")
        inodes.add(path.stat().st_ino)
    assert len(inodes) == 1


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_a_device_is_written_to_and_stays_where_it_is() -> None:
    with replace_file(os.devnull) as file:
        file.write(b"away with it")
    assert not os.path.exists(f"{os.devnull}.part")
    assert os.path.exists(os.devnull)
