from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from aether_harness import BenchError
from aether_harness.affinity import allowed_cpus
from aether_harness.companion import companion

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the module `beside`, which a companion can be started from."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "beside.py"


def companions() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "beside" in child.cmdline()]


def test_a_companion_greets_and_ends_when_it_is_left(module: Path) -> None:
    module.write_text("import sys\nprint(sys.argv[1:], flush=True)\nsys.stdin.read()\n", encoding="utf-8")
    with companion("beside", "one", "two") as greeting:
        assert greeting.decode().strip() == "['one', 'two']"
        assert len(companions()) == 1
    assert companions() == []


@pytest.mark.skipif(len(allowed_cpus() or ()) < 2, reason="needs two CPUs")
def test_a_companion_comes_up_on_its_own_cpus(module: Path) -> None:
    *_, last = allowed_cpus() or ()
    module.write_text("import sys\nprint(1, flush=True)\nsys.stdin.read()\n", encoding="utf-8")
    with companion("beside", cpus=[last]):
        assert [allowed_cpus(each.pid) for each in companions()] == [[last]]


def test_while_a_companion_comes_up_something_else_is_done(module: Path) -> None:
    module.write_text("import sys\nsys.stdin.readline()\n", encoding="utf-8")
    seen: list[int] = []

    def meanwhile() -> None:
        seen.append(len(companions()))
        raise InterruptedError

    with pytest.raises(InterruptedError), companion("beside", meanwhile=meanwhile):
        pass
    assert seen == [1]
    assert companions() == []


def test_a_companion_ends_when_what_uses_it_raises(module: Path) -> None:
    module.write_text("import sys\nprint(1, flush=True)\nsys.stdin.read()\n", encoding="utf-8")
    with pytest.raises(InterruptedError), companion("beside"):
        raise InterruptedError
    assert companions() == []


def test_a_companion_that_does_not_greet_is_told_by_its_status(module: Path) -> None:
    module.write_text("raise SystemExit(3)\n", encoding="utf-8")
    with pytest.raises(BenchError, match="beside did not start: status 3"), companion("beside"):
        pass
    assert companions() == []
