"""Clients: the sites that send uploads, their policy and their API keys."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import peewee

from models.db import Model, db
from models.errors import Conflict, Invalid, NotFound
from models.settings import Settings
from models.tokens import digest
from models.verdict import Policy

KEY_PREFIX = "sk_"


class Client(Model):
    """A site or app that sends uploads."""

    id = peewee.BigAutoField()
    name = peewee.TextField()
    visibility = peewee.TextField(default="hold")
    reject_at = peewee.FloatField(null=True)
    review_at = peewee.FloatField(null=True)
    sample_rate = peewee.FloatField(null=True)
    webhook_url = peewee.TextField(null=True)
    webhook_secret = peewee.TextField(null=True)
    suspended_at = peewee.DateTimeField(null=True)
    created_at = peewee.DateTimeField()

    @classmethod
    def add(cls, name: str, *, visibility: str = "hold", webhook_url: str | None = None) -> Client:
        """A new client; raises Conflict where the name is taken."""
        if not name.strip():
            raise Invalid("A client needs a name.", field="name")
        if visibility not in ("hold", "publish_first"):
            raise Invalid("visibility is hold or publish_first.", field="visibility")
        secret = (
            f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}" if webhook_url else None
        )
        try:
            with db.atomic():
                row = cls.insert(
                    name=name.strip(),
                    visibility=visibility,
                    webhook_url=webhook_url,
                    webhook_secret=secret,
                    created_at=peewee.fn.now(),
                ).execute()
        except peewee.IntegrityError as error:
            raise Conflict(f"There is a client named {name!r} already.", field="name") from error
        return cls.get_by_id(row)

    @classmethod
    def named(cls, name: str) -> Client:
        """The client of that name; raises NotFound."""
        client = cls.get_or_none(cls.name == name)
        if client is None:
            raise NotFound(f"There is no client named {name!r}.")
        return client

    @classmethod
    def by_key(cls, key: str) -> Client | None:
        """The client whose valid key this is."""
        return (
            cls.select()
            .join(ApiKey, on=(ApiKey.client == cls.id))
            .where(
                ApiKey.digest == digest(key),
                ApiKey.revoked_at.is_null(),
                ApiKey.expires_at.is_null() | (ApiKey.expires_at > peewee.fn.now()),
                cls.suspended_at.is_null(),
            )
            .first()
        )

    def policy(self, settings: Settings) -> Policy:
        """This client's thresholds, the settings' where it has none of its own."""
        return Policy(
            reject_at=_or(self.reject_at, settings.reject_at),
            review_at=_or(self.review_at, settings.review_at),
            sample_rate=_or(self.sample_rate, settings.sample_rate),
            visibility=self.visibility,
        )


class ApiKey(Model):
    """A key of a client; only its digest is stored."""

    id = peewee.BigAutoField()
    client = peewee.ForeignKeyField(Client, backref="keys")
    digest = peewee.BlobField()
    hint = peewee.TextField()
    created_at = peewee.DateTimeField()
    expires_at = peewee.DateTimeField(null=True)
    revoked_at = peewee.DateTimeField(null=True)

    @classmethod
    def issue(cls, client: Client) -> str:
        """A new key of 192 bits for the client; this is the only time it is seen."""
        key = KEY_PREFIX + secrets.token_urlsafe(24)
        cls.insert(
            client=client, digest=digest(key), hint=key[-4:], created_at=peewee.fn.now()
        ).execute()
        return key

    @classmethod
    def revoke(cls, client: Client, hint: str) -> int:
        """Revoke the client's keys that end in the hint; returns how many."""
        return (
            cls.update(revoked_at=peewee.fn.now())
            .where(cls.client == client, cls.hint == hint, cls.revoked_at.is_null())
            .execute()
        )

    @classmethod
    def expire_others(cls, client: Client, kept: str, hours: float) -> int:
        """Let every key but ``kept`` end in some hours, the overlap of a rotation."""
        return (
            cls.update(expires_at=_in_hours(hours))
            .where(
                cls.client == client,
                cls.digest != digest(kept),
                cls.revoked_at.is_null(),
                cls.expires_at.is_null(),
            )
            .execute()
        )


def _in_hours(hours: float) -> Any:
    return peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (hours * 3600,))


def _or(value: Any, default: float) -> float:
    return default if value is None else float(value)
