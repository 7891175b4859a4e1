from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Script = Callable[..., subprocess.Popen[str]]

HOLDS = """
import os, sys
from aether_harness.machine.scratch import scratch_folder
with scratch_folder() as folder:
    open(os.path.join(folder, "file"), "w").close()
    print("made", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Return a function that starts a script whose folders are made in the folder `scratch`."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))}
    pipe = subprocess.PIPE
    return lambda text: subprocess.Popen([sys.executable, "-c", text], stdin=pipe, stdout=pipe, env=env, text=True)


def test_the_folder_of_a_killed_process_goes_with_the_next_one(script: Script, tmp_path: Path) -> None:
    with script(HOLDS) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "made\n"
        killed.kill()
    assert len(os.listdir(tmp_path / "scratch")) == 2
    with script(HOLDS) as following:
        following.communicate()
    assert os.listdir(tmp_path / "scratch") == []


def test_the_folder_of_a_running_process_stays(script: Script, tmp_path: Path) -> None:
    with script(HOLDS) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "made\n"
        with script(HOLDS) as following:
            following.communicate()
        (folder,) = (tmp_path / "scratch").glob("aether-*[!k]")
        assert [file.name for file in folder.iterdir()] == ["file"]
        running.communicate()


def test_what_only_looks_like_a_stale_folder_stays(script: Script, tmp_path: Path) -> None:
    scratch, elsewhere = tmp_path / "scratch", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (elsewhere / "lock").touch()
    with script(HOLDS) as running:
        assert running.stdout is not None
        running.stdout.readline()
        (scratch / "aether-mine").mkdir()
        (scratch / "aether-link").symlink_to(elsewhere)
        (scratch / "aether-link.lock").symlink_to(elsewhere / "lock")
        (scratch / "aether-folder.lock").mkdir()
        running.communicate()
    with script(HOLDS) as following:
        following.communicate()
    assert sorted(os.listdir(scratch)) == ["aether-folder.lock", "aether-link", "aether-link.lock", "aether-mine"]
    assert sorted(os.listdir(elsewhere)) == ["file", "lock"]


@pytest.mark.skipif(os.name != "posix", reason="needs permissions")
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_folder_goes_whatever_was_done_to_it(script: Script, tmp_path: Path, *, is_killed: bool) -> None:
    (tmp_path / "kept").touch()
    spoil = f"""
    os.makedirs(os.path.join(folder, "a", "b"))
    os.symlink({str(tmp_path)!r}, os.path.join(folder, "a", "link"))
    for name in ("a/b", "a", ""):
        os.chmod(os.path.join(folder, name), 0)
    if os.getuid() == 0:
        os.setuid(65534)
"""
    (tmp_path / "scratch").chmod(0o777)
    tmp_path.chmod(0o755)
    with script(HOLDS.replace("    print", f"{spoil}    print")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if is_killed:
            process.kill()
        else:
            process.communicate()
    with script(HOLDS) as following:
        following.communicate()
    assert os.listdir(tmp_path / "scratch") == []
    assert (tmp_path / "kept").exists()
