"""The addresses of a webhook's host: looked up once, checked, and then called by address.

DNS rebinding (a public address now, a private one a moment later) does not work, because the name
is not looked up again between the check and the call.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import Future
from ipaddress import ip_address
from urllib.parse import urlsplit

from models.clients import validation
from models.errors import Invalid
from models.settings import Settings
from models.settings.allowed_hosts import Allowed, fixed_addresses, read_host

LOOKUP_TIMEOUT = 5.0  # seconds
Address = tuple[socket.AddressFamily, str]


class CallFailed(Exception):
    """A call that was not made or failed; ``name`` is the reason that the row stores."""

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(detail or name)
        self.name, self.detail = name, detail


def resolve(host: str, allowed: Allowed, seconds: float = LOOKUP_TIMEOUT) -> list[Address]:
    """The host's addresses that may be called, in the system's order; at least one.

    Raises CallFailed: ``dns`` if the name has no address, ``private address`` if none of its
    addresses may be called.
    """
    addresses = _look_up(host, seconds)
    if allowed.has_name(host):
        return addresses
    callable_ = [entry for entry in addresses if allowed.has(ip_address(entry[1]))]
    if not callable_:
        raise CallFailed("private address", addresses[0][1])
    return callable_


def check_webhook(url: str, settings: Settings) -> None:
    """Raises Invalid for a URL whose host may not be called.

    A name without an address is accepted: it may get one later, and is checked before each call.
    """
    validation.check_address(url)
    host = urlsplit(url).hostname or ""
    allowed = Allowed.parse(settings.webhook_allowed_hosts)
    try:
        _check_fixed(host, allowed)
        resolve(host, allowed, LOOKUP_TIMEOUT)
    except CallFailed as error:
        if error.name == "dns":
            return
        leads = "" if error.detail == host else f" resolves to {error.detail}, which"
        raise Invalid(
            f"{host}{leads} is not a public address, so no webhook is sent there."
            " An operator can allow it with WEBHOOK_ALLOWED_HOSTS.",
            field="webhook_url",
        ) from error


def _check_fixed(host: str, allowed: Allowed) -> None:
    """Raises CallFailed for an address or a local name, in any notation; nothing is looked up.

    The system's resolver does not know some notations, such as ``localhost.``.
    """
    addresses = fixed_addresses(read_host(host))
    if addresses and not allowed.has_name(host) and not any(map(allowed.has, addresses)):
        raise CallFailed("private address", str(addresses[0]))


def _look_up(host: str, seconds: float) -> list[Address]:
    """Ask the system's resolver, in a thread because it has no timeout."""
    result: Future[list[Address]] = Future()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            result.set_result([(row[0], str(row[4][0])) for row in rows])
        except (OSError, UnicodeError) as error:
            result.set_exception(error)

    threading.Thread(target=ask, name=f"lookup {host[:40]}", daemon=True).start()
    with contextlib.suppress(OSError, UnicodeError):  # a TimeoutError is an OSError
        if addresses := result.result(timeout=max(seconds, 0.01)):
            return addresses
    raise CallFailed("dns", host)
