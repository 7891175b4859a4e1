"""Select rows from the files of a history, in place, by DuckDB; and report unreadable files."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_guard.errors import GuardError
from aether_history.store import COMPACT_PREFIX, LINES, PARQUET, LocalStore, redacted
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from aether_history.store import Store

#: The columns of a row, in their order, with DuckDB's types; those that a row cannot do without come first.
REQUIRED = {
    "run_id": "VARCHAR",
    "recorded_at": "VARCHAR",
    "timestamp": "VARCHAR",
    "bench_id": "VARCHAR",
    "metric": "VARCHAR",
    "unit": "VARCHAR",
    "better": "VARCHAR",
    "n": "BIGINT",
}
COLUMNS = {
    "aether_history": "INTEGER",
    **REQUIRED,
    "p50": "DOUBLE",
    "p95": "DOUBLE",
    "commit": "VARCHAR",
    "commit_time": "VARCHAR",
    "branch": "VARCHAR",
    "params": "VARCHAR",
    "environment": "VARCHAR",
    "kernel": "VARCHAR",
    "ruler": "DOUBLE",
}
_VERSION_KNOWN = 1
_ATTEMPTS = 5
_ROW_GROUP = 8192
# Twice the longest row that is written.
_LINE_LIMIT_BYTES = 16 * 2**20
# A folder named `branch=x` does not set a column of its rows.
_PLAIN_NAMES = "filename = true, hive_partitioning = false"

_VALID_ROW = " AND ".join(
    [
        f"aether_history = {_VERSION_KNOWN}",
        *(f"{name} IS NOT NULL" for name in REQUIRED),
        "coalesce(p50, p95) IS NOT NULL",
        *(f"coalesce(isfinite({name}) AND {name} >= 0, true)" for name in ("p50", "p95")),
        "better IN ('lower', 'higher')",
        "try_cast(timestamp AS TIMESTAMP) IS NOT NULL",
    ]
)
#: Of two rows of one bench in one run, the first recorded one counts: a file may exist twice during a compaction.
_DEDUPLICATE = "QUALIFY row_number() OVER (PARTITION BY run_id, bench_id ORDER BY recorded_at) = 1"


class QueryResult(Struct, frozen=True, kw_only=True):
    """The result of a query: its columns, of equal length, and a line per damaged file.

    `faults` has the lines by the names of the files; `singles` counts the files of single runs that were read.
    """

    columns: dict[str, Any]
    faults: dict[str, str]
    singles: int

    @property
    def problems(self) -> tuple[str, ...]:
        """The lines, in order."""
        return tuple(sorted(self.faults.values()))


def connect(store: Store) -> DuckDBPyConnection:
    """Return a private in-memory DuckDB connection that never downloads an extension."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    store.attach(connection)
    return connection


def select(store: Store, wanted: str, where: str = "true", values: dict[str, Any] | None = None) -> QueryResult:
    """Return the columns `wanted` of the rows for which `where` holds, oldest first.

    Unreadable files are left out and named. `values` are the parameters in `where`.

    Raises:
        GuardError: there is no history, or it cannot be reached.

    """
    connection = connect(store)
    for _ in range(_ATTEMPTS):
        files = store.files()
        found = _select_once(connection, store, files, (wanted, where, values or {}))
        if found is not None:
            return found
        # A file has gone since it was listed: it was packed.
    raise GuardError(f"{redacted(store.address)}: cannot be read: its files change all the time")


def _select_once(
    connection: DuckDBPyConnection, store: Store, files: Sequence[str], query: tuple[str, str, dict[str, Any]]
) -> QueryResult | None:
    """Return the rows in `files`, or None if one of them is gone."""
    import duckdb

    faults = {name: fault for name in files if (fault := store.fault(name))}
    wanted, where, values = query
    while True:
        readable = [name for name in files if name not in faults]
        relation = _relation(store, readable)
        try:
            columns = connection.execute(
                f"SELECT {wanted} FROM {relation[0]} WHERE {_VALID_ROW} AND {where} {_DEDUPLICATE} "  # noqa: S608 - no text of the user's
                "ORDER BY timestamp, run_id",
                {**relation[1], **values},
            ).fetchnumpy()
            unsound = _invalid_rows(connection, store, readable)
            singles = sum(not name.startswith(COMPACT_PREFIX) for name in readable)
        except duckdb.Error:
            found = _unreadable(connection, store, readable)
            if not found or any(not store.has(name) for name in found):
                return None
            faults |= found
        else:
            lines = {name: f"{_named(store, name)}: {fault}" for name, fault in {**faults, **unsound}.items()}
            return QueryResult(columns=columns, faults=lines, singles=singles)


