"""Validates a client's name, weight, languages and webhook address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from models.clients.language_names import LANGUAGES
from models.errors import Invalid
from models.settings.allowed_hosts import read_host

LONGEST_NAME = 60
MAX_WEIGHT = 100


def check(values: dict[str, Any]) -> None:
    """Raises Invalid for an invalid name, weight, language or address."""
    check_name(values["name"])
    check_weight(values["weight"])
    check_languages(values["languages"])
    if values["webhook_url"]:
        check_address(values["webhook_url"])


def check_name(name: str) -> None:
    """Raises Invalid for a name that is empty or too long."""
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise Invalid(f"A name must have 1 to {LONGEST_NAME} characters.", field="name")


def check_weight(weight: int) -> None:
    """Raises Invalid for a weight that is no whole number from 1 to 100."""
    if not 1 <= weight <= MAX_WEIGHT:
        raise Invalid(f"weight must be a whole number from 1 to {MAX_WEIGHT}.", field="weight")


def check_languages(languages: list[str] | None) -> None:
    """Raises Invalid for an unknown language; None is the server's default."""
    unknown = [code for code in languages or () if code not in LANGUAGES]
    if unknown:
        raise Invalid(
            f"languages must be codes such as en or sv, not {unknown[0]!r}.", field="languages"
        )


def check_address(url: str) -> None:
    """Raises Invalid for a malformed webhook URL; it is not resolved or called."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        read_host(parts.hostname or "")
    except ValueError:
        valid = False
    if not valid or len(url) > 2000 or any(c.isspace() or not c.isprintable() for c in url):
        raise Invalid(
            "The webhook must be a URL such as https://example.org/hooks/sluice.",
            field="webhook_url",
        )
    if "@" in parts.netloc:
        raise Invalid(
            "The webhook URL must not contain a user name or password.", field="webhook_url"
        )
