"""Generate hostile command lines of `aether-guard`, and the folders that they run in, from a seed."""

from __future__ import annotations

import gzip
import json
import os
import random
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzz_import import ODDITIES as WORDS
from fuzz_import import damaged as damaged_words

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[1] / "fixtures"
FORMATS = sorted(path.name for path in (FIXTURES / "import").iterdir() if path.is_dir())
SMALL_BYTES = 20_000
NAMES = (
    *("packaging", "streaming", "größer 📦", "a b", "x" * 200, "a/b::c[1-2]", "-dash", "--gate", "..", "'", '"', "~"),
    *("::error::x", "  ::error::x", "##[error]x", "x##vso[task.complete]y", "=1+1", "@a", "\u202eabc", "a\u2028b"),
    *(
        "a\x1b[2Jb",
        "a\nb",
        "a\n::error::b",
        "\r::error::b",
        "\x00",
        "\udcff",
        "a\u200bb",
        "\x85",
        "%41%0A",
        "{}",
        "$(x)",
    ),
    *("[", "[!a]", "**", "*", "a?b", "<script>alert(1)</script>", "&amp;", "|", "`", "a,b;c\td", "\\", "NaN", "e9"),
)
NUMBERS = (
    "0",
    "1",
    "-1",
    "1e308",
    "5e-324",
    "0.1",
    "20%",
    "150%",
    "99%",
    "NaN",
    "inf",
    "1_0",
    "",
    "٣",
    "9" * 5000,
    "1e999",
)
#: The names that a bench may have.
BENCHES = tuple(
    name for name in NAMES if not any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)
)
VALUES = (
    *(
        "null",
        "true",
        "-1",
        "0",
        "1",
        "1e308",
        "1.7e308",
        "5e-324",
        "1e150",
        "1e-320",
        "18446744073709551615",
        "[]",
        "{}",
    ),
    *("9" * 5000, "1.5", "[[]]", "[[0]]", "[[1, 2]]", '{"a": {}}', "NaN", "Infinity", "-0", '"\\ud800"', '"\\u0000"'),
    *('"2026-01-01\\u001b00:00:00Z"', '"0001-01-01T00:00:00+14:00"', '"9999-12-31"', '"2026-01-01\\n00:00"'),
    *('{"a":' * depth + "1" + "}" * depth for depth in (99, 100, 480, 990, 20_000)),
    *("[" * depth + "]" * depth for depth in (50, 20_000)),
)


@dataclass
class Attempt:
    """A command line, and its additional environment variables."""

    arguments: list[str]
    env: dict[str, str] = field(default_factory=dict)


