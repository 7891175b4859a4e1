from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aether_formats import Document

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Guard = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("part", ["<?a?>", "<!---->", "<!DOCTYPE a>", "<?a ?> "])
def test_the_format_of_xml_without_an_element_is_looked_for_once(guard: Guard, tmp_path: Path, part: str) -> None:
    (tmp_path / "a.xml").write_text((part * 60)[:281], encoding="utf-8")
    done = guard("import", "auto", "a.xml", "--out", "out")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "tag"),
    [
        (b"<testsuite/>", "testsuite"),
        (b' <?xml version="1.0"?>\n<!-- <x> -->\n<?pi <y>?><testsuites name="&#228;">', "testsuites"),
        ("<Catch/>".encode("utf-16"), "Catch"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a \xe9="1">', "a"),
        (b"\xef\xbb\xbf<a.b/>", "a.b"),
        (b"<!DOCTYPE testsuite [<!ENTITY a 'b'>]><testsuite/>", "testsuite"),
        (b"<", ""),
        (b"<?xml", ""),
        (b"<!-- <a/>", ""),
        (b"< a/>", ""),
        (b"a <b/>", ""),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', ""),
    ],
)
def test_the_first_element_is_named(data: bytes, tag: str) -> None:
    assert Document("a.xml", data).root_tag == tag
