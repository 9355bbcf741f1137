"""Revisions: a number by kind of configuration that rises with every change.

A process that holds rules or known hashes in memory compares the number, which costs one short
query, and reads them again only where it has risen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import peewee

from models.database.connection import Model

T = TypeVar("T")


class Revision(Model):
    """The number of one kind of configuration."""

    name = peewee.TextField(primary_key=True)
    number = peewee.BigIntegerField(default=1)

    @classmethod
    def bump(cls, name: str) -> None:
        """Tell every process that this configuration has changed; call it in the transaction."""
        cls.update(number=cls.number + 1).where(cls.name == name).execute()


class Watched(Generic[T]):
    """A value made from configuration, made anew within ``every`` seconds of a change."""

    def __init__(self, name: str, make: Callable[[], T], every: float = 1.0) -> None:
        self._name, self._make, self._every = name, make, every
        self._number, self._asked = -1, float("-inf")
        self._value: T | None = None

    def get(self) -> T:
        """The value; at most one question to the database in ``every`` seconds."""
        if time.monotonic() - self._asked >= self._every or self._value is None:
            self._asked = time.monotonic()
            number = Revision.get_by_id(self._name).number
            if number != self._number or self._value is None:
                self._value, self._number = self._make(), number
        return self._value
