from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from aether_harness import BenchError, FigureValue, RoundContext
from aether_pack_bench.bench import PackParams, packaging
from aether_schema import read_summary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

needs_posix = pytest.mark.skipif(os.name != "posix", reason="POSIX only")

PHASES = {"walk", "read", "hash", "tar", "compress", "write", "manifest"}
DEFAULTS: dict[str, Any] = {
    "files": 100,
    "size": 1024,
    "seed": 1,
    "profile": "tiny",
    "scale": 1.0,
    "tree": None,
    "ignore": None,
    "cache": "warm",
    "packer": "gzip",
    "level": None,
    "threads": 1,
    "command": None,
    "incremental": False,
    "changed": 0,
}


@pytest.fixture
def params_of(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Return a function that gives the parameters in the summary that was written."""
    return lambda: dict(json.loads((tmp_path / "out" / "bench-pack.json").read_bytes())["params"])


def test_t2_after_the_packaging_bench_its_summary_exists_and_parses(
    bench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    finished = bench()
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["bench-pack.json"]
    summary = read_summary(str(tmp_path / "out" / "bench-pack.json"))
    assert summary.bench_id == "packaging"


def test_t3_the_packaging_summary_has_p95_at_least_p50_and_n_at_least_1_in_duration_ms_and_ms(
    bench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    bench()
    summary = json.loads((tmp_path / "out" / "bench-pack.json").read_bytes())
    assert summary["bench_id"] == "packaging"
    assert summary["p95"] >= summary["p50"] > 0
    assert summary["n"] >= 1
    assert (summary["metric"], summary["unit"]) == ("duration_ms", "ms")


def test_the_summary_has_the_phases_of_packing(
    bench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    bench()
    summary = json.loads((tmp_path / "out" / "bench-pack.json").read_bytes())
    assert set(summary["phases"]) == PHASES


def test_by_default_a_hundred_files_of_a_kibibyte_are_packed(
    bench: Callable[..., subprocess.CompletedProcess[str]], params_of: Callable[[], dict[str, Any]]
) -> None:
    bench()
    assert params_of() == DEFAULTS


def test_parameters_are_taken_and_recorded(
    bench: Callable[..., subprocess.CompletedProcess[str]], params_of: Callable[[], dict[str, Any]]
) -> None:
    settings = ("pack.files=3", "pack.size=2K", "packaging.seed=-5", "pack.level=0")
    finished = bench(*(argument for setting in settings for argument in ("-p", setting)))
    assert (finished.returncode, finished.stderr) == (0, "")
    assert params_of() == {**DEFAULTS, "files": 3, "size": 2048, "seed": -5, "level": 0}


@pytest.mark.parametrize("setting", ["pack.files=0", "pack.size=0"])
def test_nothing_to_pack_is_packed_all_the_same(
    bench: Callable[..., subprocess.CompletedProcess[str]], setting: str
) -> None:
    assert bench("-p", setting).returncode == 0


def test_a_tree_of_the_user_s_own_is_packed_and_left_as_it_is(
    bench: Callable[..., subprocess.CompletedProcess[str]],
    params_of: Callable[[], dict[str, Any]],
    tree: Path,
) -> None:
    before = sorted((str(path), path.stat().st_mtime_ns) for path in tree.rglob("*"))
    finished = bench("-p", f"pack.tree={tree}")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert params_of()["tree"] == str(tree)
    assert sorted((str(path), path.stat().st_mtime_ns) for path in tree.rglob("*")) == before


def test_a_relative_tree_is_looked_for_in_the_user_s_working_folder(
    bench: Callable[..., subprocess.CompletedProcess[str]], tree: Path
) -> None:
    assert bench("-p", f"pack.tree={tree.name}").returncode == 0


@needs_posix
def test_a_tree_behind_a_link_is_packed(
    bench: Callable[..., subprocess.CompletedProcess[str]], tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tree)
    assert bench("-p", "pack.tree=link").returncode == 0


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_tree_that_is_no_folder_is_one_line_and_status_1(
    bench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").touch()
    finished = bench("-p", f"pack.tree={name}")
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1
    assert finished.stderr.startswith("aether-bench: packaging: round 1: ")
    assert finished.stderr.endswith(f": pack.tree={name}: not a folder\n")
    assert list((tmp_path / "out").iterdir()) == []


@needs_posix
def test_an_empty_tree_setting_does_not_pack_the_working_folder(
    bench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    # The list of benches prints the default this way. What cannot be packed tells which folder was taken.
    os.mkfifo(tmp_path / "pipe")
    finished = bench("-p", "pack.tree=")
    assert finished.returncode in {0, 2}
    assert "pipe" not in finished.stderr


@needs_posix
def test_a_tree_with_a_fifo_in_it_is_one_line_that_names_it(
    bench: Callable[..., subprocess.CompletedProcess[str]], tree: Path, tmp_path: Path
) -> None:
    os.mkfifo(tree / "a" / "pipe")
    finished = bench("-p", f"pack.tree={tree}")
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1
    assert finished.stderr.startswith("aether-bench: packaging: round 1: ")
    assert finished.stderr.endswith(f": {tree}/a/pipe: not a file, folder or link\n")
    assert list((tmp_path / "out").iterdir()) == []


@needs_posix
def test_a_name_with_an_end_of_line_does_not_break_the_line(
    bench: Callable[..., subprocess.CompletedProcess[str]], tree: Path
) -> None:
    os.mkfifo(tree / "two\nlines")
    finished = bench("-p", f"pack.tree={tree}")
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("pack.fils=1", "no such parameter; did you mean files?"),
        ("pack.lvl=1", "did you mean level?"),
        ("pakc.files=1", "did you mean pack?"),
        ("pack.files=many", "pack.files=many: expected `int`"),
        ("pack.files=1.5", "pack.files=1.5: expected `int`"),
        ("pack.files=-1", "pack.files=-1: expected `int` >= 0"),
        ("pack.files=1000001", "expected `int` <= 1000000"),
        ("pack.size=-1", "pack.size=-1: expected `int` >= 0"),
        ("pack.size=2000G", "pack.size=2000G: expected `int` <= "),
        ("pack.level=23", "pack.level=23: expected `int` <= 22"),
        ("pack.threads=0", "expected `int` >= 1"),
        ("pack.scale=0", "expected `float` > 0"),
        ("pack.cache=hot", "invalid enum value 'hot'"),
        ("pack.packer=a b", "matching regex"),
        ("pack.seed=", "pack.seed=: expected `int`"),
        ("pack.files", "BENCH.KEY=VALUE"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_one_line_and_status_2(
    bench: Callable[..., subprocess.CompletedProcess[str]], setting: str, words: str
) -> None:
    finished = bench("-p", setting)
    assert finished.returncode == 2
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


@needs_posix
@pytest.mark.skipif(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, reason="started without Ctrl-C")
@pytest.mark.parametrize("quiet", [True, False])
def test_ctrl_c_is_one_line_and_status_130_and_leaves_no_process_and_no_file(
    bench_command: Callable[..., list[str]],
    eventually: Callable[[Callable[[], Any]], Any],
    tmp_path: Path,
    *,
    quiet: bool,
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = bench_command(*(["--quiet"] if quiet else []), samples=1_000_000)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
        start_new_session=True,
    ) as running:
        eventually(lambda: list(scratch.glob("aether-*/artifact.tar.gz")))
        workers = psutil.Process(running.pid).children(recursive=True)
        # As a terminal does it: to every process of the group in the foreground.
        os.killpg(running.pid, signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    assert workers
    assert running.returncode == 130
    assert stdout == ""
    assert [line for line in stderr.splitlines() if not line.startswith("seed ")] == ["aether-bench: interrupted"]
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    assert list((tmp_path / "out").iterdir()) == []
    assert list(scratch.iterdir()) == []


def test_a_session_that_packed_nothing_has_nothing_to_verify(tmp_path: Path) -> None:
    with packaging.open(PackParams(files=1), RoundContext(folder=str(tmp_path))) as session:
        with pytest.raises(BenchError, match="nothing was packed yet"):
            session.verify()
        session.sample()
        session.verify()
    assert (tmp_path / "artifact.tar.gz").exists()


@needs_posix
def test_a_file_that_changed_after_the_last_sample_fails_verification(tree: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with packaging.open(PackParams(tree=str(tree)), RoundContext(folder=str(scratch))) as session:
        session.sample()
        (tree / "a.txt").write_bytes(b"Outer")
        with pytest.raises(BenchError, match=r"the tree changed while it was measured$"):
            session.verify()


def test_a_sample_reports_the_nanoseconds_of_every_phase(tmp_path: Path) -> None:
    with packaging.open(PackParams(files=3), RoundContext(folder=str(tmp_path))) as session:
        sampled = session.sample()
    assert sampled is not None
    assert set(sampled.phases_ns) == PHASES
    assert sampled.moved_bytes is None


@pytest.mark.parametrize(
    "settings",
    [
        ("pack.profile=static-site", "pack.scale=0.005", "pack.packer=zstd", "pack.threads=2"),
        ("pack.profile=node-modules", "pack.scale=0.002", "pack.packer=isal", "pack.level=6"),
        ("pack.profile=duplicates", "pack.scale=0.002", "pack.packer=libdeflate", "pack.threads=3"),
        ("pack.packer=store",),
        ("pack.packer=xz", "pack.level=0"),
        ("pack.packer=zlib-ng", "pack.seed=3"),
    ],
)
def test_profiles_and_packers_are_run_as_asked_for(
    bench: Callable[..., subprocess.CompletedProcess[str]],
    params_of: Callable[[], dict[str, Any]],
    settings: tuple[str, ...],
) -> None:
    finished = bench(*(argument for setting in settings for argument in ("-p", setting)))
    assert (finished.returncode, finished.stderr) == (0, "")
    recorded = {f"pack.{key}={value}" for key, value in params_of().items()}
    assert recorded >= set(settings)


@pytest.mark.skipif(shutil.which("tar") is None or os.name != "posix", reason="no tar here")
def test_a_command_is_run_as_asked_for(bench: Callable[..., subprocess.CompletedProcess[str]], tree: Path) -> None:
    settings = ("-p", f"pack.tree={tree}", "-p", "pack.packer=command")
    finished = bench(*settings, "-p", "pack.command=tar -czf {output} -C {tree} .")
    assert (finished.returncode, finished.stderr) == (0, "")
    finished = bench(*settings, "-p", "pack.command=tar -czf {output} -C {tree} a")
    assert finished.returncode == 1
    assert finished.stderr.endswith(": the artifact differs from the tree at a.txt\n")


def test_a_function_of_the_working_folder_is_run(
    bench: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text("import shutil\ndef pack(tree, output):\n    shutil.copy('a.tar', output)\n")
    finished = bench("-p", "pack.packer=python:mine.pack")
    assert finished.returncode == 1
    said = ": pack.packer=python:mine.pack: FileNotFoundError: [Errno 2] No such file or directory: 'a.tar'\n"
    assert finished.stderr.endswith(said)


def test_what_an_ignore_file_leaves_out_is_not_packed(tree: Path, tmp_path: Path) -> None:
    (tree / ".shipignore").write_text("*.bin\nb/\n.shipignore\n")
    (tmp_path / "scratch").mkdir()
    params = PackParams(tree=str(tree), ignore=".shipignore")
    with packaging.open(params, RoundContext(folder=str(tmp_path / "scratch"))) as session:
        session.sample()
        session.verify()
    recorded = json.loads((tmp_path / "scratch" / "manifest.json").read_bytes())
    assert [item["path"] for item in recorded["items"]] == ["a", "a/inner.txt", "a.txt"]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_session_reads_sizes_rates_and_cpu_time_of_its_round(tmp_path: Path, threads: int) -> None:
    cpus = tuple(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else ()
    with packaging.open(
        PackParams(files=3, packer="store", threads=threads), RoundContext(folder=str(tmp_path), worker_cpus=cpus)
    ) as session:
        session.sample()
        readings = session.readings()  # type: ignore[attr-defined]
        figures = session.figures()  # type: ignore[attr-defined]
    assert (readings["files"], readings["input_bytes"], readings["output_bytes"]) == (3, 3072, 10_240)
    assert figures == {"output-size": FigureValue(value=10_240, unit="bytes", exact=True)}
    assert readings["output_share"] == 10_240 / 3072
    assert readings["files_per_s"] * 1024 == pytest.approx(readings["input_mbs"] * 1e6)
    assert readings["cpu_s"] > 0
    note = packaging.note({**readings, "input_mbs": 1234.5, "files_per_s": 99_000, "cpu_s": 0.25})
    assert note == (
        "3 files, 0.00307 MB, packed to 0.0102 MB (333.3 % of it) at 1,234 MB/s and 99,000 files a second,"
        " 250 ms of CPU time"
    )


def test_an_empty_tree_has_no_share(tmp_path: Path) -> None:
    with packaging.open(PackParams(files=0), RoundContext(folder=str(tmp_path))) as session:
        session.sample()
        readings = session.readings()  # type: ignore[attr-defined]
    assert "output_share" not in readings
    assert packaging.note(readings).startswith("0 files, 0 MB, packed to ")


def test_several_threads_leave_the_worker_where_it_is_pinned(tmp_path: Path) -> None:
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("takes a system that pins, and two CPUs")
    before = os.sched_getaffinity(0)
    first, *others = sorted(before)
    os.sched_setaffinity(0, {first})
    try:
        place = RoundContext(folder=str(tmp_path), worker_cpus=(first,), companion_cpus=tuple(others))
        with packaging.open(PackParams(threads=2), place) as session:
            session.sample()
            assert os.sched_getaffinity(0) == {first}
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"profile": "node_modules"}, r"^pack\.profile=node_modules: no such profile; did you mean node-modules\?$"),
        ({"profile": "duplicates", "files": 3}, r"^pack\.files=3: does not go with pack\.profile=duplicates$"),
        ({"profile": "duplicates", "size": 3}, r"^pack\.size=3: does not go with pack\.profile=duplicates$"),
        ({"scale": 2.0}, r"^pack\.scale=2\.0: does not go with pack\.profile=tiny$"),
        ({"tree": ".", "seed": 2}, r"^pack\.seed=2: does not go with pack\.tree$"),
        ({"tree": ".", "profile": "duplicates"}, r"^pack\.profile=duplicates: does not go with pack\.tree$"),
        ({"ignore": ".gitignore"}, r"^pack\.ignore=\.gitignore: does not go with a seeded tree$"),
        ({"level": 10}, r"^pack\.level=10: gzip has levels 0 to 9$"),
        ({"packer": "zip"}, r"^pack\.packer=zip: no such packer; known: "),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(tmp_path: Path, params: dict[str, Any], words: str) -> None:
    with (
        pytest.raises(BenchError, match=words),
        packaging.open(PackParams(**params), RoundContext(folder=str(tmp_path))),
    ):
        pass


def test_an_incremental_run_is_run_as_asked_for(
    bench: Callable[..., subprocess.CompletedProcess[str]], params_of: Callable[[], dict[str, Any]]
) -> None:
    finished = bench("-p", "pack.incremental=true", "-p", "pack.changed=3", "-p", "pack.packer=zstd")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert params_of() == {**DEFAULTS, "incremental": True, "changed": 3, "packer": "zstd"}


def test_a_tree_that_was_kept_is_not_written_again(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    known = set()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        with packaging.open(PackParams(files=3), RoundContext(folder=str(folder), inputs=str(inputs))) as session:
            session.sample()
            session.verify()
        assert not (folder / "tree").exists()
        known.add(frozenset(path.stat().st_ino for path in (inputs / "tree" / "part-0000").iterdir()))
    assert len(known) == 1


def test_a_tree_that_samples_write_to_is_the_rounds_own(tmp_path: Path) -> None:
    params = PackParams(files=3, incremental=True, changed=1)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    with packaging.open(params, RoundContext(folder=str(tmp_path), inputs=str(inputs))):
        assert (tmp_path / "tree").is_dir()
    assert not any(inputs.iterdir())
