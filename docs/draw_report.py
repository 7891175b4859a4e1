"""Draws `verdict.svg`, the picture in the README, from the output of a real check: `hatch run docs:draw`.

Two benches are measured twice. In between, one of them gets a third more work. Needs a pseudo-terminal (POSIX).
"""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
COLUMNS = 100
#: The picture without the web fonts of Rich: a README loads nothing from other hosts.
SVG_FORMAT = re.sub(r"@font-face {{.*?}}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
BENCHES = """
import json
from aether_harness import bench

TEXT = json.dumps([{{"id": i, "tags": ["a", "b"]}} for i in range({parsed})])

@bench
def parse():
    json.loads(TEXT)

@bench
def index():
    {{str(i): i for i in range(20_000)}}
"""


def main() -> None:
    """Measure, check, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        for name, parsed in (("baseline", 3000), ("current", 4000)):
            Path(folder, "benches.py").write_text(BENCHES.format(parsed=parsed), encoding="utf-8")
            measure = [sys.executable, "-m", "aether_harness", "run", "benches.py", "--out", name, "-q"]
            subprocess.run(measure, cwd=folder, check=True)
        output = _terminal_output(["check", "--baseline", "baseline", "--current", "current"], folder)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ aether-guard check", style="bold"))
    console.print(Text.from_ansi(output))
    console.save_svg(str(HERE / "verdict.svg"), title="aether-guard", code_format=SVG_FORMAT)


def _terminal_output(arguments: list[str], folder: str) -> str:
    """Return the output of the guard on a terminal, with its colors."""
    ours, theirs = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key not in {"CI", "GITHUB_ACTIONS", "NO_COLOR"}}
    env |= {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "aether_guard", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=theirs, env=env):
        os.close(theirs)
        data = b""
        with suppress(OSError):  # the end of a terminal is an error on Linux
            while piece := os.read(ours, 65536):
                data += piece
    os.close(ours)
    return data.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    main()
