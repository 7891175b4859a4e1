"""Files that are broken, too large or hostile: one line, within bounds."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from aether_formats import ImportFileError
from aether_formats.reading.document import MEMORY_LIMIT_BYTES, SIZE_LIMIT_BYTES, Document, read_document
from aether_formats.registry import format_names
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    from pathlib import Path

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE testsuite [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuite><testcase name="&b;" time="1"/></testsuite>"""


def problem_of(form: str, path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(ImportFileError) as caught:
        Reader(form).read(str(path))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(bytes(2**20)) for _ in range(size // 2**20)), packer.flush()])


def read(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return read_document(str(path)).data


def test_a_gzip_is_unpacked_member_by_member(tmp_path: Path) -> None:
    assert read(tmp_path / "a", gzip.compress(b"one ") + gzip.compress(b"two")) == b"one two"
    large = bytes(3 * 2**20) + os.urandom(2**21)
    assert read(tmp_path / "a", gzip.compress(large) + gzip.compress(b"two")) == large + b"two"


def test_a_gzip_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="unpacks to more than the limit"):
        read(tmp_path / "a", bomb(SIZE_LIMIT_BYTES + 2**21))


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"{}" * 999)[:30], gzip.compress(b"{}" * 99)[:-4], b"\x1f\x8b garbage"],
    ids=["cut", "damaged", "garbage"],
)
def test_a_gzip_that_is_cut_off_or_damaged_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ImportFileError, match="gzip"):
        read(tmp_path / "a", data)


@pytest.mark.parametrize("form", [*format_names(), "auto"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n\t",
        b"\x00" * 100,
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"{}",
        b"[]",
        b"null",
        b"[[[[",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"<a" * 1000,
        b"<a>" * 1000,
        LAUGHS,
        b"a,b\n1",
        b"Benchmark",
        b"BenchmarkX 1 x ns/op",
        b"test a ... bench: , ns/iter (+/- 0)\n",
        b"Type,Name,Request Count,Failure Count,Requests/s,50%,95%\nGET,/,nan,0,1,1,1\n",
        b'{"metrics": {"iterations": {"count": NaN, "rate": "\x87"}}, "root_group": {}}',
        b"test a ... bench: 1 parsec/iter (+/- 0)\n",
        b'{"bench_id": 1, "metric": 2, "p50": 3}',
        b'{"benchmarks": [{"fullname": "a", "stats": {"median": "NaN", "rounds": 1}}]}',
        b'{"results": [{"command": "a", "mean": NaN}]}',
    ],
    ids=lambda data: repr(data[:20]) if isinstance(data, bytes) else data,
)
def test_nonsense_is_one_line_in_every_format(tmp_path: Path, form: str, data: bytes) -> None:
    assert problem_of(form, tmp_path / "file", data)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    assert problem_of("junit", tmp_path / "a.xml", LAUGHS) == "line 2: a document type is not read"


