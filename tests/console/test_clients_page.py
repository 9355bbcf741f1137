"""Clients in the console: what an administrator may change of them, and that others only look."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from tests.support.api import Api, eventually
from tests.support.console import Console, person
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def ada(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture
def client(stack: Stack, ada: Console) -> tuple[int, str, str]:
    """A client that was added on the page: its number, its name, its key."""
    name = f"Page {uuid4().hex[:8]}"
    shown = ada.post("/clients/", form="/clients/new", name=name, visibility="hold").text
    key = re.search(r'id="key">(sk_[\w-]+)<', shown)
    assert key, shown
    (row,) = stack.sql("SELECT id FROM client WHERE name = %s", name)
    return row[0], name, key[1]


def change(ada: Console, number: int, **fields: str):
    known = {"name": f"Changed {uuid4().hex[:8]}"}
    return ada.post(f"/clients/{number}", form="/", **{**known, **fields})


def refused(stack: Stack, key: str) -> bool:
    return Api(stack.url, key).submit(title="x").status_code == 401


def test_a_new_client_sends_with_the_key_that_is_shown_once(stack, ada, client):
    number, name, key = client
    told = Api(stack.url, key).submit(title="Garden chairs")
    assert told.status_code in (200, 202)
    page = ada.get(f"/clients/{number}").text
    assert key not in page and f"…{key[-4:]}" in page
    row = re.search(rf"<tr[^>]*>(?:(?!</tr>).)*{name}.*?</tr>", ada.get("/clients/").text, re.S)
    assert row and f"…{key[-4:]}" in row[0]
    assert re.search(r"<td[^>]*Uploads[^>]*>1</td>", row[0])


def test_a_line_to_try_stands_beside_the_key(ada):
    shown = ada.post("/clients/", form="/clients/new", name=f"Line {uuid4().hex[:6]}").text
    assert "curl http://" in shown and "Authorization: Bearer sk_" in shown.replace("&#34;", '"')


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_a_name_is_neither_empty_nor_endless(ada, name):
    reply = ada.post("/clients/", form="/clients/new", name=name)
    assert (reply.status_code, "1 to 60 characters" in reply.text) == (422, True)


def test_a_name_is_taken_once(ada, client):
    reply = ada.post("/clients/", form="/clients/new", name=client[1])
    assert (reply.status_code, "named" in reply.text) == (422, True)


def test_a_clients_weight_is_changed(stack, ada, client):
    number = client[0]
    row = "SELECT weight FROM client WHERE id = %s"
    assert stack.sql(row, number) == [(1,)]
    change(ada, number, weight="7")
    assert stack.sql(row, number) == [(7,)]


def test_what_a_new_client_shows_is_the_first_version_of_its_policy(stack, ada):
    name = f"First {uuid4().hex[:8]}"
    chosen = {"visibility": "publish_first", "publish_unchecked": "on"}
    ada.post("/clients/", form="/clients/new", name=name, **chosen)
    rows = stack.sql(
        "SELECT v.number, v.document, c.id, c.visibility FROM policy_version v"
        " JOIN policy p ON p.id = v.policy_id JOIN client c ON c.id = p.client_id"
        " WHERE c.name = %s",
        name,
    )
    document = {"labels": {}, "visibility": "publish_first", "publish_unchecked": True}
    assert [row[:2] for row in rows] == [(1, document)]
    assert rows[0][3] == "publish_first", "processes of the release before read it there"
    eventually(lambda: "publish first" in ada.get("/policies").text.split(name)[1][:2000], 10)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("weight", "0", "whole number from 1 to 100"),
        ("weight", "a half", "whole number from 1 to 100"),
        ("webhook_url", "ftp://example.org", "must be a URL such as"),
        ("webhook_url", "https://", "must be a URL such as"),
        ("webhook_url", "https://me:secret@example.org/", "must not contain a user name"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field(stack, ada, client, field, value, sentence):
    before = stack.sql("SELECT * FROM client WHERE id = %s", client[0])
    reply = change(ada, client[0], **{field: value})
    fault = re.search(rf'id="fault-{field}".*?</p>', reply.text, re.S)
    assert reply.status_code == 422
    assert fault and sentence in fault[0]
    assert stack.sql("SELECT * FROM client WHERE id = %s", client[0]) == before


def test_a_webhooks_secret_is_shown_once_and_rotates_with_an_overlap(stack, ada, client):
    number = client[0]
    first = change(ada, number, webhook_url="https://example.org/hooks/sluice")
    secret = re.search(r'id="secret">(whsec_[\w+/=]+)<', first.text)
    assert secret
    assert secret[1] not in ada.get(f"/clients/{number}").text
    second = ada.post(f"/clients/{number}/webhook-secret", form="/").text
    assert "whsec_" in second and secret[1] not in second
    kept = "SELECT webhook_secret_before, webhook_secret_before_until > now() FROM client"
    ((before, holds),) = stack.sql(f"{kept} WHERE id = %s", number)
    assert holds and before.startswith("sealed:") and secret[1] not in before


def test_a_revoked_key_fails_within_five_seconds(stack, ada, client):
    number, _, key = client
    assert not refused(stack, key)
    (row,) = stack.sql("SELECT id FROM api_key WHERE client_id = %s", number)
    ada.post(f"/clients/{number}/keys/{row[0]}/revocation", form="/")
    eventually(lambda: refused(stack, key), seconds=5)
    assert "revoked" in ada.get(f"/clients/{number}").text


def test_a_key_rotates_with_an_overlap_or_at_once(stack, ada, client):
    number, _, key = client

    def rotated(hours: str) -> str:
        shown = ada.post(f"/clients/{number}/keys", form="/", hours=hours).text
        return re.search(r'id="key">(sk_[\w-]+)<', shown)[1]

    second = rotated("24")
    assert not refused(stack, key) and not refused(stack, second)
    third = rotated("0")
    assert not refused(stack, third)
    eventually(lambda: refused(stack, second), seconds=5)


def test_another_clients_key_is_not_revoked(stack, ada, client):
    other = ada.post("/clients/", form="/clients/new", name=f"Other {uuid4().hex[:6]}").text
    key = re.search(r'id="key">(sk_[\w-]+)<', other)[1]
    (row,) = stack.sql("SELECT id FROM api_key WHERE hint = %s ORDER BY id DESC", key[-4:])[:1]
    reply = ada.post(f"/clients/{client[0]}/keys/{row[0]}/revocation", form="/")
    assert reply.status_code == 404
    assert not refused(stack, key)


def test_a_suspended_client_is_refused_until_it_is_resumed(stack, ada, client):
    number, _, key = client
    ada.post(f"/clients/{number}/suspension", form="/", suspended="1")
    eventually(lambda: refused(stack, key), seconds=5)
    assert "suspended" in ada.get("/clients/").text
    ada.post(f"/clients/{number}/suspension", form="/", suspended="0")
    eventually(lambda: not refused(stack, key), seconds=5)


@pytest.mark.parametrize("role", ["viewer", "moderator"])
def test_others_see_but_do_not_change(stack, client, role):
    number, name, _ = client
    other = person(stack, role)
    assert name in other.get("/clients/").text
    page = other.get(f"/clients/{number}")
    assert page.status_code == 200 and "<form" not in page.text.split("<main")[1].split("</main")[0]
    for path in (f"/clients/{number}", f"/clients/{number}/keys", f"/clients/{number}/suspension"):
        reply = other.post(path, form="/")
        assert (reply.status_code, "Only administrators" in reply.text) == (403, True)
    assert other.get("/clients/new").status_code == 403


def test_each_change_is_written_down_without_secrets(stack, ada, client):
    number, name, key = client
    secret = re.search(
        r"whsec_[\w+/=]+", change(ada, number, name=name, webhook_url="https://a.example/").text
    )
    ada.post(f"/clients/{number}/keys", form="/")
    ada.post(f"/clients/{number}/suspension", form="/", suspended="1")
    rows = stack.sql("SELECT action, details::text FROM audit WHERE subject = %s ORDER BY id", name)
    wanted = ["client.create", "client.change", "key.issue", "client.suspend"]
    assert [row[0] for row in rows] == wanted
    told = " ".join(row[1] for row in rows)
    assert "https://a.example/" in told and key not in told and secret[0] not in told
