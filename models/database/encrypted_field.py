"""Secrets that the server must read again, encrypted in the database.

A copy of the database, or of its backup, does not reveal the secrets of two-factor codes and
webhooks: the key, ``SLUICE_HOME/secrets/seal``, is stored outside. Encrypted with Fernet
(AES-128-CBC with HMAC-SHA256), so a modified value fails to decrypt.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from typing import Any

import peewee

from models.settings import Settings

log = logging.getLogger("sluice.seal")
MARK = "sealed:"
_settings: list[Settings] = []  # of the stack that owns the key; the key is read on first use
_ciphers: dict[str, Any] = {}


class Undecryptable(str):
    """A secret that the key cannot decrypt: falsy, matches nothing."""


class EncryptedField(peewee.TextField):
    """Text that is encrypted in the database and plain in Python."""

    def db_value(self, value: str | None) -> str | None:
        """The text, encrypted; encrypted text and None are unchanged."""
        return value if value is None or value.startswith(MARK) else encrypt(value)

    def python_value(self, value: str | None) -> str | None:
        """The text, or ``Undecryptable``."""
        return None if value is None else decrypt(value)


def bind(settings: Settings) -> None:
    """Use this stack's key."""
    _settings[:] = [settings]


def encrypt(text: str) -> str:
    """The text, encrypted; raises SettingError if the key is missing."""
    return MARK + _cipher().encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    """The plain text; ``Undecryptable`` if it has another key. Plain text is returned as it is."""
    from cryptography.fernet import InvalidToken

    if not text.startswith(MARK):
        return text
    try:
        return str(_cipher().decrypt(text.removeprefix(MARK)).decode())
    except InvalidToken:
        log.error("a secret in the database is encrypted with another key than secrets/seal")
        return Undecryptable()


def _cipher() -> Any:
    """The cipher; imported here because workers must stay small and never need it."""
    from cryptography.fernet import Fernet

    key = _settings[0].secret("seal")
    if key not in _ciphers:
        _ciphers[key] = Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))
    return _ciphers[key]
