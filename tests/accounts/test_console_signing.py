"""Accounts: the one-time link, signing in and out, and what no form lets through."""

from __future__ import annotations

import re

import pytest
import requests

from tests.support.console import Console, person
from tests.support.stack import Stack

PASSWORD = "four unrelated words"


@pytest.fixture(scope="module")
def mara(stack: Stack) -> tuple[str, str]:
    """The name and password of an account."""
    name = "Mara of the sign-in tests"
    return name, stack.json("moderator", "create", name, "--json")["password"]


def test_a_wrong_name_is_told_the_same_as_a_wrong_password(stack, mara):
    console = Console(stack.url)
    wrong = [console.sign_in(mara[0], "not her password"), console.sign_in("nobody", "at all")]
    assert [reply.status_code for reply in wrong] == [401, 401]
    texts = [re.search(r'class="fault".*?</p>', reply.text, re.S)[0] for reply in wrong]
    assert texts[0] == texts[1]


def test_attempts_on_an_account_are_throttled(stack):
    console = Console(stack.url)
    codes = [console.sign_in("guessed", "wrong").status_code for _ in range(11)]
    assert codes[:10] == [401] * 10
    assert codes[10] == 429


def test_signing_in_makes_a_new_session_with_a_guarded_cookie(stack, mara):
    console = Console(stack.url)
    console.get("/sign-in")
    before = console.http.cookies["sluice"]
    reply = console.sign_in(*mara, follow=False)
    assert console.http.cookies["sluice"] != before
    assert {"HttpOnly", "SameSite=Lax"} <= set(reply.headers["Set-Cookie"].split("; "))


def test_signing_out_ends_the_session_on_the_server(stack, mara):
    console = Console(stack.url)
    console.sign_in(*mara)
    kept = dict(console.http.cookies)
    assert requests.get(console.url + "/", cookies=kept).url.endswith("/console/")
    console.post("/sign-out", form="/")
    assert "/sign-in" in requests.get(console.url + "/", cookies=kept).url


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/first-client", "/reviews/undo"])
def test_no_form_goes_without_its_token(stack, path):
    console = person(stack)
    assert console.http.post(console.url + path, data={"name": "x"}).status_code == 400


def test_a_page_leads_to_the_sign_in_and_back(stack, mara):
    console = Console(stack.url)
    first = console.get("/review?view=list")
    assert "/sign-in?next=" in first.url
    reply = console.sign_in(*mara, next="/console/review?view=list", follow=False)
    assert reply.headers["Location"] == "/console/review?view=list"


ELSEWHERE = ["https://evil.example/", "//evil.example/console/", "/\\evil", "//["]
ELSEWHERE += [
    "/console/\nx",
    "/console/\r\nSet-Cookie: a=b",
    "/console/\tx",
    "\n/console/",
    "/con\nsole/x",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_it_leads_nowhere_else(stack, mara, target):
    reply = Console(stack.url).sign_in(*mara, next=target, follow=False)
    assert reply.headers["Location"] == "/console/"


def test_a_fragment_is_told_that_the_session_has_ended(stack):
    reply = requests.get(stack.url + "/console/review", headers={"HX-Request": "true"})
    assert (reply.status_code, "<html" in reply.text) == (401, False)


def test_pages_forbid_what_they_do_not_need(stack):
    headers = requests.get(stack.url + "/console/sign-in").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "HX-Request" in headers["Vary"]


@pytest.mark.parametrize("path", ["/console", "/console/team", "//console/team", "/"])
def test_a_redirect_does_not_repeat_the_host_of_the_request(stack, path):
    claimed = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    reply = requests.get(stack.url + path, headers=claimed, allow_redirects=False)
    assert reply.status_code in (301, 302, 308)
    assert re.match(r"/[^/]", reply.headers["Location"])


def test_a_page_with_a_token_in_its_url_sends_no_referrer(stack):
    reply = requests.get(stack.url + "/console/setup/not-a-token")
    assert reply.headers["Referrer-Policy"] == "strict-origin"


def test_a_name_that_cannot_be_stored_is_a_wrong_one(stack):
    assert Console(stack.url).sign_in("a\0b", "some password").status_code == 401
