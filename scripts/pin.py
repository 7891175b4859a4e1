"""Writes the constraints files: the version of each distribution that developing, checking or releasing installs.

`hatch run release:pin` pins what hatch.toml or a pyproject.toml newly asks for and keeps the other versions;
`hatch run release:pin --upgrade` takes the newest of everything, `--upgrade-package NAME` the newest of one. The
arguments are those of `uv pip compile`. A file serves every platform and every Python that the packages support.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LOWEST_PYTHON = "3.11"
#: Environments that have a file of their own; apache-otava needs old versions of numpy and scipy.
APART = {"trend": "constraints-trend.txt"}
SHARED = "constraints.txt"
#: Required by no file here: hatchw installs the first, an editable install with hatchling the second.
FURTHER = ("hatch>=1.16", "editables>=0.5")
HEADER = "# Written by `hatch run release:pin`; see CONTRIBUTING.md.\n"
#: A caller's settings that would choose other versions.
_CHOOSING = re.compile(r"UV_((BUILD_)?CONSTRAINT|OVERRIDE|RESOLUTION|PRERELEASE|EXCLUDE.*)")


def load(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def requirements(file: str) -> Iterator[str]:
    """Yield the requirements of the packages, and of the environments that use `file`, on others' distributions."""
    declared = list(FURTHER)
    for name, environment in load(ROOT / "hatch.toml")["envs"].items():
        if APART.get(name, SHARED) == file:
            declared += [*environment.get("dependencies", ()), *environment.get("extra-dependencies", ())]
    for path in sorted([*ROOT.glob("packages/*/pyproject.toml"), *ROOT.glob("tests/*/pyproject.toml")]):
        document = load(path)
        declared += document["build-system"]["requires"]
        declared += document["project"].get("dependencies", ())
        for extra in document["project"].get("optional-dependencies", {}).values():
            declared += extra
    return (each for each in dict.fromkeys(declared) if not each.startswith("aether-"))


def shorten(pins: list[str]) -> list[str]:
    """Return the pins, without the marker where a name has one pin: a constraint installs nothing by itself."""
    count = Counter(pin.partition("==")[0] for pin in pins)
    return [pin if count[pin.partition("==")[0]] > 1 else pin.partition(" ;")[0] for pin in pins]


def pin(path: Path, arguments: list[str]) -> int:
    """Resolve what is required with uv, write the file at `path`, and return uv's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        resolved = Path(folder) / "resolved.txt"
        if path.exists():
            resolved.write_bytes(path.read_bytes())  # uv keeps these versions
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", LOWEST_PYTHON]
        command += ["--no-header", "--no-annotate", "--output-file", str(resolved), *arguments, "-"]
        environment = {key: value for key, value in os.environ.items() if not _CHOOSING.fullmatch(key)}
        wanted = "\n".join(requirements(path.name))
        done = subprocess.run(command, cwd=ROOT, env=environment, input=wanted, text=True, check=False)
        if done.returncode == 0:
            pins = resolved.read_text(encoding="utf-8").splitlines()
            path.write_text(HEADER + "\n".join(shorten(pins)) + "\n", encoding="utf-8", newline="\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(max(pin(ROOT / file, sys.argv[1:]) for file in (SHARED, *APART.values())))
