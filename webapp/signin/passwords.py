"""Password policy, and argon2id in a real thread because it would block gevent's loop.

One hash takes 64 MB and up to two cores for a tenth of a second. Each process computes one at a
time; a few requests wait, without a database connection, and the others are refused at once. So a
flood of sign-ins cannot take the memory and the threads that uploads need.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.database.connection import release
from models.errors import Invalid
from webapp.http.offload import offload
from webapp.uploads.concurrency_limit import ConcurrencyLimit

SHORTEST, LONGEST = 8, 128
COMMON = Path(__file__).parent / "data" / "common_passwords.txt"

MOST_WAITING = 8  # requests per process
WAIT = 5.0  # seconds
BUSY = "Too many people sign in at this moment. Try again in a few seconds."

T = TypeVar("T")
_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106, low-memory
_turns = ConcurrencyLimit(1, WAIT, most_waiting=MOST_WAITING, detail=BUSY)


def hashed(password: str, name: str = "") -> str:
    """The argon2id hash of a new password; raises Invalid by the policy, or Unavailable."""
    _check(password, name)
    return _in_turn(_hasher.hash, password)


def prepare() -> None:
    """Compute the dummy hash now: the first unknown name must not take longer either."""
    _dummy_hash()


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password has this hash. None is False and takes as long to check.

    Raises Unavailable if too many others wait.
    """
    stored = password_hash or _dummy_hash()
    return _in_turn(_verify, stored, password[: LONGEST + 1]) and bool(password_hash)


def _in_turn(call: Callable[..., T], *arguments: str) -> T:
    """The result of a call that computes a hash, alone in this process."""
    release()  # a request that waits holds no database connection
    with _turns.slot():
        return offload(call, *arguments)


def _check(password: str, name: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(
            f"A password has {SHORTEST} to {LONGEST} characters.",
            field="password",
        )
    if password.lower() in _common():
        raise Invalid(
            "This is one of the most common passwords. Use a few unrelated words instead.",
            field="password",
        )
    if name and password.lower().startswith(name.strip().lower()) and len(password) < 16:
        raise Invalid("Use a password that does not begin with your name.", field="password")


@cache
def _common() -> frozenset[str]:
    lines = COMMON.read_text("utf-8").splitlines()
    return frozenset(line.lower() for line in lines if not line.startswith("#"))


@cache
def _dummy_hash() -> str:
    return _hasher.hash("compared with the password of an unknown name")


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
