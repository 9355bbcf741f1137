"""A client's webhook: its secrets, and whether it is enabled."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import peewee
from uuid_utils.compat import uuid7

from models.audit.log import Audit
from models.clients.client import Client, in_hours, new_secret
from models.database.connection import db
from models.errors import Conflict
from models.people.moderator import Moderator
from models.webhooks.delivery import TEST, Delivery

OVERLAP_HOURS = 24  # during which both secrets sign after a rotation


def rotate_secret(client: Client, by: Moderator) -> str:
    """Create a new secret; the previous one also signs for ``OVERLAP_HOURS``."""
    _check_address(client)
    secret = new_secret()
    with db.atomic():
        Client.update(
            webhook_secret=secret,
            webhook_secret_before=Client.webhook_secret,
            webhook_secret_before_until=in_hours(OVERLAP_HOURS),
        ).where(Client.id == client.id).execute()
        Audit.append("webhook_secret.rotate", client.name, moderator_id=by.id)
    return secret


def signing_secrets(client: Client) -> list[str]:
    """The secrets that sign a call, newest first; two during a rotation."""
    before = Client.select(Client.webhook_secret_before).where(
        Client.id == client.id, Client.webhook_secret_before_until > peewee.fn.now()
    )
    return [secret for secret in (client.webhook_secret, before.scalar()) if secret]


def enable(client: Client, by: Moderator) -> None:
    """Enable a webhook that its receiver's 410 Gone disabled; pending deliveries are sent."""
    _check_address(client)
    with db.atomic():
        query = Client.update(webhook_disabled_at=None, webhook_paused_until=None)
        if not query.where(Client.id == client.id, _disabled()).execute():
            raise Conflict("Already done: the webhook is enabled.")
        Audit.append("webhook.enable", client.name, moderator_id=by.id)


def test(client: Client, by: Moderator) -> UUID:
    """Add a test event; returns the delivery's id."""
    _check_address(client)
    if client.webhook_disabled_at:
        raise Conflict("The webhook is disabled. Enable it first.")
    delivery_id = uuid7()
    with db.atomic():
        Client.update(webhook_paused_until=None).where(Client.id == client.id).execute()
        Delivery.insert(
            id=delivery_id,
            client=client.id,
            event=TEST,
            payload={"type": TEST, "data": {"client": client.name}},
            due_at=peewee.fn.now(),
            created_at=peewee.fn.now(),
        ).execute()
        Audit.append("webhook.test", client.name, moderator_id=by.id)
    return delivery_id


def _check_address(client: Client) -> None:
    if not client.webhook_url:
        raise Conflict("This client has no webhook.")


def _disabled() -> Any:
    return Client.webhook_disabled_at.is_null(False)
