"""Console accounts, their sessions, invitations and password reset links."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.database.connection import Model, db
from models.database.encrypted_field import EncryptedField
from models.database.tokens import digest, new_token
from models.errors import Conflict, Forbidden, Invalid, NotFound

ROLES = ("administrator", "moderator", "viewer")


class Moderator(Model):
    """A person who signs in to the console."""

    id = peewee.BigAutoField()
    name = peewee.TextField()
    role = peewee.TextField()
    password_hash = peewee.TextField()
    preferences = BinaryJSONField(default=dict)
    totp_secret: Any = EncryptedField(null=True)
    totp_confirmed_at = peewee.DateTimeField(null=True)
    totp_step = peewee.BigIntegerField(default=0)
    disabled_at = peewee.DateTimeField(null=True)
    created_at = peewee.DateTimeField()

    @classmethod
    def add(cls, name: str, role: str, password_hash: str) -> Moderator:
        """Add an account; raises Conflict if the name is taken."""
        name = name.strip()
        if not 1 <= len(name) <= 60 or "\0" in name:
            raise Invalid("A name must have 1 to 60 characters.", field="name")
        if role not in ROLES:
            raise Invalid(f"role must be one of {', '.join(ROLES)}.", field="role")
        try:
            with db.atomic():
                row = cls.insert(
                    name=name,
                    role=role,
                    password_hash=password_hash,
                    created_at=peewee.fn.now(),
                ).execute()
        except peewee.IntegrityError as error:
            raise Conflict(f"A moderator named {name!r} already exists.", field="name") from error
        return cls.get_by_id(row)

    @classmethod
    def named(cls, name: str) -> Moderator | None:
        """The enabled account with this name."""
        return cls.get_or_none(cls.name == name.strip(), cls.disabled_at.is_null())

    @property
    def can_decide(self) -> bool:
        """Whether this person may decide submissions."""
        return self.role in ("administrator", "moderator")

    @property
    def can_configure(self) -> bool:
        """Whether this person may change the server."""
        return self.role == "administrator"

    def require_decider(self) -> None:
        """Raises Forbidden for a viewer."""
        if not self.can_decide:
            raise Forbidden("Viewers cannot decide. Ask an administrator for the moderator role.")

    def require_administrator(self) -> None:
        """Raises Forbidden for everybody but an administrator."""
        if not self.can_configure:
            raise Forbidden("Only administrators may do this.")

    @property
    def has_second_step(self) -> bool:
        """Whether signing in requires a two-factor code."""
        return self.totp_confirmed_at is not None


class ModeratorSession(Model):
    """A signed-in browser; the cookie holds the token, this row its digest."""

    digest = peewee.BlobField(primary_key=True)
    id = peewee.BigIntegerField()
    moderator = peewee.ForeignKeyField(Moderator, backref="sessions", on_delete="CASCADE")
    user_agent = peewee.TextField(default="")
    created_at = peewee.DateTimeField()
    seen_at = peewee.DateTimeField()
    expires_at = peewee.DateTimeField()

    @classmethod
    def start(cls, moderator: Moderator, hours: int, user_agent: str) -> str:
        """Start a session; returns its token, which is not stored."""
        token = new_token()
        cls.insert(
            digest=digest(token),
            moderator=moderator,
            user_agent=user_agent[:200],
            created_at=peewee.fn.now(),
            seen_at=peewee.fn.now(),
            expires_at=_from_now(hours),
        ).execute()
        return token

    @classmethod
    def moderator_of(cls, token: str) -> Moderator | None:
        """The enabled account of this token's session, if it has not expired."""
        return (
            Moderator.select()
            .join(cls, on=(cls.moderator == Moderator.id))
            .where(
                cls.digest == digest(token),
                cls.expires_at > peewee.fn.now(),
                Moderator.disabled_at.is_null(),
            )
            .first()
        )

    @classmethod
    def touch(cls, token: str) -> None:
        """Update ``seen_at``, at most once a minute."""
        cls.update(seen_at=peewee.fn.now()).where(
            cls.digest == digest(token),
            cls.seen_at < peewee.fn.now() - peewee.SQL("interval '1 minute'"),
        ).execute()

    @classmethod
    def of(cls, moderator: Moderator) -> list[ModeratorSession]:
        """The account's sessions, last seen first."""
        return list(
            cls.select()
            .where(cls.moderator == moderator.id, cls.expires_at > peewee.fn.now())
            .order_by(cls.seen_at.desc(), cls.id.desc())
        )

    def is_of(self, token: str) -> bool:
        """Whether this session has that token."""
        return bytes(self.digest) == digest(token)

    @classmethod
    def end(cls, token: str) -> None:
        """End the session on the server."""
        cls.delete().where(cls.digest == digest(token)).execute()

    @classmethod
    def end_all(cls, moderator_id: int, but: str | None = None) -> int:
        """End all sessions of an account except one token's; returns their number."""
        query = cls.delete().where(cls.moderator == moderator_id)
        if but is not None:
            query = query.where(cls.digest != digest(but))
        return int(query.execute())


