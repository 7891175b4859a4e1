"""Register the plugins with Hatch and Hatchling. Each is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hatchling.plugin import hookimpl

if TYPE_CHECKING:
    from hatch_aether.build_hook import AetherBuildHook
    from hatch_aether.collector import AetherEnvironmentCollector


@hookimpl
def hatch_register_environment_collector() -> type[AetherEnvironmentCollector]:
    """Return the environment collector `aether`."""
    from hatch_aether.collector import AetherEnvironmentCollector

    return AetherEnvironmentCollector


@hookimpl
def hatch_register_build_hook() -> type[AetherBuildHook]:
    """Return the build hook `aether`."""
    from hatch_aether.build_hook import AetherBuildHook

    return AetherBuildHook
