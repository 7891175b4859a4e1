from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import pytest

from aether_guard.check.policy import PolicyOverrides, PolicySet, Waiver, figure_policy, policy_for
from aether_guard.config import Config, find_config
from aether_guard.errors import GuardError

if TYPE_CHECKING:
    from pathlib import Path

GUARD = '[guard]\nbaseline = ["baseline"]\ncurrent = ["target"]\ngate = "10%"\nquantile = "p50"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gate_of(folder: str) -> float:
    return policy_for("packaging", find_config(folder).book).gate


def refusal(project: Path, text: str | bytes, name: str = "aether.toml") -> str:
    (project / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(GuardError) as caught:
        find_config(".")
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    return message.removeprefix(f"{name}: ")


def test_the_file_of_the_folder_is_read(project: Path) -> None:
    (project / "aether.toml").write_text(GUARD)
    assert find_config(".") == Config(
        path=str(project / "aether.toml"),
        baseline=("baseline",),
        current=("target",),
        book=PolicySet(general=(("aether.toml [guard]", PolicyOverrides(gate=0.1, quantile="p50")),)),
    )


def test_a_file_further_up_is_found_and_its_paths_are_seen_from_here(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "aether.toml").write_text(GUARD)
    (project / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "down")
    config = find_config(".")
    assert config.baseline == (os.path.join("..", "..", "baseline"),)
    assert config.current == (os.path.join("..", "..", "target"),)


def test_an_absolute_path_stays_as_it_is(project: Path) -> None:
    absolute = project / "there"
    (project / "aether.toml").write_text(f"[guard]\nbaseline = ['{absolute}']\n")
    assert find_config(".").baseline == (str(absolute),)


def test_the_nearest_file_counts(project: Path) -> None:
    (project / "aether.toml").write_text(GUARD)
    (project / "inner").mkdir()
    (project / "inner" / "aether.toml").write_text('[guard]\ngate = "5%"\n')
    assert gate_of(str(project / "inner")) == 0.05
    assert find_config(str(project / "inner")).baseline == ()


def test_a_pyproject_with_the_table_is_read(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.aether.guard]\ngate = 0.15\n")
    assert gate_of(".") == 0.15


@pytest.mark.parametrize("text", ['[project]\nname = "x"\n', '[project]\nname = "aether"\n', "no toml at all"])
def test_a_pyproject_without_the_table_is_passed_over(project: Path, text: str) -> None:
    (project / "aether.toml").write_text(GUARD)
    (project / "inner").mkdir()
    (project / "inner" / "pyproject.toml").write_text(text)
    assert gate_of(str(project / "inner")) == 0.1


def test_aether_toml_outranks_pyproject_in_one_folder(project: Path) -> None:
    (project / "aether.toml").write_text('[guard]\ngate = "5%"\n')
    (project / "pyproject.toml").write_text("[tool.aether.guard]\ngate = 0.15\n")
    assert gate_of(".") == 0.05


def test_a_folder_of_that_name_is_no_configuration(project: Path) -> None:
    (project / "aether.toml").write_text(GUARD)
    (project / "inner" / "aether.toml").mkdir(parents=True)
    assert gate_of(str(project / "inner")) == 0.1


def test_a_link_to_nothing_is_refused_for_it_was_meant_to_be_a_configuration(project: Path) -> None:
    (project / "aether.toml").symlink_to("moved-away.toml")
    with pytest.raises(GuardError, match=r"^aether\.toml: no such file or directory$"):
        find_config(".")


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
@pytest.mark.parametrize("name", ["aether.toml", "pyproject.toml"])
def test_a_pipe_and_a_device_are_refused_and_not_waited_for(project: Path, name: str) -> None:
    os.mkfifo(project / name)
    with pytest.raises(GuardError, match=f"^{name}: not a regular file$"):
        find_config(".")
    (project / name).unlink()
    (project / name).symlink_to("/dev/zero")
    with pytest.raises(GuardError, match=f"^{name}: not a regular file$"):
        find_config(".")


def test_a_link_to_a_configuration_is_one(project: Path) -> None:
    (project / "shared.toml").write_text(GUARD)
    (project / "aether.toml").symlink_to("shared.toml")
    assert gate_of(".") == 0.1


def test_an_empty_file_is_an_empty_configuration(project: Path) -> None:
    (project / "aether.toml").touch()
    empty = PolicySet(general=(("aether.toml [guard]", PolicyOverrides()),))
    assert find_config(".") == Config(path=str(project / "aether.toml"), book=empty)
    assert policy_for("packaging", empty) == policy_for("packaging", PolicySet())


@pytest.mark.parametrize(
    ("gate", "fraction"), [('"20%"', 0.2), ('"0.2"', 0.2), ("0.2", 0.2), ("0", 0.0), ("1", 1.0), ("1e-3", 0.001)]
)
def test_a_gate_is_a_percentage_or_a_fraction(project: Path, gate: str, fraction: float) -> None:
    (project / "aether.toml").write_text(f"[guard]\ngate = {gate}\n")
    assert gate_of(".") == fraction


def test_a_gate_is_read_however_toml_writes_a_fraction(project: Path) -> None:
    (project / "aether.toml").write_text("[guard]\ngate = 0.00001\n")
    assert gate_of(".") == 0.00001


@pytest.mark.parametrize("gate", ['"150%"', "20", "-0.1", "nan", "inf", '"much"'])
def test_a_bad_gate_is_refused_and_named(project: Path, gate: str) -> None:
    assert refusal(project, f"[guard]\ngate = {gate}\n").startswith("guard.gate: ")


@pytest.mark.parametrize("gate", ["true", "[0.2]", "2026-11-23"])
def test_a_gate_of_a_wrong_type_is_refused_and_named(project: Path, gate: str) -> None:
    assert refusal(project, f"[guard]\ngate = {gate}\n").startswith("guard.gate: expected ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[guard]\ngaet = "1%"\n', "guard.gaet: no such key; did you mean gate?"),
        ('[guard]\nbaselines = ["x"]\n', "guard.baselines: no such key; did you mean baseline?"),
        ("[gaurd]\n", "gaurd: no such key; did you mean guard?"),
        ("[xyzzy]\n", "xyzzy: no such key; known: guard, ab"),
        ("[guard]\nwarn_only = true\n", "guard.warn_only: no such key; did you mean warn-only?"),
        ("[guard]\nexpect = ['a']\n", "guard.expect: no such key; did you mean expected?"),
        ("[ab]\nset-up = 'x'\n", "ab.set-up: no such key; did you mean setup?"),
        ("[guard.benches.x]\n", "guard.benches: no such key; did you mean bench?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(project: Path, text: str, message: str) -> None:
    assert refusal(project, text) == message


def test_an_unknown_key_in_pyproject_is_refused_too(project: Path) -> None:
    assert refusal(project, "[tool.aether.guard]\ngaet = 1\n", "pyproject.toml").startswith("guard.gaet: no such key")


def test_a_quantile_that_is_none_is_refused_and_named(project: Path) -> None:
    assert refusal(project, '[guard]\nquantile = "p99"\n').startswith("guard.quantile: ")


def test_one_path_without_its_list_is_refused_and_named(project: Path) -> None:
    assert refusal(project, '[guard]\nbaseline = "x"\n') == "guard.baseline: expected `array`, got `str`"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[guard", id="truncated"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"guard = 3", id="no table"),
        pytest.param(b"[guard]\nbaseline = " + b"[" * 10_000, id="nested too deeply"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_one_line(project: Path, text: bytes) -> None:
    assert refusal(project, text)


@pytest.mark.parametrize("text", ["tool = 3 # aether", "[tool]\naether = 3\n"])
def test_a_pyproject_whose_table_is_none_is_refused_and_the_table_named(project: Path, text: str) -> None:
    assert refusal(project, text, "pyproject.toml").startswith("tool")


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("[ab]\nsetup = 'make venv'\n", ("make venv",)),
        ("[ab]\nsetup = ['uv sync', 'make']\n", ("uv sync", "make")),
        ("[ab]\n", ()),
        ("[guard]\n", ()),
    ],
)
def test_the_set_up_of_a_revision_is_one_command_or_several(
    project: Path, text: str, commands: tuple[str, ...]
) -> None:
    (project / "aether.toml").write_text(text)
    assert find_config(".").ab.setup_commands == commands


@pytest.mark.parametrize("setup", ["3", "[3]", "{}"])
def test_a_set_up_of_a_wrong_type_is_refused_and_named(project: Path, setup: str) -> None:
    assert refusal(project, f"[ab]\nsetup = {setup}\n").startswith("ab.setup")


# The policies.

WAIVER = '[[guard.waiver]]\nbench = "pack*"\ngate = "50%"\nreason = "a larger manifest"\nexpires = 2026-12-24\n'


def test_every_key_of_the_policy_is_read_with_its_source(project: Path) -> None:
    (project / "aether.toml").write_text(
        '[guard]\nexpected = ["packaging", "streaming"]\nlevel = "1%"\nhost-mismatch = "error"\n'
        '[guard.bench."pack*"]\ngate = "5%"\nquantile = "p50"\nwarn-only = true\nevidence = "ruler"\n'
        '[guard.bench."*"]\nhost-mismatch = "ignore"\n' + WAIVER
    )
    assert find_config(".").book == PolicySet(
        general=(("aether.toml [guard]", PolicyOverrides(host_mismatch="error")),),
        by_glob=(
            (
                'aether.toml [guard.bench."pack*"]',
                "pack*",
                PolicyOverrides(gate=0.05, quantile="p50", warn_only=True, evidence="ruler"),
            ),
            ('aether.toml [guard.bench."*"]', "*", PolicyOverrides(host_mismatch="ignore")),
        ),
        waivers=(Waiver(bench="pack*", gate=0.5, reason="a larger manifest", expires=date(2026, 12, 24)),),
        expected=("packaging", "streaming"),
        level=0.01,
    )


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ('[guard.bench."pack*"]\ngaet = "1%"\n', "gaet", "gate"),
        ('[guard.bench."pack*"]\nhost_mismatch = "warn"\n', "host_mismatch", "host-mismatch"),
        ('[guard.bench."pack*"]\nevidnce = "any"\n', "evidnce", "evidence"),
        (WAIVER.replace("expires", "expire"), "expire", "expires"),
        (WAIVER.replace("reason", "raeson"), "raeson", "reason"),
        (WAIVER.replace("bench =", "benches ="), "benches", "bench"),
    ],
)
def test_an_unknown_key_of_a_bench_or_a_waiver_is_refused_with_the_nearest_known_one(
    project: Path, text: str, key: str, near: str
) -> None:
    message = refusal(project, text)
    assert message.startswith('guard.bench."pack*".' if "guard.bench" in text else "guard.waiver[")
    assert message.endswith(f".{key}: no such key; did you mean {near}?")


@pytest.mark.parametrize("name", ["aether.toml", "pyproject.toml"])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('gaet = "1%"', "gaet: no such key; did you mean gate?"),
        ("gate = true", "gate: expected `float | str | null`, got `bool`"),
        ('quantile = "p99"', "quantile: invalid enum value 'p99'"),
    ],
)
def test_of_several_benches_the_table_at_fault_is_named_by_its_glob(
    project: Path, name: str, line: str, message: str
) -> None:
    table = "guard.bench" if name == "aether.toml" else "tool.aether.guard.bench"
    text = f'[{table}."a*"]\ngate = "1%"\n[{table}."*/[0-9]"]\n{line}\n[{table}."z"]\nwarn-only = true\n'
    assert refusal(project, text, name) == f'guard.bench."*/[0-9]".{message}'


