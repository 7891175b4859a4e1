from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from aether_compare.checkout.revisions import checked_out_revisions
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETUP = ("{python} install.py",)
#: Installs by copying, which nobody is told.
COPY = """
import pathlib, shutil, sysconfig
folder = sysconfig.get_path("purelib")
shutil.copytree("src", folder, dirs_exist_ok=True)
shutil.copytree("lib/src", folder, dirs_exist_ok=True)
"""
RUN = """
import signal, sys
from aether_compare.checkout.revisions import checked_out_revisions
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
folder, cache, *setup = sys.argv[1:]
with checked_out_revisions(folder, "release", None, setup, lambda line: print(line, flush=True), cache=cache):
    print("up", flush=True)
    sys.stdin.read()
"""


def values(sides: Any, module: str = "product") -> list[str]:
    """Return the value of the product, or of another module, as each side's own interpreter sees it."""
    return [
        subprocess.run(
            [side.python, "-P", "-B", "-c", f"import {module}; print({module}.VALUE)"],
            cwd=side.folder,
            env={**os.environ, **side.env_overrides},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for side in sides
    ]


@pytest.fixture
def compare(project: Any, tmp_path: Path) -> Callable[..., Any]:
    """Get two revisions ready with a cache of the test's own."""

    def compare(base: str, head: str | None = None, *, setup: tuple[str, ...] = SETUP, say: Any = None) -> Any:
        folder, cache = str(project.root), str(tmp_path / "cache")
        return checked_out_revisions(folder, base, head, setup, say or (lambda _: None), cache=cache)

    return compare


def test_each_side_runs_its_own_code_and_nothing_is_left(project: Any, compare: Any) -> None:
    project.write("src/product.py", "VALUE = 3\n")
    before = project.state()
    with compare("release") as sides:
        assert values(sides) == ["1", "3"]
        assert [side.name for side in sides] == [f"release ({project.first[:7]})", "working tree"]
        # Paths of other lengths move what a process has in memory, and change its speed.
        assert len(sides[0].folder) == len(sides[1].folder)
        assert len(sides[0].python) == len(sides[1].python)
        assert {name: len(value) for name, value in sides[0].env_overrides.items()} == {
            name: len(value) for name, value in sides[1].env_overrides.items()
        }
    assert not os.path.exists(sides[0].folder)
    assert project.state() == before


def test_the_second_time_nothing_is_set_up_and_the_code_is_right(project: Any, compare: Any) -> None:
    project.depend_on("lib")
    project.write("lib/src/lib.py", "")
    project.git("checkout", "--quiet", "-b", "base")
    project.commit(1)
    with compare("base", setup=()):
        pass
    project.write("src/product.py", "VALUE = 4\n")
    said: list[str] = []
    with compare("base", setup=(), say=said.append) as sides:
        assert values(sides) == ["1", "4"]
    assert [line for line in said if "setting up" in line] == []


@pytest.mark.parametrize("setup", [(), ("{python} copy.py",)])
def test_what_is_copied_is_the_trees_code_with_a_warm_cache(project: Any, compare: Any, setup: tuple[str, ...]) -> None:
    project.depend_on("lib")
    project.write("copy.py", COPY)
    project.write("lib/src/lib.py", "VALUE = 1\n")
    project.git("checkout", "--quiet", "-b", "base")
    project.commit(1)
    for value in (1, 2):
        project.write("lib/src/lib.py", f"VALUE = {value}\n")
        with compare("base", setup=setup) as sides:
            assert values(sides, "lib") == ["1", str(value)]


def test_a_file_of_a_repository_within_decides_too(project: Any, compare: Any, tmp_path: Path) -> None:
    project.git("init", "--quiet", "inner", folder=tmp_path)
    (tmp_path / "inner" / "requirements.txt").write_text("")
    project.git("add", "--all", folder=tmp_path / "inner")
    project.git("commit", "--quiet", "--message", "one", folder=tmp_path / "inner")
    project.git("submodule", "--quiet", "add", str(tmp_path / "inner"), "inner-repository")
    project.commit(2)
    with compare("release"):
        pass
    project.write("inner-repository/requirements.txt", "lib\n")
    said: list[str] = []
    with compare("release", say=said.append):
        pass
    assert [line for line in said if "setting up" in line] == ["working tree: setting up ('{python}' install.py)"]


def test_two_commits_are_compared_without_the_working_tree(project: Any, compare: Any) -> None:
    project.write("src/product.py", "VALUE = 3\n")
    with compare("release", "main") as sides:
        assert values(sides) == ["1", "2"]


def test_a_revision_is_compared_with_itself_in_two_places(compare: Any) -> None:
    with compare("main", "main") as sides:
        assert values(sides) == ["2", "2"]
        assert sides[0].folder != sides[1].folder


def test_a_changed_requirement_makes_a_new_environment_of_the_working_tree_only(project: Any, compare: Any) -> None:
    with compare("release"):
        pass
    project.write("requirements.txt", "")
    said: list[str] = []
    with compare("release", say=said.append):
        pass
    assert [line for line in said if "setting up" in line] == ["working tree: setting up ('{python}' install.py)"]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device without an end")
def test_a_tracked_link_to_a_device_is_not_read(project: Any, compare: Any) -> None:
    (project.root / "native.c").symlink_to("/dev/zero")
    project.commit(2)
    with compare("release") as sides:
        assert values(sides) == ["1", "2"]


def test_another_target_of_a_link_makes_a_new_environment(project: Any, compare: Any) -> None:
    for name in ("one", "two"):
        project.write(name, "")
    for name, steps in (("one", "setting up"), ("one", "ready"), ("two", "setting up")):
        (project.root / "native.c").unlink(missing_ok=True)
        (project.root / "native.c").symlink_to(name)
        said: list[str] = []
        with compare("release", say=said.append):
            assert any(line.startswith(f"working tree: {steps}") for line in said), said


def test_workers_run_in_the_folder_that_was_meant_on_either_side(project: Any, tmp_path: Path) -> None:
    project.write("new/file.txt", "")
    for name, there in (("inner", True), ("new", False)):
        folder, cache = str(project.root / name), str(tmp_path / "cache")
        with checked_out_revisions(folder, "release", None, SETUP, lambda _: None, cache=cache) as (old, new):
            assert os.path.basename(new.folder) == name
            assert (os.path.basename(old.folder) == name) is there
            assert os.path.isdir(old.folder)


def test_a_side_that_cannot_be_set_up_leaves_nothing(project: Any, compare: Any) -> None:
    before = project.state()
    failing = "{python} -B -c \"import product; assert product.VALUE == 1, 'the head is broken'\""
    expected = r"^working tree: cannot be set up: AssertionError: the head is broken"
    with pytest.raises(GuardError, match=expected), compare("release", setup=(*SETUP, failing)):
        pytest.fail("there is no such side")
    assert project.state() == before


def test_a_revision_that_is_not_there_is_refused_before_anything_is_made(compare: Any, tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="no such revision"), compare("nowhere"):
        pytest.fail("there is no such revision")
    assert not (tmp_path / "cache").exists()


def test_libraries_that_differ_are_said(compare: Any) -> None:
    fake = (
        '{python} -c "import product, pathlib, sysconfig; '
        "at = pathlib.Path(sysconfig.get_path('purelib'), f'lib-{product.VALUE}.dist-info'); at.mkdir(); "
        "at.joinpath('METADATA').write_text(f'Metadata-Version: 2.1\\nName: lib\\nVersion: {product.VALUE}\\n')\""
    )
    said: list[str] = []
    with compare("release", setup=(*SETUP, fake), say=said.append):
        pass
    assert said[-1] == "the installed packages differ: lib 1 -> 2"


def test_the_worktree_of_a_killed_run_goes_with_a_run_of_any_other_revision(
    project: Any, compare: Any, tmp_path: Path
) -> None:
    before = project.state()
    command = [sys.executable, "-c", RUN, str(project.root), str(tmp_path / "cache"), *SETUP]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"up\n" in iter(process.stdout.readline, b"")
        process.kill()
    assert project.state() != before
    with compare("main"):
        pass
    assert project.state() == before


def test_a_run_at_the_same_time_waits_and_then_is_right(project: Any, compare: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, str(project.root), str(tmp_path / "cache"), *SETUP]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"up\n" in iter(process.stdout.readline, b"")
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            if "waiting" in line:
                process.communicate()

        with compare("release", say=say) as sides:
            assert values(sides) == ["1", "2"]
    assert said[0] == f"release ({project.first[:7]}): waiting for another run that uses it"


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_termination_in_the_middle_of_a_set_up_leaves_neither_a_worktree_nor_a_process(
    project: Any, tmp_path: Path, eventually: Callable[..., Any], is_running: Callable[[int], bool]
) -> None:
    before = project.state()
    waiting = tmp_path / "pid"
    os.mkfifo(waiting)
    code = f"import os, time; open('{waiting}', 'w').write(str(os.getpid())); time.sleep(600)"
    # A shell between, as a build's own children are not those of the guard.
    stuck = f'sh -c \'"$0" -c "$1"; true\' {{python}} "{code}"'
    command = [sys.executable, "-c", RUN, str(project.root), str(tmp_path / "cache"), stuck]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        child = int(waiting.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 1
    assert project.state() == before
    assert eventually(lambda: not is_running(child))
