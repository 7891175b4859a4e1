"""Run programs so that a signal never leaves one behind: it waits until a process that is being started is known."""

from __future__ import annotations

from functools import partial

from aether_guard.vcs import git, run
from aether_harness.machine.signals import held_back

run_command = partial(run.run_command, starting=held_back)
run_git = partial(git.run_git, starting=held_back)
