from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from aether_guard.check.recordings import read_recording
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN: dict[str, Any] = {"samples": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "reference": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]}


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., str]:
    """Write lines into a recording, objects as JSON and bytes as they are, and return its path."""

    def to_file(*lines: dict[str, Any] | bytes) -> str:
        path = tmp_path / "night.jsonl"
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
        return str(path)

    return to_file


def test_a_line_is_a_run_and_becomes_a_summary(record: Callable[..., str]) -> None:
    (run,) = read_recording(record(RUN))
    assert (run.bench_id, run.metric, run.unit, run.n) == ("night", "duration_ms", "ms", 6)
    assert (run.p50, run.p95) == (3.5, pytest.approx(5.75))
    assert run.samples == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert run.reference is not None
    assert run.reference.samples == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_every_line_is_read_and_empty_ones_are_passed_over(record: Callable[..., str]) -> None:
    assert len(read_recording(record(b"", RUN, b"  ", RUN, RUN, b""))) == 3


def test_a_line_says_which_bench_it_is_of_and_what_it_measures(record: Callable[..., str]) -> None:
    (run,) = read_recording(record({**RUN, "bench_id": "streaming", "metric": "throughput_mbs"}))
    assert (run.bench_id, run.unit, run.lower_is_better) == ("streaming", "MB/s", False)


def test_a_run_without_a_ruler_has_none(record: Callable[..., str]) -> None:
    (run,) = read_recording(record({"samples": RUN["samples"]}))
    assert run.reference is None
    assert run.cross_reference is None


def test_the_second_kernel_goes_with_its_run(record: Callable[..., str]) -> None:
    (run,) = read_recording(record({**RUN, "cross_reference": [[0.3], [0.31]]}))
    assert run.reference is not None
    assert run.cross_reference is not None
    assert run.cross_reference.samples == ((0.3,), (0.31,))
    assert run.cross_reference.kernel != run.reference.kernel


@pytest.mark.parametrize("switches", [[[0, 0, 0]], [[0, 0], [0, 0, 0]], [[0, 0, 0, 0], [0, 0, 0]], []])
def test_switches_of_another_shape_than_the_samples_are_refused(
    record: Callable[..., str], switches: list[list[int]]
) -> None:
    with pytest.raises(GuardError, match=r": line 1: samples, reference and involuntary_switches have not the same"):
        read_recording(record({**RUN, "involuntary_switches": switches}))


def test_a_line_over_the_limit_is_refused_without_reading_on(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jsonl"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(GuardError, match=r"sparse\.jsonl: line 1: over the limit of 67,108,864 bytes$"):
        read_recording(str(path))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
def test_a_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (str(tmp_path / "pipe.jsonl"), "/dev/zero"):
        with pytest.raises(GuardError, match=f"^{path}: not a regular file$"):
            read_recording(path)


def test_samples_during_which_the_cpu_was_taken_away_are_left_out_with_their_rulers(record: Callable[..., str]) -> None:
    (run,) = read_recording(record({**RUN, "involuntary_switches": [[0, 2, 0], [1, None, 0]]}))
    assert run.samples == ((1.0, 3.0), (5.0, 6.0))
    assert run.reference is not None
    assert run.reference.samples == ((0.1, 0.3), (0.5, 0.6))
    assert run.n == 4


def test_what_was_kept_after_retaking_outranks_what_came_first(record: Callable[..., str]) -> None:
    kept = {"samples": [[7.0, 8.0]], "reference": [[0.7, 0.8]]}
    (run,) = read_recording(record({**RUN, "kept": kept, "involuntary_switches": [[1, 1, 1], [1, 1, 1]]}))
    assert run.samples == ((7.0, 8.0),)
    assert run.n == 2


def test_a_folder_of_summaries_is_a_recording_too(write: Callable[..., str], tmp_path: Path) -> None:
    write("runs/1.json", p95=10)
    write("runs/2.json", p95=11)
    assert [run.p95 for run in read_recording(str(tmp_path / "runs"))] == [10, 11]


def test_an_invalid_summary_in_a_folder_is_named(write: Callable[..., str], tmp_path: Path) -> None:
    write("runs/1.json")
    (tmp_path / "runs" / "2.json").write_bytes(b"{")
    with pytest.raises(GuardError, match=r"2\.json: "):
        read_recording(str(tmp_path / "runs"))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"{", id="truncated"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b'{"samples": [["\xff"]]}', id="not UTF-8 within"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param({}, id="no samples"),
        pytest.param({"samples": []}, id="no rounds"),
        pytest.param({"samples": [[], []]}, id="empty rounds"),
        pytest.param({"samples": [[1.0, -1.0]]}, id="a negative sample"),
        pytest.param({"samples": [["fast"]]}, id="a sample that is no number"),
        pytest.param({"samples": [[1.0, 2.0]], "reference": [[1.0]]}, id="a ruler too short"),
        pytest.param({"samples": [[1.0]], "reference": [[0.0]]}, id="a ruler of no length"),
        pytest.param({**RUN, "involuntary_switches": [[0, 0, 0]]}, id="counts for one round only"),
        pytest.param({**RUN, "involuntary_switches": [[0] * 9, [0] * 9]}, id="more counts than samples"),
        pytest.param({**RUN, "involuntary_switches": [[1] * 3, [1] * 3]}, id="no sample undisturbed"),
        pytest.param({**RUN, "metric": "speed"}, id="an unknown metric"),
        pytest.param({**RUN, "metric": "value"}, id="a metric of no direction"),
        pytest.param({**RUN, "bench_id": "a\nb"}, id="a name of two lines"),
        pytest.param({**RUN, "bench_id": "x" * 1000}, id="a name too long"),
    ],
)
def test_a_line_that_is_no_run_is_refused_in_a_line_that_names_file_and_line(
    record: Callable[..., str], line: dict[str, Any] | bytes
) -> None:
    path = record(RUN, b"", line, RUN)
    with pytest.raises(GuardError) as caught:
        read_recording(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: line 3: ")
    assert message.isprintable()
    assert len(message) > len(f"{path}: line 3: ")


def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GuardError) as caught:
        read_recording(str(tmp_path / "absent.jsonl"))
    assert str(caught.value) == f"{tmp_path / 'absent.jsonl'}: no such file or directory"
