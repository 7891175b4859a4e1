from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def described(tmp_path: object, run_env: dict[str, str]) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return a function that asks for benches in the test's folder."""
    return lambda asked: subprocess.run(
        [sys.executable, "-m", "aether_harness.discovery.description"],
        input=asked,
        cwd=str(tmp_path),
        env=run_env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_benches_are_described_whatever_their_file_prints(
    bench_file: Callable[..., str], described: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    bench_file("print('loading')\nos.write(1, b'more')\n@bench\ndef parse():\n    pass\n")
    done = described('{"names": ["mine.py"]}')
    (found,) = json.loads(done.stdout)
    assert (done.returncode, found["bench_id"], found["metric"]) == (0, "parse", "duration_ms")
    assert (found["address"]["type"], found["params"]) == ("file", {})


def test_installed_benches_may_come_with_a_file(
    bench_file: Callable[..., str], described: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    bench_file("@bench\ndef parse():\n    pass\n")
    done = described('{"names": ["mine.py"], "with_installed": true}')
    assert {"parse", "packaging", "streaming"} <= {found["bench_id"] for found in json.loads(done.stdout)}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ('{"names": ["nope.py"]}', "nope.py: no such file"),
        ('{"names": ["mine.py"], "params": ["parse.x=1"]}', "parse.x: no such parameter"),
        ("junk", "JSON is malformed"),
        ('{"names": 1}', "Expected `array`"),
    ],
)
def test_what_cannot_be_described_is_told_in_a_line(
    bench_file: Callable[..., str],
    described: Callable[[str], subprocess.CompletedProcess[str]],
    asked: str,
    words: str,
) -> None:
    bench_file("print('loading')\n@bench\ndef parse():\n    pass\n")
    done = described(asked)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert words in line
