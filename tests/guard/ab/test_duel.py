"""Where pairs come from: real workers, forked where both sides can be."""

from __future__ import annotations

import os
import sys
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from aether_guard.ab.contestant import commands
from aether_guard.ab.duel import PAIRS_A_VERIFICATION, WARM_UPS, WARM_UPS_WITH_COMPANION, Duel
from aether_guard.ab.length import Always
from aether_guard.ab.terms import Contestant, Match, Terms
from aether_guard.error import GuardError
from aether_harness.affinity import allowed_cpus, assign_cpus
from aether_harness.executable import CommandParams
from aether_harness.nursery import CAN_FORK
from aether_harness.target import FileAddress

if TYPE_CHECKING:
    from pathlib import Path

    from aether_guard.ab.drawn import Drawn

BENCH = """
import os
from contextlib import contextmanager
from aether_harness import NoParams


class Session:
    def sample(self):
        sum(range(20_000))

    def verify(self):
        pass


class Bench:
    bench_id = name = "logs"
    about = "writes down whose worker it was"
    metric = "duration_ms"
    params_type = NoParams

    @contextmanager
    def open(self, params, place):
        with open({log!r}, "a") as log:
            log.write(f"{os.getpid()} {os.getppid()} {place.folder}\\n")
        KEEP
        yield Session()
        with open({log!r}, "a") as log:
            log.write(f"{os.getpid()} closed {TEAR_DOWN}\\n")


logs = Bench()
"""
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


class Scene:
    """A bench that writes down its workers, and duels of it against itself."""

    def __init__(self, tmp_path: Path) -> None:
        self.log = tmp_path / "log"
        self.log.touch()
        self.path = tmp_path / "benches.py"
        self.write()
        self.folder = str(tmp_path)

    def write(self, before: str = "", tear_down: str = "''", keep: str = "pass") -> None:
        text = BENCH.replace("{log!r}", repr(str(self.log))).replace("TEAR_DOWN", tear_down).replace("KEEP", keep)
        self.path.write_text(
            before
            + text.replace("import NoParams", "import Place\nfrom msgspec import Struct\nclass NoParams(Struct): pass"),
            encoding="utf-8",
        )

    def duel(self, *, new_python: str = sys.executable, length: int = 1) -> Duel:
        sides = [
            Contestant(
                side=name,
                python=python,
                folder=self.folder,
                changes={"SIDE": name},
                address=FileAddress(str(self.path), "logs"),
                params=msgspec.Raw(b"{}"),
            )
            for name, python in (("old", sys.executable), ("new", new_python))
        ]
        match = Match(bench_id="logs", metric="duration_ms", unit="ms", sides=(sides[0], sides[1]))
        return Duel(match, terms(), Always(length), Random(1))

    def parents(self) -> dict[int, list[int]]:
        """Return the workers by who started them."""
        found: dict[int, list[int]] = {}
        for pid, parent, _ in self.lines():
            if parent != "closed":
                found.setdefault(int(parent), []).append(int(pid))
        return found

    def lines(self) -> list[list[str]]:
        return [line.split() + [""] * (3 - len(line.split())) for line in self.log.read_text().splitlines()]


def terms() -> Terms:
    return Terms(assignment=assign_cpus(allowed_cpus()), timeout_s=30)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def live(duel: Duel, lives: int = 1) -> list[tuple[Drawn, ...]]:
    taken = []
    for _ in range(lives):
        with duel.life() as take:
            taken.append(take())
    return taken


@pytest.mark.parametrize("length", [1, 4])
def test_a_life_has_so_many_pairs_of_two_fresh_processes(scene: Scene, length: int) -> None:
    with scene.duel(length=length) as duel:
        lives = live(duel, 4)
    assert [[drawn.life for drawn in pairs] for pairs in lives] == [[number] * length for number in range(4)]
    workers = [pid for pids in scene.parents().values() for pid in pids]
    assert len(set(workers)) == len(workers) >= 8
    assert not any(psutil.pid_exists(pid) for pid in (*workers, *set(scene.parents()) - {os.getpid()}))
    folders = [folder for _, parent, folder in scene.lines() if parent != "closed"]
    assert len(set(folders)) == len(folders)
    assert not any(os.path.exists(os.path.dirname(folder)) for folder in folders)


