"""Where a webhook's host leads: looked up once, checked, and then called at that very address.

A name that answers with a public address now and a private one a moment later (DNS rebinding) gains
nothing: nobody looks it up again between the check and the call.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from concurrent.futures import Future
from urllib.parse import urlsplit

from models.clients import validation
from models.errors import Invalid
from models.settings import Settings, allowed_hosts
from models.settings.allowed_hosts import Allowed

PATIENCE = 5.0  # seconds for a look-up
Found = tuple[socket.AddressFamily, str]  # an address with its family


class NotCalled(Exception):
    """A call that was not made, or came to nothing; ``name`` says why, and stays in the row."""

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(detail or name)
        self.name, self.detail = name, detail


def resolve(host: str, allowed: Allowed, seconds: float = PATIENCE) -> list[Found]:
    """The host's addresses that may be called, in the system's order; at least one.

    Raises NotCalled: ``dns`` where the name leads nowhere, ``private address`` where it leads only
    to addresses that may not be called.
    """
    found = _look_up(host, seconds)
    if allowed.has_name(host):
        return found
    open_ = [one for one in found if allowed.has(allowed_hosts.read(one[1]))]
    if not open_:
        raise NotCalled("private address", found[0][1])
    return open_


def check_webhook(url: str, settings: Settings) -> None:
    """Raises Invalid for an address that no call would go to.

    A name that nobody knows yet passes: it may come later, and is checked before each call.
    """
    validation.check_address(url)
    host = urlsplit(url).hostname or ""
    try:
        resolve(host, Allowed.parse(settings.webhook_allowed_hosts), PATIENCE)
    except NotCalled as error:
        if error.name == "dns":
            return
        leads = "" if error.detail == host else f" leads to {error.detail}, which"
        raise Invalid(
            f"{host}{leads} is not on the public internet, so nothing is sent there."
            " An operator can allow it: WEBHOOK_ALLOWED_HOSTS.",
            field="webhook_url",
        ) from error


def _look_up(host: str, seconds: float) -> list[Found]:
    """What the system's resolver says, which takes as long as it likes: hence a thread."""
    answer: Future[list[Found]] = Future()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answer.set_result([(row[0], str(row[4][0])) for row in rows])
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name=f"look-up {host[:40]}", daemon=True).start()
    with contextlib.suppress(OSError, UnicodeError):  # a TimeoutError is an OSError
        if found := answer.result(timeout=max(seconds, 0.01)):
            return found
    raise NotCalled("dns", host)
