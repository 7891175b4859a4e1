from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aether_compare.pair import SamplePair
from aether_compare.replay import replay, save
from aether_guard.cli.app import main
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_compare.scheduler import Comparison

    Lines = list[dict[str, Any]]

HUGE = 10**400


@pytest.fixture
def lines(tmp_path: Path, comparison: Callable[..., Comparison]) -> Lines:
    """Return what a file of two benches and three pairs holds."""
    benches = [comparison("one"), comparison("two")]
    for bench, old in ((0, 1.0), (0, 1.5), (1, 2.0)):
        benches[bench].add([SamplePair(old=old, new=1.25, new_first=False, block=0)])
    save(str(tmp_path / "pairs"), benches, 7)
    return [json.loads(line) for line in (tmp_path / "pairs").read_text().splitlines()]


def write(path: Path, lines: Lines) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def changed(lines: Lines, number: int, keys: str, value: object) -> Lines:
    """Set the value at the end of `keys` in the line `number`, counted from 1."""
    *path, last = keys.split(".")
    at: Any = lines[number - 1]
    for key in path:
        at = at[int(key)] if key.isdigit() else at[key]
    at[last] = value
    return lines


def test_what_was_saved_is_what_is_replayed(tmp_path: Path, lines: Lines) -> None:
    benches, seed = replay(write(tmp_path / "again", lines), {})
    assert seed == 7
    assert [(bench.question.bench_id, len(bench.pairs)) for bench in benches] == [("one", 2), ("two", 1)]
    save(str(tmp_path / "third"), benches, seed)
    assert (tmp_path / "third").read_bytes() == (tmp_path / "pairs").read_bytes()


def test_keys_of_other_versions_are_ignored(tmp_path: Path, lines: Lines) -> None:
    (one, _), _ = replay(write(tmp_path / "again", changed(lines, 2, "pair.forked", value=False)), {})
    assert one.pairs == replay(write(tmp_path / "plain", lines), {})[0][0].pairs


def test_wishes_stand_over_the_rule_and_alpha_is_that_of_all(tmp_path: Path, lines: Lines) -> None:
    benches, _ = replay(write(tmp_path / "again", lines), {"gate": 0.5, "alpha": 0.2, "quantile": "p95"})
    assert {(bench.question.rule.gate, bench.question.rule.alpha) for bench in benches} == {(0.5, 0.1)}
    assert {bench.question.rule.quantile for bench in benches} == {"p95"}


