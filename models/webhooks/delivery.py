"""Deliveries: webhook calls that are owed to clients, a transactional outbox."""

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

    @classmethod
    def page(cls, wanted: Filter, limit: int, before: UUID | None = None) -> list[Delivery]:
        """The newest ones of the filter, of those made before one where it is given."""
        query = cls.select(cls, Client).join(Client).where(*_conditions(wanted))
        if before is not None:
            query = query.where(cls.id < before)
        return list(query.order_by(cls.id.desc()).limit(limit))

    @classmethod
    def find(cls, delivery_id: UUID) -> Delivery:
        """The delivery of that id with its client; raises NotFound."""
        row = cls.select(cls, Client).join(Client).where(cls.id == delivery_id).first()
        if row is None:
            raise NotFound("There is no such delivery.")
        return row

    @classmethod
    def count_dead(cls) -> int:
        """How many were given up."""
        return cls.select().where(cls.state == "dead").count()

    @property
    def can_be_resent(self) -> bool:
        """Whether it is over and may be sent once more."""
        return self.state in ("dead", "delivered")

    def resend(self, by: Moderator) -> None:
        """Owe it again from now on, under the same id, by which the client tells a repeat.

        Raises Conflict where it is not over, or the client has no webhook any more.
        """
        if not self.client.webhook_url:
            raise Conflict(f"{self.client.name} has no webhook any more.")
        if self.client.webhook_disabled_at:
            raise Conflict(f"The webhook of {self.client.name} is off: switch it on first.")
        with db.atomic():
            if not _owe_again(Delivery.id == self.id, Delivery.state.in_(("dead", "delivered"))):
                raise Conflict("This is owed or cancelled; only what is over can be sent again.")
            Audit.append(
                "delivery.resend",
                str(self.id),
                moderator_id=by.id,
                client=self.client.name,
                event=self.event,
                before=self.state,
            )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries are wanted; empty is all."""

    client: int | None = None
    event: str = ""
    state: str = ""


def _conditions(wanted: Filter) -> Iterator[Any]:
    yield peewee.SQL("true")
    if wanted.client is not None:
        yield Delivery.client == wanted.client
    if wanted.event:
        yield Delivery.event == wanted.event
    if wanted.state:
        yield Delivery.state == wanted.state


def counts(wanted: Filter) -> dict[str, int]:
    """How many there are in each state that is not the usual end, by client and event."""
    some = Filter(wanted.client, wanted.event)
    query = (
        Delivery.select(Delivery.state, peewee.fn.count(Delivery.id))
        .where(*_conditions(some), Delivery.state.in_(("owed", "dead")))
        .group_by(Delivery.state)
    )
    return dict(query.tuples())


def resend_dead(wanted: Filter, by: Moderator) -> int:
    """Owe every dead one of the filter's client and event again; returns how many."""
    with db.atomic():
        calls = Client.select(Client.id).where(
            Client.webhook_url.is_null(False), Client.webhook_disabled_at.is_null()
        )
        some = Filter(wanted.client, wanted.event, "dead")
        count = _owe_again(*_conditions(some), Delivery.client.in_(calls))
        if count:
            of = Client.find(wanted.client).name if wanted.client is not None else "all clients"
            Audit.append("delivery.resend_dead", of, moderator_id=by.id, count=count)
    return count


def _owe_again(*conditions: Any) -> int:
    query = Delivery.update(
        state="owed", attempts=0, due_at=peewee.fn.now(), lease_until=None, delivered_at=None
    )
    return int(query.where(*conditions).execute())


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
        due_at=_in_seconds(wait),
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


# Each client may have a few calls at once, and one alone while its receiver fails, so that none
# holds up another's. Two processes may claim at once: each skips what the other has locked, and a
# row that was claimed meanwhile does not fit the condition any more when it is read again.
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
    """Claim what is due, at most ``each`` of a client at once, for ``lease`` seconds.

    What is not finished by then, since its process was killed, is sent again.
    """
    wanted = {"limit": limit, "each": each, "lease": lease}
    ids = [row[0] for row in db.execute_sql(_CLAIM, wanted).fetchall()]
    if not ids:
        return []
    return list(Delivery.select(Delivery, Client).join(Client).where(Delivery.id.in_(ids)))


def traceparent_of(item: Delivery) -> str | None:
    """The trace of the request that brought what this call tells of."""
    if item.submission_id is None:
        return None
    found = Submission.get_or_none(Submission.id == item.submission_id)
    return found.traceparent if found is not None else None


def delivered(item: Delivery, outcome: str) -> None:
    """The client took it."""
    with db.atomic():
        Delivery.update(
            state="delivered", outcome=outcome, delivered_at=peewee.fn.now(), lease_until=None
        ).where(Delivery.id == item.id, Delivery.state == "owed").execute()
        Client.update(webhook_failing_since=None).where(
            Client.id == item.client_id, Client.webhook_failing_since.is_null(False)
        ).execute()


def failed(item: Delivery, outcome: str, pause: float, attempts: int) -> None:
    """The client did not take it: again after ``pause`` seconds, or dead after ``attempts``."""
    state = "dead" if item.attempts >= attempts else "owed"
    with db.atomic():
        _put_back(item, state=state, outcome=outcome, due_at=_in_seconds(pause))
        Client.update(webhook_failing_since=peewee.fn.now()).where(
            Client.id == item.client_id, Client.webhook_failing_since.is_null()
        ).execute()


def pause_client(client_id: int, seconds: float) -> None:
    """Send this client nothing for some seconds, as it asked."""
    until = _in_seconds(seconds)
    Client.update(webhook_paused_until=until).where(Client.id == client_id).execute()


def gone(item: Delivery, outcome: str) -> None:
    """The receiver is gone for good: its webhook is switched off, and what is owed waits."""
    with db.atomic():
        _put_back(item, state="owed", outcome=outcome, due_at=peewee.fn.now())
        switched = Client.update(webhook_disabled_at=peewee.fn.now()).where(
            Client.id == item.client_id,
            Client.webhook_url == item.client.webhook_url,
            Client.webhook_disabled_at.is_null(),
        )
        if switched.execute():
            Audit.append("webhook.disable", item.client.name, outcome=outcome)


def give_up_waiting(days: float) -> int:
    """Give up what waits for a webhook that is off or gone for so long; returns how many.

    It can be sent again once there is a webhook, and holds up the end of its submission's time no
    longer.
    """
    nowhere = Client.select(Client.id).where(
        Client.webhook_url.is_null() | Client.webhook_disabled_at.is_null(False)
    )
    query = Delivery.update(state="dead", outcome="off", lease_until=None).where(
        Delivery.state == "owed",
        Delivery.client.in_(nowhere),
        Delivery.created_at < _in_seconds(-days * 86400),
        Delivery.lease_until.is_null() | (Delivery.lease_until < peewee.fn.now()),
    )
    return int(query.execute())


def _put_back(item: Delivery, **values: Any) -> None:
    """End the claim of this attempt; a later one's is left alone."""
    Delivery.update(lease_until=None, **values).where(
        Delivery.id == item.id, Delivery.state == "owed", Delivery.attempts == item.attempts
    ).execute()


def _in_seconds(seconds: float) -> Any:
    return peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (seconds,))


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
