from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from aether_guard.config import Config, find_config
from aether_guard.error import GuardError

if TYPE_CHECKING:
    from pathlib import Path

GUARD = '[guard]\nbaseline = ["baseline"]\ncurrent = ["target"]\ngate = "10%"\nquantile = "p50"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
        path=str(project / "aether.toml"), baseline=("baseline",), current=("target",), gate=0.1, quantile="p50"
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
    config = find_config(str(project / "inner"))
    assert (config.gate, config.baseline) == (0.05, ())


def test_a_pyproject_with_the_table_is_read(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.aether.guard]\ngate = 0.15\n")
    assert find_config(".").gate == 0.15


@pytest.mark.parametrize("text", ['[project]\nname = "x"\n', '[project]\nname = "aether"\n', "no toml at all"])
def test_a_pyproject_without_the_table_is_passed_over(project: Path, text: str) -> None:
    (project / "aether.toml").write_text(GUARD)
    (project / "inner").mkdir()
    (project / "inner" / "pyproject.toml").write_text(text)
    assert find_config(str(project / "inner")).gate == 0.1


def test_aether_toml_outranks_pyproject_in_one_folder(project: Path) -> None:
    (project / "aether.toml").write_text('[guard]\ngate = "5%"\n')
    (project / "pyproject.toml").write_text("[tool.aether.guard]\ngate = 0.15\n")
    assert find_config(".").gate == 0.05


def test_a_folder_of_that_name_is_no_configuration(project: Path) -> None:
    (project / "aether.toml").write_text(GUARD)
    (project / "inner" / "aether.toml").mkdir(parents=True)
    assert find_config(str(project / "inner")).gate == 0.1


def test_an_empty_file_is_an_empty_configuration(project: Path) -> None:
    (project / "aether.toml").touch()
    assert find_config(".") == Config(path=str(project / "aether.toml"))


@pytest.mark.parametrize(
    ("gate", "fraction"), [('"20%"', 0.2), ('"0.2"', 0.2), ("0.2", 0.2), ("0", 0.0), ("1", 1.0), ("1e-3", 0.001)]
)
def test_a_gate_is_a_percentage_or_a_fraction(project: Path, gate: str, fraction: float) -> None:
    (project / "aether.toml").write_text(f"[guard]\ngate = {gate}\n")
    assert find_config(".").gate == fraction


def test_a_gate_is_read_however_toml_writes_a_fraction(project: Path) -> None:
    (project / "aether.toml").write_text("[guard]\ngate = 0.00001\n")
    assert find_config(".").gate == 0.00001


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
        ("[xyzzy]\n", "xyzzy: no such key; known: guard"),
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
