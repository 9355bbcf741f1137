"""The audit: what people did, append-only."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.db import Model
from models.moderator import Moderator


class Audit(Model):
    """One act of a person (no moderator: of a script)."""

    id = peewee.BigAutoField()
    at = peewee.DateTimeField()
    moderator = peewee.ForeignKeyField(Moderator, null=True)
    action = peewee.TextField()
    subject = peewee.TextField(default="")
    details = BinaryJSONField(default=dict)

    @classmethod
    def append(
        cls, action: str, subject: str = "", *, moderator_id: int | None = None, **details: Any
    ) -> None:
        """Write down an act, in the transaction of what it did."""
        cls.insert(
            at=peewee.fn.now(),
            moderator=moderator_id,
            action=action,
            subject=subject,
            details=details,
        ).execute()