class Invite(Model):
    """A link that creates one account with a role, once, until it expires."""

    digest = peewee.BlobField(primary_key=True)
    id = peewee.BigIntegerField()
    role = peewee.TextField()
    made_by = peewee.ForeignKeyField(Moderator, null=True, column_name="made_by")
    created_at = peewee.DateTimeField()
    expires_at = peewee.DateTimeField()
    used_at = peewee.DateTimeField(null=True)

    @classmethod
    def make(cls, role: str, hours: int, made_by: int | None = None) -> str:
        """Create a link; returns its token, which is not stored."""
        token = new_token()
        cls.insert(
            digest=digest(token),
            role=role,
            made_by=made_by,
            created_at=peewee.fn.now(),
            expires_at=_from_now(hours),
        ).execute()
        return token

    @classmethod
    def valid(cls, token: str) -> Invite:
        """The unused invite with this token; raises NotFound."""
        invite = cls.get_or_none(
            cls.digest == digest(token), cls.used_at.is_null(), cls.expires_at > peewee.fn.now()
        )
        if invite is None:
            raise NotFound("This link has been used or has expired. Ask for a new one.")
        return invite

    @classmethod
    def use(cls, token: str) -> str:
        """Mark the link used and return its role; raises NotFound if it was used before."""
        used: Any = (
            cls.update(used_at=peewee.fn.now())
            .where(
                cls.digest == digest(token),
                cls.used_at.is_null(),
                cls.expires_at > peewee.fn.now(),
            )
            .returning(cls.role)
            .execute()
        )
        for row in used:
            return str(row.role)
        raise NotFound("This link has been used or has expired. Ask for a new one.")


class PasswordLink(Model):
    """A link for choosing a new password, once, until it expires."""

    digest = peewee.BlobField(primary_key=True)
    moderator = peewee.ForeignKeyField(Moderator, on_delete="CASCADE")
    created_at = peewee.DateTimeField()
    expires_at = peewee.DateTimeField()
    used_at = peewee.DateTimeField(null=True)

    @classmethod
    def make(cls, moderator: Moderator, hours: int) -> str:
        """Create a link and delete older ones; returns the token, which is not stored."""
        token = new_token()
        cls.delete().where(cls.moderator == moderator.id, cls.used_at.is_null()).execute()
        cls.insert(
            digest=digest(token),
            moderator=moderator.id,
            created_at=peewee.fn.now(),
            expires_at=_from_now(hours),
        ).execute()
        return token

    @classmethod
    def valid(cls, token: str) -> PasswordLink:
        """The unused link with this token, of an enabled account; raises NotFound."""
        link = (
            cls.select(cls, Moderator)
            .join(Moderator)
            .where(
                cls.digest == digest(token),
                cls.used_at.is_null(),
                cls.expires_at > peewee.fn.now(),
                Moderator.disabled_at.is_null(),
            )
            .first()
        )
        if link is None:
            raise NotFound("This link has been used or has expired. Ask for a new one.")
        return link

    def use(self) -> None:
        """Mark the link used; raises NotFound if another request has used it."""
        query = PasswordLink.update(used_at=peewee.fn.now())
        same = PasswordLink.digest == self.digest
        if not query.where(same, PasswordLink.used_at.is_null()).execute():
            raise NotFound("This link has been used or has expired. Ask for a new one.")


def has_administrator() -> bool:
    """Whether an enabled administrator exists."""
    return (
        Moderator.select()
        .where(Moderator.role == "administrator", Moderator.disabled_at.is_null())
        .exists()
    )


def database_now() -> datetime:
    """The database's current time."""
    now: datetime = db.execute_sql("SELECT now()").fetchone()[0]
    return now


def _from_now(hours: int) -> Any:
    return peewee.fn.now() + peewee.SQL("make_interval(hours => %s)", (hours,))
