"""The environments `bench` and `guard`, with defaults that any key of the user's section replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tox.config.loader.memory import MemoryLoader
from tox.config.types import Command
from tox.plugin import impl
from tox.tox_env.python.pip.req_file import PythonDeps

if TYPE_CHECKING:
    from tox.config.sets import EnvConfigSet
    from tox.session.state import State

BENCH, GUARD = "bench", "guard"
_VERSIONS = ">=0.1,<0.2"


@impl
def tox_extend_envs() -> tuple[str, ...]:
    """Declare the environments; `tox run -e bench` needs no section."""
    return BENCH, GUARD


@impl
def tox_add_env_config(env_conf: EnvConfigSet, state: State) -> None:
    """Give our environments their defaults, behind the user's section and before the base `testenv`."""
    if env_conf.env_name not in {BENCH, GUARD}:
        return
    env_conf.add_config("aether_benches", list[str], [], "bench files, or names of installed benches")
    env_conf.add_config("aether_requires", list[str], [], "requirements of aether packages, in place of the defaults")
    own = [loader for loader in env_conf.loaders if loader.section.name == env_conf.env_name]
    env_conf.loaders.insert(len(own), MemoryLoader(**_defaults(env_conf, state)))


def _defaults(env_conf: EnvConfigSet, state: State) -> dict[str, Any]:
    arguments = list(state.conf.pos_args(None) or ())
    if env_conf.env_name == BENCH:
        command = ["aether-bench", "run", *env_conf["aether_benches"], *arguments]
        requirement = f"aether-harness{_VERSIONS}"
    else:
        command = ["aether-guard", *(arguments or ["check"])]
        requirement = f"aether-guard[ab]{_VERSIONS}"
    requirements = env_conf["aether_requires"] or [requirement]
    defaults: dict[str, Any] = {
        "description": "measure the benches" if env_conf.env_name == BENCH else "compare with the baselines",
        "deps": PythonDeps("\n".join(requirements), state.conf.core["tox_root"]),
        "commands": [Command(command)],
    }
    return defaults if env_conf.env_name == BENCH else {**defaults, "skip_install": True}
