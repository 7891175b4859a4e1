"""`aether-bench list`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aether_harness.cli.options import EXIT_FAILED, EXIT_OK, Commands, add_command, add_timeout
from aether_harness.cli.progress import aligned_table
from aether_harness.discovery.isolated import listed_targets

if TYPE_CHECKING:
    import argparse

EXAMPLE = """example:
  aether-bench list
  aether-bench list benchmarks
    the functions under @bench in the files of that folder
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = add_command(commands, "list", "list benches with their parameters", EXAMPLE, run)
    parser.add_argument(
        "benches", nargs="*", metavar="BENCH", help="a bench, FILE.py or a folder [default: every installed bench]"
    )
    add_timeout(parser, "an import")


def run(options: argparse.Namespace) -> int:
    """Print the benches; a plugin that cannot be loaded is an error, after the others."""
    targets, errors = listed_targets(options.benches, options.timeout)
    rows = [("bench", "name", "metric", "reference", "what it measures")]
    rows += [(each.bench_id, each.name, each.metric, each.kernel_id, each.about) for each in targets]
    print(aligned_table(rows))
    for target in (each for each in targets if each.params):
        print(f"\nparameters of {target.bench_id}, with their defaults:")
        for key, value in target.params.items():
            print(f"  -p {target.name}.{key}={'' if value is None else value}")
    for error in errors:
        print(f"aether-bench: {error}", file=sys.stderr)
    return EXIT_FAILED if errors else EXIT_OK
