"""Times `record` and `trend`: many series, a long history, many jobs at once: `hatch run trend:cost`.

Named parts run alone: `curve`, `pool` (a local pool next to a Dask cluster of two workers), `history` (a million rows)
and `jobs` (eight that record at once, one of them killed, a hundred times).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from math import log
from pathlib import Path
from time import perf_counter, sleep

import numpy as np

from aether_history.changepoint import find_changes
from aether_history.executor import find_changes_parallel
from aether_history.query import select
from aether_history.store import LocalStore
from aether_schema import quantile

GUARD = [sys.executable, "-m", "aether_guard"]
SUMMARY = {"metric": "duration_ms", "unit": "ms", "p50": 1.0, "p95": 2.0, "n": 60, "timestamp": "2026-01-01T00:00:00Z"}
RUNS = 9


def series_of(count: int, points: int) -> list[list[float]]:
    """Return series of 2 % of noise, each with a step of 5 % in the middle."""
    draw = np.random.default_rng(1)
    steps = np.where(np.arange(points) < points // 2, 1.0, 1.05)
    return [(100 * np.exp(draw.normal(0, 0.02, points)) * steps).tolist() for _ in range(count)]


def curve() -> None:
    """Print the time a series takes by its length, and divided by points x log(points)."""
    for points in (250, 1_000, 4_000, 16_000, 64_000, 256_000):
        values = np.array(series_of(1, points)[0])
        taken = []
        for _ in range(5):
            started = perf_counter()
            find_changes(values)
            taken.append(perf_counter() - started)
        ms = quantile(taken, 0.5) * 1e3
        print(f"{points:8,} points: {ms:8.1f} ms, {ms * 1e6 / (points * log(points)):6.1f} ns a point and log(points)")


def pool() -> None:
    """Print the times of 1,000 series of 1,000 points in a local pool and on a Dask cluster of two workers."""
    from distributed import Client, LocalCluster

    series = series_of(1_000, 1_000)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as it:
        with Client(it.scheduler_address, set_as_default=False) as client:
            # Workers are warm, as in a long-running cluster.
            client.run(find_changes, [1.0] * 10)
        taken: dict[str, list[float]] = {"local pool": [], "Dask, two workers": []}
        for _ in range(5):
            for name, address in (("local pool", None), ("Dask, two workers", it.scheduler_address)):
                started = perf_counter()
                find_changes_parallel(series, 0.99, address, print)
                taken[name].append(perf_counter() - started)
    for name, values in taken.items():
        print(f"1,000 series of 1,000 points, {name}: median {quantile(values, 0.5):.2f} s, n {len(values)}")
    ratios = [local / dask for local, dask in zip(*taken.values(), strict=True)]
    print(f"Dask is {quantile(ratios, 0.5):.2f} times as fast as the pool")


def history() -> None:
    """Print the times of `trend` for one bench of a million rows, and of `record` of ten summaries."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "history")
        place.mkdir()
        _million(place)
        current = Path(folder, "current")
        current.mkdir()
        for number in range(10):
            (current / f"{number}.json").write_text(json.dumps({"bench_id": f"bench-{number}", **SUMMARY}))
        for name, command in (
            ("trend of one bench", ["trend", "bench-7", "--history", str(place)]),
            ("record of 10 summaries", ["record", str(current), "--history", str(place)]),
        ):
            taken = []
            for run in range(RUNS):
                more = ["--run-id", str(run)] if command[0] == "record" else []
                started = perf_counter()
                subprocess.run([*GUARD, *command, *more], check=True, stdout=subprocess.DEVNULL, cwd=folder)
                taken.append(perf_counter() - started)
            print(f"{name}, 1,000,000 rows: median {quantile(taken, 0.5) * 1e3:.0f} ms, n {RUNS}")


def _million(place: Path) -> None:
    """Write 1,000 benches of 1,000 runs: all but the last 100 runs packed, those a file each."""
    import duckdb

    rows = """
      SELECT 1 AS aether_history, 'r' || run AS run_id, '2026-01-01T00:00:00Z' AS recorded_at,
        strftime(TIMESTAMP '2026-01-01' + to_hours(run), '%Y-%m-%dT%H:%M:%S.%fZ') AS timestamp,
        'bench-' || bench AS bench_id, 'duration_ms' AS metric, 'ms' AS unit, 'lower' AS better,
        10 * (1 + 0.02 * (random() - 0.5)) AS p50, 12.0 AS p95, 60 AS n, md5('' || run) AS commit,
        NULL AS commit_time, 'main' AS branch, '{}' AS params, '{"cpu":"x"}' AS environment, 'archive-1' AS kernel,
        0.4 + 0.001 * random() AS ruler
      FROM range(1000) runs(run), range(1000) benches(bench)
    """
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows AS {rows}")
        connection.execute(
            "COPY (SELECT * FROM rows WHERE substr(run_id, 2)::INT < 900 ORDER BY bench_id, timestamp) "  # noqa: S608
            f"TO '{place}/pack-1.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 8192)"
        )
        for run in range(900, 1000):
            connection.execute(
                f"COPY (SELECT * FROM rows WHERE run_id = 'r{run}') TO '{place}/run-{run}.jsonl' (FORMAT json)"  # noqa: S608
            )


def jobs() -> None:
    """Print lost and doubled runs after eight processes recorded at once a hundred times, one killed each time."""
    draw = random.Random(1)  # noqa: S311 - moments, not secrets
    lost = twice = partly = killed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(10):
            Path(folder, f"{number}.json").write_text(json.dumps({"bench_id": f"b{number}", **SUMMARY}))
        names = [f"{number}.json" for number in range(10)]
        done: set[str] = set()
        for attempt in range(100):
            command = [*GUARD, "record", *names, "--history", "history", "--run-id"]
            running = {
                f"{attempt}-{job}": subprocess.Popen(
                    [*command, f"{attempt}-{job}"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                for job in range(8)
            }
            # A process takes some 100 ms alone and eight times that among eight: anywhere in it.
            sleep(draw.uniform(0.05, 0.6))
            running[f"{attempt}-{draw.randrange(8)}"].send_signal(signal.SIGKILL)
            for run_id, process in running.items():
                output, _ = process.communicate()
                killed += process.returncode == -signal.SIGKILL
                if output.startswith(b"recorded"):
                    done.add(run_id)
        found = select(LocalStore(os.path.join(folder, "history")), "run_id, bench_id")
        counts: dict[str, int] = {}
        for run_id in found.columns["run_id"].tolist():
            counts[run_id] = counts.get(run_id, 0) + 1
        lines = sum(len(file.read_bytes().splitlines()) for file in Path(folder, "history").glob("*.jsonl"))
        lost = sum(counts.get(run_id, 0) < len(names) for run_id in done)
        partly = sum(count != len(names) for count in counts.values())
        twice = lines - len(found.columns["run_id"])
    print(
        f"8 processes at once, 100 times: {len(done)} runs recorded, {killed} processes killed, {lost} runs lost, "
        f"{partly} in part, {twice} rows twice, {len(found.problems)} files at fault"
    )


PARTS = {"curve": curve, "pool": pool, "history": history, "jobs": jobs}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or PARTS:
        PARTS[wanted]()
