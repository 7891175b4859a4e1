from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from msgspec.structs import replace

from aether_harness import ByteCount, UsageError
from aether_harness.cli.sweep_table import notes_not_in_table, sweep_table
from aether_harness.discovery.locator import EntryPointAddress, LocatedBench, Point, RunTarget, check_names
from aether_harness.sweep.sweep import axis_value, build_plots, expand_sweep, pareto_flags, require_sweep
from aether_schema import Phase, Summary

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]


class Params(Struct, frozen=True, kw_only=True):
    size: ByteCount = 1024
    level: Annotated[int, Meta(ge=0, le=9)] = 6
    exact: bool = False
    mode: Literal["fast", "small"] = "fast"
    tool: Annotated[str, Meta(pattern="^[a-z]+$")] = "zlib"
    tree: str | None = None


class Packing:
    bench_id = "packing"
    name = "pack"
    about = "packs"
    metric = "duration_ms"
    params_type = Params
    reference = "deflate-1"


def points(bench: Any = None, **settings: str) -> list[RunTarget]:
    """Return the points of a sweep of a bench."""
    return expand_sweep(LocatedBench(bench=bench or Packing(), address=EntryPointAddress("packing")), settings)


def measured(target: RunTarget, p50: float, **keys: Any) -> tuple[RunTarget, Summary]:
    """Return a target with the summary of its run."""
    summary = Summary(
        bench_id=target.bench_id,
        metric="duration_ms",
        unit="ms",
        p50=p50,
        p95=p50 * 2,
        n=1,
        timestamp="2026-01-01T00:00:00Z",
        **keys,
    )
    return target, summary


def test_without_a_list_there_is_one_point_and_it_is_the_bench_itself() -> None:
    (only,) = points(size="4K", level="1")
    assert (only.bench_id, only.name, only.point) == ("packing", "pack", None)
    assert only.params == msgspec.to_builtins(Params(size=4096, level=1))


def test_a_list_makes_a_point_of_every_value_with_the_value_in_its_id_and_in_its_name() -> None:
    found = [(each.bench_id, each.name, each.params) for each in points(size="4K,64K")]
    assert found == [
        ("packing[size=4096]", "pack-size-4096", msgspec.to_builtins(Params(size=4096))),
        ("packing[size=65536]", "pack-size-65536", msgspec.to_builtins(Params(size=65536))),
    ]


def test_several_lists_make_every_combination_named_in_the_order_of_the_parameters() -> None:
    found = [each.bench_id for each in points(level="1,9", tree="x", size="1K, 2K")]
    assert found == [
        "packing[size=1024,level=1]",
        "packing[size=1024,level=9]",
        "packing[size=2048,level=1]",
        "packing[size=2048,level=9]",
    ]


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({"exact": "true,false"}, ["packing[exact=true]", "packing[exact=false]"]),
        ({"mode": "fast,small"}, ["packing[mode=fast]", "packing[mode=small]"]),
        ({"tool": "zlib,brotli"}, ["packing[tool=zlib]", "packing[tool=brotli]"]),
    ],
)
def test_whatever_does_not_take_a_comma_can_be_listed(settings: dict[str, str], ids: list[str]) -> None:
    assert [each.bench_id for each in points(**settings)] == ids


