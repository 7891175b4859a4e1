"""The streaming bench, slowed down by a known share: `aether-bench run benchmarks/slowed_stream.py`."""

from __future__ import annotations

from slowed import SlowedBench

from aether_stream_bench.bench import StreamParams, streaming

slowed_streaming = SlowedBench(streaming, StreamParams(payload=8 * 2**20, one_cpu=True))
