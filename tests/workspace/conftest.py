"""The workspace as it lies on the disk."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


class Package(NamedTuple):
    """A package of the workspace: its folder's name, where it lies, and the `[project]` it declares."""

    name: str
    folder: Path
    project: dict[str, Any]

    @property
    def module(self) -> str:
        """The name it is imported by."""
        return self.distribution.replace("-", "_")

    @property
    def distribution(self) -> str:
        """The name it is published under; plugins of other tools are named after them."""
        return self.name if self.name.endswith("-aether") else f"aether-{self.name}"

    @property
    def source(self) -> Path:
        """The folder of its modules."""
        return self.folder / "src" / self.module

    def imports(self) -> Iterator[tuple[str, str]]:
        """Yield every top-level module that is imported anywhere in the package, with where it is."""
        for path in sorted(self.source.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                    assert node.level == 0, f"{path}:{node.lineno}: a relative import"
                else:
                    continue
                for name in names:
                    yield name.partition(".")[0], f"{path.relative_to(ROOT)}:{node.lineno}"


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the workspace."""
    return ROOT


@pytest.fixture(scope="session")
def packages() -> dict[str, Package]:
    """Return the packages of the workspace by their folders' names."""
    found = {}
    for path in sorted((ROOT / "packages").glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        found[path.parent.name] = Package(path.parent.name, path.parent, project)
    return found
