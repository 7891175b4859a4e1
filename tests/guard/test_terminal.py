from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_guard.check.verdict import Judgement, Report, build_report
from aether_guard.report.terminal import TerminalCapabilities, bar_chart, decorate
from aether_guard.report.text import render_text

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[2] / "fixtures"
PACK, PACK_PLUS25 = FIXTURES / "baseline_pack.json", FIXTURES / "current_pack_plus25.json"
RED, YELLOW, GREEN, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"
FULL = TerminalCapabilities(width=80, colour=True, blocks=True)
COLORLESS = TerminalCapabilities(width=80, colour=False, blocks=True)
PLOTLESS = TerminalCapabilities(width=80, colour=True, blocks=False)

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")


def report_of(*judgements: Judgement) -> Report:
    return build_report(judgements, strict=False)


def decorated(report: Report, terminal: TerminalCapabilities) -> str:
    return decorate(render_text(report), report, terminal)


def bars(report: Report, terminal: TerminalCapabilities = COLORLESS) -> list[str]:
    return bar_chart(report, terminal).splitlines()


@pytest.mark.parametrize(
    ("verdict", "color"), [("regression", RED), ("error", RED), ("inconclusive", YELLOW), ("improvement", GREEN)]
)
def test_verdict_is_colored_in_the_table_and_the_last_line(
    judgement: Callable[..., Judgement], verdict: str, color: str
) -> None:
    lines = decorated(report_of(judgement(verdict=verdict)), PLOTLESS).splitlines()
    assert lines[1].endswith(f"  {color}{verdict}{PLAIN}")
    assert lines[-1].startswith(f"{color}{verdict}{PLAIN}: 1 {verdict} ")


def test_pass_has_no_color(judgement: Callable[..., Judgement]) -> None:
    assert "\x1b" not in decorated(report_of(judgement(verdict="pass")), FULL)


def test_only_verdicts_are_colored(judgement: Callable[..., Judgement]) -> None:
    named = judgement(bench_id="error", verdict="pass", reason="a regression", interval=(0.1, 0.2))
    assert "\x1b" not in decorated(report_of(named), PLOTLESS)


def test_terminal_without_color_and_blocks_gets_the_plain_report(judgement: Callable[..., Judgement]) -> None:
    report = report_of(judgement(), judgement(bench_id="streaming", verdict="improvement"))
    assert decorated(report, TerminalCapabilities(width=80, colour=False, blocks=False)) == render_text(report)


def test_plot_is_between_the_table_and_the_reasons(judgement: Callable[..., Judgement]) -> None:
    report = report_of(judgement())
    table, plot, reasons, conclusion = decorated(report, COLORLESS).split("\n\n")
    assert f"{table}\n\n{reasons}\n\n{conclusion}" == render_text(report)
    assert plot == bar_chart(report, COLORLESS)


def test_bars_are_proportional_to_the_figures(judgement: Callable[..., Judgement]) -> None:
    baseline, current = bars(report_of(judgement(baseline=5.0, current=10.0)))
    assert baseline.startswith("packaging ")
    assert current.count("█") // 2 == baseline.count("█")
    assert baseline.endswith(" 5 ms")
    assert current.endswith("█ 10 ms")


def test_larger_figure_fills_the_width_on_either_side(judgement: Callable[..., Judgement]) -> None:
    worse = bars(report_of(judgement(baseline=5.0, current=10.0)))
    better = bars(report_of(judgement(baseline=10.0, current=5.0)))
    assert [line.count("█") for line in worse] == [line.count("█") for line in better][::-1]


@pytest.mark.parametrize(("width", "drawn"), [(0, False), (20, False), (59, False), (60, True), (200, True)])
def test_narrow_terminal_has_no_plot(judgement: Callable[..., Judgement], width: int, *, drawn: bool) -> None:
    assert bool(bars(report_of(judgement()), TerminalCapabilities(width=width, colour=True, blocks=True))) == drawn


def test_only_the_worst_benches_are_plotted(judgement: Callable[..., Judgement]) -> None:
    benches = [judgement(bench_id=f"bench {number:02}", change=number / 10) for number in range(12)]
    names = [line.split("  ")[0] for line in bars(report_of(*benches))[::2]]
    assert names == [f"bench {number:02}" for number in range(11, 3, -1)]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"baseline": 0.0}, id="a baseline of 0"),
        pytest.param({"baseline": None, "current": None, "verdict": "pass"}, id="new"),
        pytest.param({"verdict": "error"}, id="an error"),
    ],
)
def test_bench_without_two_comparable_figures_is_not_plotted(
    judgement: Callable[..., Judgement], changes: dict[str, object]
) -> None:
    assert bars(report_of(judgement(**changes))) == []
    assert len(bars(report_of(judgement(**changes), judgement(bench_id="streaming")))) == 2


