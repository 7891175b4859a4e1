"""The types of the public API as a user's type checker sees them; `hatch run lint:types` checks this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from aether_formats import Document, ImportedSeries, ImportOptions
from aether_formats.registry import Importer, load_importer
from aether_harness import Benchmark, RoundContext, SampleResult, Session, bench
from aether_schema import Summary, decode_summary, encode_summary, quantile, read_summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO


@bench
def parse() -> None: ...


def opened() -> Iterator[BinaryIO]:
    with open("data", "rb") as file:
        yield file


@bench(setup=opened, metric="throughput_mbs")
def read_all(file: BinaryIO) -> int:
    return len(file.read())


class MySession:
    def sample(self) -> SampleResult:
        return SampleResult(moved_bytes=1)

    def verify(self) -> None: ...


class MyImporter:
    ABOUT = "a stopwatch"
    SUFFIXES = (".watch",)

    def matches(self, document: Document) -> bool:
        return document.head.startswith("WATCH")

    def read(self, document: Document, options: ImportOptions) -> Iterable[ImportedSeries]:
        yield ImportedSeries(name=options.prefix, unit="s", rounds=((float(document.text),),))


def uses(context: RoundContext) -> None:
    session: Session = MySession()
    importer: Importer = MyImporter()
    assert_type(session.sample(), SampleResult | None)
    assert_type(importer.matches(Document("a", b"")), bool)
    assert_type(load_importer("go"), Importer)
    assert_type(read_summary("bench.json"), Summary)
    assert_type(decode_summary(b"{}").p95, float)
    assert_type(encode_summary(read_summary("bench.json")), bytes)
    assert_type(quantile([1.0, 2.0], 0.5), float)
    assert_type(context.worker_cpus, tuple[int, ...])
    benches: list[Benchmark] = [parse, read_all]
    assert benches
