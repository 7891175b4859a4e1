"""`pytest --aether-check`: what pytest-benchmark measures in a session is judged at its end.

Loaded in every session where this package is installed, so it imports nothing before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aether_guard.verdict import Report

_SECTION = "aether-guard"
_PLUGIN = "aether-guard-gate"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("aether", "aether-guard: regressions of pytest-benchmark's results")
    group.addoption(
        "--aether-check", action="store_true", help="compare with a baseline, and fail the session on a regression"
    )
    group.addoption(
        "--aether-baseline",
        action="append",
        default=[],
        metavar="PATH",
        help="a file of pytest-benchmark's, or summaries, a file or a folder; as aether.toml has it if not given",
    )
    group.addoption("--aether-gate", metavar="20%", help="the worsening that counts as a regression; 20%%")


def pytest_configure(config: pytest.Config) -> None:
    """Judge at the end where that is asked for; where it is not, do nothing at all."""
    if not config.getoption("--aether-check") or hasattr(config, "workerinput"):
        return
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError("--aether-check judges what pytest-benchmark measures: pip install pytest-benchmark")
    config.pluginmanager.register(_Gate(config), _PLUGIN)


class _Gate:
    """The gate of one session."""

    def __init__(self, config: pytest.Config) -> None:
        self._report: Report | None = None
        self._problem = ""
        self._gate: float | None = None
        if (written := config.getoption("--aether-gate")) is not None:
            from aether_guard.error import GuardError
            from aether_guard.figure import parse_percentage

            try:
                self._gate = parse_percentage(written)
            except GuardError as error:
                raise pytest.UsageError(f"--aether-gate: {error}") from None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge, and let a session that was well so far end with what was found."""
        from aether_guard.error import GuardError, explain
        from aether_guard.verdict import EXIT_PASS, EXIT_REGRESSION
        from aether_schema import SchemaError

        status: int = pytest.ExitCode.USAGE_ERROR
        try:
            self._report = _judged(session.config, self._gate)
            passed = {EXIT_PASS: int(pytest.ExitCode.OK), EXIT_REGRESSION: int(pytest.ExitCode.TESTS_FAILED)}
            status = passed.get(self._report.exit_code, status)
        except (GuardError, SchemaError) as error:
            self._problem = str(error)
        except Exception as error:  # noqa: BLE001 - somebody's hook, or a defect: no reason for an internal error
            self._problem = explain(error)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = status

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the report and its annotations."""
        from aether_schema import printable

        terminalreporter.section(_SECTION)
        if self._report is None:
            for line in (self._problem or "the session ended before its end").splitlines():
                terminalreporter.line(printable(f"aether-guard: error: {line}"))
            return
        from aether_guard.annotation import render_annotations
        from aether_guard.text import render_text

        terminalreporter.write(render_text(self._report))
        terminalreporter.write(render_annotations(self._report))


def _judged(config: pytest.Config, gate: float | None) -> Report:
    """Return the report on what was measured.

    Raises:
        GuardError: nothing was measured, there is no baseline, or a file cannot be read.

    """
    from datetime import UTC, datetime

    from msgspec.structs import replace

    from aether_guard.config import find_config
    from aether_guard.error import GuardError
    from aether_guard.importer import pytest_benchmark
    from aether_guard.importer.loading import Reader, import_document
    from aether_guard.pairing import Sides, judge_sides
    from aether_guard.policy import Wishes
    from aether_guard.source import Loaded, Problem
    from aether_guard.verdict import build_report

    found = find_config(".")
    baseline = tuple(config.getoption("--aether-baseline")) or found.baseline
    if not baseline:
        raise GuardError("no baseline: name one with --aether-baseline, or guard.baseline in aether.toml")
    document = _document(config)
    imported = import_document(document, pytest_benchmark)
    measured = [Loaded("this session", summary) for summary in imported.summaries]
    reader = Reader("pytest-benchmark")

    def import_all(paths: Any) -> tuple[list[Loaded], list[Problem]]:  # noqa: ANN401 - as the two sides have them
        return (measured, []) if paths is sides.current else reader.load_all(paths)

    sides = Sides(baseline=baseline, current=("this session",))
    book = replace(found.book, overriding=(("command line", Wishes(gate=gate)),))
    judgements = judge_sides(sides, book, datetime.now(UTC).date(), import_all)
    return build_report(judgements, strict=False, level=book.level)


def _document(config: pytest.Config) -> Any:  # noqa: ANN401 - a Document, which is not imported up here
    """Return what pytest-benchmark would have written."""
    import time

    import msgspec

    from aether_guard.error import GuardError
    from aether_guard.importer.document import Document

    session = getattr(config, "_benchmarksession", None)
    benches = [bench for bench in getattr(session, "benchmarks", ()) if bench and not bench.has_error]
    if session is None or not benches:
        raise GuardError("no bench was measured: were they disabled, deselected, or spread over processes by xdist?")
    report = {
        "benchmarks": [
            {
                "fullname": bench.fullname,
                "params": {key: value for key, value in (bench.params or {}).items() if _is_scalar(value)},
                "stats": {
                    "median": bench.stats.median,
                    "rounds": bench.stats.rounds,
                    "data": list(bench.stats.data),
                },
            }
            for bench in benches
        ],
        "machine_info": session.get_machine_info(),
    }
    return Document("this session", msgspec.json.encode(report), modified_s=time.time())


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int, float, bool, type(None)))
