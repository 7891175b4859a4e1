"""The packaging bench, slowed down by a known share: `aether-bench run benchmarks/slowed_pack.py`."""

from __future__ import annotations

from slowed import SlowedBench, spinning_on

from aether_pack_bench.bench import PackParams, packaging

slowed_packaging = SlowedBench(packaging, lambda _: PackParams(), spinning_on)
