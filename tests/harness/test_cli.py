from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness import __version__
from aether_harness.measure.aa_study import GATES, RULES
from aether_schema import read_summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]
    Started = Callable[..., subprocess.Popen[str]]
    BenchFile = Callable[..., str]
    Noted = Callable[[str], list[str]]
    Eventually = Callable[..., Any]
    Processes = Callable[[], list[int]]

EMPTY = "@bench\ndef mine():\n    pass\n"
# Notes each sample, so that a test knows when a run is under way.
NOTING = "@bench\ndef mine():\n    note('sample')\n    time.sleep(0.005)\n"
ENDLESS = ("--rounds", "1", "--samples", "1000000", "--warmups", "0")
PYTHON = f'"{sys.executable}" -c'

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
needs_full_device = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


@pytest.fixture
def under_way(
    started: Started, bench_file: BenchFile, noted: Noted, eventually: Eventually, run_processes: Processes
) -> subprocess.Popen[str]:
    """Return a quiet run that would go on for hours and has begun to take samples."""
    running = started("run", bench_file(NOTING), *ENDLESS, "--out", "out", "--quiet")
    eventually(lambda: len(noted("sample")) > 5)
    assert len(run_processes()) >= 2
    return running


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Hold that the command ended with status 2, one line on the error stream, and nothing measured."""
    lines = done.stderr.splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("aether-bench: ")
    assert all(word in lines[0] for word in words), done.stderr
    assert done.stdout == ""


# run


def test_a_run_prints_its_seed_its_rounds_and_a_table_and_writes_a_summary(
    aether_bench: Run, bench_file: BenchFile, tmp_path: Path
) -> None:
    small = ("--rounds", "2", "--samples", "2", "--warmups", "0", "--seed", "7")
    done = aether_bench("run", bench_file(EMPTY), *small, "--out", "new/folder")
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert said[0].startswith("seed 7; ")
    assert [line.partition(": p50 ")[0] for line in said[1:]] == ["mine: round 1 of 2", "mine: round 2 of 2"]
    table = done.stdout.splitlines()
    assert table[0].split() == ["bench", "metric", "p50", "p95", "n", "unit", "file"]
    path = os.path.join("new/folder", "bench-mine.json")
    assert table[1].split()[:2] + table[1].split()[4:] == ["mine", "duration_ms", "4", "ms", path]
    assert read_summary(str(tmp_path / path)).n == 4


def test_a_quiet_run_prints_nothing(run: Run, bench_file: BenchFile) -> None:
    done = run(bench_file(EMPTY))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_may_hold_several_benches_of_which_one_can_be_run_alone(
    run: Run, bench_file: BenchFile, tmp_path: Path
) -> None:
    file = bench_file(EMPTY + EMPTY.replace("mine", "other"))
    assert run(f"{file}::other").returncode == 0
    assert os.listdir(tmp_path / "out") == ["bench-other.json"]
    assert run(file).returncode == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["bench-mine.json", "bench-other.json"]


def test_a_file_finds_what_lies_beside_it_wherever_it_is_run_from(
    run: Run, bench_file: BenchFile, tmp_path: Path
) -> None:
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart" / "neighbour.py").write_text("VALUE = 1\n", encoding="utf-8")
    file = bench_file(f"import neighbour\n{EMPTY}", name=os.path.join("apart", "mine.py"))
    done = run(file)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("packagin",), ("packagin: no such bench; did you mean packaging?",)),
        (("xyz",), ("xyz: no such bench; known: ", "packaging", "streaming")),
        (("sorting", "-p", "sort.coun=1"), ("-p sort.coun: no such parameter; did you mean count?",)),
        (("sorting", "-p", "sort.count=many"), ("-p sort.count=many: expected `int`",)),
        (("sorting", "-p", "srt.count=1"), ("-p srt.…: no such bench in this run; did you mean sort?",)),
        (("sorting", "--rounds", "0"), ("--rounds and --samples take at least 1",)),
        (("missing.py",), ("missing.py: no such file",)),
        (("--exec", "tool 'unclosed"), ("--exec tool 'unclosed: no closing quotation",)),
        (("--exec", "a x", "--exec", "a y"), ("two benches are named a",)),
        (("--exec", "a", "--name", "../b"), ("the short name '../b' takes letters",)),
    ],
)
def test_a_run_that_makes_no_sense_is_refused_in_a_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_refused(run(*arguments), *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise ValueError('no luck')", "mine.py:10: ValueError: no luck"),
        (EMPTY.replace("@bench", "@bench(metrics='duration_ms')"), "metrics"),
        (EMPTY.replace("@bench", "@bench(metric='duration')"), "duration"),
        (EMPTY.replace("@bench", "@bench(reference='interpreter')"), "did you mean interpreter-1?"),
        (EMPTY.replace("pass", "yield"), "mine.py:10: mine is a generator function: "),
        (EMPTY.replace("def", "async def").replace("pass", "yield"), "mine.py:10: mine is a generator function: "),
    ],
)
def test_a_file_that_holds_no_proper_bench_is_refused_in_a_line(
    run: Run, bench_file: BenchFile, text: str, words: str
) -> None:
    assert_refused(run(bench_file(text)), "mine", words)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ("bench_id = 'a\\nb'", "bench_id"),
        ("bench_id = 7", "bench_id"),
        ("params_type = dict", "params_type"),
    ],
)
def test_a_bench_whose_attributes_make_no_sense_is_refused_before_anything_is_measured(
    run: Run, bench_file: BenchFile, tmp_path: Path, attributes: str, words: str
) -> None:
    text = f"""
