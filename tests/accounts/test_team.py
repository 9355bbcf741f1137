"""The team: invitations, roles, shutting out, and that an administrator is always left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.support.console import Console, person
from tests.support.stack import Stack, running

PASSWORD = "four unrelated words"


@pytest.fixture(scope="module")
def ada(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture(scope="module")
def alone() -> Iterator[Stack]:
    """A stack whose administrators are those of a test."""
    with running() as stack:
        yield stack


def somebody(stack: Stack, role: str = "moderator") -> tuple[Console, str, int]:
    """A person who is signed in, with name and number."""
    name = f"{role}-{uuid4().hex[:6]}"
    console = person(stack, role, name)
    return console, name, number_of(stack, name)


def number_of(stack: Stack, name: str) -> int:
    return stack.sql("SELECT id FROM moderator WHERE name = %s", name)[0][0]


def is_in(console: Console) -> bool:
    return console.get("/").url.endswith("/console/")


def link_of(text: str) -> str:
    return re.search(r'id="link">https?://[^/]+/console(/[^<]+)<', text)[1]


def test_an_invitation_makes_one_account_of_its_role(stack, ada):
    link = link_of(ada.post("/team/invites", form="/", role="viewer").text)
    name = f"Invited {uuid4().hex[:6]}"
    joined = Console(stack.url)
    joined.post(link, form=link, name=name, password=PASSWORD)
    assert is_in(joined)
    assert stack.sql("SELECT role FROM moderator WHERE name = %s", name) == [("viewer",)]
    assert Console(stack.url).get(link).status_code == 404


def test_an_invitation_can_be_revoked_and_ends_by_itself(stack, ada):
    link = link_of(ada.post("/team/invites", form="/", role="moderator").text)
    (row,) = stack.sql(
        "SELECT id, extract(epoch FROM expires_at - created_at)::int FROM invite"
        " WHERE used_at IS NULL ORDER BY id DESC LIMIT 1"
    )
    assert row[1] == 48 * 3600
    ada.post(f"/team/invites/{row[0]}/revocation", form="/")
    assert Console(stack.url).get(link).status_code == 404
    assert ada.post(f"/team/invites/{row[0]}/revocation", form="/").status_code == 404


def test_a_role_that_is_none_is_refused(ada):
    assert ada.post("/team/invites", form="/", role="emperor").status_code == 422


def test_another_role_holds_from_the_next_page_on(stack, ada):
    console, name, number = somebody(stack, "viewer")
    assert console.get("/clients/new").status_code == 403
    ada.post(f"/team/{number}/role", form="/", role="administrator")
    assert console.get("/clients/new").status_code == 200
    (row,) = stack.sql(
        "SELECT action, details FROM audit WHERE subject = %s ORDER BY id DESC", name
    )[:1]
    assert row == ("moderator.role", {"before": "viewer", "after": "administrator"})


def test_who_is_disabled_is_out_at_once_and_until_enabled(stack, ada):
    name = f"Out {uuid4().hex[:6]}"
    password = stack.json("moderator", "create", name, "--json")["password"]
    console = Console(stack.url)
    console.sign_in(name, password)
    number = number_of(stack, name)
    ada.post(f"/team/{number}/disabling", form="/", disabled="1")
    assert not is_in(console)
    assert Console(stack.url).sign_in(name, password).status_code == 401
    ada.post(f"/team/{number}/disabling", form="/", disabled="0")
    assert Console(stack.url).sign_in(name, password).status_code == 200


def test_a_reset_ends_password_and_sessions_and_its_link_works_once(stack, ada):
    name = f"Reset {uuid4().hex[:6]}"
    password = stack.json("moderator", "create", name, "--json")["password"]
    console = Console(stack.url)
    console.sign_in(name, password)
    link = link_of(ada.post(f"/team/{number_of(stack, name)}/reset", form="/").text)
    assert not is_in(console)
    assert Console(stack.url).sign_in(name, password).status_code == 401
    weak = Console(stack.url).post(link, form=link, password="password1")
    assert (weak.status_code, "most common passwords" in weak.text) == (422, True)
    chosen = Console(stack.url).post(link, form=link, password=PASSWORD)
    assert "Your new password is saved" in chosen.text
    assert Console(stack.url).sign_in(name, PASSWORD).status_code == 200
    assert Console(stack.url).get(link).status_code == 404


def test_a_second_reset_takes_the_place_of_the_first(stack, ada):
    _, _, number = somebody(stack)
    first = link_of(ada.post(f"/team/{number}/reset", form="/").text)
    second = link_of(ada.post(f"/team/{number}/reset", form="/").text)
    assert Console(stack.url).get(first).status_code == 404
    assert Console(stack.url).get(second).status_code == 200


def test_the_link_of_somebody_who_is_disabled_is_over(stack, ada):
    _, _, number = somebody(stack)
    link = link_of(ada.post(f"/team/{number}/reset", form="/").text)
    ada.post(f"/team/{number}/disabling", form="/", disabled="1")
    assert Console(stack.url).get(link).status_code == 404


@pytest.mark.parametrize("role", ["viewer", "moderator"])
def test_others_see_the_team_but_change_nothing(stack, ada, role):
    console, name, number = somebody(stack, role)
    page = console.get("/team/")
    assert name in page.text and "Create a link" not in page.text
    for path in ("invites", f"{number}/role", f"{number}/disabling", f"{number}/reset"):
        reply = console.post(f"/team/{path}", form="/", role="administrator", disabled="1")
        assert (reply.status_code, "Only administrators" in reply.text) == (403, True)
    assert stack.sql("SELECT role FROM moderator WHERE id = %s", number) == [(role,)]


def test_the_last_administrator_stays(alone):
    only, _, number = somebody(alone, "administrator")
    alone.sql(
        "UPDATE moderator SET role = 'viewer' WHERE role = 'administrator' AND id <> %s", number
    )
    for path, fields in (("role", {"role": "viewer"}), ("disabling", {"disabled": "1"})):
        reply = only.post(f"/team/{number}/{path}", form="/", **fields)
        assert (reply.status_code, "the last administrator" in reply.text) == (409, True)
    assert is_in(only)


def test_two_who_shut_each_other_out_at_once_leave_one(alone):
    for _ in range(5):
        one, _, first = somebody(alone, "administrator")
        two, _, second = somebody(alone, "administrator")
        alone.sql(
            "UPDATE moderator SET disabled_at = now() WHERE id NOT IN (%s, %s)", first, second
        )
        tokens = [one.token("/"), two.token("/")]

        def shut_out(who: Console, token: str, whom: int) -> int:
            form = {"csrf_token": token, "disabled": "1"}
            path = f"{who.url}/team/{whom}/disabling"
            return who.http.post(path, data=form, allow_redirects=False).status_code

        with ThreadPoolExecutor(2) as both:
            jobs = ((one, tokens[0], second), (two, tokens[1], first))
            codes = list(both.map(lambda job: shut_out(*job), jobs))
        left = alone.sql(
            "SELECT count(*) FROM moderator WHERE role = 'administrator' AND disabled_at IS NULL"
        )
        assert left == [(1,)], codes
