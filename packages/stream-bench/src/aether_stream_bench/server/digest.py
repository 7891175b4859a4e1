"""Digests of bodies: made where one is asked for, compared where one is announced (RFC 9530)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from aether_stream_bench.wire import DIGEST_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aether_stream_bench.server.http.message import RequestHead

CONTENT_DIGEST = "content-digest"
_SHA256 = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


class InvalidDigestError(ValueError):
    """A field that announces a digest holds none."""


def hash_for(head: RequestHead) -> hashlib._Hash | None:
    """Return a fresh hash where the request asks for a digest, sends one or announces one as a trailer."""
    asked = head.fields.get(DIGEST_HEADER, head.query.get("digest", "")).lower() == "sha256"
    announced = CONTENT_DIGEST in head.fields or CONTENT_DIGEST in head.fields.get("trailer", "").lower()
    return hashlib.sha256() if asked or announced else None


def announced_sha256(fields: Mapping[str, str]) -> str | None:
    """Return the SHA-256 in hexadecimal that `Content-Digest` announces, None where it announces none.

    Raises:
        InvalidDigestError: it announces one that is none.

    """
    match = _SHA256.search(fields.get(CONTENT_DIGEST, ""))
    if match is None:
        return None
    try:
        digest = base64.b64decode(match[1], validate=True)
    except binascii.Error:
        raise InvalidDigestError from None
    if len(digest) != hashlib.sha256().digest_size:
        raise InvalidDigestError
    return digest.hex()
