from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aether_compare.checkout.setup_commands import Command, parse_setup
from aether_compare.checkout.venv import EnvironmentSpec, VirtualEnvironment, ensure_environment, find_uv
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Callable

SETUP = ("{python} install.py",)


@pytest.fixture
def build(project: Any, tmp_path: Path) -> Callable[..., tuple[VirtualEnvironment, list[str]]]:
    """Set the project's tree up by some commands, and return the environment with what was said."""

    def build(setup: tuple[str, ...] = SETUP, *, is_revision: bool = True) -> tuple[VirtualEnvironment, list[str]]:
        said: list[str] = []
        (tmp_path / "entry").mkdir(exist_ok=True)
        commands: tuple[Command, ...] = parse_setup(setup, has_lock=(project.root / "uv.lock").exists())
        plan = EnvironmentSpec(
            label="main",
            tree=str(project.root),
            entry=str(tmp_path / "entry"),
            commands=commands,
            is_revision=is_revision,
        )
        return ensure_environment(plan, find_uv(), said.append), said

    return build


def told(environment: VirtualEnvironment, code: str) -> str:
    done = subprocess.run(
        [environment.python, "-P", "-c", code],
        env={**os.environ, **environment.changes},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_an_environment_has_its_own_interpreter_and_what_the_set_up_installed(build: Any, tmp_path: Path) -> None:
    environment, said = build()
    assert said == ["main: setting up ('{python}' install.py)"]
    assert told(environment, "import sys; print(sys.prefix)") == str(tmp_path / "entry" / "environment")
    assert told(environment, "import product; print(product.VALUE)") == "2"


def test_what_is_whole_is_used_again(build: Any) -> None:
    first, _ = build()
    marker = Path(first.folder) / "marker"
    marker.touch()
    second, said = build()
    assert (second, said) == (first, ["main: ready, set up before"])
    assert marker.exists()


def test_a_broken_off_set_up_is_not_taken_for_a_whole_one(build: Any, tmp_path: Path) -> None:
    environment, _ = build()
    (tmp_path / "entry" / "whole").unlink()
    leftover = Path(environment.folder) / "leftover"
    leftover.touch()
    _, said = build()
    assert said == ["main: setting up ('{python}' install.py)"]
    assert not leftover.exists()


@pytest.mark.parametrize("part", ["environment", "environment/pyvenv.cfg"])
def test_an_environment_that_was_damaged_since_is_made_anew(build: Any, tmp_path: Path, part: str) -> None:
    build()
    damaged = tmp_path / "entry" / part
    shutil.rmtree(damaged) if damaged.is_dir() else damaged.unlink()
    environment, said = build()
    assert said == ["main: setting up ('{python}' install.py)"]
    assert told(environment, "import product; print(product.VALUE)") == "2"


def test_what_the_set_up_makes_in_a_tree_of_its_own_is_there_the_next_time_too(build: Any, project: Any) -> None:
    make = "{python} -c \"import os; os.makedirs('out'); open('out/lib.made', 'w').write('x')\""
    build((*SETUP, make))
    shutil.rmtree(project.root / "out")
    _, said = build((*SETUP, make))
    assert said == ["main: ready, set up before"]
    assert (project.root / "out" / "lib.made").read_text() == "x"


def test_nothing_is_put_into_a_tree_that_is_the_users(build: Any, project: Any) -> None:
    project.write("own.made", "x")
    build(is_revision=False)
    (project.root / "own.made").unlink()
    build(is_revision=False)
    assert not (project.root / "own.made").exists()


def test_the_commands_know_the_tree_and_the_environment(build: Any, project: Any, tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), *sys.argv[1:], os.environ['VIRTUAL_ENV'], sep='|')"
    _, _ = build((*SETUP, f'python -c "{code}" {{tree}} {{environment}}'))
    log = (tmp_path / "entry" / "setup.log").read_text()
    environment = str(tmp_path / "entry" / "environment")
    assert "|".join((os.path.realpath(project.root), str(project.root), environment, environment)) in log


@pytest.mark.parametrize("lock", [False, True])
def test_without_a_set_up_the_tree_is_installed_editable(build: Any, project: Any, lock: bool) -> None:  # noqa: FBT001
    project.depend_on("lib")
    if not lock:
        (project.root / "uv.lock").unlink()
    environment, said = build(())
    expected = "uv sync --frozen" if lock else "uv pip install --python '{python}' -e '{tree}'"
    assert said[0] == f"main: setting up ({expected})"
    assert told(environment, "import product; print(product.__file__)") == str(project.root / "src" / "product.py")


IN_USE = "import lib; print(lib.VALUE)"


