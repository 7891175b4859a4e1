from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

UV = shutil.which("uv")
#: What a package's wheel must hold beside its modules.
HELD = {
    "schema": ["aether_schema/summary.schema.json", "aether_schema/py.typed"],
    "guard": ["aether_guard/check.schema.json", "aether_guard/report/html/style.css", "aether_guard/py.typed"],
    "compare": ["aether_compare/ab.schema.json", "aether_compare/py.typed"],
    "history": ["aether_history/report/page.css", "aether_history/report/page.js", "aether_history/py.typed"],
}


@pytest.fixture(scope="module", params=HELD)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[str, Path]:
    """Return a package and the folder with its sdist and the wheel made from that."""
    if UV is None:
        pytest.skip("uv is not on the PATH")
    folder = tmp_path_factory.mktemp(request.param)
    command = [UV, "build", "--quiet", "--out-dir", str(folder), str(root / "packages" / request.param)]
    env = {**os.environ, "UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if "Failed to fetch" in done.stderr or "dns error" in done.stderr:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    return request.param, folder


def test_a_wheel_holds_every_module_its_schema_and_its_type_marker(
    built: tuple[str, Path], packages: dict[str, Any]
) -> None:
    name, folder = built
    (wheel,) = folder.glob("*.whl")
    package = packages[name]
    modules = {path.relative_to(package.source.parent).as_posix() for path in package.source.rglob("*.py")}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for held in HELD[name]:
            assert archive.read(held) == (package.source.parent / held).read_bytes()
    assert modules <= names
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {package.module}


def test_a_wheel_carries_its_licence_and_its_readme(built: tuple[str, Path], packages: dict[str, Any]) -> None:
    name, folder = built
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (archive.read(each).decode() for each in archive.namelist() if each.endswith("/METADATA"))
        assert any(re.search(r"dist-info/licenses/LICENSE$", each) for each in archive.namelist())
    assert f"\nName: aether-{name}\n" in metadata
    for requirement in packages[name].project["dependencies"]:
        assert f"\nRequires-Dist: {requirement.partition('>')[0]}" in metadata


def test_an_sdist_holds_what_a_distributor_looks_for(built: tuple[str, Path]) -> None:
    _, folder = built
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "PKG-INFO"} <= names
