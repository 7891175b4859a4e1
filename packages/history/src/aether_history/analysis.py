"""From the files of a history to the trends of its benches."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_guard.check.verdict import Quantile
from aether_guard.errors import GuardError
from aether_history.commits import commit_positions
from aether_history.executor import find_changes_parallel
from aether_history.query import QueryResult, select
from aether_history.series import COLUMNS, Series, build_series, possible_renames
from aether_history.store import redacted
from aether_history.trend import Trend, trend_of
from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aether_history.store import Store

#: With more files of single runs, opening takes longer than reading.
MANY_FILES = 1_000


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """The selection from a history: benches by name or glob, all benches if empty.

    `renamed` maps earlier names to present ones.
    """

    benches: tuple[str, ...] = ()
    branch: str | None = None
    quantile: Quantile = "p50"
    confidence: float = 0.99
    renamed: dict[str, str] = {}
    scheduler: str | None = None


class HistoryReport(Struct, frozen=True, kw_only=True):
    """All trends of a history, the latest changes first, with their series, and lines about missing data.

    `repository` is the web address under which commits are found, None where that is unknown.
    """

    history: str
    quantile: Quantile
    trends: tuple[Trend, ...]
    series: tuple[Series, ...]
    hints: tuple[str, ...]
    problems: tuple[str, ...]
    repository: str | None = None


def analyze(store: Store, asked: HistoryQuery, repository: str | None, say: Callable[[str], object]) -> HistoryReport:
    """Return the trends of the selected benches; `say` is called with a line about a lost executor.

    Raises:
        GuardError: there is no history or nothing in it, or it or the scheduler cannot be reached.

    """
    found = _rows(store, asked)
    if not len(found.columns["bench_id"]):
        raise GuardError("\n".join([*found.problems, _nothing(store, asked, found)]))
    has_commits = any(found.columns["commit"].tolist())
    known = commit_positions() if has_commits else {}
    series = build_series(found.columns, asked.renamed, known, one_branch=asked.branch is not None)
    changes = find_changes_parallel([one.values for one in series], asked.confidence, asked.scheduler, say)
    pairs = [(trend_of(one, its), one) for one, its in zip(series, changes, strict=True)]
    pairs.sort(key=lambda pair: pair[0].changes[-1].timestamp if pair[0].changes else "", reverse=True)
    hints = possible_renames(series)
    if found.singles > MANY_FILES:
        hints.append(f"{found.singles:,} files of single runs; `aether-guard record --compact` makes one of them")
    return HistoryReport(
        history=redacted(store.address),
        quantile=asked.quantile,
        trends=tuple(trend for trend, _ in pairs),
        series=tuple(one for _, one in pairs),
        hints=tuple(hints),
        problems=found.problems,
        repository=repository,
    )


def _rows(store: Store, asked: HistoryQuery) -> QueryResult:
    """Return the rows wanted; names are matched by the database, so that it reads no other bench's."""
    former = [old for old, new in asked.renamed.items() if any(fnmatchcase(new, name) for name in asked.benches)]
    values: dict[str, object] = {}
    where = f"{asked.quantile} IS NOT NULL"
    if asked.benches:
        # A bench name may contain `[` and `?`: an existing bench of exactly this name has precedence over the glob.
        globs = "".join(f" OR bench_id GLOB $glob{at}" for at, _ in _globs(asked.benches))
        where += f" AND (bench_id IN $names{globs})"
        values["names"] = [*asked.benches, *former]
        values |= {f"glob{at}": name for at, name in _globs(asked.benches)}
    if asked.branch is not None:
        where += " AND branch = $branch"
        values["branch"] = asked.branch
    return select(store, COLUMNS.format(value=asked.quantile), where, values)


def _globs(names: Sequence[str]) -> list[tuple[int, str]]:
    return [(at, name) for at, name in enumerate(names) if set(name) & set("*?[")]


def _nothing(store: Store, asked: HistoryQuery, found: QueryResult) -> str:
    import difflib

    if not found.singles and not store.files():
        return f"{redacted(store.address)}: no run is recorded here yet; `aether-guard record` does"
    known = sorted(set(select(store, "bench_id").columns["bench_id"].tolist()))
    where = f" on branch {printable(asked.branch)}" if asked.branch is not None else ""
    if not asked.benches or not known:
        return f"{redacted(store.address)}: no run{where} with a {asked.quantile} that could be read"
    name = asked.benches[0]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"; did you mean {' or '.join(map(printable, near))}?" if near else f"; there are {_listed(known)}"
    return f"{printable(name)}: no run of this bench{where}{hint}"


def _listed(names: Sequence[str]) -> str:
    first = ", ".join(map(printable, names[:5]))
    return f"{first} and {len(names) - 5} more" if len(names) > 5 else first


def parse_renames(pairs: Sequence[str]) -> Mapping[str, str]:
    """Return present names by earlier ones, from `OLD=NEW` each, followed to the last.

    Raises:
        GuardError: one is not written so, or they go in a circle.

    """
    renamed: dict[str, str] = {}
    for pair in pairs:
        old, marker, new = pair.partition("=")
        if not (old and marker and new):
            raise GuardError(f"--renamed {printable(pair)}: write OLD=NEW")
        renamed[old] = new
    latest: dict[str, str] = {}
    for old in renamed:
        passed: dict[str, None] = {}
        name = old
        while name in renamed and name not in latest:
            passed[name] = None
            name = renamed[name]
            if name in passed:
                raise GuardError(f"--renamed: {printable(name)} would be renamed to itself")
        latest |= dict.fromkeys(passed, latest.get(name, name))
    return latest
