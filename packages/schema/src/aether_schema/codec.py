"""Summaries to bytes and back. No files here."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from aether_schema.errors import InvalidSummaryError
from aether_schema.summary import DEPTH_LIMIT, Summary

BOM = b"\xef\xbb\xbf"
#: The most values that one document may hold: each takes up to fifty times the memory of its text.
VALUES_LIMIT = 4_000_000
# A list, an object or a key takes as much memory as this many numbers; each brings one of these characters.
_HEAVY = (b"[", b"{", b":")
_HEAVY_WEIGHT = 8
_DECODER = msgspec.json.Decoder(Summary)
_WHOLE_NUMBER_KEYS = ("n", "schema_version", "disturbed", "iterations")


def decode_summary(data: bytes) -> Summary:
    """Return the summary that `data`, one JSON object in UTF-8, holds. A byte order mark is passed over.

    Raises:
        InvalidSummaryError: anything at all is wrong with the bytes; the message names the key.

    """
    data = data.removeprefix(BOM)
    _check_size(data)
    try:
        data.decode()  # The JSON decoder passes over the text of unknown keys without looking.
        try:
            return _DECODER.decode(data)
        except msgspec.ValidationError as error:
            if not _is_int_float_mismatch(error):
                raise
        return _decode_whole_numbers(data)
    except UnicodeDecodeError as error:
        raise InvalidSummaryError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise InvalidSummaryError("nested too deeply", key=_deep_key(data)) from None
    except msgspec.ValidationError as error:
        raise _translated(error) from None
    except msgspec.DecodeError as error:
        raise _malformed(error, data) from None


def encode_summary(summary: Summary) -> bytes:
    """Return `summary` as JSON: one line per key and round, so that a diff shows the changes.

    Raises:
        InvalidSummaryError: the summary holds a value of a wrong type, which building it did not see.

    """
    try:
        fields = msgspec.to_builtins(summary)
    except TypeError as error:
        raise InvalidSummaryError(str(error)) from None
    lines = []
    for key, value in fields.items():
        # JSON has no number for these, and unreadable files are not written.
        if not _is_finite(value):
            raise InvalidSummaryError("holds a number that is not finite", key=key)
        try:
            lines.append(f"  {_compact(key)}: {_value(value)}")
        except UnicodeEncodeError:
            raise InvalidSummaryError("holds text that is not Unicode", key=key) from None
    data = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    decode_summary(data)
    return data


def count_values(data: bytes) -> int:
    """Return how many values a JSON document holds, by their memory: a list, an object and a key count as 8 each."""
    return data.count(b",") + _HEAVY_WEIGHT * sum(map(data.count, _HEAVY))


def _check_size(data: bytes) -> None:
    """Refuse a document that would take gigabytes of memory once it is decoded."""
    if len(data) * _HEAVY_WEIGHT > VALUES_LIMIT and count_values(data) > VALUES_LIMIT:
        problem = f"more than the {VALUES_LIMIT:,} values that a summary may hold; keep fewer samples"
        raise InvalidSummaryError(problem)


def _compact(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, (list, tuple)):
        return "[\n" + ",\n".join(f"    {_compact(item)}" for item in value) + "\n  ]"
    if isinstance(value, dict):
        inner = (f"    {_compact(key)}: {_compact(item)}" for key, item in value.items())
        return "{\n" + ",\n".join(inner) + "\n  }" if value else "{}"
    return _compact(value)


def _decode_whole_numbers(data: bytes) -> Summary:
    """Decode again where a count was written as `6e1` or `60.0`, which JSON Schema calls an integer."""
    fields = msgspec.json.decode(data)
    for key in _WHOLE_NUMBER_KEYS:
        number = fields.get(key)
        if isinstance(number, float) and number.is_integer():
            fields[key] = int(number)
    return msgspec.convert(fields, Summary)


def _is_int_float_mismatch(error: msgspec.ValidationError) -> bool:
    return "Expected `int" in str(error) and "got `float`" in str(error)


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if not isinstance(value, (list, tuple)):
        return True
    # A round of samples is numbers and nothing else.
    if set(map(type, value)) == {float}:
        return all(map(math.isfinite, value))
    return all(map(_is_finite, value))


def _translated(error: msgspec.ValidationError) -> InvalidSummaryError:
    """Translate the decoder's message: a key first, then the problem."""
    text = str(error)
    if missing := re.fullmatch(r"Object missing required field `(.+?)`(?: - at `\$\.?(.*)`)?", text):
        return InvalidSummaryError("missing", key=".".join(filter(None, (missing[2], missing[1]))))
    problem, _, path = text.partition(" - at `$")
    return InvalidSummaryError(problem[:1].lower() + problem[1:], key=path.removesuffix("`").removeprefix("."))


def _deep_key(data: bytes) -> str:
    """Return the key of the document behind which a value is nested deeper than any may be."""
    depth, key = 0, b""
    for token in re.finditer(rb'"((?:[^"\\]|\\.)*+)(?:"|\Z)(\s*:)?|([\[{])|[\]}]', data, re.DOTALL):
        if token[3]:
            depth += 1
        elif token[1] is None:
            depth -= 1
        elif token[2] and depth == 1:
            key = token[1]
        if depth > DEPTH_LIMIT:
            return key[:200].decode(errors="replace")
    return ""


def _malformed(error: msgspec.DecodeError, data: bytes) -> InvalidSummaryError:
    """Describe the place in `data` that is not JSON, and the key before it."""
    text = str(error)
    place = re.search(r"\(byte (\d+)\)", text)
    if place is None:
        return InvalidSummaryError("empty or truncated JSON" if "truncated" in text else text)
    before, rest = data[: int(place[1])], data[int(place[1]) :]
    key = re.search(rb'"([^"\\]{1,200})"\s*:[^":{}]*$', before[-1000:])
    number = re.match(rb"[+-]?(?:NaN|Inf(?:inity)?)\b", rest, re.IGNORECASE)
    problem = f"{number[0].decode()} is not a number JSON knows" if number else text.replace("JSON is m", "m")
    return InvalidSummaryError(problem, key=key[1].decode(errors="replace") if key else "")
