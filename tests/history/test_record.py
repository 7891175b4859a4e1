from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aether_guard.errors import GuardError
from aether_history.compact import compact
from aether_history.query import select
from aether_history.row import Provenance, derived_run_id, encode_lines, file_stem, rows_of, utc_text
from aether_history.store import LocalStore, open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aether_history.row import Row
    from aether_schema import Summary

    Guard = Callable[..., subprocess.CompletedProcess[str]]
    Write = Callable[..., str]
    Lines = Callable[..., list[dict[str, Any]]]

NOW = datetime(2026, 11, 25, tzinfo=UTC)
posix_only = pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")
not_root = pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")


def recorded(store: LocalStore | str) -> list[tuple[str, str]]:
    place = open_store(store) if isinstance(store, str) else store
    columns = select(place, "run_id, bench_id").columns
    return sorted(zip(columns["run_id"].tolist(), columns["bench_id"].tolist(), strict=True))


# The row.


def test_a_row_holds_what_a_trend_needs_of_a_summary(sampled: Callable[..., Summary]) -> None:
    summary = sampled(
        [[10.0, 11.0], [12.0, 13.0]],
        rulers=[[0.4, 0.5], [0.5, 0.6]],
        params={"files": 100},
        environment={"cpu": "epyc", "arch": "x86"},
        timestamp="2026-01-01T02:00:00+02:00",
    )
    (row,) = rows_of([summary], [Provenance(commit="abc", branch="main")], "", NOW)
    assert (row.p50, row.n, row.better, row.ruler, row.kernel) == (11.5, 4, "lower", 0.5, "archive-1")
    assert (row.timestamp, row.commit, row.branch) == ("2026-01-01T00:00:00.000000Z", "abc", "main")
    assert (row.params, row.environment) == ('{"files":100}', '{"arch":"x86","cpu":"epyc"}')
    assert row.run_id == derived_run_id([summary])


def test_a_row_holds_no_p95_that_the_summary_does_not_hold(
    summary: Callable[..., Summary], guard: Guard, write: Write
) -> None:
    bare = summary(p50=4.0, p95=4.0, statistics=("p50",))
    (row,) = rows_of([bare], [Provenance()], "", NOW)
    assert (row.p50, row.p95) == (4.0, None)
    (tail,) = rows_of([summary(p50=4.0, p95=4.0, statistics=("p95",))], [Provenance()], "", NOW)
    assert (tail.p50, tail.p95) == (None, 4.0)
    path = write("bare.json", p50=4.0, p95=4.0, statistics=["p50"])
    for form in ("jsonl", "parquet"):
        assert guard("record", "--history", "h", "--format", form, "--run-id", form, path).returncode == 0
    assert "packaging     2 " in guard("trend", "--history", "h").stdout
    assert "no run with a p95" in guard("trend", "--history", "h", "--quantile", "p95").stderr


def test_a_throughput_is_better_higher(summary: Callable[..., Summary]) -> None:
    (row,) = rows_of([summary(throughput=True)], [Provenance()], "", NOW)
    assert row.better == "higher"


def test_a_run_id_does_not_depend_on_the_order_of_files(summary: Callable[..., Summary]) -> None:
    both = [summary(bench_id="a"), summary(bench_id="b")]
    assert derived_run_id(both) == derived_run_id(both[::-1])
    assert derived_run_id(both) != derived_run_id([summary(bench_id="a"), summary(bench_id="b", commit="abc")])


def test_two_summaries_of_one_bench_are_two_runs(summary: Callable[..., Summary]) -> None:
    with pytest.raises(GuardError, match="packaging: two summaries of one bench"):
        rows_of([summary(), summary()], [Provenance(), Provenance()], "", NOW)


@given(moments=st.lists(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))])), min_size=2))
def test_times_as_text_are_in_the_order_of_time(moments: list[datetime]) -> None:
    moments = [moment for moment in moments if 2 < moment.year < 9999]
    assert sorted(map(utc_text, moments)) == list(map(utc_text, sorted(moments)))


@settings(max_examples=50)
@given(run_id=st.text(min_size=1))
def test_any_run_id_makes_a_plain_file_name(row: Callable[..., Row], run_id: str) -> None:
    stem = file_stem([row(run_id=run_id)])
    assert stem.isascii()
    assert not set(stem) & set('/\\:*?"<>|. \n\0')
    assert len(stem) < 60


def test_run_ids_that_look_alike_have_files_of_their_own(row: Callable[..., Row]) -> None:
    stems = {file_stem([row(run_id=run_id)]) for run_id in ("1/2", "1-2", "1.2")}
    assert len(stems) == 3


