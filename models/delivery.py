"""Deliveries: webhook calls that are owed to clients, a transactional outbox."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField
from uuid_utils.compat import uuid7

from models.client import Client
from models.db import Model, db
from models.submission import Submission


class Delivery(Model):
    """One event for one client; written in the transaction of what it tells."""

    id = peewee.UUIDField(primary_key=True)
    client = peewee.ForeignKeyField(Client, backref="deliveries")
    submission = peewee.ForeignKeyField(Submission, null=True, backref="deliveries")
    event = peewee.TextField()
    payload = BinaryJSONField()
    state = peewee.TextField(default="owed")
    attempts = peewee.SmallIntegerField(default=0)
    due_at = peewee.DateTimeField()
    lease_until = peewee.DateTimeField(null=True)
    outcome = peewee.TextField(null=True)
    created_at = peewee.DateTimeField()
    delivered_at = peewee.DateTimeField(null=True)


def owe(submission: Submission, event: str, *, wait: float = 0.0) -> None:
    """Owe the client this event about its submission, from ``wait`` seconds on."""
    if not submission.client.webhook_url:
        return
    Delivery.insert(
        id=uuid7(),
        client=submission.client_id,
        submission=submission.id,
        event=event,
        payload=_payload(submission, event),
        due_at=peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (wait,)),
        created_at=peewee.fn.now(),
    ).execute()


def cancel_unsent(submission_id: UUID) -> int:
    """Cancel what is owed about a submission and was not tried yet; returns how many."""
    return (
        Delivery.update(state="cancelled", outcome="undone")
        .where(
            Delivery.submission == submission_id,
            Delivery.state == "owed",
            Delivery.attempts == 0,
            Delivery.due_at > peewee.fn.now(),
        )
        .execute()
    )


def claim_due(limit: int) -> list[Delivery]:
    """Claim what is due for a minute; what is not finished by then is sent again."""
    rows = db.execute_sql(
        "UPDATE delivery SET attempts = attempts + 1, lease_until = now() + interval '1 minute'"
        " WHERE id IN (SELECT id FROM delivery WHERE state = 'owed' AND due_at <= now()"
        " AND (lease_until IS NULL OR lease_until < now())"
        " ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
        (limit,),
    ).fetchall()
    ids = [row[0] for row in rows]
    return list(Delivery.select(Delivery, Client).join(Client).where(Delivery.id.in_(ids)))


def delivered(item: Delivery, outcome: str) -> None:
    """The client took it."""
    Delivery.update(
        state="delivered", outcome=outcome, delivered_at=peewee.fn.now(), lease_until=None
    ).where(Delivery.id == item.id).execute()


def failed(item: Delivery, outcome: str, pause: float, attempts: int) -> None:
    """The client did not take it: again after ``pause`` seconds, or dead after ``attempts``."""
    Delivery.update(
        state="dead" if item.attempts >= attempts else "owed",
        outcome=outcome,
        lease_until=None,
        due_at=peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (pause,)),
    ).where(Delivery.id == item.id).execute()


def _payload(submission: Submission, event: str) -> dict[str, Any]:
    return {
        "type": event,
        "data": {
            "job_id": str(submission.id),
            "external_id": submission.external_id,
            "user_id": submission.user_id,
            "verdict": submission.verdict,
            "visible": submission.visible,
            "review_owed": submission.review_owed,
            "reasons": submission.reasons,
        },
    }
