"""Counts sign-in attempts in Redis, or in this process while Redis is down.

An attempt counts against the account and against the address. A browser that has signed in to this
account before counts for itself alone (``known_browser.py``): a stranger who guesses cannot lock
the person out, and the person does not give the stranger more guesses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from flask import current_app
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from models.errors import TooMany
from models.settings import Settings
from tasks.queue.redis_connection import connect
from webapp.limits.network import network_of_text

BY_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign-in-account")
BY_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="sign-in-address")
TOO_MANY = "Too many sign-in attempts. Try again in a few minutes."
LOCKED = (
    "Too many sign-in attempts with this name. Try again in a few minutes, or sign in now with a"
    " browser that has signed in here before. If the account has a second step, its code and the"
    " password together sign in too."
)

Key = tuple[RateLimitItem, str]


class AccountLocked(TooMany):
    """Too many attempts on an account by unknown browsers; the form asks for a code as well."""

    takes_code = True


class Throttle:
    """The counters of this process."""

    def __init__(self, settings: Settings) -> None:
        redis = RedisStorage("redis://", connection_pool=connect(settings), wrap_exceptions=True)
        self._stores = [cast("Storage", redis), MemoryStorage()]

    def count(self, keys: Iterable[Key]) -> None:
        """Count an attempt under each key; raises TooMany, AccountLocked for that of an account."""
        keys = list(keys)
        try:
            _count(self._stores[0], keys)
        except StorageError:
            _count(self._stores[1], keys)

    def give_back(self, keys: Iterable[Key]) -> None:
        """Take one attempt off each key after a success.

        Only one: a person who mistyped before has these attempts counted until they expire, but
        nobody gets more guesses because the person signed in.
        """
        for store in self._stores:
            limiter = FixedWindowRateLimiter(store)
            try:
                for item, key in keys:
                    limiter.hit(item, key, cost=-1)
                return
            except StorageError:
                continue

    def clear(self, name: str) -> None:
        """Forget the attempts on an account: its password is new."""
        for store in self._stores:
            try:
                FixedWindowRateLimiter(store).clear(BY_ACCOUNT, name.lower())
            except StorageError:
                continue


def throttle() -> Throttle:
    """The throttle of this application."""
    made: Throttle = current_app.extensions["sign_in_throttle"]
    return made


def of_account(name: str) -> Key:
    """The key of an account. A name has no space at its start: other keys begin with one."""
    return BY_ACCOUNT, name.lower()


def of_address(address: str | None) -> Key:
    """The key of an address: an IPv4 address, or an IPv6 network."""
    return BY_ADDRESS, network_of_text(address)


def _count(store: Storage, keys: Iterable[Key]) -> None:
    limiter = FixedWindowRateLimiter(store)
    for item, key in keys:
        if not limiter.hit(item, key):
            wait = max(1, int(item.get_expiry()))
            if item is BY_ACCOUNT and not key.startswith(" "):
                raise AccountLocked(LOCKED, retry_after=wait)
            raise TooMany(TOO_MANY, retry_after=wait)
