from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from msgspec import Struct
from msgspec.structs import replace

from aether_harness import UsageError, bench
from aether_harness.machine.affinity import allowed_cpus
from aether_harness.reference.kernels import DEFAULT_KERNEL, KERNELS, kernel_for

if TYPE_CHECKING:
    from aether_harness import RoundContext


class NoParams(Struct):
    """No parameters."""


NO_PARAMS = NoParams()

# What a kernel returns proves which work it did. A released kernel never changes: every ruler that was stored
# would bend. One that is to do something else gets a new id and a new line here.
RETURNED = {
    "archive-1": 6_144,
    "deflate-1": 1_844_630_390,
    "filesystem-1": 16_384,
    "interpreter-1": 35_379_723,
    "loopback-1": 1_048_576,
    "loopback-one-cpu-1": 1_048_576,
    "memory-1": 1_618_119_338,
}


def test_the_released_kernels_are_all_there() -> None:
    assert sorted(KERNELS) == sorted(RETURNED)


@pytest.mark.parametrize("kernel_id", RETURNED)
def test_a_kernel_does_the_work_it_was_released_with_every_time(place: RoundContext, kernel_id: str) -> None:
    with KERNELS[kernel_id].open(place) as work:
        returned = [work() for _ in range(20)]
    assert returned == [RETURNED[kernel_id]] * 20


@pytest.mark.parametrize("kernel_id", RETURNED)
def test_a_kernel_is_cross_checked_by_another_one_that_exists(kernel_id: str) -> None:
    kernel = KERNELS[kernel_id]
    assert kernel.kernel_id == kernel_id
    assert kernel.cross_kernel_id in KERNELS
    assert kernel.cross_kernel_id != kernel_id
    assert kernel.about


@pytest.mark.parametrize("kernel_id", RETURNED)
def test_a_kernel_is_short_enough_to_stand_beside_every_sample(place: RoundContext, kernel_id: str) -> None:
    with KERNELS[kernel_id].open(place) as work:
        times = []
        for _ in range(50):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
    # Some hundred microseconds; a hundred times that would be another kernel.
    assert min(times) < 0.05


def test_two_kernels_that_cross_check_one_another_can_be_open_at_once(place: RoundContext) -> None:
    for kernel in KERNELS.values():
        with kernel.open(place) as work, KERNELS[kernel.cross_kernel_id].open(place) as other:
            assert (work(), other()) == (RETURNED[kernel.kernel_id], RETURNED[kernel.cross_kernel_id])


def test_the_other_end_of_the_loopback_is_a_process_that_ends_with_it(place: RoundContext) -> None:
    with KERNELS["loopback-1"].open(place) as work:
        work()
        drains = [
            child
            for child in psutil.Process().children()
            if "aether_harness.reference.loopback_sink" in child.cmdline()
        ]
        assert len(drains) == 1
    assert not drains[0].is_running()


def test_the_other_end_of_the_loopback_ends_when_what_uses_it_raises(place: RoundContext) -> None:
    with pytest.raises(InterruptedError), KERNELS["loopback-1"].open(place):
        raise InterruptedError
    assert not [
        child for child in psutil.Process().children() if "aether_harness.reference.loopback_sink" in child.cmdline()
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that pins")
@pytest.mark.parametrize(
    ("kernel_id", "whose"), [("loopback-1", "companion_cpus"), ("loopback-one-cpu-1", "worker_cpus")]
)
def test_the_other_end_of_the_loopback_is_on_the_cpus_it_is_for(
    place: RoundContext, kernel_id: str, whose: str
) -> None:
    cpus = tuple((allowed_cpus() or [0])[:1])
    with KERNELS[kernel_id].open(replace(place, **{whose: cpus})) as work:
        work()
        (drain,) = (
            child
            for child in psutil.Process().children()
            if "aether_harness.reference.loopback_sink" in child.cmdline()
        )
        assert tuple(drain.cpu_affinity()) == cpus


def test_a_bench_gets_the_kernel_it_names_and_otherwise_the_interpreter() -> None:
    assert kernel_for(bench(reference="memory-1")(len), NO_PARAMS).kernel_id == "memory-1"
    assert kernel_for(bench(len), NO_PARAMS).kernel_id == DEFAULT_KERNEL == "interpreter-1"


def test_a_bench_may_choose_its_kernel_by_its_parameters() -> None:
    class Choosy(NoParams):
        small: bool = True

    chosen = bench(reference="memory-1")(len)
    chosen.reference = lambda params: "interpreter-1" if params.small else "deflate-1"  # type: ignore[assignment]
    assert kernel_for(chosen, Choosy()).kernel_id == "interpreter-1"
    assert kernel_for(chosen, Choosy(small=False)).kernel_id == "deflate-1"


def test_a_kernel_that_does_not_exist_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="len: reference 'memory': no such kernel; did you mean memory-1"):
        kernel_for(bench(reference="memory")(len), NO_PARAMS)


def test_a_bench_may_bring_its_ruler_and_the_one_that_cross_checks_it() -> None:
    mine = bench(reference="len/mine-1")(len)
    assert (kernel_for(mine, NO_PARAMS).kernel_id, kernel_for(mine, NO_PARAMS).cross_kernel_id) == (
        "len/mine-1",
        "memory-1",
    )
    mine.cross_reference = "len/other-1"  # type: ignore[attr-defined]
    assert kernel_for(mine, NO_PARAMS).cross_kernel_id == "len/other-1"


@pytest.mark.parametrize("named", ["other/mine-1", "len", 7])
def test_a_ruler_that_is_not_under_the_name_of_the_bench_is_refused(named: object) -> None:
    mine = bench(reference="len/mine-1")(len)
    mine.cross_reference = named  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="no such kernel"):
        kernel_for(mine, NO_PARAMS)