TELL_SIDE = """
        with open({log!r} + ".sides", "a") as log:
            log.write(os.environ["SIDE"] + "\\n")
"""


def test_whoever_was_made_ready_first_is_first_in_all_pairs_of_a_life(scene: Scene) -> None:
    scene.write(keep=TELL_SIDE.strip().replace("{log!r}", repr(str(scene.log))))
    with scene.duel(length=3) as duel:
        lives = live(duel, 12)
    sides = scene.log.with_suffix(".sides").read_text().split()
    ready_first = [side == "new" for side in sides[:24:2]]
    assert [[pair.new_first for pair in life] for life in lives] == [[new_first] * 3 for new_first in ready_first]
    assert len(set(ready_first)) == 2


def test_of_commands_each_pair_has_an_order_of_its_own() -> None:
    command = CommandParams(command=f"{sys.executable} -S -c pass")
    (match,) = commands(command, command)
    with Duel(match, terms(), Always(1), Random(1)) as duel, duel.life() as take:
        pairs = [pair for _ in range(duel.bets_a_life) for pair in take()]
    assert len({pair.new_first for pair in pairs}) == 2


TELL_SAMPLES = """
        class Session:
            samples = 0
            def prepare(self):
                self.samples += 1
            def sample(self):
                sum(range(20_000))
            def verify(self):
                with open({log!r} + ".samples", "a") as log:
                    log.write(f"{self.samples}\\n")
        yield Session()
        return
"""


@pytest.mark.parametrize(("long_sample_ns", "uncounted"), [(10**12, WARM_UPS), (10**6, 0)])
def test_the_first_pair_of_a_life_does_not_count_where_samples_are_short(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, long_sample_ns: int, uncounted: int
) -> None:
    monkeypatch.setattr("aether_guard.ab.duel.LONG_SAMPLE_NS", long_sample_ns)
    bench = TELL_SAMPLES.strip().replace("sum(range(20_000))", "__import__('time').sleep(0.01)")
    scene.write(keep=bench.replace("{log!r}", repr(str(scene.log))))
    # After the first life, whose samples tell how long they take, so many pairs are what is verified again after.
    with scene.duel(length=PAIRS_A_VERIFICATION) as duel:
        *_, pairs = live(duel, 2)
    told = [int(line) for line in scene.log.with_suffix(".samples").read_text().split()]
    # A worker's very first sample never counts.
    assert told[-1] == told[-2] == 1 + uncounted + len(pairs) + sum(pair.retaken for pair in pairs)


