from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from aether_formats import ImportFileError
from aether_guard.check.imported_files import Reader

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from aether_formats.to_summaries import Imported
    from aether_schema import Summary

    Import = Callable[..., dict[str, Summary]]
    Guard = Callable[..., subprocess.CompletedProcess[str]]


def read(tmp_path: Path, text: str) -> Imported:
    path = tmp_path / "report.xml"
    path.write_text(text, encoding="utf-8")
    return Reader("junit").read(str(path))


def benches(tmp_path: Path, text: str) -> dict[str, float]:
    return {summary.bench_id: summary.p50 for summary in read(tmp_path, text).summaries}


def verdicts(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {bench["bench_id"]: bench["verdict"] for bench in json.loads(done.stdout)["benches"]}


def test_a_browser_of_playwright_is_part_of_the_name(made: Path, imported: Import) -> None:
    path = made / "junit" / "playwright_old.xml"
    expected = {
        f"{case.get('classname')}.{case.get('name')} [browser={suite.get('hostname')}]": float(case.attrib["time"])
        * 1e3
        for suite in ET.parse(path).getroot()  # noqa: S314 - a file of this repository
        for case in suite
    }
    assert len(expected) == 4
    assert {name: item.p50 for name, item in imported("junit", path).items()} == pytest.approx(expected)


def test_a_test_that_is_slower_in_one_browser_is_found_there(guard: Guard, made: Path) -> None:
    old, new = (made / "junit" / f"playwright_{name}.xml" for name in ("old", "new"))
    done = guard("check", "--from", "auto", old, new, "--format", "json")
    assert done.returncode == 1
    found = verdicts(done)
    assert found["sums.spec.js.adds [browser=firefox]"] == "regression"
    assert found["sums.spec.js.adds [browser=chromium]"] == "pass"


def test_one_file_per_browser_is_not_taken_for_several_runs(guard: Guard, tmp_path: Path) -> None:
    for side, slow in (("old", 1.0), ("new", 3.0)):
        (tmp_path / side).mkdir()
        for browser, time in (("chromium", 9.0), ("firefox", slow)):
            text = (
                f'<testsuite name="a" hostname="{browser}"><testcase classname="a" name="b" time="{time}"/></testsuite>'
            )
            (tmp_path / side / f"{browser}.xml").write_text(text, encoding="utf-8")
    done = guard("check", "--from", "junit", "--baseline", "old", "--current", "new", "--format", "json")
    assert done.returncode == 1, done.stderr
    assert verdicts(done) == {"a.b [browser=chromium]": "pass", "a.b [browser=firefox]": "regression"}


def test_suites_tell_tests_of_one_name_apart_and_hosts_do_after_them(tmp_path: Path) -> None:
    case = '<testcase classname="a" name="b" time="{}"/>'
    text = (
        f'<testsuites><testsuite name="x" hostname="h1">{case.format(1)}</testsuite>'
        f'<testsuite name="y" hostname="h2">{case.format(2)}</testsuite></testsuites>'
    )
    assert benches(tmp_path, text) == {"a.b [suite=x]": 1000.0, "a.b [suite=y]": 2000.0}
    assert benches(tmp_path, text.replace('"y"', '"x"')) == {"a.b [host=h1]": 1000.0, "a.b [host=h2]": 2000.0}
    assert benches(tmp_path, text.replace('"y"', '"x"').replace("h2", "h1")) == {"a.b": 1500.0}


def test_a_suite_within_a_suite_has_the_names_of_both(tmp_path: Path) -> None:
    inner = '<testsuite name="{}"><testcase classname="a" name="b" time="1"/></testsuite>'
    text = f'<testsuites><testsuite name="x">{inner.format("y")}{inner.format("z")}</testsuite></testsuites>'
    assert list(benches(tmp_path, text)) == ["a.b [suite=x/y]", "a.b [suite=x/z]"]


@pytest.mark.parametrize("key", ["browser", "browserName", "capabilities"])
def test_a_browser_may_be_a_property(tmp_path: Path, key: str) -> None:
    properties = f'<properties><property name="{key}" value="chrome"/></properties>'
    case = '<testcase classname="{}" name="b" time="1"/>'
    text = f'<testsuite name="x">{properties}{case.format("a")}{case.format("chrome.a")}</testsuite>'
    assert list(benches(tmp_path, text)) == ["a.b [browser=chrome]", "chrome.a.b"]


def test_tests_of_googletest_that_did_not_run_have_no_time(made: Path) -> None:
    found = Reader("auto").read(str(made / "junit" / "googletest.xml"))
    assert [summary.bench_id for summary in found.summaries] == [
        "Sums.Small",
        "Some/Sized.Waits/0",
        "Some/Sized.Waits/1",
    ]
    assert [name for name, _ in found.failed] == ["Sums.Fails"]
    assert found.failed[0][1].startswith("1 of 1 runs failed: gtest.cpp:")
    assert [name for name, _ in found.unjudged] == ["Sums.DISABLED_Off", "Sums.Skips"]
    assert found.unjudged[1][1].endswith("needs a GPU")


def test_a_test_that_failed_is_an_error_that_names_it(guard: Guard, made: Path) -> None:
    path = made / "junit" / "playwright.xml"
    done = guard("check", "--from", "junit", path, path)
    assert done.returncode == 2
    assert "broken.spec.js.fails [browser=firefox]: 1 of 1 runs failed: on purpose" in done.stderr


def test_a_test_that_passed_when_it_was_run_again_is_an_error_unless_allowed(guard: Guard, tmp_path: Path) -> None:
    case = '<testcase name="a" time="1"/><testcase name="a" time="9"><failure message="flaky"/></testcase>'
    (tmp_path / "a.xml").write_text(f"<testsuite>{case}</testsuite>", encoding="utf-8")
    assert guard("check", "--from", "junit", "a.xml", "a.xml").returncode == 2
    allowed = guard("check", "--from", "junit", "--allow-failures", "50%", "a.xml", "a.xml", "--format", "json")
    assert allowed.returncode == 0, allowed.stderr
    (bench,) = json.loads(allowed.stdout)["benches"]
    assert bench["current"] == 1000.0


@pytest.mark.parametrize(
    ("text", "time_ms"), [("1,234.5", 1_234_500.0), ("1,234,567", 1_234_567_000.0), ("1.5e-3", 1.5), ("12", 12_000.0)]
)
def test_commas_between_thousands_are_read(tmp_path: Path, text: str, time_ms: float) -> None:
    assert benches(tmp_path, f'<testsuite><testcase name="a" time="{text}"/></testsuite>') == {"a": time_ms}


@pytest.mark.parametrize("text", ["0,123", "1,234", "1,5", "1234,567.8", "1.234,5", "12,34.5", ",5", "0,123.4"])
def test_a_comma_that_may_be_decimal_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImportFileError, match=rf"^a: time: '{text}' is no number: a comma may be decimal"):
        read(tmp_path, f'<testsuite><testcase name="a" time="{text}"/></testsuite>')
