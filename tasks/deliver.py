"""Deliveries: owed webhook calls are claimed, signed (Standard Webhooks) and sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import urllib3

from models import delivery
from models.db import connection
from models.delivery import Delivery

TIMEOUT = urllib3.Timeout(connect=5, total=15)
BATCH = 20  # calls at once, so that one slow receiver delays nobody else
FIRST_PAUSE, LONGEST_PAUSE, ATTEMPTS = 5.0, 4 * 3600.0, 14  # about a day of tries
READ_AT_MOST = 16 * 1024  # bytes of a reply; only its status matters
log = logging.getLogger("sluice.deliver")
http = urllib3.PoolManager(num_pools=50, maxsize=4, retries=False)
pool = ThreadPoolExecutor(BATCH, thread_name_prefix="delivery")


def deliver_due() -> int:
    """Start sending what is due; returns how much."""
    claimed = delivery.claim_due(BATCH)
    for item in claimed:
        pool.submit(_deliver, item)
    return len(claimed)


def _deliver(item: Delivery) -> None:
    """Send one call and store what came of it."""
    try:
        with connection():
            secrets = item.client.signing_secrets()
        delivered, outcome = send(item, secrets)
        with connection():
            if delivered:
                delivery.delivered(item, outcome)
            else:
                delivery.failed(item, outcome, pause(item.attempts), ATTEMPTS)
    except Exception:
        log.exception("delivery %s", item.id)  # its lease runs out and it is sent again


def send(item: Delivery, secrets: Sequence[str]) -> tuple[bool, str]:
    """Call the client's webhook; whether it took the event, and the outcome's name."""
    body = json.dumps(
        {**item.payload, "timestamp": datetime.now(UTC).isoformat()}, separators=(",", ":")
    ).encode()
    headers = {
        "content-type": "application/json",
        **signed(str(item.id), body, secrets),
    }
    try:
        reply = http.request(
            "POST",
            item.client.webhook_url,
            body=body,
            headers=headers,
            timeout=TIMEOUT,
            redirect=False,
            preload_content=False,
        )
        reply.read(READ_AT_MOST)
        reply.close()
    except urllib3.exceptions.HTTPError as error:
        return False, type(error).__name__
    return 200 <= reply.status < 300, f"status {reply.status}"


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
    """Seconds to wait after so many attempts: doubling, bounded, with full jitter above half."""
    longest = min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)
