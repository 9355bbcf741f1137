"""API keys: which client a request comes from."""

from __future__ import annotations

from flask import request

from models.clients.client import KEY_PREFIX, Client
from models.errors import Unauthorised
from models.expiring_values import ExpiringValues
from tasks.observability import logs

CACHE_SECONDS = 3.0
STALE_SECONDS = 1.5  # served stale during a reload; so a revoked key fails within 5 s
CACHE_SIZE = 1000
OTHER_HEADERS = ("X-API-Key", "API-Key", "X-Auth-Token", "X-Access-Token")
_cached = ExpiringValues(STALE_SECONDS)


def client_of_request() -> Client:
    """The client that owns the request's API key; raises Unauthorised."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise Unauthorised(_how_to_send(scheme))
    if len(_cached) >= CACHE_SIZE and key not in _cached:
        _cached.clear()
    client = _cached.get_or(key, CACHE_SECONDS, lambda: _client(key))
    logs.add(client=client.id)
    return client


def _how_to_send(scheme: str) -> str:
    """What is wrong with a request that has no key where it belongs."""
    right = "Authorization: Bearer sk_…"
    other = next((name for name in OTHER_HEADERS if name in request.headers), None)
    if other and not scheme:
        return f"The header {other} is not read. Send the API key as {right}."
    if scheme.lower() == "bearer":
        return f"The header Authorization has no key after Bearer. Send {right}."
    if scheme.startswith(KEY_PREFIX):
        return f"The header Authorization has the key without the word Bearer. Send {right}."
    if scheme:
        return f"The header Authorization does not begin with Bearer. Send {right}."
    return f"The request has no API key. Send {right}."


def _client(key: str) -> Client:
    client = Client.by_key(key)
    if client is None:
        _cached.pop(key, None)
        raise Unauthorised("This API key is unknown, revoked or expired.")
    return client
