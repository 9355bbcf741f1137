"""The certificate that nginx serves: check it and install it for nginx.

``TLS_CERTIFICATE`` and ``TLS_KEY`` are two files that another program renews, one after the other.
nginx reads a third file, SLUICE_HOME/etc/tls.pem, which holds both. It is replaced as a whole, and
only by a matching pair. nginx reads it again every second (``ssl_certificate_cache``), so a renewal
needs no reload and breaks no connection. If a renewal is invalid, the old certificate stays.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from models.errors import SettingError
from models.settings import Settings
from tasks.servers.layout import user_name

log = logging.getLogger("sluice.certificate")
_last_warning = ""  # so that it is logged once


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain and key as one PEM text, and its expiry."""

    pem: bytes
    until: datetime


def read(settings: Settings) -> Pair:
    """The pair that the settings name; raises SettingError if nginx cannot serve it."""
    chain = _bytes("TLS_CERTIFICATE", settings.tls_certificate)
    key = _bytes("TLS_KEY", settings.tls_key)
    until = _check(settings, chain, key)
    return Pair(chain.rstrip() + b"\n" + key.rstrip() + b"\n", until)


def install(settings: Settings) -> Pair:
    """Write the pair for nginx if it has changed; raises SettingError."""
    pair = read(settings)
    path = settings.sluice_home / "etc" / "tls.pem"
    if not path.exists() or path.read_bytes() != pair.pem:
        fresh = path.with_name("tls.pem.new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pair.pem)
        fresh.rename(path)
        log.info("serving the certificate that expires on %s", f"{pair.until:%Y-%m-%d}")
    return pair


def follow(settings: Settings) -> None:
    """Install a renewed pair; an invalid one is logged once and the old one stays."""
    global _last_warning
    if not settings.tls_certificate:
        return
    try:
        install(settings)
        _last_warning = ""
    except SettingError as error:
        if error.detail != _last_warning:
            log.warning("the old certificate stays in use: %s", error.detail)
        _last_warning = error.detail


def _bytes(name: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        user = user_name(os.getuid())
        raise SettingError(
            f"{name}: {user} cannot read {path}: {error.strerror};"
            " docs/operating.md shows how certbot can copy it"
        ) from error


def _check(settings: Settings, chain: bytes, key: bytes) -> datetime:
    """When the certificate expires; raises SettingError with what is wrong with the pair."""
    try:
        first = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        text = f"TLS_CERTIFICATE: {settings.tls_certificate} is not a PEM chain"
        raise SettingError(text) from error
    try:
        own = load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingError(
            f"TLS_KEY: {settings.tls_key} is not a PEM private key without a password"
        ) from error
    if own != first.public_key():
        raise SettingError(
            f"TLS_KEY: {settings.tls_key} is not the key of {settings.tls_certificate}"
        )
    now, until = datetime.now(UTC), first.not_valid_after_utc
    if until < now:
        raise SettingError(
            f"TLS_CERTIFICATE: {settings.tls_certificate} expired on {until:%Y-%m-%d}"
        )
    if first.not_valid_before_utc > now:
        begins = f"{first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        raise SettingError(
            f"TLS_CERTIFICATE: {settings.tls_certificate} is not valid before {begins}"
        )
    return until
