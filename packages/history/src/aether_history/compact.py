"""Many files of single runs made one, while others record and read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.errors import GuardError
from aether_history.query import parquet_of, select
from aether_history.store import COMPACT_PREFIX, PARQUET, redacted

if TYPE_CHECKING:
    from aether_history.store import Store


class CompactResult(Struct, frozen=True, kw_only=True):
    """The result of a compaction: the number of files, the name of the new file, and the damaged ones, which stay."""

    files: int
    name: str
    problems: tuple[str, ...]


def compact(store: Store) -> CompactResult:
    """Gather every sound file into one Parquet file, and only then take them away.

    A reader in between sees each row once. A killed process leaves rows twice, of which readers count one. A damaged
    file stays where it is.

    Raises:
        GuardError: there is no history, or it cannot be read or written.

    """
    import duckdb

    files = store.files()
    found = select(store, "n", "false")
    sound = [name for name in files if name not in found.faults]
    if len(sound) < 2:
        return CompactResult(files=0, name="", problems=found.problems)
    try:
        data = parquet_of(store, sound)
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        raise GuardError(f"{redacted(store.address)}: cannot be packed: {first}; nothing was changed") from None
    name = f"{COMPACT_PREFIX}{hashlib.sha256(data).hexdigest()[:16]}{PARQUET}"
    store.write(name, data)
    for old in sound:
        if old != name:
            store.remove(old)
    return CompactResult(files=len(sound), name=name, problems=found.problems)
