"""Password policy, and argon2id in a real thread because it would block gevent's loop."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from models.errors import Invalid
from webapp.http.offload import offload

SHORTEST, LONGEST = 8, 128
COMMON = Path(__file__).parent / "data" / "common_passwords.txt"

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106, low-memory


def hashed(password: str, name: str = "") -> str:
    """The argon2id hash of a new password; raises Invalid if the policy refuses it."""
    _check(password, name)
    return offload(_hasher.hash, password)


def prepare() -> None:
    """Compute the dummy hash now: the first unknown name must not take longer either."""
    _dummy_hash()


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password has this hash. None is False and takes as long to check."""
    stored = password_hash or _dummy_hash()
    return offload(_verify, stored, password[: LONGEST + 1]) and bool(password_hash)


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
