"""Deliveries: a transactional outbox of webhook calls to clients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField
from uuid_utils.compat import uuid7

from models.audit.log import Audit
from models.clients.client import Client
from models.database.connection import Model, db
from models.errors import Conflict, NotFound
from models.people.moderator import Moderator
from models.submissions import representation
from models.submissions.submission import Submission

STATES = ("owed", "delivered", "dead", "cancelled")
EVENTS = (
    "submission.decided",
    "submission.retracted",
    "submission.restored",
    "appeal.decided",
    TEST := "webhook.test",
)


class Delivery(Model):
    """One event for one client, inserted in the same transaction as the change it reports."""

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

    @classmethod
    def page(cls, where: DeliveryFilter, limit: int, before: UUID | None = None) -> list[Delivery]:
        """The newest deliveries that match; with ``before``, only older ones."""
        query = cls.select(cls, Client).join(Client).where(*_conditions(where))
        if before is not None:
            query = query.where(cls.id < before)
        return list(query.order_by(cls.id.desc()).limit(limit))

    @classmethod
    def find(cls, delivery_id: UUID) -> Delivery:
        """The delivery with this id, with its client; raises NotFound."""
        row = cls.select(cls, Client).join(Client).where(cls.id == delivery_id).first()
        if row is None:
            raise NotFound("This delivery does not exist.")
        return row

    @classmethod
    def count_dead(cls) -> int:
        """The number of dead deliveries."""
        return cls.select().where(cls.state == "dead").count()

    @property
    def can_be_resent(self) -> bool:
        """Whether it has ended and may be sent again."""
        return self.state in ("dead", "delivered")

    def resend(self, by: Moderator) -> None:
        """Send it again, with the same id, by which the client recognises a repeat.

        Raises Conflict if it has not ended, or the client no longer has a webhook.
        """
        if not self.client.webhook_url:
            raise Conflict(f"{self.client.name} no longer has a webhook.")
        if self.client.webhook_disabled_at:
            raise Conflict(f"The webhook of {self.client.name} is disabled. Enable it first.")
        with db.atomic():
            if not _requeue(Delivery.id == self.id, Delivery.state.in_(("dead", "delivered"))):
                raise Conflict(
                    "Only delivered or dead deliveries can be resent, not owed or cancelled ones."
                )
            Audit.append(
                "delivery.resend",
                str(self.id),
                moderator_id=by.id,
                client=self.client.name,
                event=self.event,
                before=self.state,
            )


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries to select; empty selects all."""

    client: int | None = None
    event: str = ""
    state: str = ""


def _conditions(where: DeliveryFilter) -> Iterator[Any]:
    yield peewee.SQL("true")
    if where.client is not None:
        yield Delivery.client == where.client
    if where.event:
        yield Delivery.event == where.event
    if where.state:
        yield Delivery.state == where.state


def counts(where: DeliveryFilter) -> dict[str, int]:
    """The numbers of owed and dead deliveries, for the filter's client and event."""
    some = DeliveryFilter(where.client, where.event)
    query = (
        Delivery.select(Delivery.state, peewee.fn.count(Delivery.id))
        .where(*_conditions(some), Delivery.state.in_(("owed", "dead")))
        .group_by(Delivery.state)
    )
    return dict(query.tuples())


def resend_dead(where: DeliveryFilter, by: Moderator) -> int:
    """Requeue every dead delivery of the filter's client and event; returns their number."""
    with db.atomic():
        enabled = Client.select(Client.id).where(
            Client.webhook_url.is_null(False), Client.webhook_disabled_at.is_null()
        )
        some = DeliveryFilter(where.client, where.event, "dead")
        count = _requeue(*_conditions(some), Delivery.client.in_(enabled))
        if count:
            name = Client.find(where.client).name if where.client is not None else "all clients"
            Audit.append("delivery.resend_dead", name, moderator_id=by.id, count=count)
    return count


def _requeue(*conditions: Any) -> int:
    query = Delivery.update(
        state="owed", attempts=0, due_at=peewee.fn.now(), lease_until=None, delivered_at=None
    )
    return int(query.where(*conditions).execute())


def owe(submission: Submission, event: str, *, wait: float = 0.0) -> None:
    """Add a delivery of this event about a submission, due in ``wait`` seconds."""
    if not submission.client.webhook_url:
        return
    Delivery.insert(
        id=uuid7(),
        client=submission.client_id,
        submission=submission.id,
        event=event,
        payload=representation.event(submission, event),
        due_at=_in_seconds(wait),
        created_at=peewee.fn.now(),
    ).execute()


def cancel_unsent(submission_id: UUID) -> int:
    """Cancel a submission's deliveries that were not attempted yet; returns their number."""
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


