from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_harness import BenchError, UsageError
from aether_harness.benchmark.command_bench import CommandBench, CommandParams, command_targets, split_command
from aether_harness.machine.counters import peak_memory_bytes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from aether_harness import RoundContext

    Sample = Callable[[str], None]


PYTHON = f'"{sys.executable}" -c'


@pytest.fixture
def sample(place: RoundContext) -> Sample:
    """Return a function that runs a command as one sample."""

    def sample(command: str) -> None:
        with CommandBench("tool").open(CommandParams(command=command), place) as session:
            session.sample()
            session.verify()

    return sample


def test_a_command_is_run_from_start_to_end(sample: Sample, place: RoundContext) -> None:
    path = f"{place.folder}/mark"
    sample(f"""{PYTHON} 'import sys; open(sys.argv[1], "w").write("was here")' '{path}'""")
    with open(path, encoding="utf-8") as mark:
        assert mark.read() == "was here"


def test_what_a_command_prints_and_asks_for_goes_nowhere(sample: Sample, capfd: pytest.CaptureFixture[str]) -> None:
    sample(f"""{PYTHON} 'import sys; print(1); print(2, file=sys.stderr); assert sys.stdin.read() == ""'""")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit(3)", "exit status 3"),
        ("import sys; sys.exit('first\\nlast')", "exit status 1: last"),
        ("import sys; sys.exit('\\x1b[31mred')", "exit status 1: \\x1b[31mred"),
        ("import sys; sys.exit('x' * 10_000)", "exit status 1: xxx"),
    ],
)
def test_a_command_that_fails_is_told_by_its_status_and_its_last_words(
    sample: Sample, program: str, words: str
) -> None:
    with pytest.raises(BenchError) as failed:
        sample(f'{PYTHON} "{program}"')
    assert words in str(failed.value)
    assert len(str(failed.value)) < 1000
    assert len(str(failed.value).splitlines()) == 1


def test_a_program_that_is_missing_is_named(sample: Sample) -> None:
    with pytest.raises(BenchError, match="no-such-tool: no such file"):
        sample("no-such-tool --now")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("gzip -kf big.txt", "gzip"),
        ("/usr/bin/env -i sh", "env"),
        ("./my tool", "my"),
        ("'./my tool' x", "my-tool"),
        ("../..", "command"),
    ],
)
def test_a_command_is_named_after_its_program(command: str, name: str) -> None:
    (target,) = command_targets([command], [])
    assert (target.bench_id, target.name) == (name, name)
    assert target.params == {"command": command}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (r'C:\tools\a.exe "b c"', [r"C:\tools\a.exe", "b c"]),
        (r'"C:\Program Files\a.exe" --out="b c" d', [r"C:\Program Files\a.exe", "--out=b c", "d"]),
        (r"a 'b \c' \\server\share", ["a", r"b \c", r"\\server\share"]),
        ("a \\", ["a", "\\"]),
        ("a #b ''", ["a", "#b", ""]),
    ],
)
def test_on_windows_a_backslash_is_a_character_like_any_other(command: str, words: list[str]) -> None:
    assert split_command(command, system="nt") == words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (r'/opt/tools/a "b c"', ["/opt/tools/a", "b c"]),
        (r"a b\ c \"d", ["a", "b c", '"d']),
        (r"""a 'b \c' "d \" e" --out="f g" """, ["a", r"b \c", 'd " e', "--out=f g"]),
        ("a #b ''", ["a", "#b", ""]),
    ],
)
def test_elsewhere_a_backslash_escapes(command: str, words: list[str]) -> None:
    assert split_command(command, system="posix") == words


@given(st.lists(st.text(st.characters(exclude_categories=["C"]))))
def test_what_is_quoted_for_a_shell_is_split_into_the_same_words(words: list[str]) -> None:
    assert split_command(shlex.join(words), system="posix") == words


@pytest.mark.parametrize("system", ["nt", "posix"])
def test_a_quotation_that_is_not_closed_is_refused_on_every_system(system: str) -> None:
    with pytest.raises(ValueError, match="No closing quotation"):
        split_command("a 'b", system=system)


