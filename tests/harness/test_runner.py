from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from aether_harness.measure.disturbance import TypicalDisturbance, attempts_limit
from aether_schema import read_summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aether_harness.measure.runner import RoundResult
    from aether_harness.worker.protocol import SampleTaken

    Run = Callable[..., subprocess.CompletedProcess[str]]
    BenchFile = Callable[..., str]
    Noted = Callable[[str], list[str]]

GOOD = """
@bench
def good():
    pass
"""

# A bench in full, one bad thing at a time: `{0}` stands where the thing happens.
IN_SAMPLE = """
@bench
def bad():
    {0}
    time.sleep(0.002)
"""
IN_SETUP = """
def opened():
    {0}
    yield

@bench(setup=opened)
def bad():
    time.sleep(0.002)
"""
IN_VERIFY = """
class NoParams(Struct):
    pass

class Session:
    def sample(self):
        time.sleep(0.002)
    def verify(self):
        {0}

class Bad:
    bench_id = name = "bad"
    about = "claims what it does not do"
    metric = "duration_ms"
    params_type = NoParams
    @contextmanager
    def open(self, params, place):
        yield Session()

bad = Bad()
"""

fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs to pin to"
)
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")


@pytest.fixture
def run_benches(run: Run, bench_file: BenchFile) -> Run:
    """Return a function that runs a file of benches, given as text, in no process besides the rounds."""
    return lambda text, *arguments, **how: run(bench_file(text), "--count", "none", *arguments, **how)


def summary_in(folder: Path, name: str = "mine") -> dict[str, Any]:
    """Return the summary a run has written, once the reader of summaries accepts it."""
    path = folder / "out" / f"bench-{name}.json"
    read_summary(str(path))
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


# Benches that misbehave.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(IN_SAMPLE.format("raise ValueError('no luck')"), "ValueError: no luck (mine.py:", id="raises"),
        pytest.param(IN_SAMPLE.format("raise BenchError('no\\nluck\\x1b')"), "no\\nluck\\x1b", id="raises over lines"),
        pytest.param(
            IN_SAMPLE.format("raise BenchError('caf\\udce9.txt')"), "caf\\udce9.txt", id="names an undecodable file"
        ),
        pytest.param(IN_SAMPLE.format("raise MemoryError"), "MemoryError", id="raises without a word"),
        pytest.param(IN_SAMPLE.format("bad()"), "RecursionError: ", id="recurses"),
        pytest.param(
            IN_SAMPLE.replace("@bench", "@bench(metric='throughput_mbs')").format("return None"),
            "sample() did not return the bytes it moved",
            id="moves nothing",
        ),
        pytest.param(
            IN_SAMPLE.replace("@bench", "@bench(metric='throughput_mbs')").format("return -1"),
            "moved_bytes is -1",
            id="moves less than nothing",
        ),
        pytest.param(IN_SAMPLE.format("return Sampled(elapsed_ns=-1)"), "elapsed_ns is -1", id="ends before it began"),
        pytest.param(IN_SAMPLE.format("return Sampled(cost=float('nan'))"), "cost is nan", id="costs no number"),
        pytest.param(IN_SAMPLE.format("return Sampled(cost='much')"), "cost is 'much'", id="costs a word"),
        pytest.param(
            IN_SAMPLE.format("return Sampled(phases_ns={'walk': 0.5})"), "walk is 0.5", id="takes half a nanosecond"
        ),
        pytest.param(
            IN_SAMPLE.format("return (row for row in range(9))"),
            "sample() returned a generator, whose code has not run: iterate over it in the bench",
            id="returns a generator",
        ),
        pytest.param(
            IN_SAMPLE.format("return asyncio.sleep(9)"),
            "sample() returned a coroutine, whose code has not run: await it in the bench",
            id="returns a coroutine",
        ),
        pytest.param(IN_SAMPLE.format("time.sleep(600)"), "no answer within 5 s", id="hangs"),
        pytest.param(IN_SAMPLE.format("print('hello')"), "sample() printed to the standard output", id="prints"),
        pytest.param(
            IN_SAMPLE.format("os.write(1, b'hello')"),
            "sample() printed to the standard output",
            id="prints beneath Python",
        ),
        pytest.param(
            IN_SAMPLE.format("os.system('echo hello')"),
            "sample() printed to the standard output",
            id="lets another print",
        ),
        pytest.param(
            IN_SAMPLE.format("os.sched_setaffinity(0, {min(os.sched_getaffinity(os.getppid()))})"),
            "sample() changed the CPUs it may run on from ",
            id="moves to another CPU",
            marks=affinity,
        ),
        pytest.param(
            IN_SAMPLE.format("if os.fork() == 0: return"), "sample() forked this process", id="forks", marks=fork
        ),
        pytest.param(IN_SAMPLE.format("os._exit(3)"), "the worker exited with status 3", id="exits at once"),
        pytest.param(IN_SAMPLE.format("sys.exit('bye')"), "SystemExit: bye", id="exits"),
        pytest.param(
            IN_SAMPLE.format("os.kill(os.getpid(), signal.SIGKILL)"),
            "the worker was killed by SIGKILL",
            id="is killed",
            marks=posix,
        ),
        pytest.param(IN_SAMPLE.format("raise KeyboardInterrupt"), "KeyboardInterrupt", id="interrupts itself"),
        pytest.param(
            IN_SETUP.format("raise BenchError('no such tree')"), "set-up: no such tree", id="cannot be set up"
        ),
        pytest.param(IN_SETUP.format("time.sleep(600)"), "set-up: no answer within 5 s", id="hangs in set-up"),
        pytest.param(IN_SETUP.format("return"), "set-up: RuntimeError: generator didn't yield", id="does not yield"),
        pytest.param(
            IN_VERIFY.format("raise BenchError('5 of 6 files')"),
            "verification: 5 of 6 files",
            id="fails its verification",
        ),
        pytest.param(IN_VERIFY.format("assert 1 == 2"), "verification: AssertionError", id="is not what it claims"),
    ],
)
def test_a_bench_that_misbehaves_fails_in_one_line_with_its_round_and_the_others_go_on(
    run_benches: Run, tmp_path: Path, run_processes: Callable[[], list[int]], text: str, words: str
) -> None:
    limits = ("--timeout", "5") if "sleep(600)" in text else ()
    done = run_benches(text + GOOD, *limits)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("aether-bench: bad: round 1: ")
    assert words in lines[0]
    assert (done.returncode, done.stdout) == (1, "")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["bench-good.json"]
    assert summary_in(tmp_path, "good")["bench_id"] == "good"
    assert run_processes() == []
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    "text", [IN_SAMPLE.format("raise ValueError('x' * 5_000_000)"), "raise ValueError('x' * 5_000_000)"]
)
def test_only_the_start_of_a_huge_error_is_shown(run_benches: Run, text: str) -> None:
    done = run_benches(text)
    assert "ValueError: xxx" in done.stderr
    assert len(done.stderr) < 1000


