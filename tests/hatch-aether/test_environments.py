from __future__ import annotations

from typing import Any

import pytest

from hatch_aether.environments import OptionError, Options, add_environments, read_options


def environments(config: dict[str, dict[str, Any]] | None = None, **options: Any) -> dict[str, dict[str, Any]]:
    config = {} if config is None else config
    add_environments(config, read_options(options))
    return config


def test_a_project_gets_two_environments() -> None:
    made = environments(benches=["benchmarks/my bench.py", "packaging"])
    assert made["bench"]["scripts"]["all"] == "aether-bench run 'benchmarks/my bench.py' packaging {args}"
    assert made["bench"]["extra-dependencies"] == ["aether-harness>=0.1,<0.2"]
    assert made["guard"]["scripts"]["check"] == "aether-guard check {args}"
    assert made["guard"]["extra-dependencies"] == ["aether-guard[ab]>=0.1,<0.2"]
    assert made["guard"]["detached"] is True


def test_scripts_of_the_user_are_kept() -> None:
    mine = {"bench": {"scripts": {"all": "make bench", "mine": "true"}}}
    scripts = environments(mine)["bench"]["scripts"]
    assert (scripts["all"], scripts["mine"]) == ("make bench", "true")
    assert scripts["list"] == "aether-bench list {args}"


@pytest.mark.parametrize("key", ["dependencies", "extra-dependencies"])
def test_a_dependency_of_the_user_is_kept_and_not_repeated(key: str) -> None:
    mine = {"bench": {key: ["Aether_Harness==0.1.3", "numpy"]}}
    made = environments(mine)["bench"]
    assert made[key][:2] == ["Aether_Harness==0.1.3", "numpy"]
    assert sum("arness" in item for item in [*made.get("dependencies", []), *made["extra-dependencies"]]) == 1


def test_other_keys_of_the_user_are_kept() -> None:
    mine = {"guard": {"python": "3.13", "detached": False, "env-vars": {"A": "1"}}}
    made = environments(mine)["guard"]
    assert (made["python"], made["detached"], made["env-vars"]) == ("3.13", False, {"A": "1"})


def test_versions_and_extras_are_options() -> None:
    versions = {"aether-harness": "==0.1.2", "aether-guard": "@ file:///guard", "aether-formats": "@ file:///formats"}
    made = environments(packages=["aether-pack-bench"], extras=["history"], versions=versions)
    assert made["bench"]["extra-dependencies"] == ["aether-harness==0.1.2", "aether-pack-bench>=0.1,<0.2"]
    assert made["guard"]["extra-dependencies"] == [
        "aether-guard[history] @ file:///guard",
        "aether-formats @ file:///formats",
    ]


def test_no_options_are_needed() -> None:
    assert read_options({}) == Options()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"bench": []}, "Field `tool.hatch.env.collectors.aether.bench` is unknown; known: benches, packages"),
        ({"benches": "a.py"}, "Field `tool.hatch.env.collectors.aether.benches` must be an array of strings"),
        ({"extras": [1]}, "Field `tool.hatch.env.collectors.aether.extras` must be an array of strings"),
        ({"versions": ["1"]}, "Field `tool.hatch.env.collectors.aether.versions` must be a table of strings"),
    ],
)
def test_a_wrong_option_is_named(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(OptionError) as failed:
        read_options(table)
    assert str(failed.value).startswith(problem)
