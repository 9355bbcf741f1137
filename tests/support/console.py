"""A person at the console without a browser: forms with their tokens, cookies, fragments."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import requests

from tests.support.stack import Stack

FRAGMENT = {"HX-Request": "true"}


class Console:
    """``get`` and ``post`` below /console; every post carries the session's CSRF token."""

    def __init__(self, url: str) -> None:
        self.url = url + "/console"
        self.http = requests.Session()

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.http.get(self.url + path, **more)

    def post(self, path: str, form: str = "/sign-in", **fields: Any) -> requests.Response:
        """Fill the form that stands on the page ``form`` and send it to ``path``."""
        headers, follow = fields.pop("headers", {}), fields.pop("follow", True)
        fields["csrf_token"] = self.token(form)
        return self.http.post(self.url + path, data=fields, headers=headers, allow_redirects=follow)

    def token(self, page: str) -> str:
        found = re.search(
            r'(?:csrf_token" value|csrf-token" content)="([^"]+)', self.get(page).text
        )
        assert found, f"{page} has no form"
        return found[1]

    def sign_in(self, name: str, password: str, **more: Any) -> requests.Response:
        return self.post("/sign-in", name=name, password=password, **more)

    def deck(self, query: str = "") -> list[tuple[str, str]]:
        """(id, version) of the flags that the review page claims."""
        text = self.get("/review" + query).text
        ids = re.findall(r'data-case data-id="([^"]+)"', text)
        versions = re.findall(r'name="version" value="(\d+)"', text)
        return list(zip(ids, versions, strict=True))

    def decide(self, job_id: str, version: str, outcome: str, **more: Any) -> requests.Response:
        return self.post(
            f"/reviews/{job_id}/decision",
            form="/",
            outcome=outcome,
            version=version,
            headers=FRAGMENT,
            **more,
        )


def person(stack: Stack, role: str = "moderator", name: str = "") -> Console:
    """Somebody new of that role, signed in."""
    name = name or f"{role}-{uuid4().hex[:6]}"
    made = stack.json("moderator", "create", name, "--role", role, "--json")
    console = Console(stack.url)
    reply = console.sign_in(name, made["password"])
    assert reply.url.endswith("/console/"), reply.text
    return console