class Hostile:
    """A generator of the arguments and files of one attempt, with `draw` as its only source of randomness."""

    def __init__(self, draw: random.Random, folder: Path) -> None:
        """Write into `folder`, which is empty."""
        self.draw = draw
        self.folder = folder
        self.made: list[str] = []

    def chance(self, share: float) -> bool:
        """Return True with the probability `share`."""
        return self.draw.random() < share

    def name(self) -> str:
        """Return a name, hostile or plain."""
        return self.draw.choice(NAMES) if self.chance(0.6) else self.draw.choice(("packaging", "streaming", "a"))

    def bench(self) -> str:
        """Return a name, usually one that a bench may have."""
        return self.draw.choice(BENCHES) if self.chance(0.95) else self.name()

    def text(self) -> str:
        """Return an arbitrary value for an option."""
        return self.draw.choice((*NAMES, *NUMBERS)) + (self.draw.choice(NAMES) if self.chance(0.2) else "")

    def put(self, name: str, data: bytes) -> str:
        """Write a file if the name is possible, and return the name."""
        with suppress(OSError, ValueError):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not path.is_file():
                return name  # a named pipe of this name would never be opened
            path.write_bytes(data)
            self.made.append(name)
        return name

    def summary(self, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
        """Return a summary in which a few values are hostile or damaged."""
        draw = self.draw
        samples = [[draw.lognormvariate(0, 0.1) for _ in range(6)] for _ in range(draw.choice((1, 4)))]
        flat = sorted(value for values in samples for value in values)
        at = 0.95 * (len(flat) - 1)
        fields: dict[str, Any] = {
            "bench_id": self.bench(),
            "metric": "duration_ms",
            "unit": "ms",
            "p50": (flat[len(flat) // 2 - 1] + flat[len(flat) // 2]) / 2,
            "p95": flat[int(at)] + (flat[int(at) + 1] - flat[int(at)]) * (at % 1),
            "n": len(flat),
            "timestamp": "2026-01-01T00:00:00Z",
            **changes,
        }
        if "p50" not in changes and self.chance(0.5):
            fields["samples"] = samples
        elif self.chance(0.3):
            scale = draw.choice((1, 1, 10, 1e300, 1e-300))
            fields |= {"p50": fields["p50"] * scale, "p95": fields["p95"] * scale}
        for key, value in (
            ("notes", self.name()),
            ("commit", self.name()),
            ("environment", {self.name(): self.name(), "os": "Linux", "cpu_model": draw.choice("AB")}),
            ("params", {self.name(): draw.choice((1, 2.5, self.name()))}),
            ("phases", {self.name(): {"p50": 1.0, "p95": 2.0}}),
            ("readings", {"load": self.name()}),
        ):
            # With `changes` this is one side of a pair, and sides that differ in these fields are not compared.
            if self.chance(0.02 if changes and key == "params" else 0.2):
                fields[key] = value
        if self.chance(0.02 if changes else 0.2):
            fields |= {"metric": "throughput_mbs", "unit": "MB/s"}
        if self.chance(0.02 if changes else 0.2):
            fields |= {"metric": "value", "unit": self.bench(), "better": draw.choice(("lower", "higher"))}
        text = json.dumps(fields, ensure_ascii=self.chance(0.5))
        if self.chance(0.1):
            key = draw.choice([*fields, "environment", "readings", "params", "later"])
            text = f'{text[:-1]}, "{key}": {draw.choice(VALUES)}}}'
        data = text.encode(errors="surrogatepass")
        return damaged_words(draw, data) if self.chance(0.1) else data

    def file(self, name: str | None = None) -> str:
        """Write a file of any kind, or make a special file instead, and return its name."""
        draw = self.draw
        name = name or draw.choice(
            (f"{self.name()}.json", "a.json", "old/a.json", "new/b.json", f"d/{self.name()}/a.json")
        )
        if self.chance(0.8):
            return self.put(name, self.summary())
        kinds: tuple[Callable[[str], str], ...] = (
            self._foreign,
            self.special,
            lambda name: self.put(name, self.recording()),
            lambda name: self.put(name, self.pairs()),
            lambda name: self.put(name, draw.randbytes(draw.choice((0, 1, 300)))),
            lambda name: self.put(name, draw.choice(WORDS)),
            lambda name: self.put(name, gzip.compress(self.summary())),
        )
        return draw.choice(kinds)(name)

    def _foreign(self, name: str) -> str:
        """Write another tool's file, damaged or intact."""
        known = sorted((FIXTURES / "import" / self.draw.choice(FORMATS)).rglob("*"))
        path = self.draw.choice([path for path in known if path.is_file()])
        if path.stat().st_size > SMALL_BYTES:
            return self.put(name, self.summary())
        data = path.read_bytes()
        name = name if self.chance(0.5) else path.name
        return self.put(name, damaged_words(self.draw, data) if self.chance(0.8) else data)

    def special(self, name: str) -> str:
        """Make a pipe, a folder, or a link to a device, to nothing, to itself or to the folder above."""
        with suppress(OSError, ValueError):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = self.draw.choice(
                ("pipe", "folder", "/dev/zero", "/dev/null", "nothing", path.name, "..", "/proc/self/mem")
            )
            if kind == "pipe":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                path.symlink_to(kind)
            self.made.append(name)
        return name

    def path(self) -> str:
        """Return a path argument: a file made for it, a folder, a glob, or a path that does not exist."""
        draw = self.draw
        if self.chance(0.7):
            return self.file()
        if self.made and self.chance(0.5):
            made = draw.choice(self.made)
            return draw.choice((made, os.path.dirname(made) or "."))
        return draw.choice(
            (*("*.json", "**/*.json", "**", "old", "new", ".", "/dev/zero", "", "gone.json", "[", "**/x/**"), *NAMES)
        )

    def sides(self) -> list[str]:
        """Return a baseline and a current path, usually of the same bench."""
        if self.chance(0.3):
            return [self.path(), self.path()]
        name = self.bench()
        changes = {"bench_id": name, "p50": 1.0, "p95": 2.0, "n": 10}
        factor = self.draw.choice((1, 1, 1.1, 2, 2, 3, 1e300, 0))
        old = self.put("old/pair.json", self.summary(**changes))
        return [
            old,
            self.put("new/pair.json", self.summary(**{**changes, "p95": 2.0 * factor, "p50": 1.0 * min(factor, 1)})),
        ]

    def recording(self) -> bytes:
        """Return recorded runs as JSON lines."""
        lines = []
        bench = self.bench() if self.chance(0.5) else None
        for _ in range(self.draw.choice((0, 1, 2, 5, 5))):
            fields: dict[str, Any] = {
                "samples": [[self.draw.lognormvariate(0, 0.1) for _ in range(4)] for _ in range(3)]
            }
            if bench is not None:
                fields["bench_id"] = bench
            if self.chance(0.3):
                fields["reference"] = fields["samples"]
            text = json.dumps(fields)
            if self.chance(0.05):
                text = (
                    f'{text[:-1]}, "{self.draw.choice(("samples", "kept", "reference"))}": {self.draw.choice(VALUES)}}}'
                )
            lines.append(text)
        data = "\n".join(lines).encode(errors="surrogatepass")
        return damaged_words(self.draw, data) if self.chance(0.2) else data

    def pairs(self) -> bytes:
        """Return the content of an `ab --save` file, hostile or damaged."""
        draw = self.draw
        question = {
            "bench_id": self.bench(),
            "metric": draw.choice(("duration_ms", "throughput_mbs", "value")),
            "unit": self.name(),
            "old_side": self.name(),
            "new_side": self.name(),
            "rule": {"gate": 0.02, "alpha": 0.001, "quantile": "p50", "lower_is_better": self.chance(0.5)},
        }
        asked: dict[str, Any] = {"question": question, "elapsed_s": 1.0}
        if self.chance(0.2):
            asked["problem"] = draw.choice((*NAMES, ""))
        lines = [json.dumps({"aether_ab": 1, "seed": 1, "benches": [asked]})]
        factor = draw.choice((1.0, 1.0, 1.5, 1e90))
        for life in range(draw.choice((0, 3, 40))):
            for _ in range(4):
                old, new = draw.lognormvariate(0, 0.01), draw.lognormvariate(0, 0.01) * factor
                pair = {"old": old, "new": new, "new_first": self.chance(0.5), "life": life}
                lines.append(json.dumps({"bench": 0, "pair": pair}))
        data = "\n".join(lines).encode(errors="surrogatepass")
        return damaged_words(draw, data) if self.chance(0.3) else data

    def configuration(self) -> None:
        """Write an `aether.toml` or a `pyproject.toml`, hostile or damaged."""
        draw = self.draw

        def quoted(text: str) -> str:
            return json.dumps(text.encode(errors="replace").decode()).replace("\x7f", "\\u007f")

        table = draw.choice(("guard", "tool.aether.guard"))
        lines = [
            f"[{table}]",
            f"baseline = [{quoted(draw.choice(('old', '**/a.json', self.name())))}]",
            'current = ["new"]',
        ]
        options = (
            ("level", draw.choice(("0.05", '"5%"', "9" * 5000, "1e999", "nan", "-1"))),
            (
                "gate",
                quoted(draw.choice(NUMBERS)) if self.chance(0.5) else draw.choice(("0.2", "nan", "inf", "9" * 400)),
            ),
            ("expected", f"[{quoted(self.name())}]"),
            ("warn-only", "true"),
            (quoted(self.name()), quoted(self.name())),
            ("deep", "[" * 2000 + "]" * 2000),
        )
        lines += [f"{key} = {value}" for key, value in options if self.chance(0.08)]
        if self.chance(0.4):
            lines += [
                f"[{table}.bench.{quoted(draw.choice(('*', self.name())))}]",
                f"gate = {quoted(draw.choice(('30%', '1', 'x')))}",
            ]
        if self.chance(0.3):
            day = draw.choice(("2020-01-01", "2099-01-01", "0001-01-01", '"x"'))
            lines += [f"[[{table}.waiver]]", f"bench = {quoted(draw.choice(('*', self.name())))}", 'gate = "50%"']
            lines += [f"reason = {quoted(self.name())}", f"expires = {day}"]
        data = "\n".join(lines).encode()
        self.put(
            "aether.toml" if table == "guard" else "pyproject.toml",
            damaged_words(draw, data) if self.chance(0.2) else data,
        )

    def history(self) -> str:
        """Fill a folder with history files, and return its name."""
        draw = self.draw
        folder = draw.choice(("target/history", "h", "branch=x", "run[1]", "~", "memory://h", f"h/{self.name()}"))
        rows = draw.choice((0, 1, 8, 30, 30))
        bench = self.bench()
        for file in range(draw.choice((1, 2))):
            lines = [self._row(bench, number) for number in range(rows)]
            name = f"{draw.choice((f'run-{file}', self.name()))}.jsonl"
            data = "\n".join(lines).encode(errors="surrogatepass")
            self.put(f"{folder}/{name}", damaged_words(draw, data) if self.chance(0.1) else data)
        if self.chance(0.2):
            self.special(f"{folder}/{self.name()}.{draw.choice(('jsonl', 'parquet'))}")
        if self.chance(0.1):
            self.put(
                f"{folder}/{self.name()}.parquet", draw.choice((b"PAR1", b"PAR1" + draw.randbytes(40) + b"PAR1", b""))
            )
        return folder

    def _row(self, bench: str, number: int) -> str:
        level = 10.0 * (1.5 if number > 15 else 1.0) * self.draw.lognormvariate(0, 0.01)
        fields: dict[str, Any] = {
            "aether_history": 1,
            "run_id": f"r{number}",
            "recorded_at": f"2026-01-01T00:00:{number:02}.000000Z",
            "timestamp": f"2026-01-01T00:00:{number:02}.000000Z",
            "bench_id": bench,
            "metric": "duration_ms",
            "unit": "ms",
            "better": "lower",
            "p50": level,
            "p95": level,
            "n": 10,
        }
        for key in ("commit", "branch", "params", "environment", "kernel", "unit", "run_id", "bench_id"):
            if self.chance(0.02):
                fields[key] = self.name()
        if self.chance(0.1):
            fields |= {"environment": json.dumps({"os": self.name()}), "params": json.dumps({"a": self.name()})}
        text = json.dumps(fields)
        if self.chance(0.005):
            key = self.draw.choice((*fields, "commit"))
            text = f'{text[:-1]}, "{key}": {self.draw.choice(VALUES)}}}'
        return text


def _options(hostile: Hostile, known: dict[str, tuple[str, ...] | None]) -> list[str]:
    """Return some of a command's options, usually with a valid value."""
    chosen: list[str] = []
    for option, values in known.items():
        if hostile.chance(0.1):
            value = [] if values is None else [hostile.draw.choice(values) if hostile.chance(0.85) else hostile.text()]
            chosen += [option, *value] if hostile.chance(0.7) or not value else [f"{option}={value[0]}"]
    if hostile.chance(0.03):
        chosen.append(hostile.text())
    return chosen


_POLICY: dict[str, tuple[str, ...] | None] = {
    "--gate": ("20%", "0.2", "0", "100%"),
    "--quantile": ("p50", "p95"),
    "--warn-only": None,
    "--evidence": ("any", "samples", "ruler"),
    "--host-mismatch": ("ignore", "warn", "error"),
    "--expect": NAMES,
}
_DELIVERY: dict[str, tuple[str, ...] | None] = {
    "--strict": None,
    "--format": ("text", "json", "markdown", "html", "junit"),
    "-o": (*("out.txt", "deep/out.txt") * 3, "old", "/dev/full", "/dev/null", "aether.toml"),
    "--annotations": ("auto", "never"),
}
_READING: dict[str, tuple[str, ...] | None] = {
    "--better": ("lower", "higher", "*=lower", "a[=higher"),
    "--unit": ("ms", "MB/s", "s", "1", *NAMES),
    "--column": ("name=name", "value=value", "unit=unit", "round=round"),
    "--prefix": NAMES,
}


def _check(hostile: Hostile) -> list[str]:
    more = {"--from": ("auto", *FORMATS), **_READING} if hostile.chance(0.3) else {}
    sides = hostile.sides() if hostile.chance(0.7) else ["--baseline", hostile.path(), "--current", hostile.path()]
    return [*(sides if hostile.chance(0.9) else []), *_options(hostile, {**_POLICY, **_DELIVERY, **more})]


def _validate(hostile: Hostile) -> list[str]:
    return [hostile.path() for _ in range(hostile.draw.choice((1, 1, 2)))]


def _promote(hostile: Hostile) -> list[str]:
    old, new = hostile.sides()
    known = {"--reason": NAMES, "--improved": None, "--runs": NUMBERS}
    names = [hostile.name()] if hostile.chance(0.3) else []
    return [*names, "--reason", hostile.name(), "--baseline", old, "--current", new, *_options(hostile, known)]


def _policy(hostile: Hostile) -> list[str]:
    return [*([hostile.name()] if hostile.chance(0.6) else []), *_options(hostile, _POLICY)]


def _import(hostile: Hostile) -> list[str]:
    form = hostile.draw.choice(("auto", *FORMATS)) if hostile.chance(0.9) else hostile.text()
    out = hostile.draw.choice(("out", "out", hostile.name(), "/dev/null"))
    return [form, hostile.path(), "--out", out, *_options(hostile, {**_READING, "--list": None})]


def _export(hostile: Hostile) -> list[str]:
    forms = ("bmf", "csv", "github-action-benchmark", "openmetrics", "pytest-benchmark")
    form = hostile.draw.choice(forms) if hostile.chance(0.95) else hostile.text()
    return [form, hostile.path(), *_options(hostile, {"-o": _DELIVERY["-o"], "--better": ("lower", "higher")})]


def _record(hostile: Hostile) -> list[str]:
    known: dict[str, tuple[str, ...] | None] = {
        "--format": ("jsonl", "parquet"),
        "--run-id": NAMES,
        "--commit": ("HEAD", "abc", *NAMES),
        "--branch": NAMES,
        "--compact": None,
    }
    if hostile.chance(0.4):
        return ["--compact", "--history", hostile.history(), *(_options(hostile, known) if hostile.chance(0.2) else [])]
    return [hostile.path(), "--history", hostile.history(), *_options(hostile, known)]


def _trend(hostile: Hostile) -> list[str]:
    known: dict[str, tuple[str, ...] | None] = {
        "--branch": ("main", *NAMES),
        "--quantile": ("p50", "p95"),
        "--confidence": ("99%", "0.9", "50%", "100%"),
        "--renamed": ("a=b", "packaging=a", "a=packaging", *(f"{name}=a" for name in BENCHES if name)),
        "--repository-url": ("https://example.org/a", "http://::error::", "javascript:alert(1)"),
        "--format": ("text", "json", "markdown", "html"),
        "-o": _DELIVERY["-o"],
    }
    names = [hostile.draw.choice(("*", "[", hostile.name()))] if hostile.chance(0.3) else []
    return [*names, "--history", hostile.history(), *_options(hostile, known)]


def _init(hostile: Hostile) -> list[str]:
    texts = (
        b"bench:\n\tpytest --benchmark-only\n",
        b'{"scripts": {"bench": "x"}}',
        b"[envs.bench.scripts]\nall = 'x'\n",
    )
    for name in ("Makefile", "package.json", "hatch.toml", "noxfile.py", "tox.ini", ".gitlab-ci.yml", "justfile"):
        if hostile.chance(0.2):
            data = hostile.draw.choice(texts)
            hostile.put(name, damaged_words(hostile.draw, data) if hostile.chance(0.5) else data)
    for _ in range(hostile.draw.choice((0, 1, 3))):
        hostile.file(
            f"{hostile.draw.choice(('benchmarks/baseline', 'target/benchmarks', hostile.name()))}/{hostile.name()}.json"
        )
    if hostile.chance(0.2):
        hostile.special(
            hostile.draw.choice((".github/workflows/benchmarks.yml", "aether.toml", ".gitlab-ci.yml", "Makefile"))
        )
    return _options(hostile, {"--ci": ("github", "gitlab")})


def _noise(hostile: Hostile) -> list[str]:
    path = hostile.put("noise.jsonl", hostile.recording()) if hostile.chance(0.7) else hostile.path()
    return [path, *_options(hostile, {"--slowdown": ("10%", "0", "100%"), "--rate": ("0.2%", "1"), **_POLICY})]


def _schema(hostile: Hostile) -> list[str]:
    return [hostile.draw.choice(("summary", "check", "ab", hostile.text()))]


def _replay(hostile: Hostile) -> list[str]:
    path = hostile.put("pairs.jsonl", hostile.pairs()) if hostile.chance(0.8) else hostile.path()
    known: dict[str, tuple[str, ...] | None] = {
        "--gate": ("2%", "0", "50%"),
        "--alpha": ("0.001", "0.5"),
        "--quantile": ("p50", "p95"),
        "--warn-only": None,
        **_DELIVERY,
    }
    return ["--replay", path, *_options(hostile, known)]


#: The generator of each command's arguments. `ab` replays saved pairs and measures nothing here.
COMMANDS: dict[str, Callable[[Hostile], list[str]]] = {
    "check": _check,
    "validate": _validate,
    "promote": _promote,
    "policy": _policy,
    "import": _import,
    "export": _export,
    "record": _record,
    "trend": _trend,
    "init": _init,
    "noise": _noise,
    "schema": _schema,
    "ab": _replay,
}


def attempt(seed: str, folder: Path) -> Attempt:
    """Fill the empty `folder`, and return the command line to run in it. Both follow from `seed`."""
    hostile = Hostile(random.Random(seed), folder)  # noqa: S311 - damage, not secrets
    if hostile.chance(0.3):
        hostile.configuration()
    command = hostile.draw.choice(list(COMMANDS))
    arguments = [command, *COMMANDS[command](hostile)]
    env = {
        key: value
        for key, value in (
            ("CI", "true"),
            ("GITHUB_STEP_SUMMARY", hostile.draw.choice(("summary.md", "/dev/full", "gone/summary.md", "/dev/null"))),
            ("GITHUB_HEAD_REF", hostile.name()),
            ("NO_COLOR", "1"),
            ("COLUMNS", hostile.draw.choice(("1", "80", "x"))),
        )
        if hostile.chance(0.15) and "\0" not in value
    }
    return Attempt([argument.replace("\0", "") for argument in arguments], env)
