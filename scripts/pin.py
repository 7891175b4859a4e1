"""Write the constraints files: the version of each distribution that is installed to develop, check or release.

`hatch run release:pin` pins new requirements of hatch.toml or a pyproject.toml and keeps the other versions.
`--upgrade` takes the newest version of every distribution, `--upgrade-package NAME` the newest version of NAME.
Arguments are passed on to `uv pip compile`. Each file applies to every platform and every Python that the packages
support.
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
#: Environments with their own constraints file: apache-otava needs old versions of numpy and scipy.
APART = {"trend": "constraints-trend.txt"}
SHARED = "constraints.txt"
#: Requirements that no file declares: hatchw installs hatch, and an editable install with hatchling needs editables.
FURTHER = ("hatch>=1.16", "editables>=0.5")
HEADER = "# Written by `hatch run release:pin`; see CONTRIBUTING.md.\n"
#: Environment variables of the caller that would make uv choose other versions.
_CHOOSING = re.compile(r"UV_((BUILD_)?CONSTRAINT|OVERRIDE|RESOLUTION|PRERELEASE|EXCLUDE.*)")


def load(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def requirements(file: str) -> Iterator[str]:
    """Yield the third-party requirements of the packages, and of the environments that use `file`."""
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
    """Return the pins, without the marker if a name has one pin: a constraint installs nothing by itself."""
    count = Counter(pin.partition("==")[0] for pin in pins)
    return [pin if count[pin.partition("==")[0]] > 1 else pin.partition(" ;")[0] for pin in pins]


def pin(path: Path, arguments: list[str]) -> int:
    """Resolve the requirements with uv, write the file at `path`, and return uv's exit status."""
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
