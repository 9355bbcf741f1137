"""Random tokens (keys, session cookies, links) and the digests that are stored of them."""

from __future__ import annotations

import hashlib
import secrets


def new_token(size: int = 32) -> str:
    """A random token of ``size`` bytes, safe in a URL, whose last four characters name it.

    They hold no hyphen: `scripts/client revoke NAME -a1b` would take them for an option.
    """
    while "-" in (token := secrets.token_urlsafe(size))[-4:]:
        pass
    return token


def digest(token: str) -> bytes:
    """SHA-256 of a random token; tokens of 128 bits and more need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
