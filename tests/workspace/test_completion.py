from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

PARSERS = {
    "aether-bench": ("aether_harness.cli.app.build_parser", "run", "--max-time"),
    "aether-guard": ("aether_guard.cli.app.build_parser", "check", "--baseline"),
    "aether-stream-bench": ("aether_stream_bench.cli.build_parser", "serve", "--connections"),
}
COMPLETE = """
{script}
function=$(complete -p {command} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
$function {command} "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("command", PARSERS)
def test_bash_completes_commands_and_options(command: str) -> None:
    parser, subcommand, option = PARSERS[command]
    made = [sys.executable, "-m", "shtab", "--shell", "bash", "--prog", command, parser]
    script = subprocess.run(made, capture_output=True, text=True, check=True).stdout

    def completed(*words: str) -> list[str]:
        text = COMPLETE.format(script=script, command=command, words=" ".join(map(repr, (command, *words))))
        return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True).stdout.split()  # noqa: S607

    assert completed(subcommand[:-1]) == [subcommand]
    assert option in completed(subcommand, option[:-2])
