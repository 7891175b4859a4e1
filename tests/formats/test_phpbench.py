from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]
    Guard = Callable[..., subprocess.CompletedProcess[str]]


def test_an_iteration_is_a_process_of_its_own(made: Path, imported: Import) -> None:
    path = made / "phpbench" / "old.xml"
    found = imported("auto", path)
    for subject in ET.parse(path).getroot().iter("subject"):  # noqa: S314 - a file of this repository
        name = f"PairBench::{subject.get('name')}"
        iterations = [item.attrib for item in subject.iter("iteration")]
        assert len(iterations) == 8
        assert found[name].samples == tuple((float(item["time-avg"]) / 1e3,) for item in iterations)
        assert found[f"{name} mem-peak"].samples == tuple((float(item["mem-peak"]),) for item in iterations)
    assert len(found) == 4
    summary = found["PairBench::benchSum"]
    assert summary.environment == {"os": "Linux", "machine": "x86_64", "php": "8.2.36"}
    assert (summary.unit, found["PairBench::benchSum mem-peak"].unit) == ("ms", "B")


def test_variants_are_told_apart_and_errors_are_named(made: Path) -> None:
    found = Reader("auto").read(str(made / "phpbench" / "report.xml"))
    names = [summary.bench_id for summary in found.summaries if not summary.bench_id.endswith(" mem-peak")]
    assert names == [
        "Example\\SumBench::benchSum [set=small]",
        "Example\\SumBench::benchSum [set=large]",
        "Example\\SumBench::benchRevs [revs=5]",
        "Example\\SumBench::benchRevs [revs=10]",
    ]
    ((name, reason),) = found.failed
    assert name == "Example\\SumBench::benchFails"
    assert "Uncaught RuntimeException: on purpose" in reason


def test_code_that_became_slower_is_found(guard: Guard, made: Path) -> None:
    old, new = (made / "phpbench" / f"{name}.xml" for name in ("old", "new"))
    done = guard("check", "--from", "phpbench", old, new, "--format", "json")
    assert done.returncode == 1
    verdicts = {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}
    assert [name for name, verdict in verdicts.items() if verdict == "regression"] == ["PairBench::benchSum"]


def test_a_release_before_1_0_is_read(tmp_path: Path) -> None:
    text = """<?xml version="1.0"?>
<phpbench version="0.14.0"><suite context="" date="2018-01-02 03:04:05">
<env><uname os="Linux" machine="x86_64"/><php version="7.1.0"/><vcs system="git" version="%s"/></env>
<benchmark class="\\ABench"><subject name="benchA"><variant revs="10"><parameter-set name="0"/>
<iteration time-net="50" time-avg="5" mem-peak="100"/><iteration time-net="70" time-avg="7" mem-peak="100"/>
</variant></subject></benchmark></suite></phpbench>"""
    (tmp_path / "a.xml").write_text(text % ("0123456789" * 4), encoding="utf-8")
    summary = Reader("auto").read(str(tmp_path / "a.xml")).summaries[0]
    assert (summary.bench_id, summary.samples) == ("ABench::benchA", ((0.005,), (0.007,)))
    assert (summary.environment or {})["php"] == "7.1.0"
    assert (summary.commit, summary.timestamp) == ("0123456789" * 4, "2018-01-02T03:04:05+00:00")