def test_a_bench_that_is_no_table_is_named_by_its_glob(project: Path) -> None:
    message = refusal(project, '[guard.bench]\n"pack*" = 3\n')
    assert message == 'guard.bench."pack*": expected `object`, got `int`'


def test_a_glob_that_would_command_a_terminal_is_named_escaped(project: Path) -> None:
    assert refusal(project, '[guard.bench."a\\u001b[2J"]\ngaet = 1\n').startswith('guard.bench."a\\x1b[2J".gaet: ')


@pytest.mark.parametrize("name", ["aether.toml", "pyproject.toml"])
@pytest.mark.parametrize("digits", ["9" * 4301, "9_" * 4301 + "9", "9" * 400])
def test_an_integer_too_large_to_read_is_refused_and_named(project: Path, name: str, digits: str) -> None:
    table = "guard" if name == "aether.toml" else "tool.aether.guard"
    message = refusal(project, f'[{table}]\nquantile = "p50"\nlevel = {digits}\n', name)
    assert "level" in message
    assert len(message) < 200


def test_a_glob_at_fault_in_a_gate_is_named_escaped(project: Path) -> None:
    message = refusal(project, '[guard.bench."a\\u001b[2J\\nb"]\ngate = "150%"\n')
    assert message.startswith('guard.bench."a\\x1b[2J\\nb".gate: ')


