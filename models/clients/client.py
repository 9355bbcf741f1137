"""Clients: the sites that send uploads, their policy and their API keys."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import peewee
from playhouse.postgres_ext import ArrayField

from models.audit.log import Audit
from models.clients import validation
from models.database.connection import Model, db
from models.database.encrypted_field import EncryptedField
from models.database.tokens import digest, new_token
from models.errors import Conflict, Invalid, NotFound
from models.people.moderator import Moderator
from models.policies import document
from models.policies.document import Document
from models.policies.policy import apply
from models.policies.policy_index import policies
from models.verdict import Policy

KEY_PREFIX = "sk_"
CHANGEABLE = ("name", "weight", "languages", "webhook_url")
NEW_ADDRESS = dict.fromkeys(  # a new address has no failures yet
    ("webhook_failing_since", "webhook_paused_until", "webhook_disabled_at")
)


class Client(Model):
    """A site or app that sends uploads."""

    id = peewee.BigAutoField()
    name = peewee.TextField()
    weight = peewee.SmallIntegerField(default=1)
    # Null: the server's default.
    languages = ArrayField(peewee.TextField, null=True, index=False)
    webhook_url = peewee.TextField(null=True)
    webhook_secret = EncryptedField(null=True)
    webhook_secret_before = EncryptedField(null=True)
    webhook_secret_before_until = peewee.DateTimeField(null=True)
    webhook_failing_since = peewee.DateTimeField(null=True)
    webhook_paused_until = peewee.DateTimeField(null=True)
    webhook_disabled_at = peewee.DateTimeField(null=True)
    suspended_at = peewee.DateTimeField(null=True)
    created_at = peewee.DateTimeField()

    @classmethod
    def add(
        cls,
        name: str,
        *,
        visibility: str = "hold",
        webhook_url: str | None = None,
        publish_unchecked: bool = False,
        weight: int = 1,
        languages: list[str] | None = None,
        moderator_id: int | None = None,
    ) -> Client:
        """Add a client; raises Invalid, and Conflict if the name is taken.

        A visibility other than ``hold`` becomes the first version of its default policy.
        """
        validation.check_name(name)
        if webhook_url:
            validation.check_address(webhook_url)
        first = Document(
            visibility=visibility if visibility != "hold" else None,
            publish_unchecked=publish_unchecked or None,
        )
        document.check(first, ())
        validation.check_weight(weight)
        validation.check_languages(languages)
        secret = new_secret() if webhook_url else None
        try:
            with db.atomic():
                row = cls.insert(
                    name=name.strip(),
                    weight=weight,
                    languages=languages,
                    webhook_url=webhook_url,
                    webhook_secret=secret,
                    created_at=peewee.fn.now(),
                ).execute()
                if first != Document():
                    why = "Chosen when the client was added"
                    apply(row, "", first, why=why, moderator_id=moderator_id)
        except peewee.IntegrityError as error:
            raise Conflict(f"A client named {name!r} already exists.", field="name") from error
        return cls.get_by_id(row)

    @classmethod
    def named(cls, name: str) -> Client:
        """The client with this name; raises NotFound."""
        client = cls.get_or_none(cls.name == name)
        if client is None:
            raise NotFound(f"There is no client named {name!r}.")
        return client

    @classmethod
    def by_key(cls, key: str) -> Client | None:
        """The client that has this key, if the key is valid and the client is not suspended."""
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

    @classmethod
    def find(cls, client_id: int) -> Client:
        """The client with this id; raises NotFound."""
        client = cls.get_or_none(cls.id == client_id)
        if client is None:
            raise NotFound("This client does not exist.")
        return client

    def change(self, by: Moderator, **values: Any) -> str | None:
        """Change ``CHANGEABLE`` fields; returns the webhook secret if it is the client's first.

        Languages of None use the server's. Raises Invalid, and Conflict for a taken name.
        """
        after = {name: values.get(name, getattr(self, name)) for name in CHANGEABLE}
        validation.check(after)
        changes = {n: [getattr(self, n), after[n]] for n in after if getattr(self, n) != after[n]}
        secret = None
        if after["webhook_url"] and not self.webhook_secret:
            secret = after["webhook_secret"] = new_secret()
        if not changes:
            return None
        if "webhook_url" in changes:
            after |= NEW_ADDRESS
        try:
            with db.atomic():
                Client.update(**after).where(Client.id == self.id).execute()
                Audit.append("client.change", self.name, moderator_id=by.id, changes=changes)
        except peewee.IntegrityError as error:
            raise Conflict(
                f"A client named {after['name']!r} already exists.", field="name"
            ) from error
        return secret

    def suspend(self, by: Moderator) -> None:
        """Reject the client's keys until ``resume``."""
        self._suspend(by, peewee.fn.now(), "client.suspend", Client.suspended_at.is_null())

    def resume(self, by: Moderator) -> None:
        """Accept the client's keys again."""
        self._suspend(by, None, "client.resume", Client.suspended_at.is_null(False))

    def _suspend(self, by: Moderator, at: Any, action: str, condition: Any) -> None:
        with db.atomic():
            query = Client.update(suspended_at=at).where(Client.id == self.id, condition)
            if not query.execute():
                raise Conflict(
                    f"Already done: {self.name} is {'active' if at is None else 'suspended'}."
                )
            Audit.append(action, self.name, moderator_id=by.id)

    def policy(self, surface: str = "") -> Policy:
        """The policy for uploads to a surface of this client.

        A client that was added within this second is known too: what it publishes was chosen then.
        """
        languages = None if self.languages is None else tuple(self.languages)
        if self.id not in policies.get().clients:
            policies.expire()
        return policies.get().policy(self.id, surface, languages)


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
        """Create a key of 192 bits; it is shown only now."""
        key = KEY_PREFIX + new_token(24)
        cls.insert(
            client=client, digest=digest(key), hint=key[-4:], created_at=peewee.fn.now()
        ).execute()
        return key

    @classmethod
    def held_by(cls, client: Client) -> list[ApiKey]:
        """The client's keys, valid ones before revoked and expired ones."""
        return list(
            cls.select().where(cls.client == client.id).order_by(has_ended(), cls.id.desc())
        )

    @classmethod
    def add(cls, client: Client, by: Moderator) -> str:
        """Add a key; existing keys stay valid."""
        with db.atomic():
            key = cls.issue(client)
            Audit.append("key.issue", client.name, moderator_id=by.id, ending=key[-4:])
        return key

    @classmethod
    def rotate(cls, client: Client, hours: float, by: Moderator) -> str:
        """Create a key; the other keys expire after ``hours``."""
        if not 0 <= hours <= 24 * 30:
            raise Invalid(
                "hours must be 0 to 720: how long the old keys stay valid.", field="hours"
            )
        with db.atomic():
            key = cls.issue(client)
            ended = cls.expire_others(client, key, hours)
            Audit.append(
                "key.rotate",
                client.name,
                moderator_id=by.id,
                ending=key[-4:],
                old_keys=ended,
                old_hold_hours=hours,
            )
        return key

    @classmethod
    def revoke_one(cls, client: Client, key_id: int, by: Moderator) -> None:
        """Revoke one key; raises NotFound if it is not the client's or already revoked."""
        with db.atomic():
            row = cls.get_or_none(
                cls.id == key_id, cls.client == client.id, cls.revoked_at.is_null()
            )
            if row is None:
                raise NotFound("This key is already revoked.")
            cls.update(revoked_at=peewee.fn.now()).where(cls.id == key_id).execute()
            Audit.append("key.revoke", client.name, moderator_id=by.id, ending=row.hint)

    @classmethod
    def revoke(cls, client: Client, hint: str) -> int:
        """Revoke the client's keys that end in the hint; returns their number."""
        return (
            cls.update(revoked_at=peewee.fn.now())
            .where(cls.client == client, cls.hint == hint, cls.revoked_at.is_null())
            .execute()
        )

    @classmethod
    def expire_others(cls, client: Client, kept: str, hours: float) -> int:
        """Make every key except ``kept`` expire in some hours, the overlap of a rotation."""
        return (
            cls.update(expires_at=in_hours(hours))
            .where(
                cls.client == client,
                cls.digest != digest(kept),
                cls.revoked_at.is_null(),
                cls.expires_at.is_null(),
            )
            .execute()
        )


def has_ended() -> Any:
    """An SQL condition: the key is revoked or expired."""
    expired = ApiKey.expires_at.is_null(False) & (ApiKey.expires_at <= peewee.fn.now())
    return ApiKey.revoked_at.is_null(False) | expired


def new_secret() -> str:
    """A new webhook secret of 256 bits in the format of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def in_hours(hours: float) -> Any:
    """The time in so many hours, by the database's clock."""
    return peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (hours * 3600,))