class NoParams(Struct):
    pass

class Session:
    def sample(self):
        pass
    def verify(self):
        pass

class Mine:
    bench_id, name, about, metric, params_type = "mine", "mine", "a bench", "duration_ms", NoParams
    {attributes}
    @contextmanager
    def open(self, params, place):
        note("opened")
        yield Session()

mine = Mine()
"""
    assert_refused(run(bench_file(text)), words)
    assert os.listdir(tmp_path / "notes") == []


def test_a_bench_of_a_file_that_it_has_not_is_refused(run: Run, bench_file: BenchFile) -> None:
    assert_refused(run(f"{bench_file(EMPTY)}::other"), "mine.py::other: no bench other")


def test_a_cpu_that_is_not_there_is_refused(run: Run, bench_file: BenchFile) -> None:
    assert_refused(run(bench_file(EMPTY), "--cpus", "99999"), "--cpus: ")


@pytest.mark.parametrize(
    "arguments", [("--cpus", "0,"), ("--timeout", "0"), ("--timeout", "nan"), ("--profile", "huge")]
)
def test_an_option_that_cannot_be_read_is_refused_by_its_name(
    run: Run, bench_file: BenchFile, arguments: tuple[str, str]
) -> None:
    done = run(bench_file(EMPTY), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[0] in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_out_that_is_a_file_is_refused_before_anything_is_measured(
    run: Run, bench_file: BenchFile, tmp_path: Path, noted: Noted
) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    assert_refused(run(bench_file(NOTING), "--out", "taken"), "--out taken: ")
    assert_refused(run("mine.py", "--out", "taken/below"), "--out taken/below: ")
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"
    assert noted("sample") == []


def test_a_summary_that_cannot_be_written_is_one_line_and_the_others_are_written(
    run: Run, bench_file: BenchFile, tmp_path: Path
) -> None:
    (tmp_path / "out" / "bench-mine.json" / "in the way").mkdir(parents=True)
    done = run(bench_file(EMPTY + EMPTY.replace("mine", "other")))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"aether-bench: {os.path.join('out', 'bench-mine.json')}: ")
    assert sorted(os.listdir(tmp_path / "out")) == ["bench-mine.json", "bench-other.json"]


@needs_full_device
def test_output_that_cannot_be_written_is_one_line_and_status_1(
    aether_bench: Run,
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = aether_bench("list", stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr == "aether-bench: the output cannot be written: no space left on device\n"


@posix
def test_a_reader_of_the_output_that_goes_away_is_no_traceback(aether_bench: Run) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = aether_bench("list", stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


# run --exec


def test_a_command_is_a_bench_named_after_its_program(run: Run, tmp_path: Path) -> None:
    done = run("--exec", f"{PYTHON} pass")
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = os.listdir(tmp_path / "out")
    assert file.startswith("bench-python")
    summary = read_summary(str(tmp_path / "out" / file))
    assert summary.metric == "duration_ms"
    assert summary.params == {"command": f"{PYTHON} pass"}


def test_several_commands_have_a_name_each(run: Run, tmp_path: Path) -> None:
    done = run("--exec", f"{PYTHON} pass", "--name", "one", "--exec", f"{PYTHON} 'print(1)'", "--name", "two")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(os.listdir(tmp_path / "out")) == ["bench-one.json", "bench-two.json"]


def test_a_command_that_fails_and_one_that_is_missing_are_a_line_each_and_the_others_go_on(
    run: Run, tmp_path: Path
) -> None:
    fails = f"""{PYTHON} 'import sys; print("what for"); print("one"); sys.exit("no luck")'"""
    commands = {"fails": fails, "missing": "no-such-tool -x", "good": f"{PYTHON} pass"}
    arguments = [part for name, command in commands.items() for part in ("--exec", command, "--name", name)]
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    failed, missing = done.stderr.splitlines()
    assert failed.startswith("aether-bench: fails: round 1: ")
    assert failed.endswith(": exit status 1: no luck")
    assert missing.startswith("aether-bench: missing: round 1: ")
    assert "no-such-tool: no such file" in missing
    assert os.listdir(tmp_path / "out") == ["bench-good.json"]


def test_a_command_that_hangs_is_ended(run: Run, run_processes: Processes, tmp_path: Path) -> None:
    done = run("--exec", f"{PYTHON} 'import time; time.sleep(600)'", "--timeout", "1")
    assert done.returncode == 1
    assert done.stderr.endswith("no answer within 1 s\n")
    assert run_processes() == []
    assert os.listdir(tmp_path / "out") == []


# Being interrupted.


@posix
@pytest.mark.parametrize(
    ("name", "word"), [("SIGINT", "interrupted"), ("SIGTERM", "terminated"), ("SIGHUP", "hung up")]
)
def test_an_interrupted_run_ends_in_one_line_and_leaves_no_process_and_no_file(
    under_way: subprocess.Popen[str], run_processes: Processes, tmp_path: Path, name: str, word: str
) -> None:
    signalled = signal.Signals[name]
    if signal.getsignal(signalled) == signal.SIG_IGN:
        pytest.skip("whoever started the tests has them pass this signal over, and so does what they start")
    os.killpg(under_way.pid, signalled)
    stdout, stderr = under_way.communicate(timeout=240)
    assert (under_way.returncode, stdout, stderr) == (128 + signalled, "", f"aether-bench: {word}\n")
    assert run_processes() == []
    assert os.listdir(tmp_path / "out") == []
    assert os.listdir(tmp_path / "scratch") == []


def test_killing_the_run_itself_leaves_no_worker_and_the_next_run_removes_its_folder(
    under_way: subprocess.Popen[str], run: Run, run_processes: Processes, eventually: Eventually, tmp_path: Path
) -> None:
    under_way.kill()
    under_way.communicate(timeout=240)
    assert eventually(lambda: not run_processes())
    assert os.listdir(tmp_path / "scratch") != []
    assert run("--exec", f"{PYTHON} pass").returncode == 0
    assert os.listdir(tmp_path / "scratch") == []


@posix
def test_killing_the_worker_fails_its_bench_in_one_line(under_way: subprocess.Popen[str]) -> None:
    (worker,) = psutil.Process(under_way.pid).children()
    worker.kill()
    _, stderr = under_way.communicate(timeout=240)
    assert under_way.returncode == 1
    (line,) = stderr.splitlines()
    assert line.startswith("aether-bench: mine: round 1: sample ")
    assert line.endswith(": the worker was killed by SIGKILL")


def test_a_defect_of_the_command_is_one_line_and_status_2(
    aether_bench: Run, run_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import secrets\nsecrets.token_hex = None\n", encoding="utf-8")
    run_env["PYTHONPATH"] = str(tmp_path)
    done = aether_bench("run", "sorting", "--out", "out")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("aether-bench: unexpected error, please report it: TypeError: ")


# list


def test_the_installed_benches_are_listed_with_their_parameters(aether_bench: Run) -> None:
    done = aether_bench("list")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split()[:4] for line in done.stdout.splitlines()]
    assert ["packaging", "pack", "duration_ms", "archive-1"] in rows
    assert ["streaming", "stream", "throughput_mbs", "streaming/limit-3"] in rows
    assert "  -p pack.files=100" in done.stdout.splitlines()
    assert "  -p pack.tree=" in done.stdout.splitlines()


def test_a_bench_of_a_third_party_is_listed(aether_bench: Run) -> None:
    lines = aether_bench("list").stdout.splitlines()
    assert any(line.split()[:3] == ["sorting", "sort", "duration_ms"] for line in lines)
    assert "  -p sort.count=1000" in lines


def test_a_bench_of_a_third_party_runs(run: Run, tmp_path: Path) -> None:
    done = run("sorting", "-p", "sort.count=500")
    assert (done.returncode, done.stderr) == (0, "")
    summary = read_summary(str(tmp_path / "out" / "bench-sort.json"))
    assert (summary.bench_id, summary.params) == ("sorting", {"count": 500})


def test_other_parameters_do_not_replace_the_default_summary(run: Run, tmp_path: Path) -> None:
    assert run("sorting").returncode == 0
    before = (tmp_path / "out" / "bench-sort.json").read_bytes()
    for _ in range(2):
        assert run("sorting", "-p", "sort.count=500").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "bench-sort-count-500.json",
        "bench-sort.json",
    ]
    assert read_summary(str(tmp_path / "out" / "bench-sort-count-500.json")).bench_id == "sorting[count=500]"
    assert (tmp_path / "out" / "bench-sort.json").read_bytes() == before


def test_a_folder_stands_for_its_bench_files(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    (folder / "io").mkdir(parents=True)
    text = "from aether_harness import bench\n\n@bench\ndef parse(size: int = 10):\n    sum(range(size))\n"
    (folder / "a.py").write_text(text)
    (folder / "io" / "b.py").write_text(text)
    (folder / "setup.py").write_text("raise SystemExit('not a bench file')\n")
    done = run(str(folder), "-p", "a-parse.size=20")
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["bench-a-parse.json", "bench-b-parse.json"]
    summary = read_summary(str(tmp_path / "out" / names[0]))
    assert (summary.bench_id, summary.params) == ("a/parse", {"size": 20})


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("./nothing", "./nothing: no such file or folder"),
        ("./empty", "./empty: no file in this folder has a function under @bench"),
        ("sortin", "sortin: no such bench; did you mean sorting?"),
        ("bench.py::pars", "bench.py::pars: no bench pars; did you mean parse?"),
    ],
)
def test_a_name_without_benches_is_one_line(
    aether_bench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bench.py").write_text("from aether_harness import bench\n\n@bench\ndef parse():\n    pass\n")
    done = aether_bench("run", name)
    assert (done.returncode, done.stderr) == (2, f"aether-bench: {problem}\n")


def test_max_time_leaves_one_round_per_bench(run: Run, tmp_path: Path) -> None:
    done = run("sorting", "--rounds", "50", "--max-time", "0.001")
    assert (done.returncode, done.stderr) == (0, "")
    summary = read_summary(str(tmp_path / "out" / "bench-sort.json"))
    assert summary.samples is not None
    assert len(summary.samples) == 1
    assert "1 of 50 rounds, bounded by --max-time" in (summary.notes or "")


# doctor


def test_the_doctor_looks_and_changes_nothing(aether_bench: Run, tmp_path: Path) -> None:
    done = aether_bench("doctor")
    assert done.returncode == 0
    assert done.stderr == "looking at this machine for 1 s\n"
    lines = done.stdout.splitlines()
    if lines[-1].endswith("found; nothing was changed"):
        found = int(lines[-1].split()[0])
        starts = [line.lstrip().partition(" ")[0] for line in lines[:-2]]
        assert starts == [word for number in range(found) for word in (f"{number + 1}.", "so:", "mend:")]
    else:
        assert lines == ["nothing here is known to disturb measurements"]
    assert sorted(os.listdir(tmp_path)) == ["scratch"]


# noise


def test_noise_writes_the_rates_and_every_run(aether_bench: Run, bench_file: BenchFile, tmp_path: Path) -> None:
    small = ("--rounds", "2", "--samples", "3", "--warmups", "0", "--out", "out")
    done = aether_bench("noise", bench_file(EMPTY), "--runs", "3", *small)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[1:] == ["run 1 of 3", "run 2 of 3", "run 3 of 3"]
    assert "mine: 3 runs of unchanged code, 6 ordered pairs" in done.stdout
    report = json.loads((tmp_path / "out" / "noise-mine.json").read_bytes())
    assert (report["bench_id"], report["runs"], report["pairs"]) == ("mine", 3, 6)
    told = {(rate["quantile"], rate["rule"], rate["gate"]) for rate in report["rates"]}
    assert told == {(quantile, rule, gate) for quantile in ("p50", "p95") for rule in RULES for gate in GATES}
    assert all(0 <= rate["false_alarms"] <= 1 and 0 <= rate["power"] <= 1 for rate in report["rates"])
    recorded = [json.loads(line) for line in (tmp_path / "out" / "noise-mine.jsonl").read_bytes().splitlines()]
    assert len(recorded) == 3
    for run in recorded:
        shapes = (run["samples"], run["reference"], run["involuntary_switches"], *run["kept"].values())
        assert all([len(values) for values in shape] == [3, 3] for shape in shapes)


def test_noise_is_drawn_a_picture_a_bench(aether_bench: Run, bench_file: BenchFile, tmp_path: Path) -> None:
    small = ("--runs", "2", "--rounds", "1", "--samples", "2", "--warmups", "0", "--quiet")
    file = bench_file(EMPTY + EMPTY.replace("mine", "other"))
    done = aether_bench("noise", f"{file}::mine", *small, "--plot", "alone.png")
    assert done.returncode == 0, done.stderr
    done = aether_bench("noise", file, *small, "--plot", "noise.svg")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "alone.png").read_bytes().startswith(b"\x89PNG")
    for name in ("mine", "other"):
        drawn = (tmp_path / f"noise-{name}.svg").read_text(encoding="utf-8")
        assert f"{name}: 2 runs of unchanged code, as they came" in drawn
    assert not (tmp_path / "noise.svg").exists()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("noise.text", "its ending names no picture; take one of "),
        ("noise", "its ending names no picture; take one of "),
        ("nowhere/noise.png", "there is no folder nowhere"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_measured(
    aether_bench: Run, bench_file: BenchFile, tmp_path: Path, path: str, problem: str
) -> None:
    done = aether_bench("noise", bench_file(EMPTY), "--plot", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"aether-bench: --plot {path}: {problem}")
    assert not (tmp_path / "target").exists()


@posix
@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="started without Ctrl-C")
def test_noise_that_is_interrupted_keeps_what_was_measured(
    started: Started, bench_file: BenchFile, noted: Noted, eventually: Eventually, tmp_path: Path
) -> None:
    setup = "def opened():\n    note('round')\n    yield\n"
    file = bench_file(setup + NOTING.replace("@bench", "@bench(setup=opened)"))
    small = ("--rounds", "1", "--samples", "1", "--warmups", "0", "--out", "out", "--quiet")
    running = started("noise", file, "--runs", "100000", *small)
    eventually(lambda: len(noted("round")) >= 4)
    os.killpg(running.pid, signal.SIGINT)
    stdout, stderr = running.communicate(timeout=240)
    assert running.returncode == 130
    assert stderr == "aether-bench: interrupted; the report covers the finished runs\n"
    report = json.loads((tmp_path / "out" / "noise-mine.json").read_bytes())
    assert report["runs"] >= 3
    assert len((tmp_path / "out" / "noise-mine.jsonl").read_bytes().splitlines()) == report["runs"]
    assert f"mine: {report['runs']} runs of unchanged code" in stdout
    assert os.listdir(tmp_path / "scratch") == []


def test_noise_of_a_bench_that_fails_is_one_line_and_status_1(
    aether_bench: Run, bench_file: BenchFile, tmp_path: Path
) -> None:
    file = bench_file("@bench\ndef mine():\n    raise BenchError('no luck')")
    done = aether_bench("noise", file, "--runs", "2", "--out", "out", "--quiet")
    assert done.returncode == 1
    assert done.stderr == "aether-bench: mine: round 1: set-up: no luck\n"
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--runs", "1"), "--runs takes at least 2"),
        (("--rate", "2"), "argument --rate: '2': write a percentage"),
        (("--slowdown", "x%"), "argument --slowdown: 'x%': write a percentage"),
    ],
)
def test_noise_that_makes_no_sense_is_refused(
    aether_bench: Run, bench_file: BenchFile, arguments: tuple[str, str], words: str
) -> None:
    done = aether_bench("noise", bench_file(EMPTY), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr.splitlines()[-1]


# The command itself.


def test_the_command_is_installed_and_tells_its_version(run_env: dict[str, str]) -> None:
    program = shutil.which("aether-bench", path=os.path.dirname(sys.executable))
    assert program is not None
    done = subprocess.run([program, "--version"], env=run_env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, f"aether-bench {__version__}")


@pytest.mark.parametrize("command", ["list", "run", "doctor", "noise"])
def test_the_help_of_every_command_shows_a_worked_example_in_80_columns(aether_bench: Run, command: str) -> None:
    done = aether_bench(command, "-h")
    assert done.returncode == 0
    assert f"example:\n  aether-bench {command}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_no_command_is_refused(aether_bench: Run) -> None:
    done = aether_bench()
    assert (done.returncode, done.stdout) == (2, "")
    assert "COMMAND" in done.stderr


def test_a_bench_reports_figures_of_its_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from aether_harness import FigureValue, bench\n\n"
        "@bench(figures=lambda: {'rows': FigureValue(value=7, unit='rows', better='higher', exact=True)})\n"
        "def parse():\n    pass\n\n"
        "@bench(figures=lambda: {'size': FigureValue(value=1.5, unit='bytes')})\n"
        "async def fetch():\n    pass\n"
    )
    done = run(str(tmp_path / "mine.py"))
    assert (done.returncode, done.stderr) == (0, "")
    figures = read_summary(str(tmp_path / "out" / "bench-parse.json")).figures or {}
    assert (figures["rows"].unit, figures["rows"].better, figures["rows"].exact) == ("rows", "higher", True)
    assert set(figures["rows"].values) == {7.0}
    assert (read_summary(str(tmp_path / "out" / "bench-fetch.json")).figures or {}).keys() >= {"size"}


@pytest.mark.parametrize(
    ("figures", "problem"),
    [
        ("{'Size': FigureValue(value=1, unit='x')}", "figures(): 'Size': a name has lower-case letters"),
        ("{'size': FigureValue(value=-1, unit='x')}", "figures(): size is FigureValue(value=-1, unit='x'"),
        ("{'size': 1}", "figures(): size is 1, not a FigureValue"),
    ],
)
def test_an_unusable_figure_fails_its_bench(run: Run, tmp_path: Path, figures: str, problem: str) -> None:
    (tmp_path / "mine.py").write_text(
        f"from aether_harness import FigureValue, bench\n\n@bench(figures=lambda: {figures})\ndef parse():\n    pass\n"
    )
    done = run(str(tmp_path / "mine.py"))
    assert done.returncode == 1
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1