def test_names_go_to_the_commands_in_turn() -> None:
    targets = command_targets(["a x", "b y", "c z"], ["one", "two"])
    assert [target.bench_id for target in targets] == ["one", "two", "c"]


@pytest.mark.parametrize(
    ("commands", "names", "words"),
    [
        (["a 'b"], [], "--exec a 'b: no closing quotation"),
        pytest.param(["a \\"], [], "no escaped character", marks=pytest.mark.skipif(os.name == "nt", reason="POSIX")),
        ([""], [], "an empty command"),
        (["''"], [], "an empty command"),
        (["a"], ["b", "c"], "--name goes with an --exec each"),
        ([], ["b"], "--name goes with an --exec each"),
    ],
)
def test_commands_that_make_no_sense_are_refused(commands: list[str], names: list[str], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        command_targets(commands, names)
    assert words in str(refused.value)


@pytest.mark.skipif(os.name != "posix", reason="needs process groups")
@pytest.mark.parametrize(
    "command",
    ["sleep 600", "sh -c 'sleep 600 & wait'", "sh -c 'trap : TERM INT HUP; while :; do sleep 600; done'"],
    ids=["a command", "one with a child", "one that takes no signal"],
)
def test_killing_the_run_leaves_nothing_of_a_command_behind(
    started: Callable[..., subprocess.Popen[str]],
    run_processes: Callable[[], list[int]],
    eventually: Callable[..., Any],
    command: str,
) -> None:
    def sleeps() -> bool:
        return any("sleep" in psutil.Process(pid).cmdline()[:1] for pid in run_processes() if psutil.pid_exists(pid))

    running = started("run", "--exec", command, "--quiet", "--out", "out")
    eventually(sleeps)
    running.send_signal(signal.SIGKILL)
    assert eventually(lambda: not run_processes())


@pytest.mark.skipif(os.name != "posix", reason="needs process groups")
def test_killing_the_run_ends_a_bench_that_is_stuck_in_code_that_heeds_nothing(
    started: Callable[..., subprocess.Popen[str]],
    run_processes: Callable[[], list[int]],
    eventually: Callable[..., Any],
    bench_file: Callable[..., str],
    noted: Callable[[str], list[str]],
) -> None:
    program = """
@bench
def stuck():
    note("child", subprocess.Popen(["sleep", "600"]).pid)
    sum(range(10**15))
"""
    running = started("run", bench_file(program), "--quiet", "--out", "out")
    eventually(lambda: noted("child"))
    assert eventually(lambda: int(noted("child")[0]) in run_processes())
    running.send_signal(signal.SIGKILL)
    assert eventually(lambda: not run_processes())


def test_a_command_is_not_told_of_what_the_worker_is_told(run: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    # One variable marks all processes that the run has to end.
    names = "[name for name in os.environ if name.startswith('AETHER_') and name != 'AETHER_RUN']"
    finished = run("--exec", f'{PYTHON} "import os, sys; sys.exit(str({names} or 0))"')
    assert "exit status 1: 0" in finished.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a command does not inherit its parent's peak")
def test_memory_that_is_the_workers_own_is_not_taken_for_the_commands(place: RoundContext) -> None:
    params = CommandParams(command="true", measure="memory")
    with CommandBench("tool").open(params, place) as session, pytest.raises(BenchError, match=r"memory below .* MB"):
        session.sample()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_the_most_memory_a_command_held_is_its_figure(place: RoundContext) -> None:
    # More than this process, which has run other tests, ever held itself.
    held_bytes = (peak_memory_bytes() or 0) + 200_000_000
    params = CommandParams(command=f"{PYTHON} 'x = b\"x\" * {held_bytes}'", measure="memory")
    with CommandBench("tool").open(params, place) as session:
        cost = session.sample().cost
    assert cost is not None
    assert 0 < cost - held_bytes / 1e6 < 100


def test_what_comes_before_and_after_a_command_must_succeed_even_where_the_command_need_not(
    place: RoundContext,
) -> None:
    params = CommandParams(command="false", prepare="true", cleanup="false", ignore_exit_code=True)
    with CommandBench("tool").open(params, place) as session:
        session.prepare()
        with pytest.raises(BenchError, match="false: exit status 1"):
            session.sample()
