"""Deliveries: owed webhook calls are claimed, signed (Standard Webhooks) and sent."""

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
from models.settings import per_process
from models.settings.allowed_hosts import Allowed
from models.webhooks import delivery, endpoint
from models.webhooks.delivery import Delivery
from tasks.observability import logs, metrics, tracing
from tasks.webhooks import http_post
from tasks.webhooks.http_post import Answer
from tasks.webhooks.resolve import NotCalled

CALLS = 40  # at once, of this process
CALLS_EACH = 4  # of them to one client; one while its receiver fails
LEASE = 2 * http_post.DEADLINE  # after which the call of a killed process is sent again
ROUND = 5.0  # seconds after which the clock has its turn again
FIRST_PAUSE, LONGEST_PAUSE, ATTEMPTS = 5.0, 4 * 3600.0, 20  # 25 to 34 hours of tries
WAIT_DAYS = 3  # for a webhook that is off to be switched on again
GONE, BUSY = 410, (429, 503)
log = logging.getLogger("sluice.deliver")
pool = per_process(lambda _: ThreadPoolExecutor(CALLS, thread_name_prefix="delivery"))
allowed = per_process(lambda settings: Allowed.parse(settings.webhook_allowed_hosts))
_calls: set[UUID] = set()  # those that are out
_ended = threading.Event()


def deliver_due() -> int:
    """Send what is due, and more as calls end; returns how many calls were begun."""
    begun, end = 0, time.monotonic() + ROUND
    while time.monotonic() < end:
        _ended.clear()
        free = CALLS - len(_calls)
        claimed = delivery.claim_due(free, CALLS_EACH, LEASE) if free else []
        for item in claimed:
            _calls.add(item.id)
            pool().submit(_deliver, item)
        begun += len(claimed)
        if not claimed or not _ended.wait(0.5):
            break
    return begun


def give_up() -> int:
    """Give up what waits too long for a webhook that is off; returns how many."""
    return delivery.expire_undeliverable(WAIT_DAYS)


def _deliver(item: Delivery) -> None:
    """Send one call and store what came of it."""
    logs.begin(delivery_id=str(item.id), client=item.client_id)
    if item.submission_id is not None:
        logs.add(job_id=str(item.submission_id))
    try:
        with connection():
            secrets = endpoint.signing_secrets(item.client)
            parent = delivery.traceparent_of(item) if tracing.active() else None
        started = time.monotonic()
        with tracing.span("deliver", parent, kind="CLIENT", event=item.event):
            answer = _answer(item, secrets)
            tracing.note(outcome=_outcome(answer))
        metrics.meters().delivery_seconds.observe(time.monotonic() - started)
        with connection():
            _record(item, answer)
    except Exception:
        log.exception("delivery %s", item.id)  # its lease runs out and it is sent again
    finally:
        _calls.discard(item.id)
        _ended.set()


def _answer(item: Delivery, secrets: Sequence[str]) -> Answer | str:
    """What the receiver answered, or the name of what went wrong."""
    try:
        return send(item, secrets, allowed())
    except NotCalled as error:
        log.info("delivery %s: %s: %s", item.id, error.name, error.detail)
        return error.name


def _record(item: Delivery, answer: Answer | str) -> None:
    metrics.meters().deliveries.labels(_outcome(answer)).inc()
    if isinstance(answer, str):
        delivery.mark_failed(item, answer, pause(item.attempts), ATTEMPTS)
        return
    outcome, asked = f"status {answer.status}", 0.0
    if 200 <= answer.status < 300:
        delivery.mark_delivered(item, outcome)
    elif answer.status == GONE:
        delivery.disable_webhook(item, outcome)
    else:
        if answer.status in BUSY:
            asked = asked_pause(answer.retry_after)
        delivery.mark_failed(item, outcome, max(asked, pause(item.attempts)), ATTEMPTS)
    if asked:
        delivery.pause_client(item.client_id, asked)


def _outcome(answer: Answer | str) -> str:
    """A try in one word, of few."""
    if isinstance(answer, str):
        return "blocked" if answer == "private address" else "failed"
    if 200 <= answer.status < 300:
        return "delivered"
    return "gone" if answer.status == GONE else "refused"


def send(item: Delivery, secrets: Sequence[str], may: Allowed) -> Answer:
    """Call the client's webhook; raises NotCalled.

    The body is the same at every try: its time is the event's. The header's is the try's. What
    cannot be signed, because the key that sealed the secret is lost, is not sent.
    """
    if not secrets:
        raise NotCalled("unsigned")
    told = {**item.payload, "timestamp": item.created_at.astimezone(UTC).isoformat()}
    body = json.dumps(told, separators=(",", ":")).encode()
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

    There are two secrets while one takes the other's place.
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
    """Seconds to wait after so many attempts: doubling, bounded, up to a quarter less by chance."""
    longest = min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
    return longest * random.uniform(0.75, 1.0)  # nosec B311


def asked_pause(retry_after: str | None) -> float:
    """The seconds that a ``Retry-After`` asks for, a number or a date, bounded; 0 for nonsense."""
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
