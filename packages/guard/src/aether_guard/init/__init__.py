"""Set up a repository: find its benches, then write a configuration and a workflow."""

from __future__ import annotations

from aether_guard.init.discovery import discover
from aether_guard.init.plan import InitPlan, describe_init, plan_init, write_init

__all__ = ["InitPlan", "describe_init", "discover", "plan_init", "write_init"]
