"""`pytest --aether-check`: judge the pytest-benchmark results of a session at its end.

Pytest loads this module in every session, so everything else is imported only when used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aether_formats.reading.document import Document
    from aether_guard.check.verdict import Report

_SECTION = "aether-guard"
_PLUGIN = "aether-guard-gate"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("aether", "aether-guard: regressions in pytest-benchmark results")
    group.addoption(
        "--aether-check", action="store_true", help="compare with a baseline and fail the session on a regression"
    )
    group.addoption(
        "--aether-baseline",
        action="append",
        default=[],
        metavar="PATH",
        help="pytest-benchmark file, summary, or folder of summaries [default: guard.baseline in aether.toml]",
    )
    group.addoption("--aether-gate", metavar="20%", help="worsening that counts as a regression [default: 20%%]")


def pytest_configure(config: pytest.Config) -> None:
    """Register the gate if `--aether-check` is given."""
    if not config.getoption("--aether-check") or hasattr(config, "workerinput"):
        return
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError("--aether-check needs pytest-benchmark: pip install pytest-benchmark")
    config.pluginmanager.register(_Gate(config), _PLUGIN)


class _Gate:
    """The gate of one session."""

    def __init__(self, config: pytest.Config) -> None:
        self._report: Report | None = None
        self._problem = ""
        self._gate: float | None = None
        if (text := config.getoption("--aether-gate")) is not None:
            from aether_guard.errors import GuardError
            from aether_guard.report.format import parse_percentage

            try:
                self._gate = parse_percentage(text)
            except GuardError as error:
                raise pytest.UsageError(f"--aether-gate: {error}") from None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge; if the session passed so far, exit with the verdict's status."""
        from aether_guard.check.verdict import EXIT_PASS, EXIT_REGRESSION
        from aether_guard.errors import GuardError, explain
        from aether_schema import SchemaError

        status: int = pytest.ExitCode.USAGE_ERROR
        try:
            self._report = _judge(session.config, self._gate)
            passed = {EXIT_PASS: int(pytest.ExitCode.OK), EXIT_REGRESSION: int(pytest.ExitCode.TESTS_FAILED)}
            status = passed.get(self._report.exit_code, status)
        except (GuardError, SchemaError) as error:
            self._problem = str(error)
        except Exception as error:  # noqa: BLE001 - plugins, pools and schedulers raise errors of their own
            self._problem = explain(error)
        if session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = status

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
        """Print the report and its annotations after the tables of other plugins, even if one of them raised."""
        from aether_schema import printable

        yield
        terminalreporter.section(_SECTION)
        if self._report is None:
            for line in (self._problem or "the session was aborted").splitlines():
                terminalreporter.line(printable(f"aether-guard: error: {line}"))
            return
        from aether_guard.report.annotations import render_annotations
        from aether_guard.report.text import render_text

        terminalreporter.write(render_text(self._report))
        terminalreporter.write(render_annotations(self._report))


def _judge(config: pytest.Config, gate: float | None) -> Report:
    """Judge the measured benches.

    Raises:
        GuardError: nothing was measured, there is no baseline, or a file cannot be read.

    """
    from datetime import UTC, datetime

    from msgspec.structs import replace

    from aether_formats.importers import pytest_benchmark
    from aether_guard.check.files import LoadedSummary, LoadError
    from aether_guard.check.imported_files import Reader, import_document
    from aether_guard.check.pairing import InputPaths, judge_sides
    from aether_guard.check.policy import PolicyOverrides
    from aether_guard.check.verdict import build_report
    from aether_guard.config import find_config
    from aether_guard.errors import GuardError
    from aether_schema import printable

    guard_config = find_config(".")
    baseline = tuple(config.getoption("--aether-baseline")) or guard_config.baseline
    if not baseline:
        raise GuardError("no baseline: name one with --aether-baseline, or guard.baseline in aether.toml")
    session = getattr(config, "_benchmarksession", None)
    attempted = list(getattr(session, "benchmarks", ()))
    if not attempted:
        raise GuardError(f"no bench was measured: {_why_none(session)}")
    failed = [
        LoadError("this session", f"{printable(bench.fullname)}: failed while it was measured", bench_id=bench.fullname)
        for bench in attempted
        if bench.has_error
    ]
    measured: list[LoadedSummary] = []
    if benches := [bench for bench in attempted if bench and not bench.has_error]:
        imported = import_document(_document(config, session, benches), pytest_benchmark)
        measured = [LoadedSummary("this session", summary) for summary in imported.summaries]
    reader = Reader("pytest-benchmark")

    def import_all(paths: Any) -> tuple[list[LoadedSummary], list[LoadError]]:  # noqa: ANN401 - the paths of either side
        return (measured, failed) if paths is sides.current else reader.load_all(paths)

    baseline = tuple(_machine_folder(path, session) for path in baseline)
    sides = InputPaths(baseline=baseline, current=("this session",))
    book = replace(guard_config.book, cli_overrides=(("command line", PolicyOverrides(gate=gate)),))
    judgements = judge_sides(sides, book, datetime.now(UTC).date(), import_all)
    return build_report(judgements, strict=False, level=book.level)


def _why_none(session: Any) -> str:  # noqa: ANN401 - pytest-benchmark's, which has no public type
    if getattr(session, "skip", False):
        return "--benchmark-skip skips them"
    if getattr(session, "disabled", False):
        return "they are disabled by --benchmark-disable or by xdist; use -n 0"
    return "no selected test uses the fixture `benchmark`"


def _machine_folder(path: str, session: Any) -> str:  # noqa: ANN401 - as above
    """Return this machine's folder in a pytest-benchmark storage folder; return any other path unchanged."""
    own = os.path.join(path, getattr(session, "machine_id", None) or ".")
    return own if os.path.isdir(own) else path


def _document(config: pytest.Config, session: Any, benches: list[Any]) -> Document:  # noqa: ANN401 - as above
    """Return the document that `--benchmark-json` writes, so that both sides are read in the same way.

    Raises:
        GuardError: a hook made the results invalid JSON.

    """
    import json
    import time

    from aether_formats.reading.document import Document
    from aether_guard.errors import GuardError

    hook = config.hook
    commit_info = hook.pytest_benchmark_generate_commit_info(config=config)
    hook.pytest_benchmark_update_commit_info(config=config, commit_info=commit_info)
    report = hook.pytest_benchmark_generate_json(
        config=config,
        benchmarks=benches,
        include_data=True,
        machine_info=session.get_machine_info(),
        commit_info=commit_info,
    )
    hook.pytest_benchmark_update_json(config=config, benchmarks=benches, output_json=report)
    try:
        data = json.dumps(report, default=lambda _: "UNSERIALIZABLE[]").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise GuardError(f"the results of this session are not valid JSON: {error}") from None
    return Document("this session", data, modified_s=time.time())