def test_xml_may_say_its_encoding(tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><testsuite><testcase name="é" time="1,002.5"/></testsuite>'
    (tmp_path / "a.xml").write_bytes(text.encode("latin-1"))
    (summary,) = Reader("auto").read(str(tmp_path / "a.xml")).summaries
    assert (summary.bench_id, summary.p50) == ("é", 1_002_500.0)


def test_a_place_is_named(tmp_path: Path) -> None:
    text = b'{"results": [{"command": "a", "mean": "much"}]}'
    assert problem_of("hyperfine", tmp_path / "a", text) == "results[0].mean: expected `float`, got `str`"
    cut_off = b"BenchmarkX 1 5 ns/op 3"
    assert problem_of("go", tmp_path / "a", cut_off) == "line 1: a figure without a unit: it is cut off"
    assert problem_of("csv", tmp_path / "a", b"name,value,unit\na,x,ms\n") == "line 2, column value: 'x' is no number"
    assert problem_of("catch2", tmp_path / "a", b"<Catch>\n<x></Catch>") == "line 2: malformed XML: mismatched tag"
    assert problem_of("auto", tmp_path / "a", b"hello").startswith("of no known format; known: asv, ")


HOSTILE = {
    "pyperf": (b'{"benchmarks":[{"runs":[', b'{"values":[1]}', b"]}]}"),
    "jmh": (b"[", b"[]", b"]"),
    "asv": (b'{"commit_hash":"a","params":{},"results":{"a":[', b"[1]", b"]}}"),
    "github-action-benchmark": (b"[", b'{"name":"a","unit":"ms","value":1}', b"]"),
}


@pytest.mark.parametrize("form", HOSTILE)
def test_more_than_memory_should_hold_is_refused_before_it_is_made(tmp_path: Path, form: str) -> None:
    before, item, after = HOSTILE[form]
    data = before + b",".join([item] * 3_800_000) + after
    problem = problem_of(form, tmp_path / "a", gzip.compress(data, 1))
    assert problem.startswith("reading it may take ")
    assert problem.endswith(" GiB of memory, over the limit of 1 GiB: split it")


PEAK = """
import sys
from aether_guard.cli.app import main
try:
    main(["import", sys.argv[1], sys.argv[2], "--out", sys.argv[3]])
finally:
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            print(int(line.split()[1]) * 1024)
"""


#: The format, then what stands before, between and behind the commas, and how many of them there are.
BOMBS = {
    "processes": ("pyperf", b'{"benchmarks":[{"runs":[', b'{"values":[1]}', b"]}]}", 17_000_000),
    "samples": (
        "pytest-benchmark",
        b'{"benchmarks":[{"fullname":"a","stats":{"median":1,"rounds":2,"data":[',
        *(b"1", b"]}}]}", 60_000_000),
    ),
    "values": ("pyperf", b'{"benchmarks":[{"runs":[{"values":[', b"1.5", b"]}]}]}", 1_000_000),
    "name": (
        "pyperf",
        b'{"benchmarks":[{"metadata":{"name":"\xf0\x9f\x98\x80',
        *(b"a" * 999, b'"},"runs":[{"values":[1]}]}]}', 100_000),
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory is read as Linux tells it")
@pytest.mark.parametrize("bomb_name", BOMBS)
def test_a_small_gzip_never_takes_more_memory_than_the_limit(tmp_path: Path, bomb_name: str) -> None:
    form, before, item, after, count = BOMBS[bomb_name]
    path, packer = tmp_path / "a.json.gz", zlib.compressobj(1, wbits=31)
    with path.open("wb") as file:
        file.write(packer.compress(before + item))
        for _ in range(count // 100_000):
            file.write(packer.compress((b"," + item) * 100_000))
        file.write(packer.compress(after) + packer.flush())
    command = [sys.executable, "-c", PEAK, form, str(path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert int(done.stdout.splitlines()[-1]) < MEMORY_LIMIT_BYTES


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="no such file"):
        read_document(str(tmp_path / "nowhere"))
    with pytest.raises(ImportFileError, match="a folder, not a file"):
        Reader("hyperfine").read(str(tmp_path))
    with pytest.raises(ImportFileError, match="not a regular file"):
        read_document(os.devnull)


def test_a_file_over_the_limit_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(SIZE_LIMIT_BYTES + 1)
    with pytest.raises(ImportFileError, match=r"^268,435,457 bytes, over the limit of 268,435,456$"):
        read_document(str(tmp_path / "large.json"))


def test_a_text_may_come_as_utf_16_from_a_shell_on_windows() -> None:
    text = "BenchmarkA-2  10  5.5 ns/op\r\n"
    for encoding in ("utf-16", "utf-8-sig"):
        document = Document("a.txt", text.encode(encoding))
        assert document.text == text
        assert list(document.lines()) == [(1, text.rstrip())]


def test_a_criterion_folder_that_goes_on_for_ever_is_left(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(ImportFileError, match="no new/sample"):
        Reader("criterion").read(str(tmp_path))
