"""Go's `testing`: `BenchmarkName-8 N v unit [v unit]…`, also within the events of `go test -json`.

A line is a sample; lines of one name, of `-count`, are samples of one process. Every unit of a line is a bench of its
own: the time keeps the name, the others have their unit behind it. `Unit u better=higher` says a direction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aether_guard.importer.document import decode_json
from aether_guard.importer.problem import ImportProblem
from aether_guard.importer.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aether_guard.importer.document import Document
    from aether_guard.importer.series import Wishes
    from aether_schema import Better

ABOUT = "go test -bench, as text or -json"
SUFFIXES: tuple[str, ...] = (".txt", ".log", ".json")
TIME = "ns/op"
_LINE = re.compile(r"Benchmark(?![a-z])\S*\s+\d+\s+\S")
_KEY = re.compile(r"(pkg|goos|goarch|cpu): *(.*)")
_CPUS = re.compile(r"(.+)-(\d+)")
#: What Go's own metrics are of, beside the time.
_COSTS: dict[str, Better] = {"B/op": "lower", "allocs/op": "lower"}


class _Event(Struct, rename="pascal"):
    action: str = ""
    package: str = ""
    output: str = ""


class _Line(Struct, frozen=True):
    number: int
    package: str
    name: str
    figures: tuple[tuple[str, float], ...]


def recognises(document: Document) -> bool:
    """Return whether a line near the beginning is a result, or an event with one."""
    lines = document.head.splitlines()
    if any(_LINE.match(line) and _is_result(line) for line in lines):
        return True
    keys = document.first_line.keys()
    return {"Action", "Package"} <= keys and "Benchmark" in document.head


def read(document: Document, wishes: Wishes) -> Iterator[Series]:
    """Yield a bench for each name and unit."""
    del wishes
    texts = _texts(document)
    better: dict[str, Better] = dict(_COSTS)
    environment: dict[str, Any] = {}
    lines = list(_results(texts, better, environment))
    cpus = _common_cpus(lines)
    if cpus is not None:
        environment["gomaxprocs"] = cpus
    samples: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        name = line.name.removesuffix(f"-{cpus}")
        for unit, value in line.figures:
            bench = f"{line.package}.{name}" if line.package else name
            samples.setdefault((bench, unit), []).append(value)
    for (bench, unit), values in samples.items():
        name = bench if unit == TIME else f"{bench} {unit}"
        yield Series(name=name, unit=unit, rounds=(tuple(values),), better=better.get(unit), environment=environment)


def _texts(document: Document) -> Iterable[tuple[int, str, str]]:
    """Yield the lines with their number and, of events, the package; a result may come in two events."""
    if not {"Action", "Package"} <= document.first_line.keys():
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
        except ImportProblem as problem:
            raise ImportProblem(str(problem), place=f"line {number}") from None
        if event.action != "output":
            continue
        whole, newline, rest = (parts.get(event.package, "") + event.output).rpartition("\n")
        parts[event.package] = rest
        if newline:
            for text in whole.split("\n"):
                yield number, event.package, text
    for package, text in parts.items():
        yield number, package, text


def _results(
    texts: Iterable[tuple[int, str, str]], better: dict[str, Better], environment: dict[str, Any]
) -> Iterator[_Line]:
    """Yield the results; what is said of units and of the machine on the way is put into the two dicts."""
    package = ""
    for number, of_event, text in texts:
        if key := _KEY.match(text):
            if key[1] == "pkg":
                package = key[2].strip()
            elif key[2].strip():
                ours = {"goos": "os", "goarch": "machine", "cpu": "cpu_model"}[key[1]]
                environment[ours] = key[2].strip()
        elif text.startswith("Unit "):
            _, unit, *settings = text.split() if len(text.split()) > 1 else ("", "")
            for setting in settings:
                way = setting.removeprefix("better=")
                if way in {"lower", "higher"}:
                    better[unit] = "lower" if way == "lower" else "higher"
        elif _LINE.match(text):
            name, _, *rest = text.split()
            yield _Line(number, of_event or package, name.removeprefix("Benchmark") or name, _figures(rest, number))


def _is_result(text: str) -> bool:
    rest = text.split()[2:]
    try:
        float(rest[0])
    except (ValueError, IndexError):
        return False
    return len(rest) > 1


def _figures(rest: list[str], number: int) -> tuple[tuple[str, float], ...]:
    if len(rest) % 2:
        raise ImportProblem("a figure without a unit: it is cut off", place=f"line {number}")
    figures = []
    for value, unit in zip(rest[::2], rest[1::2], strict=True):
        try:
            figures.append((unit, float(value)))
        except ValueError:
            raise ImportProblem(f"{value[:40]!r} is no number", place=f"line {number}") from None
    return tuple(figures)


def _common_cpus(lines: Iterable[_Line]) -> int | None:
    """Return the number that stands behind every name, which then is of the processors and not of the bench.

    Where `-cpu` gave several, and where there is one processor and so no number, the names stay as they are.
    """
    found = {match[2] if (match := _CPUS.fullmatch(line.name)) else "" for line in lines}
    (only,) = found if len(found) == 1 else ("",)
    return int(only) if only and len(only) <= 4 else None
