"""PHPBench: `run --dump-file=FILE`. Each iteration is a separate process, except with the executor `local`.

Times are in microseconds. Peak memory is a separate bench, whose name ends in `mem-peak`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from aether_formats.model import Failures, ImportedSeries, name_with_params
from aether_formats.reading.xml import number_of, parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

    from aether_formats.model import ImportOptions
    from aether_formats.reading.document import Document

ABOUT = "PHPBench run --dump-file"
SUFFIXES: tuple[str, ...] = (".xml",)
#: The environment keys to keep, by element and attribute, and their names in a summary.
_FIXED = {("uname", "os"): "os", ("uname", "machine"): "machine", ("php", "version"): "php"}
_COMMIT = re.compile(r"[\da-f]{40}")
#: Names of the only parameter set of a subject; "0" comes from releases before 1.0.
_NO_SET = {"", "0"}


def matches(document: Document) -> bool:
    """Return whether the root element is `phpbench`, as in a dump."""
    return document.root_tag == "phpbench"


def read(document: Document, options: ImportOptions) -> Iterator[ImportedSeries]:
    """Yield the series of each variant of a subject, named by its parameter set and then by its revolutions."""
    del options
    suites = list(parse_xml(document, {"value", "error"}).iter("suite"))
    for suite in suites:
        tag = {"tag": suite.get("tag") or suite.get("context") or ""} if len(suites) > 1 else {}
        common = _common(suite)
        for benchmark in suite.iter("benchmark"):
            for subject in benchmark.iter("subject"):
                name = f"{benchmark.get('class', '').lstrip(chr(92))}::{subject.get('name', '')}"
                executor = subject.find("executor")
                is_local = executor is not None and executor.get("name") == "local"
                variants = list(subject.iter("variant"))
                for full_name, variant in _named(name, variants, tag):
                    yield from _series(full_name, variant, common, is_local=is_local)


def _named(name: str, variants: Sequence[Element], tag: dict[str, str]) -> Iterator[tuple[str, Element]]:
    """Yield the variants of a subject, with only the name suffixes needed to keep them distinct."""
    sets = [item.get("name", "") if (item := each.find("parameter-set")) is not None else "" for each in variants]
    times = Counter(sets)
    for each, variant in zip(sets, variants, strict=True):
        traits = {} if each in _NO_SET and len(times) == 1 else {"set": each}
        if times[each] > 1:
            traits["revs"] = variant.get("revs", "")
        yield name_with_params(name, {**traits, **tag}), variant


def _series(name: str, variant: Element, common: dict[str, Any], *, is_local: bool) -> Iterator[ImportedSeries]:
    errors = [" ".join((error.text or "").split())[:200] for error in variant.iter("error")]
    if errors:
        problem = f"{len(errors)} of {len(errors)} runs failed: {errors[0]}"
        yield ImportedSeries(
            name=name, unit="us", failures=Failures(failed=len(errors), total=len(errors), problem=problem)
        )
        return
    iterations = list(variant.iter("iteration"))
    for suffix, key, unit in (("", "time-avg", "us"), (" mem-peak", "mem-peak", "B")):
        values = [number_of(item.get(key), place=f"{name}: {key}") for item in iterations if key in item.attrib]
        if values:
            rounds = (tuple(values),) if is_local else tuple((value,) for value in values)
            yield ImportedSeries(name=name + suffix, unit=unit, rounds=rounds, better="lower", **common)


def _common(suite: Element) -> dict[str, Any]:
    """Return a suite's time, environment and commit. Before release 1.0, attributes replace the `value` elements."""
    found: dict[tuple[str, str], str] = {}
    for item in suite.iterfind("env/*"):
        found |= {(item.tag, key): value for key, value in item.items()}
        found |= {(item.tag, value.get("name", "")): value.text or "" for value in item.iterfind("value")}
    commit = found.get(("vcs", "version"), "")
    return {
        "environment": {ours: found[theirs] for theirs, ours in _FIXED.items() if found.get(theirs)},
        "timestamp": suite.get("date"),
        "commit": commit if _COMMIT.fullmatch(commit) else None,
    }
