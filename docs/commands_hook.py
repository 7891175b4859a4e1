"""A hook of mkdocs that writes the reference of commands from the parsers themselves."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from aether_guard.cli.app import build_parser as build_guard_parser
from aether_harness.cli.app import build_parser as build_bench_parser
from aether_stream_bench.cli import build_parser as build_stream_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.structure.pages import Page

PAGE = "reference/commands.md"


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Append the help of every command to the page of commands."""
    if page.file.src_uri != PAGE:
        return markdown
    os.environ["COLUMNS"] = "80"
    parsers = (build_bench_parser(), build_guard_parser(()), build_stream_parser())
    return "\n\n".join([markdown, *(section for parser in parsers for section in _sections(parser))])


def _sections(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## {parser.prog}\n\n{_help(parser)}"
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to list subcommands
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield f"### {command.prog}\n\n{_help(command)}"


def _help(parser: argparse.ArgumentParser) -> str:
    return f"```text\n{parser.format_help().rstrip()}\n```"
