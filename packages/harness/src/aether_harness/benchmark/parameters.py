"""Parameters of benches: from `-p pack.files=1000` to the bench's own checked Struct."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import msgspec
from msgspec import Meta, Struct

from aether_harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Settings = dict[str, dict[str, str]]
ParamsT = TypeVar("ParamsT", bound=Struct)

#: A parameter that counts bytes; on the command line `128K`, `8M` and `1G` are multiples of 1,024.
ByteCount = Annotated[int, Meta(extra={"unit": "bytes"})]

_SETTING = re.compile(r"(?P<bench>[^.=]+)\.(?P<key>[^=]+)=(?P<value>.*)", re.DOTALL)
_BYTES = re.compile(r"(\d+)\s*([KMG])(?:i?B)?", re.IGNORECASE)
_MULTIPLES = {"K": 2**10, "M": 2**20, "G": 2**30}


def parse_settings(texts: Iterable[str]) -> Settings:
    """Return `{bench: {key: value}}` for texts of the form `bench.key=value`.

    Raises:
        UsageError: a text has another form, or sets a key twice.

    """
    settings: Settings = {}
    for text in texts:
        match = _SETTING.fullmatch(text)
        if match is None:
            raise UsageError(f"-p {text}: write it as BENCH.KEY=VALUE, for example pack.files=1000")
        keys = settings.setdefault(match["bench"], {})
        if match["key"] in keys:
            raise UsageError(f"-p {text}: {match['bench']}.{match['key']} is set twice")
        keys[match["key"]] = match["value"]
    return settings


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` for the nearest known word, or the list of all that are known."""
    import difflib

    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known) or 'none'}"


def build_params(
    params_type: type[ParamsT], name: str, settings: Mapping[str, str], *, option: str | None = None
) -> ParamsT:
    """Return the parameters of the bench `name`: its defaults, with `settings` over them.

    Errors call a parameter as it was given: `option` and its key, by default `-p name.key`.

    Raises:
        UsageError: a key the bench has not, or a value of a wrong type or out of its range.

    """
    option = f"-p {name}." if option is None else option
    hints = get_type_hints(params_type, include_extras=True)
    known = {field.name: field.default for field in msgspec.structs.fields(params_type)}
    values: dict[str, Any] = {}
    for key, text in settings.items():
        if key not in known:
            raise UsageError(f"{option}{key}: no such parameter{suggestion(key, known)}")
        if text == "" and known[key] is None:
            continue  # as the list of defaults shows a parameter that is not set
        values[key] = _expand_bytes(text) if _counts_bytes(hints[key]) else text
    try:
        return msgspec.convert(values, params_type, strict=False)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        key = path.strip(".`")
        raise UsageError(f"{option}{key}={settings.get(key, '')}: {problem[:1].lower()}{problem[1:]}") from None


def params_as_scalars(params: Struct) -> dict[str, str | int | float | bool | None]:
    """Return the parameters as the summary's `params` has them."""
    return dict(msgspec.to_builtins(params))


def _counts_bytes(hint: object) -> bool:
    metas = getattr(hint, "__metadata__", ())
    return any(isinstance(meta, Meta) and (meta.extra or {}).get("unit") == "bytes" for meta in metas)


def _expand_bytes(text: str) -> str:
    match = _BYTES.fullmatch(text.strip())
    return str(int(match[1]) * _MULTIPLES[match[2].upper()]) if match else text
