from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from aether_compare.checkout.environment_cache import cache_folder, locked_entry, prune, try_lock
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD = """
import sys
from aether_compare.checkout.environment_cache import locked_entry
with locked_entry(sys.argv[1], sys.argv[2], lambda: print("waiting", flush=True)):
    print("there", flush=True)
    sys.stdin.read()
"""


def holder(cache: Path, key: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", HOLD, str(cache), key]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def next_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def held(cache: Path, key: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have another process use an entry."""
    with holder(cache, key) as process:
        assert next_line(process) == b"there"
        yield process


def used(cache: Path, key: str) -> bool:
    """Use an entry; return whether that was without waiting for another."""
    waited: list[bool] = []
    with locked_entry(str(cache), key, lambda: waited.append(True)) as folder:
        (cache / key / "something").touch()
        assert os.path.isdir(folder)
    return not waited


def test_the_cache_lies_where_the_platform_keeps_what_can_be_made_again() -> None:
    home, given = os.path.expanduser("~"), os.path.abspath("given")
    places = {
        cache_folder({"XDG_CACHE_HOME": given}, "linux"): given,
        cache_folder({}, "linux"): os.path.join(home, ".cache"),
        cache_folder({}, "darwin"): os.path.join(home, "Library", "Caches"),
        cache_folder({"LOCALAPPDATA": given}, "win32"): given,
    }
    assert {place: os.path.join(os.path.realpath(base), "aether-guard", "ab") for place, base in places.items()} == {
        place: place for place in places
    }


def test_a_relative_place_is_passed_over() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "here"}, "linux") == cache_folder({}, "linux")


def test_an_entry_that_another_process_uses_is_waited_for_and_that_is_said_once(tmp_path: Path) -> None:
    with held(tmp_path, "key") as first, holder(tmp_path, "key") as second:
        assert next_line(second) == b"waiting"
        first.communicate()
        assert next_line(second) == b"there"
        second.communicate()


def test_a_killed_process_gives_its_entry_up(tmp_path: Path) -> None:
    with held(tmp_path, "key") as process:
        process.kill()
    assert used(tmp_path, "key")


def test_entries_of_two_keys_are_used_at_once(tmp_path: Path) -> None:
    with held(tmp_path, "one"), try_lock(str(tmp_path), "one") as one, try_lock(str(tmp_path), "two") as two:
        assert (one, two) == (False, True)


def test_the_entries_used_longest_ago_are_removed_with_their_locks(tmp_path: Path) -> None:
    for age, key in enumerate("abcd"):
        used(tmp_path, key)
        os.utime(tmp_path / key, (1e9 - age, 1e9 - age))
    used(tmp_path, "d")
    prune(str(tmp_path), kept=2)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"a", "d"}
    if os.name == "posix":  # elsewhere a lock that is held cannot be removed
        assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"a.lock", "d.lock"}


def test_an_entry_in_use_is_not_removed(tmp_path: Path) -> None:
    with held(tmp_path, "old"):
        os.utime(tmp_path / "old", (1e9, 1e9))
        used(tmp_path, "new")
        prune(str(tmp_path), kept=1)
        assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"new", "old"}


def test_a_cache_that_cannot_be_written_is_named_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GuardError) as caught, locked_entry(str(tmp_path / "file" / "cache"), "key", list):
        pytest.fail("there is no place for it")
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "file"))
    assert ("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME") in message
    assert "\n" not in message
