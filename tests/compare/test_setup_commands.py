from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aether_compare.checkout.setup_commands import LOCKED, UNLOCKED, cache_key, filled, fingerprint_files, parse_setup
from aether_guard.errors import GuardError


def test_without_a_set_up_the_lock_decides_or_the_tree_is_installed() -> None:
    assert parse_setup((), has_lock=True) == (LOCKED,)
    assert parse_setup((), has_lock=False) == (UNLOCKED,)
    assert parse_setup((), has_lock=False, is_package=False) == ()


def test_a_set_up_is_split_as_a_shell_would_and_stands_for_the_usual_one() -> None:
    setup = ("make 'a b'", "uv sync --extra x")
    assert parse_setup(setup, has_lock=True) == (("make", "a b"), ("uv", "sync", "--extra", "x"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("make 'a", "ab.setup: make 'a: no closing quotation"),
        (" ", "ab.setup: an empty command"),
        ("''", "ab.setup: an empty command"),
        ("a\0b", "ab.setup: a command cannot hold a zero byte"),
    ],
)
def test_a_command_that_is_none_is_refused(line: str, message: str) -> None:
    with pytest.raises(GuardError) as caught:
        parse_setup([line], has_lock=False)
    assert str(caught.value) == message


def test_a_place_with_blanks_stays_one_word_and_other_braces_stay_themselves() -> None:
    places = {"python": "/a b/{tree}", "tree": "/c"}
    assert filled(("{python}", "-e{tree}/x", "{}", "{other}"), places) == ("/a b/{tree}", "-e/c/x", "{}", "{other}")


def test_what_decides_an_environment_is_told_from_what_does_not() -> None:
    deciding = [
        "a/pyproject.toml",
        "uv.lock",
        "requirements-dev.txt",
        "setup.py",
        "src/fast.pyx",
        "hatch_build.py",
        "tools/prepare.sh",
    ]
    others = ["README.md", "src/product.py", "requirements.md", "tools/other.sh", "my-setup.py"]
    named = ("uv", "pip", "install", "-r", "./tools/prepare.sh")
    assert fingerprint_files([*deciding, *others], (UNLOCKED, named)) == deciding


@pytest.mark.parametrize(
    "installer",
    ["uv sync --frozen", "uv pip install .", "{python} -m pip install .", "pip install .", "/usr/bin/pip install ."],
)
def test_a_command_that_is_no_installer_makes_every_file_decide(installer: str) -> None:
    commands = parse_setup([installer], has_lock=False)
    assert fingerprint_files(["a.py"], commands) == []
    for other in ("make install", "uv run install.py", "{python} install.py", "{python} -m build", "uv", "sh"):
        assert fingerprint_files(["a.py"], (*commands, *parse_setup([other], has_lock=False))) == ["a.py"]


@given(st.lists(st.binary()), st.lists(st.binary()))
def test_a_key_stands_for_its_parts_and_no_others(one: list[bytes], other: list[bytes]) -> None:
    assert (cache_key(one) == cache_key(other)) is (one == other)
    assert cache_key([*one, b"a", b"b"]) != cache_key([*one, b"ab"])
