"""The environment in which a version of a bench is measured."""

from __future__ import annotations

from msgspec import Struct


class VariantEnvironment(Struct, frozen=True, kw_only=True):
    """One side of a comparison: its name, the interpreter of its environment, and the folder its worker runs in.

    `env_overrides` are the variables to be set for its worker on top of this process's environment.
    """

    name: str
    python: str
    folder: str
    env_overrides: dict[str, str] = {}