# Each client has a few calls at once, and only one while its receiver fails, so no client delays
# another. Two processes may claim at once: each skips rows that the other has locked, and a row
# claimed in between no longer meets the condition when PostgreSQL rechecks it.
_CLAIM = """
UPDATE delivery
SET attempts = attempts + 1, lease_until = now() + make_interval(secs => %(lease)s)
WHERE id IN (
    SELECT due.id
    FROM client
    CROSS JOIN LATERAL (
        SELECT count(*) AS calls FROM delivery
        WHERE client_id = client.id AND state = 'owed' AND lease_until > now()
    ) AS called
    CROSS JOIN LATERAL (
        SELECT id, due_at FROM delivery
        WHERE client_id = client.id AND state = 'owed' AND due_at <= now()
          AND (lease_until IS NULL OR lease_until <= now())
        ORDER BY due_at, id
        LIMIT greatest(0, -called.calls
            + CASE WHEN client.webhook_failing_since IS NULL THEN %(each)s ELSE 1 END)
        FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE client.webhook_url IS NOT NULL AND client.webhook_disabled_at IS NULL
      AND (client.webhook_paused_until IS NULL OR client.webhook_paused_until <= now())
    ORDER BY called.calls, due.due_at
    LIMIT %(limit)s
) RETURNING id
"""


def claim_due(limit: int, each: int, lease: float) -> list[Delivery]:
    """Claim due deliveries, at most ``each`` per client at once, for ``lease`` seconds.

    A delivery not finished by then, because its process was killed, is sent again.
    """
    values = {"limit": limit, "each": each, "lease": lease}
    ids = [row[0] for row in db.execute_sql(_CLAIM, values).fetchall()]
    if not ids:
        return []
    return list(Delivery.select(Delivery, Client).join(Client).where(Delivery.id.in_(ids)))


def traceparent_of(item: Delivery) -> str | None:
    """The traceparent of the upload that this delivery reports on."""
    if item.submission_id is None:
        return None
    row = Submission.get_or_none(Submission.id == item.submission_id)
    return row.traceparent if row is not None else None


def mark_delivered(item: Delivery, outcome: str) -> None:
    """Record that the client accepted it."""
    with db.atomic():
        Delivery.update(
            state="delivered", outcome=outcome, delivered_at=peewee.fn.now(), lease_until=None
        ).where(Delivery.id == item.id, Delivery.state == "owed").execute()
        Client.update(webhook_failing_since=None).where(
            Client.id == item.client_id, Client.webhook_failing_since.is_null(False)
        ).execute()


def mark_failed(item: Delivery, outcome: str, pause: float, attempts: int) -> None:
    """Record a failure: retry in ``pause`` seconds, or dead after ``attempts``."""
    state = "dead" if item.attempts >= attempts else "owed"
    with db.atomic():
        _put_back(item, state=state, outcome=outcome, due_at=_in_seconds(pause))
        Client.update(webhook_failing_since=peewee.fn.now()).where(
            Client.id == item.client_id, Client.webhook_failing_since.is_null()
        ).execute()


def pause_client(client_id: int, seconds: float) -> None:
    """Send nothing to this client for ``seconds``, as its response asked."""
    until = _in_seconds(seconds)
    Client.update(webhook_paused_until=until).where(Client.id == client_id).execute()


def disable_webhook(item: Delivery, outcome: str) -> None:
    """The receiver responded 410 Gone: disable its webhook; pending deliveries wait."""
    with db.atomic():
        _put_back(item, state="owed", outcome=outcome, due_at=peewee.fn.now())
        disabled = Client.update(webhook_disabled_at=peewee.fn.now()).where(
            Client.id == item.client_id,
            Client.webhook_url == item.client.webhook_url,
            Client.webhook_disabled_at.is_null(),
        )
        if disabled.execute():
            Audit.append("webhook.disable", item.client.name, outcome=outcome)


def expire_undeliverable(days: float) -> int:
    """Mark deliveries dead that waited ``days`` for a disabled webhook; returns their number.

    They can be resent when there is a webhook again, and no longer delay the purge of their
    submission.
    """
    without_webhook = Client.select(Client.id).where(
        Client.webhook_url.is_null() | Client.webhook_disabled_at.is_null(False)
    )
    query = Delivery.update(state="dead", outcome="off", lease_until=None).where(
        Delivery.state == "owed",
        Delivery.client.in_(without_webhook),
        Delivery.created_at < _in_seconds(-days * 86400),
        Delivery.lease_until.is_null() | (Delivery.lease_until < peewee.fn.now()),
    )
    return int(query.execute())


def _put_back(item: Delivery, **values: Any) -> None:
    """End this attempt's claim; a later attempt's claim is unchanged."""
    Delivery.update(lease_until=None, **values).where(
        Delivery.id == item.id, Delivery.state == "owed", Delivery.attempts == item.attempts
    ).execute()


def _in_seconds(seconds: float) -> Any:
    return peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (seconds,))