def _relation(store: Store, files: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the table of all rows of `files`, as SQL, with the values of its parameters."""
    lines = [store.source(name) for name in files if name.endswith(LINES)]
    parquet = [store.source(name) for name in files if name.endswith(PARQUET)]
    names = ", ".join(COLUMNS)
    parts, values = [], {}
    if lines:
        kinds = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
        parts.append(
            f"SELECT {names}, filename FROM read_json($lines, format = 'newline_delimited', columns = {{{kinds}}}, "  # noqa: S608
            f"ignore_errors = true, maximum_object_size = {_LINE_LIMIT_BYTES}, {_PLAIN_NAMES})"
        )
        values["lines"] = lines
    if parquet:
        parts.append(f"SELECT {names}, filename FROM read_parquet($parquet, {_PLAIN_NAMES})")  # noqa: S608
        values["parquet"] = parquet
    if not parts:
        nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in COLUMNS.items())
        parts.append(f"SELECT {nothing}, NULL::VARCHAR AS filename LIMIT 0")
    return f"({' UNION ALL '.join(parts)})", values


def _invalid_rows(connection: DuckDBPyConnection, store: Store, files: Sequence[str]) -> dict[str, str]:
    """Return the problem of every file of single runs with an invalid row, by its name."""
    lines = [name for name in files if name.endswith(LINES)]
    if not lines:
        return {}
    relation = _relation(store, lines)
    counted = connection.execute(
        f"SELECT filename, count(*) FROM {relation[0]} WHERE NOT coalesce({_VALID_ROW}, false) GROUP BY filename",  # noqa: S608
        relation[1],
    ).fetchall()
    return {
        os.path.basename(path): f"{count} line{'' if count == 1 else 's'} left out: truncated, or no row of a history"
        for path, count in counted
    }


def _unreadable(connection: DuckDBPyConnection, store: Store, files: Sequence[str]) -> dict[str, str]:
    """Return the problem of every unreadable file, by its name: halves are tried until single files are left."""
    import duckdb

    relation = _relation(store, files)
    try:
        # Read every column, because the damage may be in a later one.
        connection.execute(f"SELECT max(hash({', '.join(COLUMNS)})) FROM {relation[0]}", relation[1]).fetchone()  # noqa: S608
    except duckdb.Error as error:
        if len(files) > 1:
            half = len(files) // 2
            return _unreadable(connection, store, files[:half]) | _unreadable(connection, store, files[half:])
        first = str(error).strip().splitlines()[0].split(": ", 1)[-1]
        return {files[0]: f"left out: truncated, or no file of a history ({printable(first)[:160]})"}
    return {}


def parquet_of_lines(lines: bytes) -> bytes:
    """Return rows that are JSON lines as one Parquet file."""
    with tempfile.TemporaryDirectory(prefix="aether-history-") as folder:
        with open(os.path.join(folder, f"run{LINES}"), "wb") as file:
            file.write(lines)
        return parquet_of(LocalStore(folder), [f"run{LINES}"])


def parquet_of(store: Store, files: Sequence[str]) -> bytes:
    """Return all sound rows of `files` as one Parquet file, by bench and time, so that a bench is found quickly."""
    connection = connect(store)
    relation = _relation(store, files)
    with tempfile.TemporaryDirectory(prefix="aether-history-") as folder:
        target = os.path.join(folder, "pack").replace("'", "''")
        connection.execute(
            f"COPY (SELECT {', '.join(COLUMNS)} FROM {relation[0]} WHERE {_VALID_ROW} {_DEDUPLICATE} "  # noqa: S608
            f"ORDER BY bench_id, timestamp, run_id) TO '{target}' "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})",
            relation[1],
        )
        with open(os.path.join(folder, "pack"), "rb") as file:
            return file.read()


def _named(store: Store, name: str) -> str:
    return (
        printable(os.path.join(store.address, name))
        if "://" not in store.address
        else redacted(f"{store.address}/{name}")
    )
