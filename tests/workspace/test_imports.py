from __future__ import annotations

import subprocess
import sys
from importlib import import_module
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


@pytest.mark.parametrize(
    ("imported", "spared"),
    [
        ("aether_harness", "aether_harness.reference.kernels"),
        ("aether_harness.worker.main, aether_pack_bench.bench", "importlib.metadata, concurrent.futures, zipfile"),
        ("aether_harness.worker.main", "psutil, tempfile, subprocess"),
        ("aether_harness.worker.main, aether_stream_bench.bench", "anyio, aether_stream_bench.server.server"),
        ("aether_stream_bench.server.__main__", "aether_harness.reference.kernels, email.message"),
    ],
)
def test_a_process_that_is_started_for_every_round_imports_no_more_than_it_uses(imported: str, spared: str) -> None:
    program = f"import sys, {imported}; print(*{{*{spared.split(', ')}}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("package", "names"),
    [("aether_harness", {"bench"}), ("aether_stream_bench.server", {"MockServer", "mock_server"})],
)
def test_what_is_imported_late_is_there_all_the_same_and_nothing_else_is(package: str, names: set[str]) -> None:
    module = import_module(package)
    assert names <= set(module.__all__)
    assert all(callable(getattr(module, name)) for name in names)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing
