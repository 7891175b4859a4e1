"""Feeds damaged and hostile input to the guard: `hatch run guard:fuzz [decide|call|run] [--count N] [--seed N]`.

- `decide` damages summaries and has them judged: each ends in a judgement or in one of the package's own errors.
- `call` makes hostile folders and command lines of every command, and calls the command in this process.
- `run` makes the same, and runs each as a command of its own.

A command line must end within a minute, with a documented exit status, 1 only if the report has a regression, without a
traceback or an unexpected error, and its output must not command a terminal or a CI host. The counts are printed with
the seed; the first violation ends the run, and `--only NUMBER` repeats it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
from hostile import COMMANDS, Attempt, attempt

from aether_guard.check.judge import assess, judge_all
from aether_guard.check.policy import Policy
from aether_guard.check.verdict import build_report
from aether_guard.cli.app import main as call_guard
from aether_guard.report.text import render_text
from aether_schema import InvalidSummaryError, Summary, decode_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DECISION_LIMIT_S = 1.0
COMMAND_LIMIT_S = 60
TODAY = date(2026, 1, 1)
COUNTS = {"decide": 1_000_000, "call": 30_000, "run": 6_300}
ODDITIES = (
    *("null", "true", '""', '"\u2028"', '"' + "x" * 300 + '"', "-1", "0", "1e308", "5e-324", "1180591620717411303424"),
    *("1.5", "[]", "{}", "[[]]", "[[0]]", "[[1, 2]]", '{"a": {}}'),
)
STATUSES = {"check": {0, 1, 2, 3}, "ab": {0, 1, 2, 3}}
#: The values of `--format` with a document on standard output; all other output is lines of printable text.
DOCUMENTS = {"json", "markdown", "html", "junit"}


def example(draw: random.Random) -> dict[str, Any]:
    """Return a valid summary with every part that a decision looks at."""
    samples = [[draw.lognormvariate(0, 0.1) for _ in range(6)] for _ in range(4)]
    rulers = [[draw.lognormvariate(-1, 0.05) for _ in range(6)] for _ in range(4)]
    flat = sorted(value for values in samples for value in values)
    position = 0.95 * (len(flat) - 1)
    p95 = flat[int(position)] + (flat[int(position) + 1] - flat[int(position)]) * (position % 1)
    return {
        "bench_id": "packaging",
        "metric": "duration_ms",
        "unit": "ms",
        "p50": (flat[11] + flat[12]) / 2,
        "p95": p95,
        "n": 24,
        "timestamp": "2026-01-01T00:00:00Z",
        "samples": samples,
        "reference": {"kernel": "archive-1", "unit": "ms", "samples": rulers},
        "cross_reference": {"kernel": "deflate-1", "unit": "ms", "samples": [[0.3]] * 4},
        "environment": {"os": "Linux", "cpu_model": draw.choice(["A", "B"])},
        "params": {"files": 100},
        "phases": {"hash": {"p50": 1.0, "p95": 2.0}},
        "runs": [
            {
                "timestamp": f"{day}T00:00:00Z",
                "p50": pace,
                "p95": 1.2 * pace,
                "normalized": {"p50": 2.7, "p95": 3 * pace},
            }
            for day, pace in (("2025-12-30", 0.9), ("2025-12-31", 1.1), ("2026-01-01", 1.0))
        ],
    }


def damaged(draw: random.Random) -> bytes:
    """Return a summary with a few values or bytes of it damaged, or none."""
    fields = example(draw)
    for _ in range(draw.choice((0, 0, 1, 1, 2))):
        place: Any = fields
        key: Any = draw.choice(list(fields))
        while isinstance(place[key], (dict, list)) and place[key] and draw.random() < 0.7:
            place = place[key]
            key = draw.choice(list(place)) if isinstance(place, dict) else draw.randrange(len(place))
        place[key] = msgspec.json.decode(draw.choice(ODDITIES))
        if draw.random() < 0.2:
            del place[key]
            if not fields:
                break
    data = bytearray(msgspec.json.encode(fields))
    for _ in range(draw.choice((0, 0, 0, 1, 4))):
        start = draw.randrange(len(data))
        data[start : start + draw.choice((0, 1, 20))] = draw.randbytes(draw.choice((0, 1, 3)))
    return bytes(data[: draw.randrange(len(data))] if draw.random() < 0.05 else data)


def decide(count: int, seed: int) -> int:
    """Damage, decide, count."""
    draw = random.Random(seed)  # noqa: S311 - a tree to pack, not a secret
    became: Counter[str] = Counter()
    slowest = 0.0
    last: Summary | None = None
    for _ in range(count):
        data = damaged(draw)
        started = perf_counter()
        try:
            summary = decode_summary(data)
        except InvalidSummaryError:
            became["refused"] += 1
        else:
            judgements = judge_all([assess(last or summary, summary, Policy(), TODAY)], 0.05)
            render_text(build_report(judgements, strict=False, level=0.05))
            became[judgements[0].verdict] += 1
            last = summary
        elapsed = perf_counter() - started
        slowest = max(slowest, elapsed)
        if elapsed > DECISION_LIMIT_S:
            print(f"took {elapsed:.1f} s: {data[:200]!r}")
            return 1
    print(f"{count:,} inputs, seed {seed}: {dict(became)}; slowest {slowest * 1e3:.1f} ms")
    return 0


@dataclass
class Ended:
    """How a command line ended. `status` is None where it had to be killed."""

    status: int | None
    stdout: str
    stderr: str


def run(made: Attempt, folder: Path) -> Ended:
    """Run a command line as a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "aether_guard", *made.arguments],
            cwd=folder,
            env={**_plain_environment(), **made.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ended(None, "", "")
    return Ended(done.returncode, _text(done.stdout), _text(done.stderr))


def call(made: Attempt, folder: Path) -> Ended:
    """Call the command in this process; if it does not return, the process ends and names the place."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update({**_plain_environment(), **made.env})
    os.chdir(folder)
    faulthandler.dump_traceback_later(COMMAND_LIMIT_S, exit=True)
    try:
        with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
            try:
                status = call_guard(made.arguments)
            except SystemExit as error:
                status = error.code if isinstance(error.code, int) else 1
            except Exception:  # noqa: BLE001 - what the interpreter would do
                traceback.print_exc()
                status = 1
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.chdir("/")
        os.environ.clear()
        os.environ.update(kept)
    stdout, stderr = (_text(stream.buffer.getvalue()) for stream in streams)  # type: ignore[attr-defined]
    return Ended(status, stdout, stderr)


def _plain_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "CI"))}


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def defects(made: Attempt, ended: Ended, folder: Path) -> Iterator[str]:
    """Yield the problems in the end of a command line."""
    command = made.arguments[0]
    if ended.status is None:
        yield f"no end within {COMMAND_LIMIT_S} s"
        return
    if ended.status not in STATUSES.get(command, {0, 2}):
        yield f"exit status {ended.status}"
    if "Traceback" in ended.stderr or "error: unexpected " in ended.stderr:
        yield "an unexpected error"
    if ended.status == 1 and not _has_regression(ended, folder):
        yield "exit status 1 without a regression"
    if ended.status == 2 and not ended.stderr.strip():
        yield "exit status 2 without a line"
    words = [word for argument in made.arguments for word in argument.split("=", 1)]
    forms = {form for option, form in pairwise(words) if option == "--format"}
    is_document = command in {"export", "schema"} or bool(forms & DOCUMENTS)
    yield from _forged("stdout", ended.stdout, is_document=is_document)
    yield from _forged("stderr", ended.stderr, is_document=False)
    if left := [path for path in folder.rglob("*.tmp") if path.name.startswith(".")]:
        yield f"left behind: {left}"


def _has_regression(ended: Ended, folder: Path) -> bool:
    written = [ended.stdout]
    for name in ("out.txt", "deep/out.txt", "summary.md", "aether.toml"):
        with contextlib.suppress(OSError):
            written.append((folder / name).read_text(encoding="utf-8", errors="replace"))
    return any("regression" in text or "<failure" in text for text in written) or "::warning " in ended.stderr


def _forged(stream: str, text: str, *, is_document: bool) -> Iterator[str]:
    """Yield output that could command a terminal, or a host that reads lines."""
    for line in text.split("\n"):
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in line):
            yield f"a control character on {stream}: {line[:200]!r}"
        is_ours = line.startswith(
            ("::warning title=Performance regression%3A", "::warning title=Performance regressions::")
        )
        if line.lstrip().startswith("::") and not is_ours:
            yield f"a command on {stream}: {line[:200]!r}"
        if not is_document and not (line.isprintable() and not re.search(r"##\w*\[", line)):
            yield f"an unprintable line on {stream}: {line[:200]!r}"


def attack(way: Callable[[Attempt, Path], Ended], seed: int, numbers: range) -> int:
    """Make hostile command lines, run each, and count the results."""
    became: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    slowest, failed = 0.0, 0
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - a folder of its own below it
    with tempfile.TemporaryDirectory(dir=memory, prefix="fuzz-guard-") as place:
        for number in numbers:
            folder = Path(place, "work")
            folder.mkdir()
            made = attempt(f"{seed} {number}", folder)
            started = perf_counter()
            ended = way(made, folder)
            slowest = max(slowest, perf_counter() - started)
            commands[made.arguments[0]] += 1
            became[f"status {ended.status}"] += 1
            for defect in defects(made, ended, folder):
                failed += 1
                print(f"{number}: {made.arguments!r} {made.env!r}: {defect}\n{ended.stderr[-2000:]}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
    assert set(commands) <= set(COMMANDS)
    print(f"{len(numbers):,} command lines, seed {seed}: {dict(sorted(became.items()))}; slowest {slowest:.1f} s")
    print(f"  {dict(sorted(commands.items()))}")
    print(f"  {failed} defects")
    return int(failed > 0)


def main() -> int:
    """Run the requested part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=sorted(COUNTS), default="decide")
    parser.add_argument("--count", type=int, help="how many; 1,000,000, 30,000 and 6,300")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="the command line of this number alone")
    options = parser.parse_args()
    count = options.count or COUNTS[options.what]
    if options.what == "decide":
        return decide(count, options.seed)
    numbers = range(count) if options.only is None else range(options.only, options.only + 1)
    return attack(call if options.what == "call" else run, options.seed, numbers)


if __name__ == "__main__":
    sys.exit(main())
