"""Random tokens (keys, session cookies, links) and the digests that are stored of them."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """A random token of 256 bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """SHA-256 of a random token; tokens of 128 bits and more need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
