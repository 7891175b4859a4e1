from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import Any


@pytest.mark.parametrize("name", ["compare", "formats", "guard", "harness", "history", "pack-bench", "stream-bench"])
def test_a_package_requires_the_siblings_that_it_imports(packages: dict[str, Any], name: str) -> None:
    package = packages[name]
    imported = {module for module, _ in package.imports() if module.startswith("aether_")} - {package.module}
    required = {
        packages[match[1]].module
        for requirement in package.project["dependencies"]
        if (match := re.match(r"aether-([a-z-]+)", requirement))
    }
    assert imported == required


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
