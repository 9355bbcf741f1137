"""API keys: which client a request comes from."""

from __future__ import annotations

import time

from flask import request

from models.client import Client
from models.errors import Unauthorised

KNOWN_FOR = 3.0  # seconds; a revoked key fails within 5
MOST = 1000
_known: dict[str, tuple[float, Client]] = {}


def client_of_request() -> Client:
    """The client whose key came with the request; raises Unauthorised."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorised("Send an API key: Authorization: Bearer sk_….")
    return _client(key.strip())


def _client(key: str) -> Client:
    at, client = _known.get(key, (float("-inf"), None))
    if client is not None and time.monotonic() - at < KNOWN_FOR:
        return client
    client = Client.by_key(key)
    if client is None:
        _known.pop(key, None)
        raise Unauthorised("This API key is not known, was revoked or has expired.")
    if len(_known) >= MOST:
        _known.clear()
    _known[key] = (time.monotonic(), client)
    return client
