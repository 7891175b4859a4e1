from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256
from html import unescape
from random import Random
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest
from distributed import Client

from aether_history import executor
from aether_history.analysis import HistoryQuery, analyze
from aether_history.changepoint import find_changes
from aether_history.store import LocalStore, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from aether_history.row import Row

    Make = Callable[..., Row]
    History = Callable[[Sequence[Row]], str]
    Guard = Callable[..., subprocess.CompletedProcess[str]]

GOLDEN = """\
bench      runs  level now  changes  last by  on
packaging    24      12 ms        1  +20.0 %  2026-01-01
steady       24       3 ms        -        -  -

packaging: regression: +20.0 % (10 ms -> 12 ms), commits \
000000000b..000000000c, 2026-01-01, more than 99.99 % sure

2 series, 48 runs, 1 change: 1 regression, 0 improvements
"""


@pytest.fixture
def recorded(history: History, row: Make) -> str:
    """Record two benches of 24 runs, one of which has a step in the middle."""

    def commit(number: int) -> str:
        return f"{number:010x}{0:030x}"

    return history(
        [row(n, commit=commit(n), p50=10.0 if n < 12 else 12.0) for n in range(24)]
        + [row(n, commit=commit(n), bench_id="steady", p50=3.0) for n in range(24)]
    )


def test_the_text_is_a_table_and_a_line_a_change(guard: Guard, recorded: str) -> None:
    done = guard("trend", "--history", recorded)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == GOLDEN


def test_the_json_holds_every_change(guard: Guard, recorded: str) -> None:
    done = guard("trend", "packaging", "--history", recorded, "--format", "json")
    report = json.loads(done.stdout)
    (bench,) = report["benches"]
    assert (report["quantile"], bench["runs"], bench["level"]) == ("p50", 24, 12.0)
    (change,) = bench["changes"]
    assert (change["kind"], change["size"]) == ("regression", pytest.approx(0.2))


def test_the_markdown_links_to_the_commits(guard: Guard, recorded: str) -> None:
    done = guard("trend", "--history", recorded, "--format", "markdown", "--repository-url", "https://x.org/o/r/")
    assert "](https://x.org/o/r/compare/000000000b" in done.stdout
    assert "| packaging | 🔴 " in done.stdout
    assert "| steady | 24 | 3 ms |" in done.stdout


