"""`aether-bench list`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from aether_harness.command.form import EXIT_FAILED, EXIT_OK, Commands, add_command
from aether_harness.kernel import kernel_of
from aether_harness.progress import aligned_table
from aether_harness.registry import installed_benches

if TYPE_CHECKING:
    import argparse

EXAMPLE = """example:
  aether-bench list
"""


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    add_command(commands, "list", "list the installed benches, with their parameters", EXAMPLE, execute)


def execute(_options: argparse.Namespace) -> int:
    """Print the installed benches; a plugin that cannot be loaded is an error, after the others."""
    found, errors = installed_benches()
    rows = [("bench", "name", "metric", "reference", "what it measures")]
    for item in found:
        bench = item.bench
        kernel = kernel_of(bench, bench.params_type())
        rows.append((bench.bench_id, bench.name, bench.metric, kernel.kernel_id, bench.about))
    print(aligned_table(rows))
    for item in found:
        defaults = asdict(item.bench.params_type())
        print(f"\nparameters of {item.bench.bench_id}, with their defaults:")
        for key, value in defaults.items():
            print(f"  -p {item.bench.name}.{key}={'' if value is None else value}")
    for error in errors:
        print(f"aether-bench: {error}", file=sys.stderr)
    return EXIT_FAILED if errors else EXIT_OK