@given(st.text())
def test_a_parameter_that_takes_commas_itself_stays_whole(path: str) -> None:
    (only,) = points(tree=f"a,{path}")
    assert only.params["tree"] == f"a,{path}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": "4K,many"}, "-p pack.size=many: expected `int`"),
        ({"level": "1,10"}, "-p pack.level=10: expected `int` <= 9"),
        ({"level": "1,"}, "-p pack.level=: expected `int`"),
        ({"levels": "1,2"}, "-p pack.levels: no such parameter; did you mean level?"),
        ({"size": "4K,4096"}, "packing[size=4096]: the sweep has the same point twice"),
        ({"size": ",".join(map(str, range(1, 1002)))}, "packing: a sweep of 1001 points; at most 1000 are run"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        points(**settings)
    assert str(refused.value).startswith(message)


def test_a_point_has_all_that_its_bench_has() -> None:
    class Own(Sized):
        reference = "packing/own-1"
        cross_reference = "memory-1"

    target = points(Own(), size="1,2")[0]
    check_names(target)
    assert (target.metric, target.kernel_id, target.cross_kernel_id) == ("duration_ms", "packing/own-1", "memory-1")
    assert target.point == Point(
        bench_id="packing", name="pack", varied={"size": 1}, size="archive_bytes", columns=("share", "files")
    )


@given(st.sets(st.integers(0, 9), min_size=2), st.sets(st.integers(0), min_size=2, max_size=9))
def test_ids_and_names_tell_all_points_apart(levels: set[int], sizes: set[int]) -> None:
    found = points(level=",".join(map(str, levels)), size=",".join(map(str, sizes)))
    assert len(found) == len(levels) * len(sizes)
    assert len({each.bench_id for each in found}) == len(found)
    assert len({each.name for each in found}) == len(found)


def test_a_picture_has_the_first_swept_parameter_against_the_median_and_a_line_for_every_other_value() -> None:
    found = points(size="2K,1K", level="1,9")
    (picture,) = build_plots([measured(target, number) for number, target in enumerate(found)])
    assert (picture.x_label, picture.y_label) == ("size", "duration_ms, p50 (ms)")
    assert [(line.label, line.x, line.y) for line in picture.lines] == [
        ("level=1", (1024, 2048), (2, 0)),
        ("level=9", (1024, 2048), (3, 1)),
    ]


def test_a_bench_names_its_axes_among_quantiles_parameters_phases_and_readings() -> None:
    class Named(Packing):
        axes = ("archive_bytes", "write")

    found = points(Named(), level="9,1")
    runs = [
        measured(target, 5, readings={"archive_bytes": size}, phases={"write": Phase(p50=size / 10, p95=size)})
        for target, size in zip(found, (10, 20), strict=True)
    ]
    (picture,) = build_plots(runs)
    assert (picture.x_label, picture.y_label) == ("archive_bytes", "write (ms)")
    drawn = [(line.label, line.x, line.y) for line in picture.lines]
    assert drawn == [("", (20, 10), (2, 1))]


class Sized(Packing):
    size = "archive_bytes"
    columns = ("share", "files")


def sized(figures: list[tuple[float, float]], bench: Any = None, **settings: str) -> list[tuple[RunTarget, Summary]]:
    """Return the points of a sweep of a bench that names its size, with their medians and sizes."""
    found = points(bench or Sized(), **settings)
    return [
        measured(target, p50, readings={"archive_bytes": size, "share": size / 64}, notes=f"busy; packed to {size:g}")
        for target, (p50, size) in zip(found, figures, strict=True)
    ]


def test_a_bench_that_names_its_size_is_drawn_as_its_median_against_that_with_the_front_marked() -> None:
    runs = sized([(1, 30), (3, 20), (2, 40), (4, 10)], tool="zlib,brotli", level="9,1")
    (picture,) = build_plots(runs)
    assert (picture.x_label, picture.y_label) == ("archive_bytes", "duration_ms, p50 (ms)")
    assert picture.front == ((10, 4), (20, 3), (30, 1))
    # A line joins what differs in a number only, and says which it is at each point.
    assert [(line.label, line.x, line.y, line.marks) for line in picture.lines] == [
        ("tool=zlib", (40, 30), (2, 1), ("level 1", "level 9")),
        ("tool=brotli", (10, 20), (4, 3), ("level 1", "level 9")),
    ]


def test_points_that_differ_in_a_word_or_a_switch_are_not_joined_to_a_line() -> None:
    (picture,) = build_plots(sized([(1, 30), (3, 20)], exact="true,false"))
    assert [(line.label, line.x, line.marks) for line in picture.lines] == [
        ("exact=true", (30,), ()),
        ("exact=false", (20,), ()),
    ]


def test_of_a_throughput_the_front_is_where_it_is_high() -> None:
    class Streamed(Sized):
        metric = "throughput_mbs"

    runs = [
        (target, replace(summary, metric="throughput_mbs", unit="MB/s"))
        for target, summary in sized([(1, 30), (3, 30), (2, 20)], Streamed(), level="1,2,3")
    ]
    assert pareto_flags(runs) == [False, True, True]


def test_other_axes_than_the_size_and_the_median_have_no_front_and_neither_has_a_bench_without_a_size() -> None:
    class Otherwise(Sized):
        axes = ("level", "archive_bytes")

    (picture,) = build_plots(sized([(1, 30), (3, 20)], Otherwise(), level="1,2"))
    assert picture.front == ()
    assert pareto_flags(sized([(1, 30), (3, 20)], Packing(), level="1,2")) is None
    assert pareto_flags([measured(target, 1) for target in points(Sized(), level="1,2")]) is None


def test_the_table_has_the_parameters_the_figures_and_a_mark_at_what_is_on_the_front() -> None:
    runs = sized([(1, 30), (3, 20), (2, 40), (4000, 10)], tool="zlib,brotli", level="1,9")
    assert sweep_table(runs, "out").splitlines() == [
        "packing, duration_ms, in out/bench-pack-*.json".replace("/", os.sep),
        "level  tool    p50 (ms)  p95 (ms)  n  archive_bytes   share  front",
        "    1  zlib           1         2  1             30  0.4688  *",
        "    1  brotli         3         6  1             20  0.3125  *",
        "    9  zlib           2         4  1             40   0.625",
        "    9  brotli     4,000     8,000  1             10  0.1562  *",
        "* on the front: no other point has both a better p50 and a smaller archive_bytes",
    ]
    assert notes_not_in_table(runs[0], "packed to 30") == "busy"


def test_the_table_of_a_bench_without_a_size_has_no_front_and_leaves_its_notes_whole() -> None:
    runs = sized([(1, 30), (3, 20)], Packing(), size="1K,2K")
    assert sweep_table(runs, "out").splitlines()[1:] == [
        "size  p50 (ms)  p95 (ms)  n",
        "1024         1         2  1",
        "2048         3         6  1",
    ]
    assert notes_not_in_table(runs[0], "packed to 30") == "busy; packed to 30"


def test_an_axis_that_no_summary_has_is_refused() -> None:
    target, summary = measured(points(level="1,2")[0], 1)
    with pytest.raises(UsageError, match=r"^--plot: packing\[level=1\] has no 'ratio' for an axis$"):
        axis_value(target, summary, "ratio")


def test_without_a_sweep_there_is_nothing_to_draw() -> None:
    with pytest.raises(UsageError, match=r"^--plot draws a sweep: "):
        require_sweep(points(level="1"))


BENCH = """
class Params(Struct, frozen=True, kw_only=True):
    steps: int = 1
    word: str = "a"

class Session:
    def __init__(self, params): self.params = params
    def sample(self): sum(range(self.params.steps * 1000))
    def verify(self): pass
    def readings(self): return {"left": 100 - self.params.steps, "steps_told": self.params.steps}

class Stepping:
    bench_id, name, about, metric, params_type = "stepping", "step", "steps", "duration_ms", Params
    def note(self, readings): return f"told {readings['steps_told']:g}"
    @contextmanager
    def open(self, params, place): yield Session(params)

stepping = Stepping()
"""


def test_a_run_of_a_sweep_writes_a_summary_a_point(bench_file: Callable[..., str], run: Run, tmp_path: Path) -> None:
    finished = run(bench_file(BENCH) + "::stepping", "-p", "step.steps=3,5", "-p", "step.word=a,b")
    assert (finished.returncode, finished.stderr) == (0, "")
    files = {path.name: json.loads(path.read_bytes()) for path in (tmp_path / "out").iterdir()}
    assert set(files) == {"bench-step-steps-3.json", "bench-step-steps-5.json"}
    summary = files["bench-step-steps-5.json"]
    assert summary["bench_id"] == "stepping[steps=5]"
    assert summary["params"] == {"steps": 5, "word": "a,b"}
    assert summary["readings"]["steps_told"] == 5
    assert "told 5" in summary["notes"]


def test_readings_that_are_no_numbers_fail_the_bench_in_one_line(bench_file: Callable[..., str], run: Run) -> None:
    finished = run(bench_file(BENCH.replace("self.params.steps}", '"many"}')))
    assert finished.returncode == 1
    assert re.search(r"^aether-bench: stepping: .*readings\(\): steps_told is 'many'", finished.stderr)
    assert len(finished.stderr.splitlines()) == 1


def test_a_plot_without_a_sweep_is_refused_before_anything_is_measured(
    bench_file: Callable[..., str], run: Run, tmp_path: Path
) -> None:
    finished = run(bench_file(BENCH), "--plot", "x.png")
    assert finished.returncode == 2
    assert finished.stderr.startswith("aether-bench: --plot draws a sweep: ")
    assert not (tmp_path / "out").exists()


def test_a_sweep_ends_with_its_table_and_a_single_point_beside_it_with_a_line(
    bench_file: Callable[..., str], aether_bench: Run
) -> None:
    other = "class Other(Stepping): bench_id, name, size = 'other', 'other', 'left'\nother = Other()\n"
    small = ("--rounds", "1", "--samples", "2", "--warmups", "0", "--out", "out")
    finished = aether_bench("run", bench_file(BENCH + other), "-p", "other.steps=3,500", *small)
    assert finished.returncode == 0
    single, table = finished.stdout.split("\n\n")
    assert re.search(r"^stepping +duration_ms .*bench-step.json$", single, re.MULTILINE)
    assert re.search(r"^  500 .*\*$", table, re.MULTILINE)
    assert re.search(r"^stepping: .*told 1$", table, re.MULTILINE)
    assert "told 500" not in table


def test_a_sweep_with_a_front_is_drawn(bench_file: Callable[..., str], run: Run, tmp_path: Path) -> None:
    sized = BENCH.replace("    def note", "    size = 'left'\n    def note")
    assert run(bench_file(sized), "-p", "step.steps=3,5000", "-p", "step.word=a", "--plot", "x.png").returncode == 0
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_is_drawn(bench_file: Callable[..., str], run: Run, tmp_path: Path) -> None:
    assert run(bench_file(BENCH), "-p", "step.steps=3,5", "--plot", "x.png").returncode == 0
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