def test_a_failure_in_a_later_round_names_it_and_leaves_the_old_summary(run_benches: Run, tmp_path: Path) -> None:
    fails_in_round_2 = IN_SETUP.format("note('rounds')\n    assert len(open(NOTES + '/rounds').readlines()) != 2")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "bench-bad.json").write_text("an old one", encoding="utf-8")
    done = run_benches(fails_in_round_2 + GOOD, "--rounds", "3")
    assert done.returncode == 1
    assert done.stderr.startswith("aether-bench: bad: round 2: set-up: AssertionError")
    assert (tmp_path / "out" / "bench-bad.json").read_text(encoding="utf-8") == "an old one"
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["bench-bad.json", "bench-good.json"]
    assert len(summary_in(tmp_path, "good")["samples"]) == 3


@pytest.mark.parametrize("own_session", [False, True], ids=["in its group", "in a session of its own"])
def test_what_a_bench_starts_and_leaves_behind_ends_with_its_round(
    run_benches: Run,
    noted: Noted,
    is_running: Callable[[int], bool],
    eventually: Callable[..., Any],
    *,
    own_session: bool,
) -> None:
    sleeper = f"[sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session={own_session}"
    done = run_benches(IN_SETUP.format(f"note('pid', subprocess.Popen({sleeper}).pid)"))
    assert done.returncode == 0, done.stderr
    (pid,) = map(int, noted("pid"))
    assert eventually(lambda: not is_running(pid))


@fork
def test_a_child_that_a_set_up_forked_does_not_go_on_as_a_second_worker(
    run_benches: Run, tmp_path: Path, noted: Noted, run_processes: Callable[[], list[int]]
) -> None:
    text = IN_SETUP.format("os.fork()").replace("def bad():", "def mine():\n    note('pid', os.getpid())")
    done = run_benches(text)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(set(noted("pid"))) == 1
    assert summary_in(tmp_path)["n"] == 2
    assert run_processes() == []


