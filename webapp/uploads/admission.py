"""Admission: a valid upload becomes a committed submission with a queued job."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any

import peewee
import redis
from flask import request
from flask_limiter import RateLimitExceeded
from uuid_utils.compat import uuid7

from models.authors import author
from models.capacity import mode
from models.clients.client import Client
from models.database.connection import may_be_committed, release
from models.errors import Invalid, TooMany, Unavailable
from models.hash_bank.known_hash import check_exact
from models.moderation.accept import Entry, submission_of
from models.rules.text_check import check_text
from models.settings import Settings, get_settings
from models.submissions.submission import (
    DECIDED,
    QUEUED,
    RECEIVED,
    RISK_PICTURES,
    RISK_VISIBLE,
    Submission,
)
from models.verdict import REJECTED, Judgement, Policy, judge
from tasks import storage
from tasks.load import client_share, snapshot
from tasks.load.response_counts import counter
from tasks.observability import metrics, tracing
from tasks.queue.lane_storage import PRIORITY
from tasks.queue.lanes import rank_of
from tasks.storage import Upload
from webapp.http import timing
from webapp.http.timing import measured
from webapp.limits import limits
from webapp.limits.limits import Uploader
from webapp.uploads.batch import Ticket, take
from webapp.uploads.parse import Incoming

LONGEST_KEY = 255
CLIENT_KEY = "client:"  # prefix of a client's own key; the other is "request:" with the request id
DIRECT_WAITERS = 20  # uploads per process that may wait for a verdict while Redis is down
_direct = threading.BoundedSemaphore(DIRECT_WAITERS)


def require_room() -> None:
    """Refuse an upload before its body is read if memory or disk is short."""
    short = mode.shortage(snapshot.read(), get_settings())
    if short is not None:
        raise Unavailable(f"No room for uploads: {short}.", retry_after=30)


def idempotency_key() -> str:
    """The client's key, or the request id, which nginx repeats when it retries elsewhere."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return "request:" + (request.headers.get("X-Request-ID") or uuid7().hex)
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise Invalid(
            f"Idempotency-Key must have 1 to {LONGEST_KEY} printable ASCII characters.",
            field="Idempotency-Key",
        )
    return CLIENT_KEY + key


@contextmanager
def chosen_mode(client: Client, incoming: Incoming) -> Iterator[str]:
    """The mode of this upload, by its client's own share of the queue.

    While Redis is down, it holds one of DIRECT_WAITERS slots.
    """
    name = client_share.mode_of(client)
    if name == mode.DIRECT:
        if not _direct.acquire(blocking=False):
            yield mode.FAST_TRACK
            return
        try:
            yield name
        finally:
            _direct.release()
        return
    forced = mode.forced_async(
        has_text=bool(incoming.title or incoming.description),
        has_images=bool(incoming.uploads),
        settings=get_settings(),
    )
    yield mode.ASYNC if forced and name == mode.SYNC else name


def admit(client: Client, incoming: Incoming, key: str, how: str) -> Submission:
    """The submission of this request, or of the earlier request that it repeats.

    Raises Conflict if the client's key was used with different content. Only a client's own key is
    looked up: a request id repeats only when nginx retries, and the unique index catches that at
    no cost.

    Safe when repeats run at once, in one web process or in several: 1. Redis counts only the first
    upload of a client's key against the limits; 2. the unique index accepts one row, and the other
    requests wait for its commit; 3. a request that is not accepted responds with that row, and its
    files are deleted when it ends; 4. while Redis is down each process counts for itself, so a
    repeat that its limits refuse looks for the row once more.
    """
    if not key.startswith(CLIENT_KEY):
        return _admit(client, incoming, key, how)
    row = Submission.with_key(client.id, key, incoming.fingerprint)
    if row is not None:
        return row
    try:
        return _admit(client, incoming, key, how)
    except (TooMany, RateLimitExceeded):
        row = Submission.with_key(client.id, key, incoming.fingerprint)
        if row is None:
            raise
        return row


def _admit(client: Client, incoming: Incoming, key: str, how: str) -> Submission:
    """Commit the upload. Once this returns, the submission survives a crash or power loss.

    Raises the errors of the limits; then nothing was stored.
    """
    premium = author.is_premium(client.id, incoming.user_id)
    judgement = _fast_judgement(client, incoming) if how == mode.FAST_TRACK else None
    values = _values(client, incoming, key, how, judgement)
    values["priority"] = PRIORITY if premium else incoming.priority
    entry = Entry(client, values, _images(incoming), judgement)
    rank = rank_of(values["priority"], how) if values["status"] == QUEUED else None
    release()  # the thread that commits the batch takes one connection for all of it
    with measured("commit"):
        received_at = _commit(Ticket(entry, rank, _to_sync(incoming)), _uploader(client, incoming))
    if received_at is None:  # the same request ran twice, and the other run was first
        return Submission.with_key(client.id, key, incoming.fingerprint)  # type: ignore[return-value]
    request.keep_uploads()  # type: ignore[attr-defined]
    metrics.verdict(values["verdict"], how, metrics.RULES)
    return submission_of(entry, received_at)