def test_pairs_of_a_bench_with_a_server_count_once_both_have_found_their_pace(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aether_guard.ab.duel.WARM_UP_LIMIT_S", 60.0)
    with_server = TELL_SAMPLES.replace("samples = 0", "samples = 0\n            companion_pids = (os.getppid(),)")
    scene.write(keep=with_server.strip().replace("{log!r}", repr(str(scene.log))))
    # Whether there is one is told by samples, and so by those of the first life, after which all is verified again.
    with scene.duel(length=PAIRS_A_VERIFICATION) as duel:
        lives = live(duel, 2)
    told = [int(line) for line in scene.log.with_suffix(".samples").read_text().split()]
    taken = [len(pairs) + sum(pair.retaken for pair in pairs) for pairs in lives]
    assert [len(pairs) for pairs in lives] == [PAIRS_A_VERIFICATION] * 2
    # The first of a fork never counts.
    assert told[-1] == told[-2] == 1 + WARM_UPS_WITH_COMPANION + taken[1]


SLOW = """
        class Session:
            companion_pids = (os.getppid(),)
            def sample(self):
                import time
                with open({log!r} + ".samples", "a") as log:
                    log.write(f"{os.getpid()}\\n")
                time.sleep(0.3)
            def verify(self):
                pass
        yield Session()
        return
"""


@pytest.mark.skipif(not CAN_FORK, reason="workers are forked on Linux only")
def test_where_samples_take_long_one_pair_is_enough_to_find_the_pace(scene: Scene) -> None:
    scene.write(keep=SLOW.strip().replace("{log!r}", repr(str(scene.log))))
    with scene.duel() as duel:
        *_, (pair,) = live(duel, 2)
    samples = Counter(scene.log.with_suffix(".samples").read_text().split())
    *_, one, other = samples.values()
    # The first of a fork, the one that does not count, and the pair.
    assert one == other == 3 + pair.retaken


@pytest.mark.parametrize("length", [10, PAIRS_A_VERIFICATION // 2, PAIRS_A_VERIFICATION])
def test_what_was_measured_is_verified_in_the_first_life_and_again_after_so_many_pairs(
    scene: Scene, length: int
) -> None:
    scene.write(keep=TELL_SAMPLES.strip().replace("{log!r}", repr(str(scene.log))))
    lives = PAIRS_A_VERIFICATION // length
    with scene.duel(length=length) as duel:
        for taken, times in ((lives, 1), (1, 2), (lives - 1, 2), (1, 3)):
            live(duel, taken)
            assert len(scene.log.with_suffix(".samples").read_text().split()) == 2 * times
    assert lives * length == PAIRS_A_VERIFICATION


KEEP = """
        kept = None if place.inputs is None else os.path.join(place.inputs, "kept")
        if kept and not os.path.exists(kept):
            with open(kept, "w") as file:
                file.write(WHAT)
        with open({log!r} + ".kept", "a") as log:
            log.write(f"{kept}\\n")
"""


@pytest.mark.parametrize(("what", "places"), [('"alike"', 2), ("str(os.getpid())", 3)])
def test_what_both_sides_read_alike_is_written_once_and_read_in_one_place(scene: Scene, what: str, places: int) -> None:
    scene.write(keep=KEEP.strip().replace("{log!r}", repr(str(scene.log))).replace("WHAT", what))
    with scene.duel() as duel:
        live(duel, 3)
    told = scene.log.with_suffix(".kept").read_text().splitlines()
    assert len(told) == 6
    assert len(set(told)) == places
    assert told[0] != told[1]
    assert set(told[2:]) < {*told[:2], "None"}
    assert len(set(told[2:])) == 1


def test_what_was_measured_is_torn_down(scene: Scene) -> None:
    with scene.duel() as duel:
        live(duel, 3)
    assert len([pid for pid, parent, _ in scene.lines() if parent == "closed"]) == 6


@pytest.mark.skipif(not CAN_FORK, reason="workers are forked on Linux only")
def test_those_that_fork_make_room_for_others_after_a_few_lives(scene: Scene) -> None:
    with scene.duel() as duel:
        assert all(pair.forked for (pair,) in live(duel, 2))
        for _ in range(200):
            live(duel)
            if len(scene.parents()) >= 4:
                break
    parents = scene.parents()
    assert os.getpid() not in parents
    assert len(parents) >= 4
    assert all(len(workers) >= 2 for workers in list(parents.values())[:2])


@posix_only
def test_where_one_side_cannot_be_forked_neither_is(scene: Scene, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *forking*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with scene.duel(new_python=str(python)) as duel:
        assert len(live(duel, 3)) == 3
    assert list(scene.parents()) == [os.getpid()]


@posix_only
def test_what_starts_threads_when_it_is_imported_is_measured_in_processes_of_its_own(scene: Scene) -> None:
    scene.write("import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n")
    with scene.duel() as duel:
        lives = live(duel, 2)
    assert not any(pair.forked for (pair,) in lives)
    assert list(scene.parents()) == [os.getpid()]


def test_a_tear_down_that_fails_is_named_with_its_side(scene: Scene) -> None:
    scene.write(tear_down="1 / 0")
    words = r"^logs: (old|new): tear-down: ZeroDivisionError: division by zero \(benches.py:"
    with scene.duel() as duel, pytest.raises(GuardError, match=words):
        live(duel)
