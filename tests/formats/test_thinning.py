from __future__ import annotations

import json
import random
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from aether_formats import ImportFileError
from aether_formats.reading.document import SIZE_LIMIT_BYTES, read_document
from aether_formats.reading.thinning import MAX_KEPT, thin, thinned_length
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


def thinned(document: Any, size: int = 2**20, indent: int | None = None) -> Any:
    return json.loads(b"".join(thin(pieces(json.dumps(document, indent=indent).encode(), size), ["data"])))


@pytest.mark.parametrize("count", [0, 1, MAX_KEPT, MAX_KEPT + 1, 3 * MAX_KEPT, 100_003])
@pytest.mark.parametrize("indent", [None, 4])
def test_every_second_or_fourth_number_is_kept(count: int, indent: int | None) -> None:
    (found,) = thinned([{"data": list(range(count))}], 4096, indent)
    assert len(found["data"]) == thinned_length(count) <= MAX_KEPT
    strides = {after - before for before, after in pairwise(found["data"])}
    assert len(strides) <= 1
    assert not count or found["data"][0] == 0
    assert len(found["data"]) >= min(count, MAX_KEPT // 2)


def test_short_arrays_and_other_keys_stay_as_they_are() -> None:
    document = {"data": [1.5, -2e-7], "others": list(range(50_000)), "data ": [1], "text": '"data": [1, 2'}
    assert thinned(document) == document


def test_arrays_of_other_things_stay_as_they_are() -> None:
    odd = [[], [[1, 2], 3], [1, "]"], [{"data": [1]}], [None, True], [1, 2, {"a": "b"}], "data"]
    document = [{"data": value} for value in odd]
    for size in (1, 7, 2**20):
        assert thinned(document, size) == document


def test_pieces_of_any_length_give_the_same_text() -> None:
    draw = random.Random(7)
    document = [{"data": [draw.random() for _ in range(draw.choice((0, 3, 30_000)))], "name": "a[1]"} for _ in range(8)]
    text = json.dumps(document, indent=4).encode()
    whole = b"".join(thin([text], ["data"]))
    for size in (1023, 65_536):
        assert b"".join(thin(pieces(text, size), ["data"])) == whole


def test_a_text_that_is_cut_off_loses_nothing_but_samples() -> None:
    text = b'{"data": [1, 2, 3'
    assert b"".join(thin([text], ["data"])) == text


def write_large(path: Path, counts: list[int]) -> None:
    """Write a file of the tool's over the limit, indented as the tool does it; sample k of a bench takes k seconds."""
    with path.open("w", encoding="ascii") as file:
        file.write('{"machine_info": {}, "commit_info": {}, "version": "5", "benchmarks": [')
        for number, count in enumerate(counts):
            file.write("," if number else "")
            stats = f'"stats": {{"median": {(count - 1) / 2}, "rounds": {count}, "data": [0'
            file.write(f'{{"fullname": "test_{number}", "params": null, {stats}')
            for start in range(1, count, 50_000):
                values = range(start, min(start + 50_000, count))
                file.write("".join(f",\n                    {value}.0000000000000000" for value in values))
            file.write("]}}")
        file.write("]}")


@pytest.mark.parametrize("form", ["pytest-benchmark", "auto"])
def test_a_file_over_the_limit_is_thinned_and_says_so(tmp_path: Path, form: str) -> None:
    path, count = tmp_path / "large.json", 6_300_000
    write_large(path, [50, count])
    assert path.stat().st_size > SIZE_LIMIT_BYTES
    short, long = Reader(form).read(str(path)).summaries
    assert (short.n, short.notes) == (50, None)
    assert long.n == thinned_length(count) == sum(map(len, long.samples or ()))
    assert long.notes == f"{long.n:,} of its {count:,} rounds, evenly: the file is too large"
    assert long.p50 == pytest.approx((count - 1) / 2 * 1000, rel=1e-3)
    assert long.p95 == pytest.approx(count * 0.95 * 1000, rel=1e-3)
    steps = list(chain.from_iterable(long.samples or ()))
    assert {after - before for before, after in pairwise(steps)} == {512_000.0}


def test_a_file_of_another_tool_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.write(b'{"results": [')
        file.truncate(SIZE_LIMIT_BYTES + 1)
    for form in ("hyperfine", "auto"):
        with pytest.raises(ImportFileError, match="over the limit of 268,435,456"):
            Reader(form).read(str(path))


def test_a_thinned_array_is_no_run_of_another_tool(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    report = json.loads('{"results": [{"command": "a", "mean": 1.0}]}')
    path.write_text(json.dumps({"data": [0] * 10_000_000, **report}), encoding="utf-8")
    assert read_document(str(path), ["data"]).is_thinned
    with pytest.raises(ImportFileError, match="over 1 GiB of memory"):
        Reader("auto").read(str(path))
