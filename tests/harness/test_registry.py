from __future__ import annotations

import pytest

from aether_harness import Benchmark, UsageError, bench
from aether_harness.benchmark.command_bench import CommandBench
from aether_harness.discovery.locator import CommandAddress, EntryPointAddress, LocatedBench
from aether_harness.discovery.registry import PluginError, installed_benches, load_bench, select_benches


def found(bench_id: str, name: str) -> LocatedBench:
    made = bench(bench_id=bench_id)(len)
    made.name = name
    return LocatedBench(bench=made, address=EntryPointAddress(bench_id))


def test_the_installed_benches_come_by_their_ids_and_satisfy_the_interface() -> None:
    benches, errors = installed_benches()
    ids = [item.bench.bench_id for item in benches]
    assert errors == []
    assert ids == sorted(ids)
    assert {"packaging", "sorting", "streaming"} <= set(ids)
    assert all(isinstance(item.bench, Benchmark) for item in benches)


def test_a_worker_loads_the_same_bench_from_its_address() -> None:
    benches, _ = installed_benches()
    assert [load_bench(item.address).bench_id for item in benches] == [item.bench.bench_id for item in benches]


def test_a_command_is_loaded_from_its_address() -> None:
    loaded = load_bench(CommandAddress("tool"))
    assert isinstance(loaded, CommandBench)
    assert loaded.bench_id == "tool"


def test_a_plugin_that_is_not_installed_is_refused() -> None:
    with pytest.raises(PluginError, match="nowhere: no such plugin is installed"):
        load_bench(EntryPointAddress("nowhere"))


def test_benches_are_selected_by_id_or_short_name_in_the_order_wanted_and_once() -> None:
    pack, stream = found("packaging", "pack"), found("streaming", "stream")
    assert select_benches([pack, stream], ["stream", "packaging", "streaming"]) == [stream, pack]


def test_an_unknown_bench_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="packagin: no such bench; did you mean packaging"):
        select_benches([found("packaging", "pack")], ["packagin"])
