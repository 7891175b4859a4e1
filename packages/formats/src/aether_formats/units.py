"""The metric, factor and direction of a unit. Pure.

A factor is a whole number to multiply or to divide by, so that a conversion rounds once, to the nearest number.
Multiplying by a power of two, for binary prefixes, is exact.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from aether_schema import Better, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable


class Conversion(Struct, frozen=True, kw_only=True):
    """How a unit becomes one of a summary: `value * multiply / divide` is in `unit`. `better` may be left open."""

    metric: Metric = "value"
    unit: str
    multiply: int = 1
    divide: int = 1
    better: Better | None = None

    def convert_all(self, values: Iterable[float]) -> tuple[float, ...]:
        """Return `values` in `unit`."""
        multiply, divide = self.multiply, self.divide
        if multiply == divide:
            return tuple(values)
        if divide == 1:
            return tuple([value * multiply for value in values])
        if multiply == 1:
            return tuple([value / divide for value in values])
        return tuple([value * multiply / divide for value in values])

    def convert(self, value: float) -> float:
        """Return `value` in `unit`."""
        return self.convert_all((value,))[0]


#: Milliseconds per unit of time: a multiplier and a divisor.
_TIMES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("ps", "picosecond", "picoseconds"), (1, 10**9)),
    **dict.fromkeys(("ns", "nsec", "nsecs", "nanosecond", "nanoseconds"), (1, 10**6)),
    **dict.fromkeys(("us", "µs", "μs", "usec", "usecs", "microsecond", "microseconds"), (1, 10**3)),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), (1, 1)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (10**3, 1)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), (60 * 10**3, 1)),
    **dict.fromkeys(("hour", "hours"), (3600 * 10**3, 1)),
}
_PREFIXES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_MEGA = 10**6
# A quantity per operation is a cost.
_COST = re.compile(r"(?P<unit>.+?)(?:/| per )(?:op|ops|iter|iteration|call|operation)", re.IGNORECASE)
# Units of work; more work per time is better.
_WORK = (
    r"ops?|operations?|req|reqs|requests?|iters?|iterations?|items?|elems?|elements?|rows?|msgs?|messages?|events?|"
    r"calls?|txs?|transactions?|queries|query|records?|samples?|frames?|reads?|writes?|lookups?|docs?|documents?|"
    r"tokens?|packets?|lines?|files?|images?|jobs?|tasks?|hashes|rounds?|steps?"
)
_PER = r"s|sec|second|ms|msec|millisecond|us|µs|μs|microsecond|ns|nanosecond|min|minute"
_RATE = re.compile(rf"(?P<work>{_WORK})(?:/| per )(?P<time>{_PER})", re.IGNORECASE)
_BYTE_RATE = re.compile(r"(?P<prefix>[kKMGT]?|[KMGT]i)(?:B|[bB]ytes?)(?:/| per )(?:s|sec|second)")
_BIT_RATE = re.compile(r"(?P<prefix>[kKMGT]?|[KMGT]i)(?:(?:bits?|b)(?:/| per )(?:s|sec|second)|bps)")
_SHORT_RATES = {"hz": "ops/s", "rps": "req/s", "qps": "queries/s", "tps": "transactions/s", "fps": "frames/s"}
_COUNTS_A_COST = frozenset({"b", "byte", "bytes", "kb", "mb", "alloc", "allocs", "allocations", "cycle", "cycles"})
_COUNTS_A_COST |= {"instruction", "instructions", "instrs", "misses", "faults", "page-faults", "joules", "j"}
_PER_SECOND = {"s": 1, "sec": 1, "second": 1, "ms": 10**3, "msec": 10**3, "millisecond": 10**3}
_PER_SECOND |= {"us": 10**6, "µs": 10**6, "μs": 10**6, "microsecond": 10**6, "ns": 10**9, "nanosecond": 10**9}


@lru_cache(maxsize=1024)
def conversion_for(unit: str) -> Conversion:
    """Return the meaning of `unit`. An unknown unit becomes a `value` in that unit without a direction."""
    unit = unit.strip()
    return _time(unit) or _cost(unit) or _rate(unit) or Conversion(unit=unit)


def _cost(unit: str) -> Conversion | None:
    cost = _COST.fullmatch(unit)
    if cost is None:
        return None
    is_known = cost["unit"].lower() in _COUNTS_A_COST
    return _time(cost["unit"]) or (Conversion(unit=unit, better="lower") if is_known else None)


def _rate(unit: str) -> Conversion | None:
    if unit.lower() in _SHORT_RATES:
        return Conversion(unit=_SHORT_RATES[unit.lower()], better="higher")
    for pattern, bits in ((_BYTE_RATE, 1), (_BIT_RATE, 8)):
        if rate := pattern.fullmatch(unit):
            return _throughput(rate["prefix"], bits)
    if rate := _RATE.fullmatch(unit):
        return _work_rate(rate["work"], rate["time"].lower())
    return None


def _time(unit: str) -> Conversion | None:
    found = _TIMES.get(unit) or (_TIMES.get(unit.lower()) if len(unit) > 2 else None)  # `MS` may be anything
    if found is None:
        return None
    return Conversion(metric="duration_ms", unit="ms", multiply=found[0], divide=found[1], better="lower")


def _throughput(prefix: str, bits: int) -> Conversion:
    """Return the conversion of a rate in bytes, or with `bits` of 8 in bits, to MB/s."""
    multiply, divide = _BINARY.get(prefix) or _PREFIXES[prefix], _MEGA * bits
    if multiply % _MEGA == 0:
        multiply, divide = multiply // _MEGA, bits
    elif divide % multiply == 0:
        multiply, divide = 1, divide // multiply
    return Conversion(metric="throughput_mbs", unit="MB/s", multiply=multiply, divide=divide, better="higher")


def _work_rate(work: str, time: str) -> Conversion:
    """Return the conversion of a rate to a rate per second, so that rates in different units are comparable."""
    if time in {"min", "minute"}:
        return Conversion(unit=f"{work}/s", divide=60, better="higher")
    return Conversion(unit=f"{work}/s", multiply=_PER_SECOND[time], better="higher")
