"""Somebody with an account, a phone and several browsers."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import pyotp

from tests.support.console import Console
from tests.support.stack import Stack


class Someone:
    """An account with its password, and the browsers it signs in with."""

    def __init__(self, stack: Stack, role: str = "moderator") -> None:
        self.stack, self.name = stack, f"Account {uuid4().hex[:8]}"
        made = stack.json("moderator", "create", self.name, "--role", role, "--json")
        self.password, self.secret = made["password"], ""
        self.here = self.browser()

    def browser(self) -> Console:
        console = Console(self.stack.url)
        console.sign_in(self.name, self.password)
        return console

    def begin(self) -> str:
        """Begin the second step; the page that shows the secret."""
        page = self.here.post("/account/second-step", form="/", current=self.password).text
        self.secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
        return page

    def enrol(self) -> list[str]:
        """Turn the second step on; the recovery codes."""
        self.begin()
        page = self.here.post("/account/second-step/confirmation", form="/", code=self.code()).text
        return re.findall(r"^(?:.*>)?((?:[a-z2-9]{4}-){3}[a-z2-9]{4})$", page, re.M)

    def code(self, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(int(time.time()) + 30 * steps)

    def fresh(self) -> None:
        """Forget which step was used last, as half a minute would do."""
        self.stack.sql("UPDATE moderator SET totp_step = 0 WHERE name = %s", self.name)