def test_what_a_bench_complains_of_on_the_error_stream_is_no_part_of_a_good_runs_output(run_benches: Run) -> None:
    done = run_benches(IN_SAMPLE.format("print('a warning', file=sys.stderr)"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_bench_that_reads_its_input_finds_it_empty(run_benches: Run) -> None:
    assert run_benches(IN_SAMPLE.format("assert sys.stdin.read() == ''")).returncode == 0


# What a round is.


def test_every_round_is_a_fresh_process_and_takes_its_warmups_and_samples(
    run_benches: Run, noted: Noted, tmp_path: Path
) -> None:
    assert (
        run_benches(
            IN_SETUP.format("note('pid', os.getpid())").replace("def bad", "def mine"),
            "--rounds",
            "3",
            "--samples",
            "4",
            "--warmups",
            "2",
        ).returncode
        == 0
    )
    assert len(set(noted("pid"))) == len(noted("pid")) == 3
    summary = summary_in(tmp_path)
    assert [len(values) for values in summary["samples"]] == [4, 4, 4]
    assert [len(values) for values in summary["reference"]["samples"]] == [4, 4, 4]
    assert [len(values) for values in summary["cross_reference"]["samples"]] == [1, 1, 1]
    assert len(summary["rounds"]) == 3
    assert summary["n"] == 12


def test_the_rounds_of_several_benches_take_turns_in_an_order_that_the_seed_repeats(
    run_benches: Run, noted: Noted
) -> None:
    first, second = (IN_SETUP.format(f"note('order', '{name}')").replace("bad", name) for name in ("one", "two"))
    text = first + second.replace("opened", "opened_too")
    for _ in range(2):
        assert run_benches(text, "--rounds", "3", "--samples", "1", "--seed", "3").returncode == 0
    order = noted("order")
    assert order[:6] == order[6:]
    assert all({first, second} == {"one", "two"} for first, second in zip(order[::2], order[1::2], strict=True))
    assert len(set(zip(order[::2], order[1::2], strict=True))) == 2


def test_the_garbage_collector_is_held_off_during_a_sample_alone(run_benches: Run, noted: Noted) -> None:
    noting = IN_SETUP.format("note('set-up', gc.isenabled())")
    assert run_benches(noting.replace("time.sleep", "note('sample', gc.isenabled()); time.sleep")).returncode == 0
    assert set(noted("set-up")) == {"True"}
    assert set(noted("sample")) == {"False"}


@affinity
def test_the_worker_is_pinned_to_a_cpu_that_its_parent_stays_off(
    run_benches: Run, noted: Noted, tmp_path: Path
) -> None:
    thing = "note('own', sorted(os.sched_getaffinity(0))); note('parent', sorted(os.sched_getaffinity(os.getppid())))"
    assert run_benches(IN_SETUP.format(thing).replace("def bad", "def mine")).returncode == 0
    own, parent = (json.loads(noted(name)[0]) for name in ("own", "parent"))
    assert len(own) == 1
    assert not set(own) & set(parent)
    environment = summary_in(tmp_path)["environment"]
    assert (environment["worker_cpus"], environment["companion_cpus"]) == (own, parent)


@affinity
def test_the_first_of_the_wanted_cpus_is_the_workers(run_benches: Run, noted: Noted) -> None:
    first, second = sorted(os.sched_getaffinity(0))[:2]
    text = IN_SETUP.format("note('own', sorted(os.sched_getaffinity(0)))")
    for wanted in ((first, second), (second, first)):
        assert run_benches(text, "--cpus", f"{wanted[0]},{wanted[1]}").returncode == 0
    assert noted("own") == [f"[{first}]", f"[{second}]"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that pins")
def test_on_one_cpu_a_run_works_and_says_so(run_benches: Run, tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    narrow = f"import os, sys; os.sched_setaffinity(0, {{{cpu}}}); os.execv(sys.argv[1], sys.argv[1:])"
    done = run_benches(GOOD.replace("good", "mine"), before=[sys.executable, "-c", narrow])
    assert (done.returncode, done.stderr) == (0, "")
    summary = summary_in(tmp_path)
    assert f"one CPU only: the worker shares CPU {cpu} with everything it starts" in summary["notes"]
    assert summary["environment"]["worker_cpus"] == summary["environment"]["companion_cpus"] == [cpu]


# What a sample is.


def test_a_tiny_operation_is_batched_and_its_figures_are_per_iteration(run_benches: Run, tmp_path: Path) -> None:
    assert run_benches(GOOD.replace("good", "mine"), "--rounds", "2").returncode == 0
    summary = summary_in(tmp_path)
    assert summary["iterations"] > 100
    assert f"each sample is {summary['iterations']} iterations, figures are per iteration" in summary["notes"]
    # An empty function, and nothing of the book-keeping around it: far below 0.1 ms.
    assert 0 < summary["p50"] < 0.1


def test_a_long_operation_is_not_batched(run_benches: Run, tmp_path: Path) -> None:
    assert run_benches(IN_SAMPLE.format("pass").replace("def bad", "def mine")).returncode == 0
    summary = summary_in(tmp_path)
    assert summary["iterations"] == 1
    assert summary["p50"] >= 2
    assert "iterations" not in summary.get("notes", "")


def test_an_operation_that_needs_preparing_is_prepared_before_every_sample_and_never_batched(
    run_benches: Run, tmp_path: Path
) -> None:
    prepared = IN_VERIFY.format("assert self.samples > 0").replace(
        "        time.sleep(0.002)",
        "        self.samples += 1; assert self.ready; self.ready = False\n"
        "    samples, ready = 0, False\n"
        "    def prepare(self):\n"
        "        self.ready = True",
    )
    done = run_benches(prepared.replace('name = "bad"', 'name = "mine"'))
    assert (done.returncode, done.stderr) == (0, "")
    assert summary_in(tmp_path)["iterations"] == 1


def test_a_throughput_is_the_bytes_moved_over_the_time_taken(run_benches: Run, tmp_path: Path) -> None:
    assert (
        run_benches(
            "@bench(metric='throughput_mbs')\ndef mine():\n    time.sleep(0.01)\n    return 1_000_000"
        ).returncode
        == 0
    )
    summary = summary_in(tmp_path)
    assert (summary["metric"], summary["unit"]) == ("throughput_mbs", "MB/s")
    # A million bytes in at least 10 ms; in 100 ms and more only on a machine that is hardly there.
    assert 1 < summary["p50"] <= 100


def test_phases_are_recorded_in_milliseconds(run_benches: Run, tmp_path: Path) -> None:
    text = (
        "@bench\ndef mine():\n    time.sleep(0.002)\n    return Sampled(phases_ns={'walk': 500_000, 'hash': 1_500_000})"
    )
    assert run_benches(text).returncode == 0
    assert summary_in(tmp_path)["phases"] == {"walk": {"p50": 0.5, "p95": 0.5}, "hash": {"p50": 1.5, "p95": 1.5}}


def test_a_coroutine_is_measured_without_the_event_loop_around_it(run_benches: Run, tmp_path: Path) -> None:
    assert run_benches("@bench\nasync def mine():\n    await asyncio.sleep(0.003)").returncode == 0
    assert summary_in(tmp_path)["p50"] >= 3


def test_the_ruler_is_the_kernel_that_the_bench_names(run_benches: Run, tmp_path: Path) -> None:
    assert run_benches("@bench(reference='memory-1')\ndef mine():\n    time.sleep(0.002)").returncode == 0
    summary = summary_in(tmp_path)
    assert summary["reference"]["kernel"] == "memory-1"
    assert summary["cross_reference"]["kernel"] == "interpreter-1"
    assert all(value > 0 for values in summary["reference"]["samples"] for value in values)


OWN_RULER = """
class Session:
    {0}
    def sample(self):
        time.sleep(0.002)
    def verify(self):
        pass

class Params(Struct):
    pass

class Mine:
    bench_id = name = "mine"
    about = "brings its rulers"
    metric = "duration_ms"
    reference, cross_reference = "mine/sum-1", "mine/count-1"
    params_type = Params
    @contextmanager
    def open(self, params, place):
        yield Session()

mine = Mine()
"""


def test_a_session_may_bring_its_rulers_which_are_woken_and_timed(
    run_benches: Run, noted: Noted, tmp_path: Path
) -> None:
    brought = "rulers = {'mine/sum-1': lambda: sum(range(10**4)), 'mine/count-1': lambda: len(str(9**999))}"
    assert run_benches(OWN_RULER.format(brought + "; wake = staticmethod(lambda: note('woken'))")).returncode == 0
    summary = summary_in(tmp_path)
    assert [summary[key]["kernel"] for key in ("reference", "cross_reference")] == ["mine/sum-1", "mine/count-1"]
    assert all(value > 0 for values in summary["reference"]["samples"] for value in values)
    assert len(noted("woken")) >= summary["n"]


@pytest.mark.parametrize("brought", ["", "rulers = {'mine/sum-1': lambda: 1}"])
def test_a_ruler_that_the_session_does_not_bring_is_a_line(run_benches: Run, brought: str) -> None:
    done = run_benches(OWN_RULER.format(brought))
    assert done.returncode == 1
    assert "round 1: set-up: reference 'mine/" in done.stderr
    assert done.stderr.endswith("`rulers` of the session has no such id\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_rounds_cost_is_recorded(run_benches: Run, tmp_path: Path) -> None:
    assert run_benches(GOOD.replace("good", "mine")).returncode == 0
    (usage,) = summary_in(tmp_path)["rounds"]
    assert usage["peak_memory_bytes"] > 2**20
    assert usage["user_cpu_s"] > 0
    assert usage["system_cpu_s"] >= 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs counts of a thread's context switches")
def test_a_worker_whose_cpu_others_want_too_ends_in_time_and_says_how_it_fared(
    run_benches: Run, tmp_path: Path
) -> None:
    spins = "@bench\ndef mine():\n    end = time.process_time() + 0.02\n    while time.process_time() < end: pass"
    cpu = max(os.sched_getaffinity(0))
    # It goes first as the worker does, or it would get nothing from it where the worker may.
    spin = (
        "import sys, psutil; from aether_harness.machine.affinity import raise_priority; raise_priority(); "
        "psutil.Process().cpu_affinity([int(sys.argv[1])]); "
        "print(flush=True)\n"
        "while True: pass"
    )
    hog = [sys.executable, "-c", spin, str(cpu)]
    with subprocess.Popen(hog, start_new_session=True, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            running.stdout.readline()
            done = run_benches(spins, "--samples", "3")
        finally:
            running.kill()
    assert (done.returncode, done.stderr) == (0, "")
    summary = summary_in(tmp_path)
    assert summary["n"] == 3
    assert 0 < summary["disturbed"] <= attempts_limit(3) - 3
    assert "busy machine: " in summary["notes"]


OWN_THREAD = """
import threading, time

wanted = threading.Event()
numbers = iter(range(10**6))

def compete():
    while True:
        wanted.wait()
        ends = time.thread_time() + 0.02
        while time.thread_time() < ends: pass
        wanted.clear()

threading.Thread(target=compete, daemon=True).start()

@bench
def mine():
    if next(numbers) % 5 == 0:
        wanted.set()
    ends = time.thread_time() + 0.02
    while time.thread_time() < ends: pass
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs counts of a thread's context switches")
def test_a_tail_that_the_benchs_own_thread_causes_is_kept(run_benches: Run, tmp_path: Path) -> None:
    done = run_benches(OWN_THREAD, "--samples", "20")
    assert (done.returncode, done.stderr) == (0, "")
    (values,) = summary_in(tmp_path)["samples"]
    # Every fifth operation shares the CPU with a thread that wants as much of it.
    assert sum(value > 30 for value in values) >= 3


# What a round keeps. Pure.


def test_a_round_keeps_the_undisturbed_samples(
    taken: Callable[..., SampleTaken], round_of: Callable[..., RoundResult]
) -> None:
    robbed = taken(9.0, involuntary_switches=3)
    record = round_of(taken(1.0), robbed, taken(2.0), wanted=2)
    assert [kept.value for kept in record.samples] == [1.0, 2.0]
    assert (record.retaken, record.kept_disturbed) == (1, 0)


def test_a_round_with_too_few_undisturbed_samples_keeps_the_least_disturbed_and_counts_them(
    taken: Callable[..., SampleTaken], round_of: Callable[..., RoundResult]
) -> None:
    attempts = [taken(value, involuntary_switches=switches) for value, switches in ((1.0, 9), (2.0, 1), (3.0, 0))]
    record = round_of(*attempts, wanted=2)
    assert [kept.value for kept in record.samples] == [2.0, 3.0]
    assert (record.retaken, record.kept_disturbed) == (1, 1)


def test_a_round_does_not_hold_against_samples_what_is_usual(
    taken: Callable[..., SampleTaken], round_of: Callable[..., RoundResult]
) -> None:
    record = round_of(
        *(taken(1.0, involuntary_switches=1) for _ in range(3)), usual=TypicalDisturbance(involuntary_switches=2)
    )
    assert (record.retaken, record.kept_disturbed) == (0, 0)
