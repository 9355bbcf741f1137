"""Deliveries: claim webhook calls that are due, sign them (Standard Webhooks), and send them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from uuid import UUID

from models.database.connection import connection
from models.settings import get_settings, per_process
from models.settings.allowed_hosts import Allowed
from models.webhooks import delivery, endpoint
from models.webhooks.delivery import Delivery
from tasks.observability import logs, metrics, tracing
from tasks.webhooks import http_post
from tasks.webhooks.http_post import Response
from tasks.webhooks.resolve import CallFailed

CALLS = 40  # calls of this process at once
CALLS_PER_CLIENT = 4  # of them to one client; 1 while its receiver fails
LEASE = 2 * http_post.DEADLINE  # seconds until the call of a killed process is sent again
ROUND = 5.0  # seconds of one `deliver_due`
FIRST_PAUSE, LONGEST_PAUSE, ATTEMPTS = 5.0, 4 * 3600.0, 20  # 25 to 34 hours of attempts
WAIT_DAYS = 3  # how long deliveries are kept while the webhook is off
GONE, BUSY = 410, (429, 503)
log = logging.getLogger("sluice.deliver")
pool = per_process(lambda _: ThreadPoolExecutor(CALLS, thread_name_prefix="delivery"))
allowed = per_process(lambda settings: Allowed.parse(settings.webhook_allowed_hosts))
_calls: set[UUID] = set()  # calls in progress
_ended = threading.Event()


def deliver_due() -> int:
    """Send what is due, and more as calls end; returns the number of started calls.

    With HOLD_WEBHOOKS nothing is sent, and all calls stay owed.
    """
    if get_settings().hold_webhooks:
        return 0
    started, end = 0, time.monotonic() + ROUND
    while time.monotonic() < end:
        _ended.clear()
        free = CALLS - len(_calls)
        claimed = delivery.claim_due(free, CALLS_PER_CLIENT, LEASE) if free else []
        for item in claimed:
            _calls.add(item.id)
            pool().submit(_deliver, item)
        started += len(claimed)
        if not claimed or not _ended.wait(0.5):
            break
    return started


def give_up() -> int:
    """Give up deliveries of webhooks that have been off for too long; returns how many."""
    return delivery.expire_undeliverable(WAIT_DAYS)


def _deliver(item: Delivery) -> None:
    """Send one call and store its result."""
    logs.begin(delivery_id=str(item.id), client=item.client_id)
    if item.submission_id is not None:
        logs.add(job_id=str(item.submission_id))
    try:
        with connection():
            secrets = endpoint.signing_secrets(item.client)
            parent = delivery.traceparent_of(item) if tracing.active() else None
        started = time.monotonic()
        with tracing.span("deliver", parent, kind="CLIENT", event=item.event):
            result = _call(item, secrets)
            tracing.note(outcome=_outcome(result))
        metrics.meters().delivery_seconds.observe(time.monotonic() - started)
        with connection():
            _record(item, result)
    except Exception:
        log.exception("delivery %s", item.id)  # its lease expires and it is sent again
    finally:
        _calls.discard(item.id)
        _ended.set()


def _call(item: Delivery, secrets: Sequence[str]) -> Response | str:
    """The receiver's response, or the name of the failure."""
    try:
        return send(item, secrets, allowed())
    except CallFailed as error:
        log.info("delivery %s: %s: %s", item.id, error.name, error.detail)
        return error.name


def _record(item: Delivery, result: Response | str) -> None:
    metrics.meters().deliveries.labels(_outcome(result)).inc()
    if isinstance(result, str):
        delivery.mark_failed(item, result, pause(item.attempts), ATTEMPTS)
        return
    outcome, requested = f"status {result.status}", 0.0
    if 200 <= result.status < 300:
        delivery.mark_delivered(item, outcome)
    elif result.status == GONE:
        delivery.disable_webhook(item, outcome)
    else:
        if result.status in BUSY:
            requested = requested_pause(result.retry_after)
        delivery.mark_failed(item, outcome, max(requested, pause(item.attempts)), ATTEMPTS)
    if requested:
        delivery.pause_client(item.client_id, requested)


def _outcome(result: Response | str) -> str:
    """The outcome of an attempt as the metric's label."""
    if isinstance(result, str):
        return "blocked" if result == "private address" else "failed"
    if 200 <= result.status < 300:
        return "delivered"
    return "gone" if result.status == GONE else "refused"


def send(item: Delivery, secrets: Sequence[str], may: Allowed) -> Response:
    """Call the client's webhook; raises CallFailed.

    Every attempt sends the same body: its timestamp is the event's. The header's timestamp is the
    attempt's. A call is not sent if the signing secret cannot be decrypted because its key is lost.
    """
    if not secrets:
        raise CallFailed("unsigned")
    content = {**item.payload, "timestamp": item.created_at.astimezone(UTC).isoformat()}
    body = json.dumps(content, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "Sluice",
        **signed(str(item.id), body, secrets),
        **tracing.headers(),
    }
    return http_post.post(item.client.webhook_url, body, headers, may)


def signed(
    message_id: str, body: bytes, secrets: Sequence[str], now: int | None = None
) -> dict[str, str]:
    """The headers of Standard Webhooks: id, timestamp and a ``v1`` signature by each secret.

    There are two secrets while one replaces the other.
    """
    at = str(now or int(time.time()))
    content = f"{message_id}.{at}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    macs = [hmac.new(key, content, hashlib.sha256).digest() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs),
    }


def pause(attempts: int) -> float:
    """Seconds to wait after this many attempts: exponential backoff, bounded, 25 % jitter."""
    longest = min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
    return longest * random.uniform(0.75, 1.0)  # nosec B311


def requested_pause(retry_after: str | None) -> float:
    """The seconds that a ``Retry-After`` (number or date) asks for, bounded; 0 if invalid."""
    text = (retry_after or "").strip()
    try:
        if text.isascii() and text.isdigit():
            seconds = float(text[:9])
        else:
            at = parsedate_to_datetime(text)
            seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE)