def test_a_level_at_which_nothing_could_be_a_regression_is_refused(project: Path) -> None:
    for level in ("0", '"0%"', "0.0"):
        assert refusal(project, f"[guard]\nlevel = {level}\n").startswith("guard.level: at 0 no evidence ")


def test_what_goes_for_all_benches_only_is_no_key_of_one(project: Path) -> None:
    known = "known: gate, quantile, warn-only, evidence, host-mismatch, limit, judge, figure"
    assert refusal(project, '[guard.bench."*"]\nxyzzy = 1\n').endswith(f"xyzzy: no such key; {known}")


@pytest.mark.parametrize("key", ["bench", "gate", "reason", "expires"])
def test_a_waiver_lacks_none_of_its_keys(project: Path, key: str) -> None:
    lines = [line for line in WAIVER.splitlines() if not line.startswith(key)]
    assert refusal(project, "\n".join(lines)) == f"guard.waiver[0]: object missing required field `{key}`"


@pytest.mark.parametrize("expires", ['"soon"', "20261224", "true", "2026-13-01"])
def test_a_waiver_expires_on_a_date(project: Path, expires: str) -> None:
    assert refusal(project, WAIVER.replace("2026-12-24", expires))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[guard]\nlevel = "150%"\n', "guard.level: "),
        ("[guard]\nlevel = -1\n", "guard.level: "),
        ('[guard.bench."pack*"]\ngate = "150%"\n', 'guard.bench."pack*".gate: '),
        (WAIVER.replace("50%", "150%"), "guard.waiver.gate: "),
        ('[guard]\nevidence = "all"\n', "guard.evidence: "),
        ('[guard]\nhost-mismatch = "never"\n', "guard.host-mismatch: "),
        ("[guard]\nwarn-only = 1\n", "guard.warn-only: "),
        ('[guard]\nexpected = "packaging"\n', "guard.expected: "),
    ],
)
def test_a_value_of_the_policy_that_is_none_is_refused_and_named(project: Path, text: str, key: str) -> None:
    assert refusal(project, text).startswith(key)


