"""The messages between a worker and its parent: one JSON object per line.

The parent asks, the worker answers, one answer a question, in turn. The worker speaks first, with
`Hello`, so that a parent never talks to a worker of another version.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from aether_harness.benchmark.protocol import FigureValue
from aether_harness.discovery.locator import BenchLocator
from aether_harness.measure.disturbance import DisturbanceEvidence

PROTOCOL_VERSION = 2


class Message(Struct, frozen=True, kw_only=True, tag=True):
    """A message; the JSON key `type` names its class."""


class Open(Message, frozen=True):
    """Set the bench at `address` up with `params`, pinned to `worker_cpus`.

    `iterations` is the number of operations per sample; None asks the worker to find it. Without `time_reference` no
    reference kernel is timed next to the samples. `inputs` is the folder for files that the bench keeps from round to
    round, if there is one.
    """

    address: BenchLocator
    params: msgspec.Raw
    folder: str
    worker_cpus: tuple[int, ...]
    companion_cpus: tuple[int, ...]
    iterations: int | None = None
    time_reference: bool = True
    inputs: str | None = None


class Preload(Struct, frozen=True, kw_only=True):
    """In a worker's command line: the bench to import before it greets, and the parameters it will be opened with."""

    address: BenchLocator
    params: msgspec.Raw


class TakeSample(Message, frozen=True):
    """Take one sample (a warm-up is one whose answer is thrown away)."""


class Verify(Message, frozen=True):
    """Verify the samples.

    `readings` are those of earlier rounds, for the bench's note on all of them.
    """

    readings: tuple[dict[str, float], ...] = ()


class Count(Message, frozen=True):
    """Count the operation with the counter of this name, unless it takes longer than `limit_s`."""

    counter: str
    limit_s: float | None = None


class Close(Message, frozen=True):
    """Tear everything down and exit."""


class Hello(Message, frozen=True):
    """The worker is there."""

    protocol: int
    pid: int


class Opened(Message, frozen=True):
    """The bench is set up. `note` is a remark for readers of its figures.

    `versions` are the versions of the measured programs; they are sent only if the iterations were asked for.
    """

    iterations: int
    versions: dict[str, str] = {}
    note: str | None = None


class SampleTaken(Message, frozen=True):
    """One sample: its figure in the metric's unit, and its phases in nanoseconds, all per iteration.

    `reference_ms` is the time of the reference kernel, if one is timed, and `reference_total_ns` the time of all
    kernels for this sample.
    """

    value: float
    reference_ms: float | None
    evidence: DisturbanceEvidence
    reference_total_ns: int = 0
    phases_ns: dict[str, int] = {}

    @property
    def required_reference_ms(self) -> float:
        """The reference kernel's time, of a worker that was asked to time it."""
        assert self.reference_ms is not None
        return self.reference_ms


class Verified(Message, frozen=True):
    """The samples are verified. The other fields are the costs of the round so far.

    `cross_reference_ms` is the second kernel's usual time among the samples, where it was timed. `readings` are figures
    that the bench itself has of its round, and `figures` those to be judged. `note` is the bench's sentence on the
    medians of the readings of this and earlier rounds.
    """

    cross_reference_ms: float | None
    peak_memory_bytes: int | None = None
    user_cpu_s: float | None = None
    system_cpu_s: float | None = None
    readings: dict[str, float] = {}
    note: str | None = None
    figures: dict[str, FigureValue] = {}

    @property
    def required_cross_reference_ms(self) -> float:
        """The second kernel's time, of a worker that was asked to time it."""
        assert self.cross_reference_ms is not None
        return self.cross_reference_ms


class Counted(Message, frozen=True):
    """The totals of several operations, in `unit`, and the counts of each function in the last one.

    There are no totals if the operation takes too long.
    """

    totals: tuple[float, ...]
    unit: str
    functions: dict[str, dict[str, int]] = {}


class Closed(Message, frozen=True):
    """Everything is torn down."""


class Failed(Message, frozen=True):
    """The step failed; `problem` is the reason in one line."""

    problem: str


Request = Open | TakeSample | Verify | Count | Close
Reply = Hello | Opened | SampleTaken | Verified | Counted | Closed | Failed

encode_message = msgspec.json.Encoder().encode
decode_request = msgspec.json.Decoder(Request).decode
decode_reply = msgspec.json.Decoder(Reply).decode
