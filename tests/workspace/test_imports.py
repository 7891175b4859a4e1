from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import Any

#: Which of its siblings a package may import; schema ← harness ← {pack-bench, stream-bench, guard}.
ALLOWED: dict[str, set[str]] = {
    "schema": set(),
    "harness": {"schema"},
    "pack-bench": {"schema", "harness"},
    "stream-bench": {"schema", "harness"},
    "guard": {"schema", "harness"},
}


def test_every_package_has_its_place_in_the_order(packages: dict[str, Any]) -> None:
    assert set(packages) == set(ALLOWED)


@pytest.mark.parametrize("name", ALLOWED)
def test_a_package_imports_no_sibling_but_those_beneath_it(packages: dict[str, Any], name: str) -> None:
    package = packages[name]
    allowed = {packages[sibling].module for sibling in ALLOWED[name]} | {package.module}
    imported = [(module, place) for module, place in package.imports() if module.startswith("aether_")]
    assert imported
    assert [f"{place} imports {module}" for module, place in imported if module not in allowed] == []


def test_the_guard_imports_the_harness_only_where_it_is_used(packages: dict[str, Any]) -> None:
    at_import = [
        f"{path.name}: {line}"
        for path in packages["guard"].source.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("import aether_harness", "from aether_harness"))
        and path.relative_to(packages["guard"].source).parts[0] in {"cli.py", "__init__.py", "__main__.py"}
    ]
    assert at_import == []
