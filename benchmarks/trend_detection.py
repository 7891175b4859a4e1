"""Compares methods that find changes of level, on the same series in one run: `hatch run trend:detection`.

Simulated series hold one step of 5 % in 2 % of noise, at least ten runs from either end, or none. It prints the share
of steps found (within ten runs) and located (within two), false changes per thousand points, and the time per series.
With `--examples FOLDER` it prints the changes in the example data of Otava: FOLDER is its source, as `pip download
--no-binary :all: --no-deps apache-otava` fetches it, unpacked.
"""

from __future__ import annotations

import argparse
import ast
import csv
import subprocess
import sys
from math import sqrt
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from aether_history.changepoint import find_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Detector = Callable[[Values], list[int]]

NOISE, STEP = 0.02, 0.05
MARGIN = 10
KINDS = ("normal", "heavy", "spiky", "remembering")


def ours(values: Values) -> list[int]:
    """Find changes as `aether-guard trend` does."""
    return [change.index for change in find_changes(values)]


def otava(values: Values) -> list[int]:
    """Find changes as Otava does by default."""
    from otava.analysis import compute_change_points

    changes, _ = compute_change_points(values.tolist(), window_len=50, max_pvalue=0.001, min_magnitude=0.0)
    return [int(change.index) for change in changes]


def ruptures(values: Values) -> list[int]:
    """Find changes by ruptures' kernel method with a bounded kernel, the best of its own in a search of settings."""
    from ruptures import KernelCPD

    logs = np.log(values)
    steps = np.diff(logs)
    scaled = logs / max(float(np.median(np.abs(steps))) * 1.4826 / sqrt(2), 1e-9)
    model = KernelCPD(kernel="rbf", params={"gamma": 0.1}, min_size=2)
    return [int(place) for place in model.fit(scaled[:, None]).predict(pen=3.0)[:-1]]


DETECTORS: dict[str, Detector] = {"aether-guard": ours, "otava": otava, "ruptures": ruptures}


def noise(draw: np.random.Generator, kind: str, count: int) -> Values:
    """Return noise whose standard deviation is `NOISE`, as logarithms."""
    if kind == "heavy":
        return draw.standard_t(3, count) * NOISE / sqrt(3)
    values = draw.normal(0, NOISE, count)
    if kind == "spiky":
        return values + (draw.random(count) < 0.03) * np.abs(draw.normal(0.2, 0.1, count))
    if kind == "remembering":
        for at in range(1, count):
            values[at] = 0.5 * values[at - 1] + values[at] * sqrt(0.75)
    return values


def main() -> None:
    """Simulate, and print a line for each kind of noise, length and detector."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200, help="of each length, with a step and without one")
    parser.add_argument("--noise", choices=KINDS, action="append", help="all, if none is named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=Path, help="an unpacked source distribution of apache-otava")
    options = parser.parse_args()
    print("noise        points  detector      found  within 2  false/1,000  ms a series")
    for kind in options.noise or KINDS:
        for count in (200, 1000):
            draw = np.random.default_rng(options.seed)
            series = [_stepped(draw, kind, count) for _ in range(options.series)]
            plain = [100 * np.exp(noise(draw, kind, count)) for _ in range(options.series)]
            for name, detect in DETECTORS.items():
                print(f"{kind:12} {count:6}  {name:12}  {_measured(detect, series, plain)}", flush=True)
    for name, values in _examples(options.examples).items():
        said = "; ".join(f"{of} {detect(np.array(values, dtype=float))}" for of, detect in DETECTORS.items())
        print(f"\n{name}, {len(values)} points: {said}")
    print("\nimporting takes, beside a bare Python")
    for module in ("aether_history.changepoint", "otava.analysis", "ruptures"):
        print(f"{module}: {min(_import_s(module) for _ in range(5)) - min(_import_s('sys') for _ in range(5)):.2f} s")


def _stepped(draw: np.random.Generator, kind: str, count: int) -> tuple[Values, int]:
    values = 100 * np.exp(noise(draw, kind, count))
    at = int(draw.integers(MARGIN, count - MARGIN))
    values[at:] *= 1 + STEP if draw.random() < 0.5 else 1 - STEP
    return values, at


def _measured(detect: Detector, series: list[tuple[Values, int]], plain: list[Values]) -> str:
    started = perf_counter()
    distances = [min((abs(place - at) for place in detect(values)), default=MARGIN + 1) for values, at in series]
    false = sum(len(detect(values)) for values in plain)
    took_ms = (perf_counter() - started) * 1e3 / (len(series) + len(plain))
    found, near = (sum(distance <= limit for distance in distances) / len(series) for limit in (MARGIN, 2))
    points = sum(map(len, plain))
    return f"{found:6.1%}  {near:8.1%}  {false * 1000 / points:11.3f}  {took_ms:11.1f}"


def _examples(folder: Path | None) -> dict[str, list[float]]:
    """Return the series in Otava's example file and in its tests, by name."""
    if folder is None:
        return {}
    with (folder / "examples/csv/data/local_sample.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    series = {name: [float(row[name]) for row in rows] for name in ("metric1", "metric2")}
    for name, path in (("single series", "tests/analysis_test.py"), ("TigerBeetle", "tests/tigerbeetle_test.py")):
        tree = ast.parse((folder / path).read_text(encoding="utf-8"))
        lists = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.List)]
        numbers = [ast.literal_eval(text) for text in lists if set(text) <= set("[]0123456789., ")]
        series[name] = next(found for found in numbers if len(found) >= 20)
    return series


def _import_s(module: str) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return perf_counter() - started


if __name__ == "__main__":
    main()
