"""API keys: which client a request comes from."""

from __future__ import annotations

from flask import request

from models.clients.client import Client
from models.errors import Unauthorised
from models.expiring_values import ExpiringValues
from tasks.observability import logs

CACHE_SECONDS = 3.0
STALE_SECONDS = 1.5  # served stale during a reload; so a revoked key fails within 5 s
CACHE_SIZE = 1000
_cached = ExpiringValues(STALE_SECONDS)


def client_of_request() -> Client:
    """The client that owns the request's API key; raises Unauthorised."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorised("Send an API key: Authorization: Bearer sk_….")
    key = key.strip()
    if len(_cached) >= CACHE_SIZE and key not in _cached:
        _cached.clear()
    client = _cached.get_or(key, CACHE_SECONDS, lambda: _client(key))
    logs.add(client=client.id)
    return client


def _client(key: str) -> Client:
    client = Client.by_key(key)
    if client is None:
        _cached.pop(key, None)
        raise Unauthorised("This API key is unknown, revoked or expired.")
    return client
