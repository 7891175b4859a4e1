"""Blocks of pairs: real workers, started alike."""

from __future__ import annotations

import os
import sys
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from aether_compare.settings import MeasurementSettings, Variant, VariantPair
from aether_compare.variants import command_pairs
from aether_compare.workers.pair_sampler import (
    FIRST_PAIRS,
    MAX_PAIRS,
    MIN_PAIRS,
    PAIRS_PER_VERIFICATION,
    WARM_UPS,
    WARM_UPS_WITH_COMPANION,
    PairSampler,
)
from aether_guard.errors import GuardError
from aether_harness.benchmark.command_bench import CommandParams
from aether_harness.discovery.locator import FileAddress
from aether_harness.machine.affinity import allowed_cpus, assign_cpus
from aether_harness.worker.layout import can_fix_layouts

if TYPE_CHECKING:
    from pathlib import Path

    from aether_compare.pair import SamplePair

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
    """A bench that writes down its workers, and comparisons of it with itself."""

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

    def sampler(self, *, new_python: str = sys.executable, pairs: int | None = 2) -> PairSampler:
        sides = [
            Variant(
                side=name,
                python=python,
                folder=self.folder,
                changes={"SIDE": name},
                address=FileAddress(str(self.path), "logs"),
                params=msgspec.Raw(b"{}"),
            )
            for name, python in (("old", sys.executable), ("new", new_python))
        ]
        match = VariantPair(bench_id="logs", metric="duration_ms", unit="ms", sides=(sides[0], sides[1]))
        return PairSampler(match, terms(), Random(1), pairs)

    def parents(self) -> dict[int, list[int]]:
        """Return the workers by who started them."""
        found: dict[int, list[int]] = {}
        for pid, parent, _ in self.lines():
            if parent != "closed":
                found.setdefault(int(parent), []).append(int(pid))
        return found

    def lines(self) -> list[list[str]]:
        return [line.split() + [""] * (3 - len(line.split())) for line in self.log.read_text().splitlines()]


def terms() -> MeasurementSettings:
    return MeasurementSettings(assignment=assign_cpus(allowed_cpus()), timeout_s=30)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def blocks_of(sampler: PairSampler, count: int = 1) -> list[tuple[SamplePair, ...]]:
    taken = []
    for _ in range(count):
        with sampler.open_block() as take:
            taken.append(take())
    return taken


@pytest.mark.parametrize("pairs", [1, 4])
def test_a_block_has_pairs_of_two_fresh_processes(scene: Scene, pairs: int) -> None:
    with scene.sampler(pairs=pairs) as sampler:
        blocks = blocks_of(sampler, 4)
    assert [[drawn.block for drawn in block] for block in blocks] == [[number] * pairs for number in range(4)]
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


def test_the_order_turns_round_with_each_pair_of_a_block(scene: Scene) -> None:
    scene.write(keep=TELL_SIDE.strip().replace("{log!r}", repr(str(scene.log))))
    with scene.sampler(pairs=4) as sampler:
        blocks = blocks_of(sampler, 12)
    sides = scene.log.with_suffix(".sides").read_text().split()
    opened_first = [side == "new" for side in sides[:24:2]]
    assert [[pair.new_first for pair in block] for block in blocks] == [
        [new_first, not new_first] * 2 for new_first in opened_first
    ]
    assert len(set(opened_first)) == 2


TELL_LAYOUT = """
        import ctypes
        library = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
        with open({log!r} + ".layouts", "a") as log:
            log.write(f"{id(None)} {library} {id(object())} {hash('x')}\\n")
"""


@pytest.mark.skipif(not can_fix_layouts(), reason="layouts cannot be fixed here")
def test_both_workers_of_a_block_have_one_layout_and_each_block_another(scene: Scene) -> None:
    scene.write(keep=TELL_LAYOUT.strip().replace("{log!r}", repr(str(scene.log))))
    with scene.sampler() as sampler:
        blocks_of(sampler, 4)
    layouts = scene.log.with_suffix(".layouts").read_text().splitlines()
    assert layouts[::2] == layouts[1::2]
    assert len(set(layouts)) == 4


def test_a_block_of_short_samples_has_many_pairs(scene: Scene) -> None:
    with scene.sampler(pairs=None) as sampler:
        first, *others = blocks_of(sampler, 4)
    assert len(first) == FIRST_PAIRS
    assert all(MIN_PAIRS <= len(block) <= MAX_PAIRS and len(block) % 2 == 0 for block in others)
    assert len(others[-1]) > FIRST_PAIRS


