"""Random tokens (keys, session cookies, links) and the digests that are stored for them."""

from __future__ import annotations

import hashlib
import secrets


def new_token(size: int = 32) -> str:
    """A random URL-safe token of ``size`` bytes; its last four characters identify it to people.

    They contain no hyphen: `scripts/client revoke NAME -a1b` would parse them as an option.
    """
    while "-" in (token := secrets.token_urlsafe(size))[-4:]:
        pass
    return token


def digest(token: str) -> bytes:
    """SHA-256 of a random token; tokens of 128 bits or more need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
