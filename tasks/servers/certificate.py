"""The certificate that nginx serves: checked, and put where nginx looks for it.

``TLS_CERTIFICATE`` and ``TLS_KEY`` are two files that somebody else renews, one after the other.
nginx reads a third one, SLUICE_HOME/etc/tls.pem, which holds both and is replaced whole, and only
by a pair that belongs together; it looks at it anew every second (``ssl_certificate_cache``). So a
renewal needs no reload, breaks no connection, and a bad one leaves the old certificate in place.
"""

from __future__ import annotations

import logging
import os
import pwd
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from models.errors import SettingError
from models.settings import Settings

log = logging.getLogger("sluice.certificate")
_complaint = ""  # what was logged last: once is enough


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain and key, as one PEM text, and when it ends."""

    pem: bytes
    until: datetime


def read(settings: Settings) -> Pair:
    """The pair that the settings name; raises SettingError where it cannot be served."""
    chain = _bytes("TLS_CERTIFICATE", settings.tls_certificate)
    key = _bytes("TLS_KEY", settings.tls_key)
    until = _check(settings, chain, key)
    return Pair(chain.rstrip() + b"\n" + key.rstrip() + b"\n", until)


def install(settings: Settings) -> Pair:
    """Put the pair where nginx reads it, if it is another one; raises SettingError."""
    pair = read(settings)
    path = settings.sluice_home / "etc" / "tls.pem"
    if not path.exists() or path.read_bytes() != pair.pem:
        fresh = path.with_name("tls.pem.new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pair.pem)
        fresh.rename(path)
        log.info("serving the certificate that ends %s", f"{pair.until:%Y-%m-%d}")
    return pair


def follow(settings: Settings) -> None:
    """Take a renewed pair; one that cannot be served is logged once and the old one stays."""
    global _complaint
    if not settings.tls_certificate:
        return
    try:
        install(settings)
        _complaint = ""
    except SettingError as error:
        if error.detail != _complaint:
            log.warning("the old certificate stays: %s", error.detail)
        _complaint = error.detail


def _bytes(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        user = pwd.getpwuid(os.getuid()).pw_name
        raise SettingError(
            f"{name}: {user} cannot read {path}: {error.strerror};"
            " docs/operating.md shows how certbot hands it over"
        ) from error


def _check(settings: Settings, chain: bytes, key: bytes) -> datetime:
    """When the certificate ends; raises SettingError naming what is wrong with the pair."""
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        text = f"TLS_CERTIFICATE: {settings.tls_certificate} is no PEM chain"
        raise SettingError(text) from error
    try:
        own = load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingError(
            f"TLS_KEY: {settings.tls_key} is no PEM private key without a password"
        ) from error
    if own != first.public_key():
        raise SettingError(
            f"TLS_KEY: {settings.tls_key} is not the key of {settings.tls_certificate}"
        )
    now, until = datetime.now(UTC), first.not_valid_after_utc
    if until < now:
        raise SettingError(f"TLS_CERTIFICATE: {settings.tls_certificate} ended {until:%Y-%m-%d}")
    if first.not_valid_before_utc > now:
        begins = f"{first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise SettingError(f"TLS_CERTIFICATE: {settings.tls_certificate} begins {begins}")
    return until
