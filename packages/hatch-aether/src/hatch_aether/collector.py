"""The environment collector `aether`: the environments `bench` and `guard` in any project."""

from __future__ import annotations

from typing import Any

from hatch.env.collectors.plugin.interface import EnvironmentCollectorInterface

from hatch_aether.environments import OptionError, add_environments, read_options


class AetherEnvironmentCollector(EnvironmentCollectorInterface):
    """Adds our environments to the project's, and missing keys to its environments of the same name."""

    PLUGIN_NAME = "aether"

    def finalize_config(self, config: dict[str, dict[str, Any]]) -> None:
        """Add the environments.

        Hatch updates the result of `get_initial_config` key by key: a single script of the user's would replace all of
        ours. Hence they merge here.

        Raises:
            SystemExit: the collector's table is wrong. Hatch would show another exception with its traceback.

        """
        try:
            options = read_options(self.config)
        except OptionError as error:
            raise SystemExit(f"hatch-aether: {error}") from None
        add_environments(config, options)
