"""Feeds damaged files of every format to its importer: `hatch run guard:import-fuzz [FORMAT…]`.

Every input is a fixture with damaged values, words or bytes. It must be imported or rejected in one line, within a time
limit. The counts are printed by format.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import re
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from time import perf_counter

from aether_formats import Document, ImportFileError, ImportOptions
from aether_formats.reading.document import read_document, unpacked
from aether_formats.registry import Importer, format_names, load_importer
from aether_guard.check.imported_files import Reader, import_document
from aether_schema import encode_summary

MADE = Path(__file__).parents[1] / "fixtures" / "import"
WHOLE = MADE / "criterion" / "clone" / "new"
LIMIT_S = 5.0
LARGEST_BYTES = 20_000
WISHES = ImportOptions(better=(("", "lower"),))
ASIDE = ("benchmarks.json", "machine.json", "semicolons.csv")
ODDITIES = (
    *(b"null", b"true", b'""', b'"\\u2028"', b'"' + b"x" * 300 + b'"', b"-1", b"0", b"1e308", b"-1e-320", b"NaN"),
    *(b"1180591620717411303424", b"1.5", b"[]", b"{}", b"[[]]", b"[[0]]", b'{"a": {}}', b"Infinity", b"", b",", b"\n"),
    *(b"1e999", b"9" * 400, b"[" * 50, b"\xff\xfe", b"\x00", b"<!DOCTYPE a>", b"&amp;", b'"', b"-0", b"1_0"),
    "٣".encode(),
)
_WORD = re.compile(rb'"(?:[^"\\]|\\.){0,60}"|-?\d[\d.eE+-]*|[A-Za-z_]\w*|[\[\]{}<>,:;=/\n]')


def seeds(form: str) -> list[tuple[str, bytes]]:
    """Return the names and bytes of a format's fixtures, as small as they should be to be damaged often."""
    paths = sorted(path for path in (MADE / form).rglob("*") if path.is_file() and path.name not in ASIDE)
    importer = load_importer(form)
    if importer.SUFFIXES:
        paths = [path for path in paths if importer.matches(read_document(str(path)))]
    small = [path for path in paths if path.stat().st_size <= LARGEST_BYTES and path.name != "tukey.json"]
    return [(path.name, path.read_bytes()) for path in small]


def damaged(draw: random.Random, data: bytes) -> bytes:
    """Return the bytes with a few words replaced, doubled or taken out, a few bytes changed, or the end cut off."""
    if data.startswith(b"\x1f\x8b") and draw.random() < 0.5:
        data = b"".join(unpacked(io.BytesIO(data)))
    text = bytearray(data)
    for _ in range(draw.choice((0, 1, 1, 2, 5))):
        if word := _WORD.search(text, draw.randrange(len(text) + 1)):
            other = draw.choice(ODDITIES) if draw.random() < 0.7 else word[0] * draw.choice((0, 2))
            text[word.start() : word.end()] = other
    for _ in range(draw.choice((0, 0, 1, 4))):
        start = draw.randrange(len(text) + 1)
        text[start : start + draw.choice((0, 1, 20))] = draw.randbytes(draw.choice((0, 1, 3)))
    return bytes(text[: draw.randrange(len(text) + 1)] if draw.random() < 0.1 else text)


@cache
def _whole(name: str) -> bytes:
    return (WHOLE / name).read_bytes()


def attempt(form: str, importer: Importer, name: str, data: bytes, place: str) -> str:
    """Return the result of one input."""
    try:
        if not importer.SUFFIXES:
            # A report of which one file is damaged, and of which the others may not be there.
            folder = Path(place, "new")
            folder.mkdir(exist_ok=True)
            for file in ("benchmark.json", "estimates.json", "sample.json"):
                (folder / file).write_bytes(data if file == name else _whole(file))
            if name == "estimates.json":
                (folder / "sample.json").unlink()
            summaries = Reader(form, WISHES).read(place).summaries
        else:
            if data.startswith(b"\x1f\x8b"):
                data = b"".join(unpacked(io.BytesIO(data)))
            document = Document(os.path.join(place, "file"), data)
            importer.matches(document)
            summaries = import_document(document, importer, WISHES).summaries
    except ImportFileError as problem:
        if len(str(problem).splitlines()) != 1 or not str(problem).isprintable():
            raise AssertionError(f"not one line: {str(problem)!r}") from None
        return "refused"
    for summary in summaries:
        encode_summary(summary)
    return "imported"


def fuzz(form: str, count: int, seed: int, place: str) -> Counter[str]:
    """Damage `count` files of a format and return the counts of results.

    Raises:
        AssertionError: one took too long, or its refusal is not one line.

    """
    draw = random.Random(f"{seed} {form}")  # noqa: S311 - damage, not secrets
    known, importer = seeds(form), load_importer(form)
    became: Counter[str] = Counter()
    for _ in range(count):
        name, whole = draw.choice(known)
        data = damaged(draw, whole)
        started = perf_counter()
        try:
            became[attempt(form, importer, name, data, place)] += 1
        except Exception:
            print(f"{form}: {data[:2000]!r}")
            raise
        if perf_counter() - started > LIMIT_S:
            raise AssertionError(f"{form}: took {perf_counter() - started:.1f} s: {data[:200]!r}")
    return became


def report(count: int, seed: int, form: str) -> str:
    """Return one line with the results of a format's damaged files."""
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - a folder of its own below it
    with tempfile.TemporaryDirectory(dir=memory) as place:
        started = perf_counter()
        became = fuzz(form, count, seed, place)
        elapsed_s = perf_counter() - started
    return f"{form}: {count:,} inputs, seed {seed}: {dict(sorted(became.items()))}, {elapsed_s:.0f} s"


def main() -> int:
    """Damage, import, count: a process a format, as many at a time as there are CPUs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="all, if none is named")
    parser.add_argument("--count", type=int, default=100_000, help="damaged files of each format")
    parser.add_argument("--seed", type=int, default=20260101)
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        for line in pool.map(partial(report, options.count, options.seed), options.formats or format_names()):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
