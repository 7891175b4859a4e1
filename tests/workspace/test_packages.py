from __future__ import annotations

import re
import sys
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

PACKAGES = (
    "compare",
    "formats",
    "guard",
    "harness",
    "hatch-aether",
    "history",
    "pack-bench",
    "schema",
    "stream-bench",
    "tox-aether",
)
#: The modules of this Python, and those of newer ones that a package uses.
STANDARD_LIBRARY = sys.stdlib_module_names | {"annotationlib"}
#: Packages without a sibling underneath.
ALONE = {"schema", "hatch-aether", "tox-aether"}


def distribution_of(requirement: str) -> str:
    """Return the name of the distribution that a requirement asks for, in its one proper spelling."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def declared_by(project: dict[str, Any]) -> set[str]:
    """Return the distributions a package asks for, those of its extras with them."""
    extras = [each for extra in project.get("optional-dependencies", {}).values() for each in extra]
    return {distribution_of(requirement) for requirement in [*project["dependencies"], *extras]}


def version_of(package: Any) -> str:
    """Return the version a package gives itself."""
    found = re.search(r'^__version__ = "(.+)"$', (package.source / "__about__.py").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_these_are_the_packages(packages: dict[str, Any]) -> None:
    assert tuple(packages) == PACKAGES


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_named_after_its_folder_and_takes_its_version_from_one_place(
    packages: dict[str, Any], name: str
) -> None:
    project = packages[name].project
    assert project["name"] == packages[name].distribution
    assert project["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version_of(packages[name]))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_has_what_its_readers_and_type_checkers_look_for(
    packages: dict[str, Any], root: Path, name: str
) -> None:
    package = packages[name]
    assert (package.folder / "README.md").read_text(encoding="utf-8").startswith(f"# {package.distribution}\n")
    assert f"\n## {version_of(package)}" in (package.folder / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (package.folder / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()
    assert (package.source / "py.typed").is_file()
    assert (package.project["license"], package.project["readme"]) == ("MIT", "README.md")
    assert package.project["requires-python"].startswith(">=3.11")


@pytest.mark.parametrize("name", PACKAGES)
def test_a_sibling_is_pinned_to_a_range_that_its_present_version_is_in(packages: dict[str, Any], name: str) -> None:
    pins = [pin for pin in packages[name].project["dependencies"] if pin.startswith("aether")]
    assert bool(pins) == (name not in ALONE)
    for pin in pins:
        match = re.fullmatch(r"aether-(?P<sibling>[a-z-]+)>=(?P<least>[\d.]+),<(?P<limit>[\d.]+)", pin)
        assert match is not None, pin
        least, version, limit = (
            tuple(map(int, text.split(".")))
            for text in (match["least"], version_of(packages[match["sibling"]]), match["limit"])
        )
        assert least <= version < limit, pin


@pytest.mark.parametrize("name", PACKAGES)
def test_whatever_a_package_imports_it_declares(packages: dict[str, Any], name: str) -> None:
    package = packages[name]
    declared = declared_by(package.project)
    if name == "hatch-aether":
        declared |= {"hatch", "hatchling"}  # it is installed next to them
    providers = packages_distributions()
    siblings = {each.module: each.distribution for each in packages.values()}
    undeclared = []
    for module, place in package.imports():
        if module in STANDARD_LIBRARY or module == package.module:
            continue
        names = [siblings[module]] if module in siblings else providers.get(module, [module])
        if not declared & {distribution_of(provider) for provider in names}:
            undeclared.append(f"{place} imports {module}")
    assert undeclared == []


@pytest.mark.parametrize("name", PACKAGES)
def test_whatever_a_package_declares_it_imports(packages: dict[str, Any], name: str) -> None:
    package = packages[name]
    providers = packages_distributions()
    siblings = {each.module: [each.distribution] for each in packages.values()}
    imported = {
        distribution_of(provider)
        for module, _ in package.imports()
        for provider in siblings.get(module, providers.get(module, []))
    }
    runtime = {distribution_of(requirement) for requirement in package.project["dependencies"]}
    assert runtime - imported == set()
