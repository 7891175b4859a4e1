"""HTML building blocks that escape all plain text, so that no text can inject markup."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from aether_schema import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Elements without an end tag.
_EMPTY = {"line", "meta", "path", "rect"}


class Html(str):
    """Text that is markup and needs no escaping."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Html:
    """Return the element `name`; plain text in children and attributes is escaped.

    A trailing underscore of an attribute's name is dropped (`class_`), other underscores become dashes. An attribute
    that is None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(str(value)))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{written}/>" if name in _EMPTY else f"<{name}{written}>{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    """Concatenate `children`, escaping plain text."""
    return Html("".join(child if isinstance(child, Html) else escape(printable(child)) for child in children))


def shortened(text: str, limit: int) -> str:
    """Cut `text` to at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def block(title: str, content: Html, *, caption: str | None = None) -> Html:
    """Return a titled figure with an optional caption."""
    return tag("figure", tag("h3", title), content, *([tag("figcaption", caption)] if caption else []))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Return a table whose first column names the rows."""
    columns = [tag("th", cell, scope="col") if cell else tag("td") for cell in head]
    lines = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    return tag("table", tag("thead", tag("tr", *columns)), tag("tbody", *lines))
