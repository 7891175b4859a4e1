"""The search for the commit with which a bench became worse, with `aether-guard ab` as the judge."""

from __future__ import annotations
