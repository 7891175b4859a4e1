from __future__ import annotations

import os
import shutil
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from aether_harness import BenchError, RoundContext
from aether_pack_bench.bench import PackParams, packaging

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

needs_tar = pytest.mark.skipif(shutil.which("tar") is None or os.name != "posix", reason="no tar here")


@pytest.fixture
def round_of(tree: Path, tmp_path: Path) -> Callable[..., dict[str, float]]:
    """Return a function that packs the tree twice, verifies, and returns the readings."""
    made = 0

    def round_of(**params: object) -> dict[str, float]:
        nonlocal made
        made += 1
        place = RoundContext(folder=str(tmp_path / f"round-{made}"))
        os.mkdir(place.folder)
        with packaging.open(PackParams(tree=str(tree), **params), place) as session:  # type: ignore[arg-type]
            for _ in range(2):
                session.prepare()  # type: ignore[attr-defined]
                session.sample()
            session.verify()
            return dict(session.readings())  # type: ignore[attr-defined]

    return round_of


def store(tree: str, output: str) -> None:
    """Pack as a user's own function may."""
    with tarfile.open(output, "x") as archive:
        archive.add(tree, arcname=".")


def forget(tree: str, output: str) -> None:
    """Leave a file out."""
    with tarfile.open(output, "w") as archive:
        for name in sorted(os.listdir(tree))[1:]:
            archive.add(os.path.join(tree, name), arcname=name)


def fail(_tree: str, _output: str) -> None:
    raise ValueError("will not")


def write_nothing(_tree: str, _output: str) -> None:
    pass


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> str:
    """Make this module's functions importable; return its name."""
    monkeypatch.setitem(sys.modules, "packers_of_mine", sys.modules[__name__])
    return "packers_of_mine"


@needs_tar
@pytest.mark.parametrize(
    "command",
    [
        "tar -cf {output} -C {tree} .",
        "tar -czf {output} -C {tree} .",
        "tar -cJf {output} -C {tree} .",
        'sh -c \'cd "$0" && tar -cf - * | gzip -{level} > "$1"\' {tree} {output}',
    ],
)
def test_a_command_s_artifact_is_verified_whatever_its_format(
    round_of: Callable[..., dict[str, float]], command: str
) -> None:
    readings = round_of(packer="command", command=command, level=1 if "{level}" in command else None)
    assert readings["files"] == 4
    assert readings["input_bytes"] == 256_010
    assert readings["output_bytes"] > 0


@pytest.mark.parametrize("program", ["bsdtar --zstd", "tar --zstd", "tar --use-compress-program=pigz"])
def test_the_programs_people_use_are_verified(round_of: Callable[..., dict[str, float]], program: str) -> None:
    for name in [program.split(maxsplit=1)[0], program.rpartition("=")[2] if "=" in program else "zstd"]:
        if shutil.which(name) is None:
            pytest.skip(f"no {name} here")
    assert round_of(packer="command", command=f"{program} -cf {{output}} -C {{tree}} .")["output_share"] < 1


def test_a_python_function_s_artifact_is_verified(round_of: Callable[..., dict[str, float]], here: str) -> None:
    assert round_of(packer=f"python:{here}.store")["output_share"] > 1


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("forget", "the artifact differs from the tree at a$"),
        ("fail", r"pack\.packer=python:packers_of_mine\.fail: ValueError: will not$"),
        ("write_nothing", "the packer ended well but wrote no .*artifact.part$"),
        ("missing", "cannot be imported: AttributeError: "),
        ("__name__", "is no function$"),
    ],
)
def test_a_function_that_does_not_do_it_is_one_line(
    round_of: Callable[..., dict[str, float]], here: str, function: str, words: str
) -> None:
    with pytest.raises(BenchError, match=words):
        round_of(packer=f"python:{here}.{function}")


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"packer": "command"}, r"pack\.packer=command: say which"),
        ({"packer": "command", "command": "tar -cf x {tree}"}, r"has no \{output\} in it$"),
        ({"packer": "command", "command": "tar -cf {output} ."}, r"has no \{tree\} in it$"),
        ({"packer": "command", "command": "pack {tree} {output}", "level": 3}, r"has no \{level\} in it$"),
        ({"packer": "command", "command": "pack -{level} {tree} {output}"}, r"give pack\.level$"),
        ({"packer": "command", "command": "pack '{tree} {output}"}, "no closing quotation$"),
        ({"packer": "command", "command": "no-such-program {tree} {output}"}, "^no-such-program: no such file"),
        ({"packer": "gzip", "command": "pack {tree} {output}"}, r"^pack\.command: goes with pack\.packer=command$"),
        ({"packer": "python:os.path.join", "level": 1}, r"^pack\.level=1: .* decides that itself$"),
        ({"packer": "python:nowhere.at.all"}, "cannot be imported: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    round_of: Callable[..., dict[str, float]], params: dict[str, object], words: str
) -> None:
    with pytest.raises(BenchError, match=words):
        round_of(**params)


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_a_command_that_fails_says_its_last_words_and_leaves_no_artifact(tree: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = "sh -c 'echo half > \"$1\"; echo went wrong >&2; exit 3' {tree} {output}"
    with packaging.open(
        PackParams(tree=str(tree), packer="command", command=command), RoundContext(folder=str(scratch))
    ) as s:
        with pytest.raises(BenchError, match=r"^sh: exit status 3: went wrong$"):
            s.sample()
        with pytest.raises(BenchError, match="nothing was packed yet"):
            s.verify()
    assert os.listdir(scratch) == []
