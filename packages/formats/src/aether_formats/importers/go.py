"""Go's `testing`: `BenchmarkName-8 N v unit [v unit]…`, also within the events of `go test -json`.

A line is a sample; lines with the same name, from `-count`, are samples of one process. Every unit of a line is a
bench: the time keeps the name, others append their unit. Lines `key: value` configure the results below them, as in
benchstat: results with the same name are distinguished by the keys in which they differ. A benchmark that prints has
its figures at the end of a later line. `Unit u better=higher` gives a direction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_formats.errors import ImportFileError
from aether_formats.model import Failures, ImportedSeries, name_with_params
from aether_formats.reading.document import decode_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document
    from aether_schema import Better

ABOUT = "go test -bench, as text or -json"
SUFFIXES: tuple[str, ...] = (".txt", ".log", ".json")
TIME = "ns/op"
_NAME = re.compile(r"Benchmark(?![a-z])(\S*)\s*(.*)", re.DOTALL)
_SETTING = re.compile(r"([^\W\d_A-Z][^\sA-Z:]*):(?:[ \t]+(.*)|)$")
_OUTCOME = re.compile(r"--- (FAIL|SKIP): (Benchmark)?(\S+)")
_PACKAGE_END = re.compile(r"(ok|FAIL|\?)\s+(\S+)\s+(?:(\[.+\])|[\d.]+s\b|\(cached\))")
_CPUS = re.compile(r"(.+)-(\d+)")
_MACHINE = {"goos": "os", "goarch": "machine", "cpu": "cpu_model"}
#: The kinds of Go's own metrics, other than time.
_COSTS: dict[str, Better] = {"B/op": "lower", "allocs/op": "lower"}
#: Figures stand at the end of a line that may hold output of any length.
_MAX_FIGURES_LENGTH = 4000
_NO_FIGURES = "no figures behind its name: they are lost in what it prints"

_Place = tuple[tuple[str, str], ...]
_Benches = dict[tuple[str, _Place], "_Bench"]


class _Event(Struct, rename="pascal"):
    action: str = ""
    package: str = ""
    output: str = ""


class _Bench(Struct):
    """The outcome of a benchmark under the same settings: its figures by unit, or the reason why it has none."""

    name: str
    settings: dict[str, str]
    figures: dict[str, list[float]] = {}
    measured: int = 0
    failed: list[str] = []
    skipped: str | None = None


class _Output:
    """The output of tests, read line by line into `benches`."""

    def __init__(self, package: str, benches: _Benches, better: dict[str, Better]) -> None:
        """Start with the package that events name; lines of units add to `better`."""
        self._benches = benches
        self._better = better
        self._settings: dict[str, str] = {}
        self._place: _Place = ()
        # A benchmark of which the name was read, and not yet its figures.
        self._waiting: str | None = None
        self._has_output = False
        self._is_verbose = False
        self._is_open = False
        self._reason = ""
        self._failed = False
        # FAIL stood alone on a line; its package may follow.
        self._fails = False
        if package:
            self._change("pkg", package)

    def read(self, line: str, number: int) -> None:
        """Take a line."""
        if line.startswith("Benchmark") and (found := _NAME.match(line)):
            self._read_name(found, number)
        elif line.startswith(("PASS", "FAIL", "ok", "?", "exit status ")):
            self._read_end(line)
        elif outcome := _OUTCOME.match(line):
            self._read_outcome(*outcome.groups())
        elif line.startswith("panic: "):
            self._read_panic(line)
        elif line.startswith("Unit "):
            self._read_unit(line)
        elif (name := _late_name(line) or self._waiting) and (words := _last_figures(line)):
            self._measured(name, words, number)
        elif setting := _SETTING.match(line):
            self._read_setting(setting[1], (setting[2] or "").strip())

    def end(self) -> None:
        """Take note of a benchmark whose figures never came, and of a package that failed without being named.

        A benchmark alone on its line may have no figures of its own.
        """
        if self._waiting is not None and self._has_output:
            self._bench(self._waiting).skipped = _NO_FIGURES
        self._waiting = None
        if self._fails:
            self._fail_package("")

    def _bench(self, name: str) -> _Bench:
        bench = self._benches.get((name, self._place))
        if bench is None:
            bench = self._benches[name, self._place] = _Bench(name, self._settings)
        return bench

    def _measured(self, name: str, words: Sequence[str], number: int) -> None:
        """Add the figures: values with their units by turns.

        Raises:
            ImportProblem: the line is cut off, or a value is no number.

        """
        if len(words) % 2:
            raise ImportFileError("a figure without a unit: it is cut off", place=f"line {number}")
        bench = self._bench(name)
        bench.measured += 1
        for value, unit in zip(words[::2], words[1::2], strict=True):
            try:
                figure = float(value)
            except ValueError:
                raise ImportFileError(f"{value[:40]!r} is no number", place=f"line {number}") from None
            bench.figures.setdefault(unit, []).append(figure)
        if name != self._waiting:
            self.end()
        self._waiting = None
        self._is_open = True

    def _read_name(self, found: re.Match[str], number: int) -> None:
        name, rest = found[1] or found[0], found[2]
        words = rest.split()
        if len(words) > 1 and words[0].isdigit() and _is_number(words[1]):
            self._measured(name, words[1:], number)
        elif figures := _last_figures(rest):
            self._measured(name, figures, number)
        else:
            self.end()
            self._waiting, self._has_output = name, found.end(1) < len(found[0])
            self._is_verbose = self._is_verbose or not self._has_output
            self._is_open = True
            if rest.startswith("panic: "):
                self._read_panic(rest)

    def _read_outcome(self, outcome: str, kind: str | None, name: str) -> None:
        self._is_open = True
        self._waiting = None
        if kind and outcome == "SKIP":
            self._bench(name).skipped = "skipped"
        elif kind:
            self._failed = True
            self._bench(name).failed.append("")
        elif outcome == "FAIL":
            self._reason = f"{name} failed"

    def _read_panic(self, text: str) -> None:
        self._reason = self._reason or text.strip()[:200]
        if self._waiting is not None:
            self._failed = True
            self._bench(self._waiting).failed.append(self._reason)
            self._waiting = None

    def _read_end(self, line: str) -> None:
        """Take note of the end of a package."""
        if line.startswith("exit status "):
            self._reason = self._reason or line.strip()
        elif found := _PACKAGE_END.match(line):
            self._fails = False
            self.end()
            if found[1] == "FAIL":
                self._change("pkg", found[2])
                self._fail_package(found[3] or "")
            self._is_verbose = self._is_open = self._failed = False
            self._reason = ""
        elif line.strip() in {"PASS", "FAIL"}:
            self.end()
            # After the last package, FAIL summarizes.
            self._fails = line.startswith("FAIL") and self._is_open
            self._is_verbose = False

    def _fail_package(self, reason: str) -> None:
        """Take note of a package that failed, unless one of its benchmarks is to blame."""
        self._fails = False
        reason = reason or self._reason
        if not self._failed:
            self._bench("").failed.append(f"the package failed{reason and f': {reason}'}")
        self._failed = True

    def _read_unit(self, line: str) -> None:
        _, unit, *settings = line.split() if len(line.split()) > 1 else ("", "")
        for setting in settings:
            way = setting.removeprefix("better=")
            if way in {"lower", "higher"}:
                self._better[unit] = "lower" if way == "lower" else "higher"

    def _read_setting(self, key: str, value: str) -> None:
        if key == "pkg" or key in _MACHINE:
            # A new run begins; the previous one ends.
            self.end()
            self._is_verbose = False
            self._change(key, value)
        elif self._waiting is None and not self._is_verbose:
            self._change(key, value)  # otherwise a benchmark prints it

    def _change(self, key: str, value: str) -> None:
        # The benches above keep the settings that they had.
        self._settings = {**self._settings, key: value}
        self._place = tuple(sorted(self._settings.items()))


def matches(document: Document) -> bool:
    """Return whether a line near the beginning is a result, or an event with one."""
    if "Benchmark" not in document.head:
        return False
    if _is_events(document):
        return True
    if document.head.lstrip()[:1] in {"{", "[", "<"}:
        return False
    benches: _Benches = {}
    output = _Output("", benches, {})
    try:
        for number, line in enumerate(document.head.splitlines()):
            output.read(line, number)
    except ImportFileError:
        return bool(benches)
    return any(bench.figures or (bench.name and bench.failed) for bench in benches.values())


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield a bench for each name and unit."""
    del options
    better: dict[str, Better] = dict(_COSTS)
    benches: _Benches = {}
    outputs: dict[str, _Output] = {}
    for number, package, line in _texts(document):
        output = outputs.get(package)
        if output is None:
            output = outputs[package] = _Output(package, benches, better)
        output.read(line, number)
    for output in outputs.values():
        output.end()
    cpus = _common_cpus(benches.values())
    named: dict[str, list[_Bench]] = {}
    for bench in benches.values():
        parts = (bench.settings.get("pkg", ""), bench.name.removesuffix(f"-{cpus}"))
        named.setdefault(".".join(filter(None, parts)) or "unnamed package", []).append(bench)
    for name, same in named.items():
        differing = {
            key for bench in same for key in bench.settings if bench.settings[key] != same[0].settings.get(key)
        }
        differing |= {key for key in same[0].settings if any(key not in bench.settings for bench in same)}
        for bench in same:
            params = {key: bench.settings.get(key, "") for key in sorted(differing)}
            yield from _series(name_with_params(name, dict(params)), bench, cpus, better)


