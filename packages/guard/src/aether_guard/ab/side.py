"""Where a version of a bench is measured."""

from __future__ import annotations

from msgspec import Struct


class Side(Struct, frozen=True, kw_only=True):
    """One side of a comparison: its name, the interpreter of its environment, and the folder its worker runs in."""

    name: str
    python: str
    folder: str