def test_the_page_is_one_file_that_loads_nothing(guard: Guard, recorded: str, tmp_path: Path) -> None:
    arguments = ("--format", "html", "--repository-url", "https://x.org/o/r", "-o", "t.html")
    done = guard("trend", "--history", recorded, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    page = (tmp_path / "t.html").read_text(encoding="utf-8")
    policy = unescape(page)
    assert "default-src 'none'" in policy
    # The only script that may run is the one that is there.
    digest = sha256(page.rpartition("<script>")[2].partition("</script>")[0].encode()).digest()
    assert f"script-src 'sha256-{b64encode(digest).decode()}'" in policy
    assert not re.search(r"""(?:src|action)\s*=|url\(|@import|href="(?!https://x\.org/o/r/|\#bench-)""", page)
    assert page.count('<section id="bench-') == 2
    assert page.count('class="change regression"') == 1
    assert page.count('class="band"') == 3


def test_a_hostile_name_or_commit_stays_text(guard: Guard, history: History, row: Make) -> None:
    name = history(
        [
            row(n, bench_id="</script><img src=x onerror=alert(1)>|`", commit="<b>\u2028", unit="ms", p50=5.0 + (n > 9))
            for n in range(20)
        ]
    )
    for form in ("html", "markdown", "text", "json"):
        done = guard("trend", "--history", name, "--format", form, "--repository-url", "https://x.org/o/r")
        assert done.returncode == 0
        assert "\u2028" not in done.stdout or form == "json"
        if form == "html":
            assert "<img" not in done.stdout
            assert done.stdout.count("</script>") == 2
        if form == "markdown":
            assert "<img" not in done.stdout.replace("\\<img", "")


def test_what_is_at_fault_is_named_and_the_rest_is_shown(guard: Guard, recorded: str, tmp_path: Path) -> None:
    (tmp_path / recorded / "torn.parquet").write_bytes(b"PAR1")
    (tmp_path / recorded / "run-x.jsonl").write_bytes(b'{"aether_history":1,"run_id":"x","ben')
    for form in ("text", "json", "html"):
        done = guard("trend", "--history", recorded, "--format", form)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 2
        assert "torn.parquet: left out: truncated" in done.stderr
        assert "run-x.jsonl: 1 line left out: truncated" in done.stderr
        assert "packaging" in done.stdout


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="names there are text")
def test_a_file_whose_name_is_no_text_is_named_in_json_too(guard: Guard, recorded: str, tmp_path: Path) -> None:
    (tmp_path / recorded / "torn-\udcff.parquet").write_bytes(b"PAR1")
    done = guard("trend", "--history", recorded, "--format", "json")
    assert done.returncode == 2
    assert "torn-\\udcff.parquet: its path is not UTF-8" in json.loads(done.stdout)["problems"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--history", "nowhere"], "nowhere: no history here"),
        (["--history", "empty"], "empty: no run is recorded here yet"),
        (["nope"], "nope: no run of this bench; there are packaging, steady"),
        (["--branch", "topic"], "history: no run on branch topic with a p50 that could be read"),
        (["--confidence", "100%"], "--confidence: takes a share"),
        (["--renamed", "a"], "--renamed a: write OLD=NEW"),
        (["--repository-url", "javascript:x"], "--repository-url javascript:x: takes an address"),
        (["--scheduler", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1: no Dask scheduler answers"),
        (["--scheduler", "nonsense://x"], "--scheduler nonsense://x: takes an address such as tcp://"),
        (["-o", "empty"], "empty: cannot be written: not a regular file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    guard: Guard, recorded: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    done = guard("trend", "--history", recorded, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_history_behind_fsspec_is_read_in_place(guard: Guard, recorded: str, tmp_path: Path) -> None:
    done = guard("trend", "--history", (tmp_path / recorded).as_uri())
    assert (done.returncode, done.stdout) == (0, GOLDEN)


def test_a_history_in_an_object_store_is_recorded_packed_and_read(row: Make) -> None:
    from aether_history.compact import compact
    from aether_history.row import encode_lines, file_stem

    store = open_store("memory://bucket/history")
    for number in range(5):
        rows = [row(number)]
        store.write(f"{file_stem(rows)}.jsonl", encode_lines(rows))
    asked = HistoryQuery()
    assert analyze(store, asked, None, print).trends[0].runs == 5
    store.write("foreign.parquet", b"x")
    packed = compact(store)
    assert (packed.files, store.files()) == (5, ["foreign.parquet", packed.name])
    course = analyze(store, asked, None, print)
    assert course.trends[0].runs == 5
    assert course.problems[0].startswith("memory://bucket/history/foreign.parquet: left out")


def test_no_other_command_loads_what_the_history_needs(tmp_path: Path) -> None:
    source = (
        "import sys\nfrom aether_guard.cli.app import main\nmain(['policy'])\nprint(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)
    loaded = set(done.stderr.split())
    assert loaded.isdisjoint({"duckdb", "fsspec", "numpy", "dask", "distributed", "aether_history"})


def test_a_missing_dask_is_one_line_with_the_install_command(guard: Guard, recorded: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    missing.mkdir()
    (missing / "distributed.py").write_text("raise ModuleNotFoundError('no', name='distributed')\n")
    arguments = ["--history", recorded, "--scheduler", "tcp://127.0.0.1:1"]
    done = guard("trend", *arguments, env={"PYTHONPATH": str(missing)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "aether-guard: error: --scheduler needs Dask: pip install 'aether-guard[dask]'\n"


# Past one machine.


def noisy(make: Make, series: int) -> list[Row]:
    draw = Random(1)
    return [
        make(n, bench_id=f"b{one}", p50=10 * (1.2 if n >= 20 + one % 5 else 1) * (1 + draw.uniform(-0.01, 0.01)))
        for one in range(series)
        for n in range(40)
    ]


class Cluster:
    """A scheduler of Dask's and its one worker, processes of their own on this machine."""

    def __init__(self, folder: Path) -> None:
        told = folder / "scheduler.json"
        self.scheduler = self._start(folder, "scheduler", "--port=0", f"--scheduler-file={told}")
        self.worker = self._start(folder, "worker", "--no-nanny", "--nthreads=1", f"--scheduler-file={told}")
        within(lambda: told.exists() and told.stat().st_size > 0)
        self.address = json.loads(told.read_text())["address"]
        self.client = Client(self.address, set_as_default=False)
        self.client.wait_for_workers(1, timeout=60)

    @staticmethod
    def _start(folder: Path, which: str, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{which}", "--host=127.0.0.1", "--no-dashboard", *arguments],
            cwd=folder,
            env={**os.environ, "DASK_TEMPORARY_DIRECTORY": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_for_work(self) -> None:
        """Return when the worker has something to do."""
        within(lambda: any(self.client.processing().values()))

    def end(self) -> None:
        """Kill what still runs."""
        for process in (self.worker, self.scheduler):
            process.kill()
            process.wait()
        with suppress(Exception):
            self.client.close(timeout=5)


def within(done: Callable[[], object], limit_s: float = 200) -> None:
    """Wait until something is done."""
    until = monotonic() + limit_s
    while not done():
        assert monotonic() < until
        sleep(0.02)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path)
    try:
        yield running
    finally:
        running.end()


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_finds_what_this_machine_finds(
    cluster: Cluster, history: History, row: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalStore(history(noisy(row, 6)))
    here = analyze(store, HistoryQuery(), None, print)
    said: list[str] = []
    there = analyze(store, HistoryQuery(scheduler=cluster.address), None, said.append)
    assert there.trends == here.trends
    assert said == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(os.name != "posix", reason="stops a process")
@pytest.mark.parametrize(
    ("whom", "how", "reason"),
    [
        ("scheduler", "SIGKILL", "went away"),
        ("scheduler", "SIGSTOP", "does not answer"),
        ("worker", "SIGKILL", "its last worker is gone"),
    ],
)
def test_what_a_cluster_that_goes_away_has_not_done_is_done_here(
    cluster: Cluster, whom: str, how: str, reason: str
) -> None:
    draw = Random(2)
    series = [[draw.uniform(9, 11) for _ in range(executor.BATCH_POINTS)] for _ in range(6)]
    expected = [find_changes(values) for values in series]
    said: list[str] = []

    def leave() -> None:
        cluster.wait_for_work()
        getattr(cluster, whom).send_signal(getattr(signal, how))

    leaving = Thread(target=leave, daemon=True)
    leaving.start()
    found = executor.find_changes_parallel(series * 20, 0.99, cluster.address, said.append)
    leaving.join(60)
    assert found == expected * 20
    assert len(said) == 1
    assert reason in said[0]


def test_a_pool_of_this_machine_finds_what_one_process_finds() -> None:
    draw = Random(3)
    points = executor.BATCH_POINTS
    series = [[draw.uniform(9, 11) * (1.2 if at > points / 2 else 1) for at in range(points)] for _ in range(10)]
    assert sum(map(len, series)) > executor.WORTH_A_POOL
    said: list[str] = []
    assert executor.find_changes_parallel(series, 0.99, None, said.append) == [
        find_changes(values) for values in series
    ]
    assert said == []