def _series(name: str, bench: _Bench, cpus: int | None, better: dict[str, Better]) -> Iterator[ImportedSeries]:
    environment: dict[str, Any] = {
        ours: bench.settings[key] for key, ours in _MACHINE.items() if bench.settings.get(key)
    }
    if cpus is not None:
        environment["gomaxprocs"] = cpus
    failures = None
    if bench.failed:
        total = len(bench.failed) + bench.measured
        reason = next(filter(None, bench.failed), "")
        problem = f"{len(bench.failed)} of {total} runs failed{reason and f': {reason}'}"
        failures = Failures(failed=len(bench.failed), total=total, problem=problem)
    if not bench.figures:
        yield ImportedSeries(name=name, unit=TIME, failures=failures, skipped=None if failures else bench.skipped)
    for unit, values in bench.figures.items():
        yield ImportedSeries(
            name=name if unit == TIME else f"{name} {unit}",
            unit=unit,
            rounds=(tuple(values),),
            better=better.get(unit),
            environment=environment,
            failures=failures,
        )


def _is_events(document: Document) -> bool:
    keys = document.first_line.keys()
    # An event of a build names no package.
    return "Action" in keys and ("Package" in keys or "ImportPath" in keys)


def _texts(document: Document) -> Iterable[tuple[int, str, str]]:
    """Yield the lines with their number and, of events, the package; a result may come in two events."""
    if not _is_events(document):
        for number, line in document.lines():
            yield number, "", line
        return
    parts: dict[str, str] = {}
    number = 0
    for number, line in document.lines():
        if not line.startswith("{"):
            continue
        try:
            event = decode_json(line.encode(), _Event)
        except ImportFileError as problem:
            raise ImportFileError(str(problem), place=f"line {number}") from None
        if event.action != "output":
            continue
        whole, newline, rest = (parts.get(event.package, "") + event.output).rpartition("\n")
        parts[event.package] = rest
        if newline:
            for text in whole.split("\n"):
                yield number, event.package, text
    for package, text in parts.items():
        yield number, package, text


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _late_name(line: str) -> str:
    """Return the name behind output without a line break, which a tab ends, or an empty one."""
    before, tab, _ = line.partition("\t")
    word = before.rstrip(" ").rpartition(" ")[2]
    found = _NAME.match(word, word.find("Benchmark")) if tab and "Benchmark" in word else None
    return found[1] if found else ""


def _last_figures(text: str) -> list[str]:
    """Return the values and units that end a line of output, behind a count and a tab."""
    text = text[-_MAX_FIGURES_LENGTH:]
    words = list(re.finditer(r"\S+", text))
    start = len(words)
    while start >= 2 and _is_number(words[start - 2][0]) and not _is_number(words[start - 1][0]):
        start -= 2
    if start in {0, len(words)} or not words[start - 1][0].isdigit() or text[words[start - 1].end()] != "\t":
        return []
    return [word[0] for word in words[start:]]


def _common_cpus(benches: Iterable[_Bench]) -> int | None:
    """Return the number that stands behind every name, which then is of the processors and not of the bench.

    The names stay unchanged if `-cpu` gave several values, or if there is one processor and thus no number.
    """
    named = {bench.name for bench in benches if bench.figures}
    found = {match[2] if (match := _CPUS.fullmatch(name)) else "" for name in named}
    (only,) = found if len(found) == 1 else ("",)
    return int(only) if only and len(only) <= 4 else None
