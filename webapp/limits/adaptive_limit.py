"""The adaptive limit of a request: refused before its body is read, unless a mode can answer it."""

from __future__ import annotations

from models.capacity import mode
from models.capacity.adaptive_limit import ERRORS, AdaptiveLimit
from models.clients.client import Client
from models.errors import TooMany
from models.settings import get_settings
from tasks.load import adaptive_limit, client_share
from tasks.observability import metrics
from webapp.limits.limits import rate_headers

ADAPTIVE = "adaptive_limit"  # in the metric, the header fields and the problem document


def require_upload(client: Client) -> None:
    """Raise TooMany if this client's adaptive limit is used up and no mode can answer its upload.

    A limit for the wait or the debt leaves a client alone that is not in the last mode yet. A
    repeat with an Idempotency-Key counts too: the upload that it repeats is not known yet.
    """
    limited = adaptive_limit.limit_of(client.id)
    if limited is not None and (limited[1].signal == ERRORS or _is_in_last_mode(client)):
        _take(client.id, *limited)


def require_detect(client: Client) -> None:
    """Raise TooMany if this client's adaptive limit is used up: no mode answers detect requests."""
    limited = adaptive_limit.limit_of(client.id)
    if limited is not None:
        _take(client.id, *limited)


def _is_in_last_mode(client: Client) -> bool:
    return mode.is_last(client_share.mode_of(client), get_settings())


def _take(client_id: int, quota: int, limit: AdaptiveLimit) -> None:
    wait = adaptive_limit.take(client_id, quota)
    if not wait:
        return
    old = rate_headers(metrics.OLD_ADAPTIVE_SCOPE, quota, 60, wait)
    headers = {
        field: f"{value}, {old[field]}"
        for field, value in rate_headers(ADAPTIVE, quota, 60, wait).items()
    }
    details = {"limit": quota, "before": limit.before, "reason": limit.reason}
    for name in (ADAPTIVE, metrics.OLD_ADAPTIVE_SCOPE):
        metrics.meters().limited.labels(name).inc()
    raise TooMany(
        f"The server is overloaded ({limit.reason}). The adaptive limit lowers this client from"
        f" {limit.before:,} to {quota:,} uploads per minute for now.",
        retry_after=wait,
        headers=headers,
        # "lowered" is the name that 0.1.0 used; 0.2 is the last release that sends it.
        more={ADAPTIVE: details, "lowered": details},
    )
