"""Findings about commits, kept in files, so that an interrupted search can continue."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

import msgspec

from aether_compare.bisect.judge import BisectSpec, Finding
from aether_guard.errors import GuardError
from aether_schema import SchemaError, printable, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

FINDING = ".json"
PAIRS = ".pairs.jsonl"


class FindingStore:
    """The findings under one question, a file a commit, in a folder that is named after the question."""

    def __init__(self, root: str, bench: str, question: object) -> None:
        """Keep findings beneath `root`; `question` is all that makes them comparable."""
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", bench)[-40:].strip("-") or "bench"
        digest = hashlib.sha256(msgspec.json.encode(question, order="deterministic")).hexdigest()[:10]
        self.folder = os.path.join(root, f"{slug}-{digest}")

    def pairs_at(self, commit: str) -> str:
        """Return the file in which `aether-guard ab` keeps the pairs of a commit, to be replayed."""
        return os.path.join(self.folder, commit + PAIRS)

    def read(self, commit: str, terms: BisectSpec, say: Callable[[str], object]) -> Finding | None:
        """Return an earlier finding, or None if there is none or its file is damaged."""
        path = self._path(commit, terms)
        try:
            with open(path, "rb") as file:
                finding = msgspec.json.decode(file.read(), type=Finding)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            say(f"{printable(path)}: cannot be read; measured again")
            return None
        # A commit that could not be judged is tried again.
        return finding if finding.commit == commit and finding.answer != "skip" else None

    def keep(self, finding: Finding, terms: BisectSpec) -> None:
        """Keep a finding.

        Raises:
            GuardError: it cannot be written.

        """
        try:
            write_atomically(
                self._path(finding.commit, terms), msgspec.json.format(msgspec.json.encode(finding), indent=2) + b"\n"
            )
        except SchemaError as error:
            raise GuardError(str(error)) from None

    def _path(self, commit: str, terms: BisectSpec) -> str:
        # The gate is part of the key: the ends have another gate than the commits in between.
        return os.path.join(self.folder, f"{commit}-{terms.gate:.6f}{FINDING}")