def _commit(ticket: Ticket, uploader: Uploader) -> datetime | None:
    """Count and commit; the time of the row, None if the idempotency key exists. Raises TooMany.

    If the connection broke during the commit, the row may exist, so the files are kept: the
    client's retry finds both, and the sweep deletes files without a row.
    """
    key = ticket.entry.values["idempotency_key"]
    ticket.count = limits.count_of(uploader, key if key.startswith(CLIENT_KEY) else "")
    try:
        try:
            take(ticket)
        except redis.RedisError:
            limits.count_here(uploader)
            ticket.count, ticket.error = None, None
            take(ticket)
    except peewee.PeeweeException as error:
        if may_be_committed(error):
            request.keep_uploads()  # type: ignore[attr-defined]
        raise
    finally:
        timing.add(ticket.spans)
    limits.require_counted(uploader, ticket.count)
    counter.upload(uploader.client_id)
    return ticket.received_at


def _to_sync(incoming: Incoming) -> tuple[Upload, ...]:
    """The files that the batch must fsync. With a bucket, uploads them now; then none."""
    store = storage.of(get_settings())
    if store.blocks:
        return incoming.uploads
    with measured("fsync"):
        store.keep(incoming.uploads)
    return ()


def _uploader(client: Client, incoming: Incoming) -> Uploader:
    size = sum(upload.size for upload in incoming.uploads)
    return Uploader(client.id, incoming.user_id, _address_name(incoming.address), size)


def _fast_judgement(client: Client, incoming: Incoming) -> Judgement:
    """The verdict of rules and exact hashes alone; the other checks follow later."""
    with measured("rules"):
        policy = client.policy(incoming.surface)
        findings = check_text(incoming.title, incoming.description, policy.languages)
        findings += check_exact([upload.sha256 for upload in incoming.uploads])
        return judge(findings, policy)


def _values(
    client: Client, incoming: Incoming, key: str, how: str, judgement: Judgement | None
) -> dict[str, Any]:
    policy = client.policy(incoming.surface)
    verdict = judgement.verdict if judgement else None
    visible = _is_visible(policy, verdict, incoming, judgement)
    return {
        "id": uuid7(),
        "client_id": client.id,
        "user_id": incoming.user_id,
        "external_id": incoming.external_id,
        "surface": incoming.surface,
        "title": incoming.title,
        "description": incoming.description,
        "ip_hash": _address_hash(incoming.address),
        "priority": incoming.priority,
        "mode": how,
        "status": _status(how),
        "verdict": verdict,
        "visible": visible,
        "review_owed": judgement is not None and verdict != REJECTED,
        "debt_risk": RISK_PICTURES * bool(incoming.uploads) + RISK_VISIBLE * visible,
        "reasons": json.dumps(judgement.reasons if judgement else []),
        "policy_version": judgement.version if judgement else None,
        "idempotency_key": key,
        "fingerprint": incoming.fingerprint,
        "request_id": request.headers.get("X-Request-ID"),
        "traceparent": tracing.traceparent(),
    }


def _is_visible(
    policy: Policy, verdict: str | None, incoming: Incoming, judgement: Judgement | None
) -> bool:
    if judgement is None:
        return policy.shows(verdict)
    return policy.shows_unchecked(verdict, has_pictures=bool(incoming.uploads))


def _status(how: str) -> str:
    if how == mode.FAST_TRACK:
        return DECIDED
    if how == mode.DIRECT:
        return RECEIVED
    # A client in mode sync has few jobs there, so the queue has room for it beside a flood.
    is_full = snapshot.read().depth >= get_settings().max_queue_size
    return RECEIVED if is_full and how != mode.SYNC else QUEUED


def _images(incoming: Incoming) -> list[dict[str, Any]]:
    return [
        {
            "id": upload.image_id,
            "position": position,
            "storage_key": upload.key,
            "given_name": upload.given_name.replace("\0", ""),
            "media_type": upload.media_type,
            "bytes": upload.size,
            "sha256": upload.sha256,
            "width": upload.width,
            "height": upload.height,
        }
        for position, upload in enumerate(incoming.uploads)
    ]


def _address_hash(address: str | None) -> bytes | None:
    if address is None:
        return None
    return hmac.new(_hash_key(get_settings()), address.encode(), hashlib.sha256).digest()


def _address_name(address: str | None) -> str | None:
    """The name of an address in the limits: a hash, because Redis must not hold it in plain."""
    hashed = _address_hash(address)
    return hashed.hex() if hashed is not None else None


@cache
def _hash_key(settings: Settings) -> bytes:
    return settings.secret("hash").encode()
