"""API keys: which client a request comes from."""

from __future__ import annotations

from flask import request

from models.clients.client import Client
from models.errors import Unauthorised
from tasks.load.snapshot import Kept
from tasks.observability import logs

KNOWN_FOR = 3.0  # seconds
WHILE_ASKED = 1.5  # seconds more while its row is read anew; a revoked key fails within 5
MOST = 1000
_known = Kept(WHILE_ASKED)


def client_of_request() -> Client:
    """The client whose key came with the request; raises Unauthorised."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorised("Send an API key: Authorization: Bearer sk_….")
    key = key.strip()
    if len(_known) >= MOST and key not in _known:
        _known.clear()
    client = _known.get_or(key, KNOWN_FOR, lambda: _client(key))
    logs.add(client=client.id)
    return client


def _client(key: str) -> Client:
    client = Client.by_key(key)
    if client is None:
        _known.pop(key, None)
        raise Unauthorised("This API key is not known, was revoked or has expired.")
    return client
