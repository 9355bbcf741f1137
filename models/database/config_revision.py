"""Configuration revisions: one number per kind of configuration, raised by every change.

A process that caches rules or known hashes compares the number, which costs one short query, and
reloads them only if the number has changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import peewee

from models.database.connection import Model

T = TypeVar("T")


class Revision(Model):
    """The revision number of one kind of configuration."""

    name = peewee.TextField(primary_key=True)
    number = peewee.BigIntegerField(default=1)

    @classmethod
    def bump(cls, name: str) -> None:
        """Signal a change to every process; call it in the transaction of the change."""
        cls.update(number=cls.number + 1).where(cls.name == name).execute()


class RevisionCache(Generic[T]):
    """A value built from configuration, rebuilt within ``every`` seconds of a change.

    Until then, and while it is rebuilt, callers get the previous value.
    """

    def __init__(self, name: str, make: Callable[[], T], every: float = 1.0) -> None:
        self._name, self._make, self._every = name, make, every
        self._number, self._checked_at = -1, float("-inf")
        self._value: T | None = None

    def expire(self) -> None:
        """Query the revision at the next call, however short ago the last query was."""
        self._checked_at = float("-inf")

    def get(self) -> T:
        """The value; queries the database at most once in ``every`` seconds."""
        if time.monotonic() - self._checked_at >= self._every or self._value is None:
            self._checked_at = time.monotonic()
            number = Revision.get_by_id(self._name).number
            if number != self._number or self._value is None:
                self._value, self._number = self._make(), number
        return self._value