@pytest.mark.parametrize(
    ("number", "keys", "value", "words"),
    [
        (1, "aether_ab", 2, "aether_ab: version 2, and 1 is the one"),
        (1, "seed", -1, "$.seed"),
        (1, "seed", HUGE, "$.seed"),
        (1, "benches", [], "benches: there is none"),
        (1, "benches.1.question.bench_id", "one", "benches: two have the same bench_id"),
        (1, "benches.0.question.rule.gate", -1, "one: gate -1, alpha 0.001: no shares of one"),
        (1, "benches.0.question.rule.gate", 1e300, "one: gate 1e+300"),
        (1, "benches.0.question.rule.alpha", 0, "one: gate 0.02, alpha 0: no shares of one"),
        (1, "benches.0.question.rule.quantile", "p99", "p99"),
        (1, "benches.0.elapsed_s", -1, "].elapsed_s"),
        (1, "benches.0.elapsed_s", 1e300, "].elapsed_s"),
        (2, "pair.old", 0, "one: before: a sample of 0 cannot be compared"),
        (3, "pair.new", -1.5, "one: after: a sample of -1.5 cannot be compared"),
        (3, "pair.new", 1e300, "one: after: a sample of 1e+300 cannot be compared"),
        (3, "pair.new", HUGE, "out of range"),
        (3, "pair.new", "x", "$.pair.new"),
        (3, "pair.life", -1, "$.pair.life"),
        (3, "pair.disturbed", 10**12, "$.pair.disturbed"),
        (4, "bench", 2, "bench: there is none with this place"),
        (4, "bench", -1, "$.bench"),
        (4, "bench", 10**18, "bench: there is none with this place"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_figure_that_makes_no_sense_is_named_with_its_line(  # noqa: PLR0913, PLR0917 - the cases
    tmp_path: Path, lines: Lines, number: int, keys: str, value: object, words: str
) -> None:
    path = write(tmp_path / "odd", changed(lines, number, keys, value))
    with pytest.raises(GuardError) as refused:
        replay(path, {})
    assert str(refused.value).startswith(f"{path}: line {number}: ")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1: Input data was truncated"),
        (b"\n", "line 1: "),
        (b"\x00\xff\x7fELF", "line 1: JSON is malformed"),
        (b"[" * 100_000, "line 1: "),
        (b'{"aether_ab": 1, "seed": 1e400, "benches": []}', "line 1: "),
    ],
)
def test_what_is_no_such_file_is_told_in_a_line(
    guard: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, data: bytes, words: str
) -> None:
    (tmp_path / "odd").write_bytes(data)
    done = guard("ab", "--replay", "odd")
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith(f"aether-guard: error: odd: {words}")


@pytest.mark.parametrize("problem", ["", " ", "no luck"])
def test_a_saved_problem_is_reported_even_when_it_is_empty(
    guard: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, lines: Lines, problem: str
) -> None:
    write(tmp_path / "odd", changed(lines, 1, "benches.0.problem", problem))
    done = guard("ab", "--replay", "odd")
    assert done.returncode == 2
    assert "\none " in done.stdout
    assert done.stderr.startswith("aether-guard: error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "junit"])
@pytest.mark.parametrize("key", ["question.bench_id", "question.old_side", "question.unit", "problem"])
@pytest.mark.parametrize("text", ["::error::forged", "\x1b[2J\n::error::forged", " ##[error]forged", "##vso[task]\r"])
def test_a_saved_text_forges_no_line_of_a_terminal_or_a_ci_host(  # noqa: PLR0913, PLR0917 - the cases
    tmp_path: Path, lines: Lines, capfd: pytest.CaptureFixture[str], form: str, key: str, text: str
) -> None:
    path = write(tmp_path / "odd", changed(lines, 1, f"benches.0.{key}", text))
    main(["ab", "--replay", path, "--format", form])
    for line in "".join(capfd.readouterr()).splitlines():
        assert "\x1b" not in line
        assert "##[" not in line
        assert "##vso" not in line
        assert not line.lstrip().startswith("::error")


WORDS = ("", " ", "x", "one", "\x1b::error::", "\ud800", "p95", "throughput_mbs", "value")
ODD = (None, True, *WORDS, -1, 0, 0.5, 1, 2, 5e-324, 1e-99, 1e99, 1e308, 2**53, HUGE, [], {}, [[]])


def mutated(draw: st.DataObject, value: Any) -> Any:
    """Return a JSON value with something in it replaced, removed, repeated or renamed."""
    kind = draw.draw(st.sampled_from(("replace", "within", "within", "within")))
    if kind == "replace" or not value or not isinstance(value, (dict, list)):
        return draw.draw(st.sampled_from(ODD))
    if isinstance(value, list):
        place = draw.draw(st.integers(0, len(value) - 1))
        middle = draw.draw(st.sampled_from(([], [value[place]] * 2, [mutated(draw, value[place])])))
        return [*value[:place], *middle, *value[place + 1 :]]
    key = draw.draw(st.sampled_from(sorted(value)))
    changed = {name: each for name, each in value.items() if name != key}
    return draw.draw(st.sampled_from((changed, {**changed, key: mutated(draw, value[key])})))


@given(draw=st.data(), form=st.sampled_from(("text", "json", "markdown", "html", "junit")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_saved_file_gives_a_report_or_one_line(
    tmp_path: Path, lines: Lines, capfd: pytest.CaptureFixture[str], draw: st.DataObject, form: str
) -> None:
    more = [{"bench": 1, "pair": {"old": 1.0, "new": 1.0 + n % 3, "new_first": False, "life": n}} for n in range(9)]
    changes = draw.draw(st.lists(st.integers(0, 12), max_size=3))
    odd = [mutated(draw, line) if number in changes else line for number, line in enumerate([*lines, *more])]
    text = b"".join(json.dumps(line).encode() + b"\n" for line in odd)
    if draw.draw(st.booleans()):
        at = draw.draw(st.integers(0, len(text)))
        text = text[:at] + draw.draw(st.binary(max_size=3)) + text[at + draw.draw(st.integers(0, 3)) :]
    (tmp_path / "odd").write_bytes(text)
    status = main(["ab", "--replay", str(tmp_path / "odd"), "--format", form, "--strict"])
    output, errors = capfd.readouterr()
    assert "Traceback" not in errors
    assert status in {0, 1, 2, 3}
    if status == 2 and not output:
        (line,) = errors.splitlines()
        assert line.startswith(f"aether-guard: error: {tmp_path / 'odd'}: line ")


def test_a_line_that_was_cut_short_is_named(tmp_path: Path, lines: Lines) -> None:
    path = tmp_path / "cut"
    write(path, lines)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(GuardError, match="cut: line 4: Input data was truncated"):
        replay(str(path), {})


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(70 * 2**20)
    with pytest.raises(GuardError, match="large: larger than 64 MiB"):
        replay(str(path), {})


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "nul\0"])
@pytest.mark.skipif(os.name != "posix", reason="needs a named pipe")
def test_what_is_no_file_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GuardError) as refused:
        replay(str(tmp_path / name), {})
    assert len(str(refused.value).splitlines()) == 1


def test_a_file_can_be_saved_over(tmp_path: Path, lines: Lines, comparison: Callable[..., Comparison]) -> None:
    assert len(lines) == 4
    save(str(tmp_path / "pairs"), [comparison()], 1)
    assert [item.name for item in tmp_path.iterdir()] == ["pairs"]
    assert len((tmp_path / "pairs").read_text().splitlines()) == 1