def test_current_of_zero_has_an_empty_bar(judgement: Callable[..., Judgement]) -> None:
    assert bars(report_of(judgement(current=0.0, verdict="improvement")))[1].split() == ["current", "0", "ms"]


@given(
    bench_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    baseline=st.floats(min_value=5e-324, max_value=1e308),
    current=st.floats(min_value=0, max_value=1e308),
    width=st.integers(60, 300),
)
def test_plot_keeps_its_width_and_lines_for_any_content(
    judgement: Callable[..., Judgement], bench_id: str, baseline: float, current: float, width: int
) -> None:
    judged = judgement(bench_id=bench_id, baseline=baseline, current=current, metric="throughput_mbs", unit="MB/s")
    lines = bars(report_of(judged), TerminalCapabilities(width=width, colour=True, blocks=True))
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


def test_long_name_is_cut_and_control_characters_are_escaped(
    judgement: Callable[..., Judgement],
) -> None:
    long, forged = judgement(bench_id="x" * 200), judgement(bench_id="\x1b[2J\n::error::")
    first, _, second, _ = bars(report_of(long, forged))
    assert first.startswith("x" * 19 + "…  baseline ")
    assert second.startswith("\\x1b[2J")
    assert "\x1b[2J" not in decorated(report_of(long, forged), FULL)


# With a pseudo-terminal.


def on_a_terminal(folder: Path, *arguments: str | Path, columns: int = 80, **env: str) -> str:
    """Run the command with its output on a pseudo-terminal, and return that output."""
    import fcntl
    import pty
    import struct
    import termios

    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("GITHUB_") and key not in {"CI", "NO_COLOR", "COLUMNS", "PYTHONIOENCODING"}
    }
    environment |= {"TERM": "xterm", "PYTHONUTF8": "1", **env}
    command = [sys.executable, "-m", "aether_guard", *arguments]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=terminal, stderr=terminal):
        os.close(terminal)
        output = b""
        # At the end of its last writer, a pseudo-terminal reports an error on Linux and an empty read elsewhere.
        try:
            while part := os.read(master, 65536):
                output += part
        except OSError:
            pass
    os.close(master)
    return output.decode().replace("\r\n", "\n")


@posix_only
def test_terminal_gets_color_and_a_plot(tmp_path: Path) -> None:
    shown = on_a_terminal(tmp_path, "check", PACK, PACK_PLUS25)
    assert f"{RED}regression{PLAIN}" in shown
    assert "█" in shown


@posix_only
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_color_if_disabled_or_unsupported(tmp_path: Path, env: dict[str, str]) -> None:
    shown = on_a_terminal(tmp_path, "check", PACK, PACK_PLUS25, **env)
    assert "\x1b" not in shown
    assert "█" in shown


@posix_only
def test_empty_no_color_does_not_disable_color(tmp_path: Path) -> None:
    assert RED in on_a_terminal(tmp_path, "check", PACK, PACK_PLUS25, NO_COLOR="")


@posix_only
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_encoding_without_blocks_gets_no_plot_and_no_escapes(tmp_path: Path, encoding: str) -> None:
    shown = on_a_terminal(tmp_path, "check", PACK, PACK_PLUS25, PYTHONIOENCODING=encoding)
    assert "regression" in shown
    assert "█" not in shown
    assert "\\u" not in shown


@posix_only
@pytest.mark.parametrize("columns", [0, 20])
def test_narrow_terminal_gets_the_full_report(tmp_path: Path, columns: int) -> None:
    narrow = on_a_terminal(tmp_path, "check", PACK, PACK_PLUS25, columns=columns)
    assert "█" not in narrow
    plain = re.sub(r"\x1b\[\d+m", "", narrow)
    assert plain.startswith("bench      baseline   current  worse by  verdict\npackaging   6.75 ms  8.438 ms")
    assert "\nregression: packaging: p95 25.0 % worse, gate 20 %\n" in plain


@posix_only
def test_error_is_printed_once_on_a_terminal(tmp_path: Path) -> None:
    assert on_a_terminal(tmp_path, "check", PACK, "absent.json").count("absent.json: no such file") == 1


@posix_only
@pytest.mark.parametrize(("env", "count"), [({}, 0), ({"CI": "true"}, 1), ({"GITHUB_ACTIONS": "true"}, 1)])
def test_terminal_shows_warning_lines_only_in_ci(tmp_path: Path, env: dict[str, str], count: int) -> None:
    assert on_a_terminal(tmp_path, "check", PACK, PACK_PLUS25, **env).count("::warning ") == count


@posix_only
@pytest.mark.parametrize("form", ["json", "markdown", "junit"])
def test_document_formats_have_no_color_on_a_terminal(tmp_path: Path, form: str) -> None:
    shown = on_a_terminal(tmp_path, "check", "--format", form, PACK, PACK_PLUS25)
    assert "\x1b" not in shown
    assert "█" not in shown
