"""Indented JSON that is safe to print and holds any text."""

from __future__ import annotations

import re
from typing import Any

import msgspec

# Like the control characters below U+0020, these command terminals; JSON allows them unescaped.
_BARE_CONTROLS = re.compile("[\x7f-\x9f]")


def to_json(document: object, indent: int = 2) -> str:
    """Return a document as indented JSON in which every control character is escaped.

    Text that JSON cannot hold, such as the bytes of a file name that is not UTF-8, is escaped as well.
    """
    try:
        encoded = msgspec.json.encode(document)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_escape_invalid(msgspec.to_builtins(document)))
    text = msgspec.json.format(encoded, indent=indent).decode()
    return _BARE_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _escape_invalid(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_escape_invalid(key): _escape_invalid(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_escape_invalid(each) for each in value]
    return value