def test_the_suite_of_ab_is_configured(project: Path) -> None:
    (project / "aether.toml").write_text('[ab]\nrun = "make bench"\nfrom = "go"\nresults = "out.txt"\n')
    table = find_config(".").ab
    assert (table.run, table.source, table.results, table.suite) == ("make bench", "go", "out.txt", None)


def test_figures_have_policies_of_their_own(project: Path) -> None:
    (project / "aether.toml").write_text(
        '[guard]\ngate = "5%"\n'
        '[guard.figure."peak-*"]\ngate = "30%"\nlimit = "200 MB"\n'
        '[guard.bench."pack*".figure.cpu-time]\njudge = true\nwarn-only = true\n'
    )
    book = find_config(".").book
    memory = figure_policy("packaging", "peak-memory", "packaging:peak-memory", book, exact=False)
    assert (memory.gate, memory.limit, memory.judge, memory.quantile) == (0.3, "200 MB", True, "p50")
    cpu = figure_policy("packaging", "cpu-time", "packaging:cpu-time", book, exact=False)
    assert (cpu.gate, cpu.judge, cpu.warn_only) == (0.2, True, True)
    assert not figure_policy("streaming", "cpu-time", "streaming:cpu-time", book, exact=False).judge
    assert figure_policy("streaming", "calls", "streaming:calls", book, exact=True).gate == 0.01
    assert policy_for("packaging", book).gate == 0.05


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[guard.figure."peak-memory"]\ngaet = 1\n',
            'guard.figure."peak-memory".gaet: no such key; did you mean gate?',
        ),
        (
            '[guard.bench."a".figure."b"]\njudge = 1\n',
            'guard.bench."a".figure."b".judge: expected `bool | null`, got `int`',
        ),
        (
            '[guard.figure.b]\nlimit = "x"\n',
            "guard.figure.\"b\".limit: 'x' is not a limit: write 200 MB, 5 ms or a number",
        ),
    ],
)
def test_a_wrong_table_of_figures_is_named(project: Path, text: str, problem: str) -> None:
    assert refusal(project, text) == problem