@pytest.mark.parametrize("place", ["lib", "../lib"])
@pytest.mark.parametrize("setup", [(), ("uv pip install --python {python} -e .",), ("uv sync --frozen --no-editable",)])
def test_a_dependency_that_was_copied_is_the_code_of_its_folder(
    build: Any, project: Any, place: str, setup: tuple[str, ...]
) -> None:
    project.depend_on(place)
    for value in (1, 2):
        project.write(f"{place}/src/lib.py", f"VALUE = {value}\n")
        environment, _ = build(setup, is_revision=False)
        assert told(environment, IN_USE) == str(value)


def test_a_new_environment_takes_no_old_copy_from_the_cache_of_uv(build: Any, project: Any, tmp_path: Path) -> None:
    project.depend_on("lib")
    for value in (1, 2):
        project.write("lib/src/lib.py", f"VALUE = {value}\n")
        shutil.rmtree(tmp_path / "entry", ignore_errors=True)
        environment, _ = build((), is_revision=False)
        assert told(environment, IN_USE) == str(value)


def test_an_editable_install_that_copies_is_installed_again(build: Any, project: Any) -> None:
    project.depend_on("lib")
    project.write("lib/src/lib.py", "")
    project.write("copies", "")
    for value in (1, 2):
        project.write("src/made.py", f"VALUE = {value}\n")
        environment, _ = build((), is_revision=False)
        assert told(environment, "import made; print(made.VALUE, 'site-packages' in made.__file__)") == f"{value} True"


def test_what_is_only_pointed_at_is_not_installed_again(build: Any, project: Any) -> None:
    project.depend_on("lib")
    setup = tuple(f"uv pip install --python {{python}} --no-deps -e {place}" for place in ("lib", "."))
    build(setup, is_revision=False)
    _, said = build(setup, is_revision=False)
    assert said == ["main: ready, set up before"]


def test_a_copy_whose_folder_does_not_build_any_more_is_an_error(build: Any, project: Any) -> None:
    project.depend_on("lib")
    project.write("lib/src/lib.py", "VALUE = 1\n")
    build((), is_revision=False)
    project.write("lib/backend.py", "raise SystemExit('no luck')\n")
    for _ in range(2):
        with pytest.raises(GuardError, match=r"main: cannot be set up: .*no luck"):
            build((), is_revision=False)
    project.depend_on("lib")
    environment, _ = build((), is_revision=False)
    assert told(environment, IN_USE) == "1"


def test_a_revisions_own_tree_is_not_copied_again(build: Any, project: Any) -> None:
    project.depend_on("lib")
    project.write("lib/src/lib.py", "VALUE = 1\n")
    build(())
    _, said = build(())
    assert said == ["main: ready, set up before"]


def test_a_python_path_that_leads_elsewhere_is_not_followed(
    build: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "product.py").write_text("VALUE = 'other'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "other"))
    environment, _ = build()
    assert told(environment, "import product; print(product.VALUE)") == "2"


# What fails.


def refusal(build: Any, *setup: str) -> str:
    with pytest.raises(GuardError) as caught:
        build(setup)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("main: ")
    return message.removeprefix("main: ")


def test_a_set_up_that_fails_is_shown_by_its_last_line_and_its_log(build: Any, tmp_path: Path) -> None:
    failing = "{python} -c \"import sys; print('much', flush=True); sys.exit('it broke')\""
    message = refusal(build, *SETUP, failing)
    log = tmp_path / "entry" / "setup.log"
    assert message.startswith("cannot be set up: it broke (`'{python}' -c ")
    assert message.endswith(f", status 1; its output: {log})")
    assert "much" in log.read_text()
    assert not (tmp_path / "entry" / "environment").exists()
    assert build()[1] == ["main: setting up ('{python}' install.py)"]


def test_where_the_usual_set_up_does_not_fit_another_is_pointed_at(build: Any) -> None:
    message = refusal(build)
    assert "(`uv pip install --python '{python}' -e '{tree}'`, status " in message
    assert message.endswith("; `[ab] setup` in aether.toml sets other commands")


def test_a_program_that_is_not_there_is_named(build: Any) -> None:
    message = refusal(build, "no-such-program --at-all")
    assert message == ("cannot be set up: no-such-program: no such program on the PATH ([ab] setup in aether.toml)")


def test_a_set_up_without_the_harness_gets_it(build: Any) -> None:
    try:
        environment, lines = build(("{python} -c pass",))
    except GuardError as error:
        if "etch" in str(error) or "dns" in str(error):
            pytest.skip("the package index cannot be reached")
        raise
    assert told(environment, "import aether_harness.worker.main; print('there')") == "there"
    assert "main: adding aether-harness" in lines


def test_an_error_of_the_file_system_is_one_line(project: Any, tmp_path: Path) -> None:
    plan = EnvironmentSpec(
        label="main", tree=str(project.root), entry=str(tmp_path / "nowhere"), commands=(("x",),), is_revision=True
    )
    with pytest.raises(GuardError) as caught:
        ensure_environment(plan, find_uv(), lambda _: None)
    assert "\n" not in str(caught.value)


def test_uv_is_found_without_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("uv")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert os.path.isfile(find_uv())
