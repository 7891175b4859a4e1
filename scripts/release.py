"""Builds one package for publishing, and tests that the built wheel installs and runs on its own.

`hatch run release:build guard`, or `--tag aether-guard-v0.1.0`, which must agree with the version. The
sdist and the wheel made from it land in `dist/<package>/`; the wheel is installed with its siblings'
wheels into an environment outside the workspace, and the package's command is run there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "packages"

#: The commands to run with the wheel of a package, without the workspace.
SMOKE = {
    "schema": [("python", "-m", "aether_schema")],
    "harness": [("aether-bench", "--version"), ("aether-bench", "list")],
    "pack-bench": [("aether-bench", "run", "packaging", "--profile", "quick", "--out", "out")],
    "stream-bench": [
        ("aether-bench", "run", "streaming", "--profile", "quick", "--out", "out"),
        ("aether-stream-bench", "serve", "--time", "0.1"),
    ],
    "guard": [
        ("aether-guard", "--version"),
        ("aether-guard", "schema", "check"),
        ("aether-guard", "check", "-h"),
        ("aether-guard", "import", "--list"),
    ],
    "formats": [("python", "-c", "from aether_formats.registry import format_names; print(*format_names())")],
    "compare": [("aether-guard", "ab", "-h"), ("aether-guard", "bisect", "-h"), ("aether-guard", "schema", "ab")],
    "history": [("aether-guard", "record", "-h"), ("aether-guard", "trend", "-h")],
    "hatch-aether": [("python", "-c", "import hatch_aether.environments")],
    "tox-aether": [("python", "-m", "tox", "--version")],
}
#: Plugins of other tools are named after them.
TOOL_PLUGINS = ("hatch-aether", "tox-aether")


class ReleaseError(Exception):
    """The package is not fit to be published; the message names the reason."""


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command, showing it; a failure ends the release."""
    print("+", " ".join(map(str, command)), flush=True)
    if subprocess.run(command, cwd=cwd, env=env, check=False).returncode:
        raise ReleaseError(f"{command[0]} failed")


def siblings(package: str) -> list[str]:
    """Return the packages of this workspace that `package` needs, each before those that need it."""
    project = tomllib.loads((PACKAGES / package / "pyproject.toml").read_text())["project"]
    needed: list[str] = []
    for requirement in project["dependencies"]:
        if match := re.match(r"aether-([a-z-]+)", requirement):
            needed += [*siblings(match[1]), match[1]]
    return list(dict.fromkeys(needed))


def distribution(package: str) -> str:
    """Return the name under which a package is published."""
    return package if package in TOOL_PLUGINS else f"aether-{package}"


def version(package: str) -> str:
    """Return the version of a package, which its changelog must have an entry for."""
    module = distribution(package).replace("-", "_")
    about = (PACKAGES / package / "src" / module / "__about__.py").read_text()
    found = re.search(r'__version__ = "(.+)"', about)
    if found is None:
        raise ReleaseError(f"{package}: no __version__")
    if f"## {found[1]}" not in (PACKAGES / package / "CHANGELOG.md").read_text():
        raise ReleaseError(f"{package}: CHANGELOG.md has no entry for {found[1]}")
    return found[1]


def package_of_tag(tag: str) -> str:
    """Return the package that a tag `<distribution>-v<version>` releases."""
    packages = {distribution(package): package for package in SMOKE}
    name, _, tagged = tag.rpartition("-v")
    if name not in packages:
        raise ReleaseError(f"{tag}: not a tag of the form <distribution>-v<version>")
    package = packages[name]
    if version(package) != tagged:
        raise ReleaseError(f"{tag}: the package is at version {version(package)}")
    return package


def build(package: str, folder: Path) -> Path:
    """Build the sdist of a package, and from that its wheel, and return the wheel."""
    run("uv", "build", "--quiet", "--out-dir", folder, PACKAGES / package)
    return next(folder.glob("*.whl"))


def smoke_test(package: str, wheels: list[Path]) -> None:
    """Install the wheels into a new environment far from the workspace and run the package's commands."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bin_folder = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
        run("uv", "venv", "--quiet", "--python", sys.executable, folder / "env")
        run("uv", "pip", "install", "--quiet", "--python", bin_folder / "python", *wheels)
        env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        for program, *arguments in SMOKE[package]:
            run(bin_folder / program, *arguments, cwd=folder, env=env)


def main() -> int:
    """Build, check, install, run."""
    parser = argparse.ArgumentParser(description="Builds one package and proves that it installs and runs.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("package", nargs="?", choices=sorted(SMOKE), help="its folder under packages/")
    which.add_argument("--tag", help="a release tag, such as aether-guard-v0.1.0")
    options = parser.parse_args()
    try:
        package = package_of_tag(options.tag) if options.tag else options.package
        folder = ROOT / "dist" / package
        shutil.rmtree(folder, ignore_errors=True)
        wheel = build(package, folder)
        run("twine", "check", "--strict", *sorted(folder.glob("*aether*")))
        with tempfile.TemporaryDirectory() as place:
            others = [build(sibling, Path(place) / sibling) for sibling in siblings(package)]
            smoke_test(package, [*others, wheel])
        print(f"release: {package} {version(package)} is in {folder.relative_to(ROOT)}/")
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
