"""Feeds damaged summaries to the whole decision: `hatch run guard:fuzz [COUNT] [SEED]`.

Every input is a valid summary with bytes or values damaged. It must end in a judgement or in one of the
package's own errors, within a second. The count, the seed and what became of the inputs are printed.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from datetime import date
from time import perf_counter
from typing import Any

import msgspec

from aether_guard.compare import assess, judge_all
from aether_guard.policy import Policy
from aether_guard.text import render_text
from aether_guard.verdict import build_report
from aether_schema import InvalidSummaryError, Summary, decode_summary

LIMIT_S = 1.0
TODAY = date(2026, 1, 1)
ODDITIES = (
    *("null", "true", '""', '"\u2028"', '"' + "x" * 300 + '"', "-1", "0", "1e308", "5e-324", "1180591620717411303424"),
    *("1.5", "[]", "{}", "[[]]", "[[0]]", "[[1, 2]]", '{"a": {}}'),
)


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


def main() -> int:
    """Damage, decide, count."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20260101
    draw = random.Random(seed)  # noqa: S311 - damage, not secrets
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
        if elapsed > LIMIT_S:
            print(f"took {elapsed:.1f} s: {data[:200]!r}")
            return 1
    print(f"{count:,} inputs, seed {seed}: {dict(became)}; slowest {slowest * 1e3:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
