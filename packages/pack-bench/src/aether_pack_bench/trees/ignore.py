"""The ignore files of a tree, in the syntax and with the precedence of gitignore(5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aether_harness import BenchError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True, slots=True)
class Rules:
    """The patterns of one ignore file for the files below its folder, with those of the folders above.

    `prefix` is that folder's path below the root, with a slash at the end.
    """

    prefix: str
    spec: GitIgnoreSpec
    above: Rules | None = None


def rules_of(text: str, where: str, prefix: str, above: Rules | None) -> Rules:
    """Return the rules of an ignore file's `text`.

    Raises:
        BenchError: a pattern makes no sense; the message names the file `where`.

    """
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines(text.splitlines())
    except ValueError as error:
        raise BenchError(f"{where}: {error}") from None
    return Rules(prefix, spec, above)


def is_ignored(rules: Rules | None, path: str, *, folder: bool) -> bool:
    """Return whether `path` is ignored: the last matching pattern of the nearest file decides."""
    while rules is not None:
        result = rules.spec.check_file(path.removeprefix(rules.prefix) + ("/" if folder else ""))
        if result.include is not None:
            return bool(result.include)
        rules = rules.above
    return False
