from __future__ import annotations

import re
import runpy
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from pathlib import Path

#: The environments whose point is that nothing is pinned.
UNPINNED = {"lowest", "newest"}
FILES = ("constraints.txt", "constraints-trend.txt")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

each_file = pytest.mark.parametrize("file", FILES)


@pytest.fixture(scope="module")
def pinning(root: Path) -> dict[str, Any]:
    """Return the names of the script that writes the constraints."""
    return runpy.run_path(str(root / "scripts" / "pin.py"))


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file but its first, which says what wrote it."""
    return path.read_text(encoding="utf-8").splitlines()[1:]


def holds(pin: Requirement, python: str) -> bool:
    """Return whether a pin applies to a version of Python."""
    return pin.marker is None or pin.marker.evaluate({"python_version": python, "python_full_version": f"{python}.0"})


@each_file
def test_constraints_hold_names_and_versions_alone(root: Path, file: str) -> None:
    for line in lines_of(root / file):
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [a-z_]+ (<|>=) '[0-9.]+'( and .+)?)?", line), line


@each_file
@pytest.mark.parametrize("python", PYTHONS)
def test_everything_that_is_required_has_one_pin(root: Path, pinning: dict[str, Any], file: str, python: str) -> None:
    pins = [pin for pin in map(Requirement, lines_of(root / file)) if holds(pin, python)]
    required = [Requirement(each) for each in pinning["requirements"](file)]
    assert len(required) > 1
    for requirement in required:
        found = [pin for pin in pins if pin.name == canonicalize_name(requirement.name)]
        assert len(found) == 1, f"{requirement.name}: hatch run release:pin"
        (version,) = found[0].specifier
        assert requirement.specifier.contains(version.version, prereleases=True), f"{requirement}: {found[0]}"


def test_every_environment_installs_the_pins_but_two(root: Path, pinning: dict[str, Any]) -> None:
    environments = tomllib.loads((root / "hatch.toml").read_text(encoding="utf-8"))["envs"]
    assert {"UV_CONSTRAINT", "UV_BUILD_CONSTRAINT"} <= environments["default"]["env-vars"].keys()
    for name, environment in environments.items():
        # The others inherit from `default`.
        if "env-vars" in environment or environment.get("detached") or name.startswith("hatch-"):
            file = pinning["APART"].get(name, pinning["SHARED"])
            for variable in ("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT"):
                pinned = f"{{env:{variable}:{{root:uri}}/{file}}}"
                assert environment["env-vars"][variable] == ("" if name in UNPINNED else pinned), name


def test_the_hatch_that_hatchw_installs_is_pinned(root: Path, pinning: dict[str, Any]) -> None:
    text = (root / "hatchw").read_text(encoding="utf-8")
    asked = re.search(r'"(hatch>=[\d.]+)"', text)
    assert asked is not None
    assert asked[1] in pinning["FURTHER"]
    assert f'"{pinning["SHARED"]}"' in text
