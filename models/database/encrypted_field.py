"""Secrets that the server must be able to read again, sealed before they reach the database.

Whoever has a copy of the database, or of its backup, has not what phones and webhooks are keyed
with: the key, ``SLUICE_HOME/secrets/seal``, is no part of it. Sealed with Fernet: AES-128-CBC under
HMAC-SHA256, so that what was changed is not opened either.
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
_settings: list[Settings] = []  # whose key it is; the key is read when it is first needed
_boxes: dict[str, Any] = {}


class Lost(str):
    """Stands for a secret whose key is gone: empty, so that it is nobody's."""


class SealedField(peewee.TextField):
    """A text that is sealed in the database and plain in Python."""

    def db_value(self, value: str | None) -> str | None:
        """The text, sealed; what is sealed or missing stays."""
        return value if value is None or value.startswith(MARK) else close(value)

    def python_value(self, value: str | None) -> str | None:
        """The text, or ``Lost``."""
        return None if value is None else reopen(value)


def bind(settings: Settings) -> None:
    """Use the key of this stack."""
    _settings[:] = [settings]


def close(text: str) -> str:
    """The text, sealed; raises SettingError where there is no key."""
    return MARK + _box().encrypt(text.encode()).decode()


def reopen(text: str) -> str:
    """What was sealed; ``Lost`` where it was with another key. Plain text is what it was."""
    from cryptography.fernet import InvalidToken

    if not text.startswith(MARK):
        return text
    try:
        return str(_box().decrypt(text.removeprefix(MARK)).decode())
    except InvalidToken:
        log.error("secrets/seal is not the key with which a secret in the database was sealed")
        return Lost()


def _box() -> Any:
    """What seals and opens; imported here because workers, which must stay lean, never need it."""
    from cryptography.fernet import Fernet

    key = _settings[0].secret("seal")
    if key not in _boxes:
        _boxes[key] = Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))
    return _boxes[key]
