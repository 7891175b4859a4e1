"""Plants a regression among commits of a real repository and searches for it: `python benchmarks/trend_bisect.py`.

Each time another commit of 64 makes a bench 5 % slower; `aether-guard bisect` gets the ends. It prints whether the
commit was named, the number of comparisons and the time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter

#: Does the same work for every commit, but for the share of it that the commit's `product.py` adds.
BENCH = """
from __future__ import annotations

import hashlib
from contextlib import contextmanager

from msgspec import Struct

from product import ROUNDS

DATA = bytes(1024)


class Params(Struct, frozen=True, kw_only=True):
    pass


class Session:
    def sample(self):
        for _ in range(ROUNDS):
            hashlib.sha256(DATA).digest()

    def verify(self):
        pass


class Bench:
    bench_id = name = "hashing"
    metric = "duration_ms"
    params_type = Params
    about = "hashes"

    @contextmanager
    def open(self, params, place):
        yield Session()


hashing = Bench()
"""
ROUNDS = 2_000
SIZE = 1.05


def main() -> int:
    """Search a number of times and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--commits", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = Random(options.seed)  # noqa: S311 - moments, not secrets
    found = 0
    for number in range(options.times):
        with tempfile.TemporaryDirectory(prefix="aether-bisect-") as folder:
            started = perf_counter()
            planted, report = _search(Path(folder, "repository"), draw.randrange(options.commits), options.commits)
            names = [commit["commit"] for commit in report.get("suspects", [])]
            found += names == [planted]
            print(
                f"{number + 1}: {'found' if names == [planted] else f'not found: {names}'}, "
                f"{len(report.get('findings', []))} comparisons, {perf_counter() - started:.0f} s",
                flush=True,
            )
    print(f"{found} of {options.times} found")
    return found != options.times


def _search(root: Path, planted: int, count: int) -> tuple[str, dict[str, list[dict[str, object]]]]:
    """Return the commit that is slower, and the report of a search for it."""
    # The measuring packages are installed here; a revision only adds its own folder.
    paths = [path for path in sys.path if path.endswith("site-packages")]
    paths += [str(Path(__file__).parents[1] / "packages" / name / "src") for name in ("schema", "harness")]
    install = (
        "import pathlib, sysconfig\n"
        "folder = pathlib.Path(sysconfig.get_path('purelib'))\n"
        f"lines = [str(pathlib.Path('src').resolve()), *{paths!r}]\n"
        "folder.joinpath('side.pth').write_text('\\n'.join(lines))\n"
    )
    root.mkdir()
    (root / "src").mkdir()
    (root / "install.py").write_text(install)
    (root / "benches.py").write_text(BENCH)
    (root / "aether.toml").write_text('[ab]\nsetup = "{python} install.py"\n')
    _git(root, "init", "--quiet", "--initial-branch", "main")
    commits = [_commit(root, 0, ROUNDS)]
    commits += [_commit(root, n + 1, round(ROUNDS * SIZE) if n >= planted else ROUNDS) for n in range(count)]
    command = [sys.executable, "-m", "aether_guard", "bisect", "benches.py::hashing", "--good", commits[0]]
    done = subprocess.run(
        [*command, "--bad", "main", "--format", "json", "--quiet"], cwd=root, stdout=subprocess.PIPE, check=False
    )
    return commits[planted + 1], json.loads(done.stdout) if done.stdout else {}


def _commit(root: Path, number: int, rounds: int) -> str:
    (root / "src" / "product.py").write_text(f"ROUNDS = {rounds}\nVERSION = {number}\n")
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--message", f"version {number}")
    return _git(root, "rev-parse", "HEAD")


def _git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *identity, *arguments],  # noqa: S607 - the one on the PATH, as the guard's
        cwd=root,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
