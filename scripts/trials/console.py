"""A person signed in to the console during a fault."""

from __future__ import annotations

import json
import re

import urllib3

from scripts._own_stack import Stack

TOKEN = re.compile(r'(?:csrf_token" value|csrf-token" content)="([^"]+)')


class Console:
    """A person's browser; it only reads pages."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.settings.url}/console"
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(20.0))
        self._cookies: dict[str, str] = {}
        made = stack.script("moderator", "create", "Ada", "--role", "administrator", "--json")
        page = self._ask("GET", "/sign-in").data.decode()
        token = TOKEN.search(page)
        fields = {"name": "Ada", "password": json.loads(made)["password"]}
        self._ask("POST", "/sign-in", {**fields, "csrf_token": token[1] if token else ""})
        if self.reads() != 200:
            raise RuntimeError("nobody could sign in at the console")

    def reads(self) -> int:
        """The status of a page that reads submissions; 0 without a response."""
        try:
            reply = self._ask("GET", "/submissions")
        except urllib3.exceptions.HTTPError:
            return 0
        return int(reply.status)

    def _ask(
        self, method: str, path: str, fields: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        more = {"fields": fields, "encode_multipart": False} if fields else {}
        reply = self._http.request(
            method, self._url + path, headers=headers, redirect=False, **more
        )
        for cookie in reply.headers.getlist("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return reply