def test_of_commands_each_pair_has_an_order_of_its_own() -> None:
    command = CommandParams(command=f"{sys.executable} -S -c pass")
    (match,) = command_pairs(command, command)
    with PairSampler(match, terms(), Random(1)) as sampler, sampler.open_block() as take:
        pairs = [pair for _ in range(sampler.bets_per_block) for pair in take()]
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
def test_the_first_pair_of_a_block_does_not_count_where_samples_are_short(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, long_sample_ns: int, uncounted: int
) -> None:
    monkeypatch.setattr("aether_compare.workers.pair_sampler.LONG_SAMPLE_NS", long_sample_ns)
    bench = TELL_SAMPLES.strip().replace("sum(range(20_000))", "__import__('time').sleep(0.01)")
    scene.write(keep=bench.replace("{log!r}", repr(str(scene.log))))
    # The first block's samples show how long they take, and after its pairs the next one is verified again.
    with scene.sampler(pairs=PAIRS_PER_VERIFICATION) as sampler:
        *_, pairs = blocks_of(sampler, 2)
    told = [int(line) for line in scene.log.with_suffix(".samples").read_text().split()]
    # A worker's very first sample never counts.
    assert told[-1] == told[-2] == 1 + uncounted + len(pairs)


def test_pairs_of_a_bench_with_a_server_count_once_both_have_found_their_pace(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aether_compare.workers.pair_sampler.WARM_UP_LIMIT_S", 60.0)
    with_server = TELL_SAMPLES.replace("samples = 0", "samples = 0\n            companion_pids = (os.getppid(),)")
    scene.write(keep=with_server.strip().replace("{log!r}", repr(str(scene.log))))
    # The first block's samples show that there is one, and after its pairs the next one is verified again.
    with scene.sampler(pairs=PAIRS_PER_VERIFICATION) as sampler:
        blocks = blocks_of(sampler, 2)
    told = [int(line) for line in scene.log.with_suffix(".samples").read_text().split()]
    assert [len(pairs) for pairs in blocks] == [PAIRS_PER_VERIFICATION] * 2
    # A worker's very first sample never counts.
    assert told[-1] == told[-2] == 1 + WARM_UPS_WITH_COMPANION + PAIRS_PER_VERIFICATION


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


def test_where_samples_take_long_one_pair_is_enough_to_find_the_pace(scene: Scene) -> None:
    scene.write(keep=SLOW.strip().replace("{log!r}", repr(str(scene.log))))
    with scene.sampler() as sampler:
        blocks_of(sampler, 2)
    samples = Counter(scene.log.with_suffix(".samples").read_text().split())
    *_, one, other = samples.values()
    # A worker's very first one, one that does not count, and two pairs.
    assert one == other == 4


@pytest.mark.parametrize("length", [10, PAIRS_PER_VERIFICATION // 2, PAIRS_PER_VERIFICATION])
def test_samples_are_verified_in_the_first_block_and_again_after_a_number_of_pairs(scene: Scene, length: int) -> None:
    scene.write(keep=TELL_SAMPLES.strip().replace("{log!r}", repr(str(scene.log))))
    blocks = PAIRS_PER_VERIFICATION // length
    with scene.sampler(pairs=length) as sampler:
        for taken, times in ((blocks, 1), (1, 2), (blocks - 1, 2), (1, 3)):
            blocks_of(sampler, taken)
            assert len(scene.log.with_suffix(".samples").read_text().split()) == 2 * times
    assert blocks * length == PAIRS_PER_VERIFICATION


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
    with scene.sampler() as sampler:
        blocks_of(sampler, 3)
    told = scene.log.with_suffix(".kept").read_text().splitlines()
    assert len(told) == 6
    assert len(set(told)) == places
    assert told[0] != told[1]
    assert set(told[2:]) < {*told[:2], "None"}
    assert len(set(told[2:])) == 1


def test_what_was_measured_is_torn_down(scene: Scene) -> None:
    with scene.sampler() as sampler:
        blocks_of(sampler, 3)
    assert len([pid for pid, parent, _ in scene.lines() if parent == "closed"]) == 6


def test_a_tear_down_that_fails_is_named_with_its_side(scene: Scene) -> None:
    scene.write(tear_down="1 / 0")
    words = r"^logs: (old|new): tear-down: ZeroDivisionError: division by zero \(benches.py:"
    with scene.sampler() as sampler, pytest.raises(GuardError, match=words):
        blocks_of(sampler)