# The command.


def test_the_current_summaries_are_recorded_with_commit_branch_and_time(
    guard: Guard, write: Write, lines: Lines, tmp_path: Path
) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "init", "-q", "-b", "trunk"], cwd=tmp_path, check=True)  # noqa: S607
    subprocess.run(["git", *identity, "commit", "-qm", "x", "--allow-empty"], cwd=tmp_path, check=True)  # noqa: S607
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    write("current/a.json", bench_id="a")
    write("current/b.json", bench_id="b", commit=f"{head[:8]}-dirty")
    (tmp_path / "aether.toml").write_text('[guard]\ncurrent = ["current"]\n')
    done = guard("record")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("recorded 2 benches of run ")
    a, b = lines()
    assert (a["commit"], b["commit"]) == (head, f"{head}-dirty")
    assert a["branch"] == b["branch"] == "trunk"
    assert a["commit_time"] == b["commit_time"] is not None


def test_a_run_recorded_again_changes_nothing(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("a.json")
    guard("record", "a.json", "--run-id", "7")
    (file,) = (tmp_path / "target/history").iterdir()
    before = file.read_bytes()
    write("a.json", p95=99.0)
    for form in ("jsonl", "parquet"):
        done = guard("record", "a.json", "--run-id", "7", "--format", form)
        assert (done.returncode, done.stdout) == (
            0,
            f"1 bench of run 7 were there already: {os.path.join('target/history', file.name)}\n",
        )
    assert [file.read_bytes() for file in (tmp_path / "target/history").iterdir()] == [before]


def test_jobs_of_one_run_id_record_benches_of_their_own(guard: Guard, write: Write, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(f"{name}.json", bench_id=name)
        assert guard("record", f"{name}.json", "--run-id", "7").returncode == 0
    assert recorded(LocalStore(str(tmp_path / "target/history"))) == [("7", "a"), ("7", "b")]


def test_parquet_and_lines_are_one_history(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("a.json")
    for run_id, form in (("1", "jsonl"), ("2", "parquet")):
        assert guard("record", "a.json", "--run-id", run_id, "--format", form, "--history", "h").returncode == 0
    assert recorded(LocalStore(str(tmp_path / "h"))) == [("1", "packaging"), ("2", "packaging")]


def test_an_address_is_recorded_to_through_fsspec(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("a.json")
    address = (tmp_path / "far").as_uri()
    done = guard("record", "a.json", "--history", address, "--run-id", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert guard("record", "a.json", "--history", address, "--run-id", "2").returncode == 0
    assert recorded(address) == [("1", "packaging"), ("2", "packaging")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.json"], "nope.json: no such file"),
        (["a.json", "--history", "nosuch://x"], "nosuch://x: cannot be reached: protocol not known: nosuch"),
        (["a.json", "--history", "a.json/under"], "under"),
        (["a.json", "--history", ""], "--history: takes a folder"),
        (["a.json", "--compact"], "--compact merges recorded files"),
        (["--compact", "--history", "nowhere"], "nowhere: no history here"),
        ([], "nothing to record: name summaries"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(guard: Guard, write: Write, arguments: list[str], message: str) -> None:
    write("a.json")
    done = guard("record", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("aether-guard: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@posix_only
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_a_folder_that_cannot_be_written_to_is_one_line(guard: Guard, write: Write) -> None:
    write("a.json")
    done = guard("record", "a.json", "--history", "/proc/history")
    assert done.returncode == 2
    assert done.stderr.startswith("aether-guard: error: /proc/history/run-")
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_of_an_invalid_summary_nothing_is_recorded(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("cur/a.json")
    (tmp_path / "cur/b.json").write_text("{")
    done = guard("record", "cur")
    assert done.returncode == 2
    assert "b.json" in done.stderr
    assert not (tmp_path / "target").exists()


# Many at once.


@posix_only
def test_processes_that_record_at_once_lose_nothing_though_one_is_killed(write: Write, tmp_path: Path) -> None:
    names = [write(f"{number}.json", bench_id=f"b{number}") for number in range(4)]
    for attempt in range(2):
        running = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "aether_guard",
                    "record",
                    *names,
                    "--history",
                    "h",
                    "--run-id",
                    f"{attempt}-{job}",
                ],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for job in range(8)
        ]
        running[attempt].send_signal(signal.SIGKILL)
        told = [process.communicate()[0] for process in running]
        done = {f"{attempt}-{job}" for job, output in enumerate(told) if output.startswith(b"recorded")}
        assert len(done) >= 7
        there = [run_id for run_id, _ in recorded(LocalStore(str(tmp_path / "h"))) if run_id.startswith(f"{attempt}-")]
        # Whole runs, each once; the killed one is there or not.
        assert {run_id for run_id in there if there.count(run_id) == 4} >= done
        assert set(there) - done <= {f"{attempt}-{attempt}"}
        assert all(there.count(run_id) == 4 for run_id in there)


# Packing.


def test_packing_keeps_every_row_once(history: Callable[..., str], row: Callable[..., Row], tmp_path: Path) -> None:
    name = history([row(number, bench_id=bench) for number in range(5) for bench in ("a", "b")])
    store = LocalStore(str(tmp_path / name))
    before = recorded(store)
    packed = compact(store)
    assert (packed.files, packed.problems) == (10, ())
    assert store.files() == [packed.name]
    assert recorded(store) == before
    history([row(5, bench_id="a"), row(2, bench_id="a", p50=99.0, recorded_at="2027")])
    compact(store)
    assert store.files() != [packed.name]
    assert recorded(store) == sorted([*before, ("r5", "a")])
    assert 99.0 not in select(store, "p50").columns["p50"]


def test_packing_leaves_what_is_at_fault_where_it_is(
    history: Callable[..., str], row: Callable[..., Row], tmp_path: Path
) -> None:
    folder = tmp_path / history([row(number) for number in range(4)])
    torn = min(folder.iterdir())
    torn.write_bytes(torn.read_bytes()[:-20])
    (folder / "foreign.parquet").write_bytes(b"PAR1")
    packed = compact(LocalStore(str(folder)))
    assert packed.files == 3
    assert len(packed.problems) == 2
    assert sorted(file.name for file in folder.iterdir()) == ["foreign.parquet", packed.name, torn.name]


ODD_NAMES = (
    *(
        "run[1]",
        "run1",
        "[!a]",
        "**",
        "a?b",
        "q'uote",
        "a: b",
        "b",
        "new\nline",
        "esc\x1b[2J",
        "\u200b",
        "branch=x",
        "{a,b}",
    ),
    *("::error::", "~", "%41", "#"),
)


@posix_only
@pytest.mark.parametrize("folder", ["history", "branch=x", "run[1]", "~", "a*"])
def test_no_row_is_lost_whatever_its_file_is_called(
    row: Callable[..., Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).mkdir()
    for number, name in enumerate(ODD_NAMES):
        (tmp_path / folder / f"{name}.jsonl").write_bytes(encode_lines([row(number, branch="main")]))
    store = LocalStore(folder)
    before = recorded(store)
    assert len(before) == len(ODD_NAMES)
    assert select(store, "branch").columns["branch"].tolist() == ["main"] * len(ODD_NAMES)
    packed = compact(store)
    assert (packed.files, packed.problems) == (len(ODD_NAMES), ())
    assert recorded(store) == before
    (tmp_path / folder / "later.jsonl").write_bytes(encode_lines([row(99)]))
    assert compact(store).files == 2
    assert recorded(store) == sorted([*before, ("r99", "packaging")])


@posix_only
def test_packing_leaves_an_oddly_named_file_at_fault(row: Callable[..., Row], tmp_path: Path) -> None:
    for number, name in enumerate(("esc\x1b[2J.jsonl", "new\nline.jsonl", "plain.jsonl", "other.jsonl")):
        data = encode_lines([row(number)])
        (tmp_path / name).write_bytes(data if name in {"plain.jsonl", "other.jsonl"} else data + b'{"torn')
    packed = compact(LocalStore(str(tmp_path)))
    assert packed.files == 2
    assert len(packed.problems) == 2
    assert sorted(os.listdir(tmp_path)) == ["esc\x1b[2J.jsonl", "new\nline.jsonl", packed.name]


@posix_only
def test_what_is_no_regular_file_is_named_and_the_rest_is_read(
    guard: Guard, history: Callable[..., str], row: Callable[..., Row], tmp_path: Path
) -> None:
    folder = tmp_path / history([row(number) for number in range(3)])
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "folder.parquet").mkdir()
    (folder / "nowhere.jsonl").symlink_to("nothing")
    (folder / "device.jsonl").symlink_to("/dev/zero")
    with open(os.fsencode(folder) + b"/\xff.jsonl", "wb") as file:
        file.write(encode_lines([row(9)]))
    names = ("\\udcff.jsonl", "device.jsonl", "folder.parquet", "nowhere.jsonl", "pipe.jsonl")
    for command in (["trend", "--history", "history"], ["record", "--compact", "--history", "history"]):
        done = guard(*command)
        assert done.returncode == 2
        lines = done.stderr.splitlines()
        assert [line.partition("history/")[2].partition(": ")[0] for line in lines] == list(names)
        assert "3 runs" in done.stdout or "3 files are one now" in done.stdout
    assert (folder / "pipe.jsonl").is_fifo()


def test_a_row_that_could_not_be_read_again_is_not_recorded(guard: Guard, write: Write, tmp_path: Path) -> None:
    large = write("large.json", environment={"a": "x" * 17 * 2**20})
    many = write("many.json", n=2**64 - 1)
    for path, key in ((large, "environment"), (many, "n")):
        done = guard("record", path)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"packaging: {key}: " in done.stderr
    assert not (tmp_path / "target").exists()


@posix_only
def test_names_that_are_not_utf8_are_recorded_escaped(guard: Guard, write: Write, lines: Lines) -> None:
    done = guard("record", write("a.json"), "--run-id", "\udcff", "--branch", "b\udcff", "--commit", "c\udcff")
    assert done.returncode == 0, done.stderr
    (line,) = lines()
    assert (line["run_id"], line["branch"], line["commit"]) == ("\\udcff", "b\\udcff", "c\\udcff")


def test_a_reader_while_files_are_packed_sees_every_row_once(
    history: Callable[..., str], row: Callable[..., Row], tmp_path: Path
) -> None:
    folder = tmp_path / history([row(number) for number in range(30)])
    source = (
        "import sys\n"
        "from aether_history.compact import compact\n"
        "from aether_history.store import LocalStore\n"
        "compact(LocalStore(sys.argv[1]))\n"
    )
    packing = subprocess.Popen([sys.executable, "-c", source, str(folder)])
    counts = set()
    while packing.poll() is None:
        counts.add(len(recorded(LocalStore(str(folder)))))
    counts.add(len(recorded(LocalStore(str(folder)))))
    assert counts == {30}


# What cannot be read.


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"hello\n",
        b"\x00\xff\xfe binary \x80\n",
        b"[1, 2]\n",
        b'{"a": 1}\n',
        b'{"bench_id": "x", "p50"',
        b"null\n",
        b'{"aether_history":2}\n',
    ],
)
@pytest.mark.parametrize("name", ["foreign.jsonl", "foreign.parquet"])
def test_a_foreign_file_hides_no_other(
    history: Callable[..., str], row: Callable[..., Row], tmp_path: Path, name: str, content: bytes
) -> None:
    folder = tmp_path / history([row(number) for number in range(3)])
    (folder / name).write_bytes(content)
    found = select(LocalStore(str(folder)), "run_id")
    assert found.columns["run_id"].tolist() == ["r0", "r1", "r2"]
    if content.strip() or name.endswith(".parquet"):
        (problem,) = found.problems
        assert problem.startswith(f"{folder / name}: ")
        assert "\n" not in problem
    else:
        assert not found.problems


@pytest.mark.parametrize(
    "changes",
    [{"p50": float("inf")}, {"p50": -1.0, "p95": 1.0}, {"better": "sideways"}, {"timestamp": "yesterday"}],
)
def test_a_row_that_makes_no_sense_is_left_out(
    history: Callable[..., str], row: Callable[..., Row], tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = tmp_path / history([row(0), row(1, **changes)])
    found = select(LocalStore(str(folder)), "run_id")
    assert found.columns["run_id"].tolist() == ["r0"]
    assert len(found.problems) == 1


def test_a_truncated_parquet_file_is_named(
    history: Callable[..., str], row: Callable[..., Row], tmp_path: Path
) -> None:
    folder = tmp_path / history([row(number) for number in range(3)])
    packed = folder / compact(LocalStore(str(folder))).name
    packed.write_bytes(packed.read_bytes()[:-9])
    history([row(7)])
    found = select(LocalStore(str(folder)), "run_id")
    assert found.columns["run_id"].tolist() == ["r7"]
    assert packed.name in found.problems[0]


@not_root
@posix_only
def test_a_folder_without_permission_is_one_line(guard: Guard, write: Write, tmp_path: Path) -> None:
    write("a.json")
    (tmp_path / "h").mkdir(mode=0o500)
    done = guard("record", "a.json", "--history", "h")
    assert done.returncode == 2
    assert "permission denied" in done.stderr
