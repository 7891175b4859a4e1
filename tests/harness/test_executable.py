from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError, UsageError
from aether_harness.executable import CommandBench, CommandParams, command_targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from aether_harness import Place

    Sample = Callable[[str], None]


PYTHON = f'"{sys.executable}" -c'


@pytest.fixture
def sample(place: Place) -> Sample:
    """Return a function that runs a command as one sample."""

    def sample(command: str) -> None:
        with CommandBench("tool").open(CommandParams(command=command), place) as session:
            session.sample()
            session.verify()

    return sample


def test_a_command_is_run_from_start_to_end(sample: Sample, place: Place) -> None:
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
    assert (target.found.bench.bench_id, target.found.bench.name) == (name, name)
    assert target.params == CommandParams(command=command)


def test_names_go_to_the_commands_in_turn() -> None:
    targets = command_targets(["a x", "b y", "c z"], ["one", "two"])
    assert [target.found.bench.bench_id for target in targets] == ["one", "two", "c"]


@pytest.mark.parametrize(
    ("commands", "names", "words"),
    [
        (["a 'b"], [], "--exec a 'b: no closing quotation"),
        (["a \\"], [], "no escaped character"),
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
