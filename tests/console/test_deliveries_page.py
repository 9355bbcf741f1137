"""Deliveries: found by state, client and event; what was given up is sent again under its id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from tests.support.console import FRAGMENT, Console, person
from tests.support.receiver import Receiver, receiving
from tests.support.stack import Stack, wait_until


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture(scope="module")
def ada(stack: Stack) -> Console:
    return person(stack, "administrator")


class Site:
    """A client with a webhook, and deliveries that a test writes for it."""

    def __init__(self, stack: Stack, url: str) -> None:
        self.stack, self.name = stack, f"Site {uuid4().hex[:8]}"
        stack.run("client", "create", self.name, "--webhook", url)
        ((self.number,),) = stack.sql("SELECT id FROM client WHERE name = %s", self.name)

    def owe(self, state: str = "dead", event: str = "submission.decided", **more: str) -> UUID:
        made = uuid7()
        self.stack.sql(
            "INSERT INTO delivery (id, client_id, event, payload, state, attempts, outcome, due_at)"
            " VALUES (%s, %s, %s, %s, %s, 14, %s, now() + interval '1 hour')",
            str(made),
            self.number,
            event,
            more.get("payload", "{}"),
            state,
            more.get("outcome"),
        )
        return made

    def state(self, delivery: UUID) -> tuple[str, int]:
        row = "SELECT state, attempts FROM delivery WHERE id = %s"
        return self.stack.sql(row, str(delivery))[0]


@pytest.fixture
def site(stack: Stack, receiver: Receiver) -> Site:
    receiver.status = 200
    return Site(stack, receiver.url)


def ids(text: str) -> list[str]:
    return re.findall(r'href="/console/deliveries/([0-9a-f-]{36})"', text)


def test_filters_stand_in_the_url(ada, site):
    dead, owed = site.owe("dead"), site.owe("owed", "submission.retracted")
    taken = site.owe("delivered")
    for query, wanted in (
        ("", [taken, owed, dead]),
        ("&state=dead", [dead]),
        ("&state=owed", [owed]),
        ("&event=submission.retracted", [owed]),
        ("&event=submission.retracted&state=dead", []),
        ("&state=nonsense", [taken, owed, dead]),
    ):
        page = ada.get(f"/deliveries/?client={site.number}{query}").text
        assert ids(page) == [str(one) for one in wanted], query


def test_older_ones_come_behind_an_id(ada, site):
    made = [str(site.owe("delivered")) for _ in range(52)]
    page = ada.get(f"/deliveries/?client={site.number}").text
    older = re.search(r'hx-get="/console([^"]+)"', page)[1].replace("&amp;", "&")
    part = ada.get(older, headers=FRAGMENT).text
    assert "<html" not in part
    assert ids(page) + ids(part) == made[::-1]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("status 500", "status 500: internal error"),
        ("status 302", "status 302: redirects are not followed"),
        ("timeout", "no response within 15 seconds"),
        ("dns", "host name not found"),
        ("refused", "connection refused"),
        ("unreachable", "network unreachable"),
        ("reset", "connection reset"),
        ("no reply", "connection closed without a response"),
        ("tls", "TLS failed"),
        ("private address", "not called: the address is not on the public internet"),
        ("too large", "response headers too large"),
        ("garbled", "not HTTP"),
        ("off", "with the webhook off"),
        ("SomethingNew", "SomethingNew"),
        (None, "not tried yet"),
    ],
)
def test_an_outcome_reads_as_words(ada, site, outcome, words):
    made = site.owe(outcome=outcome)
    assert words in ada.get(f"/deliveries/{made}").text


def test_the_payload_is_shown_as_text(ada, site):
    made = site.owe(payload='{"data": {"user_id": "<script>x</script> سوق 🪑"}}')
    page = ada.get(f"/deliveries/{made}").text
    assert "&lt;script&gt;x&lt;/script&gt; سوق 🪑" in page and "<script>x" not in page


@pytest.mark.parametrize("state", ["dead", "delivered"])
def test_what_is_over_is_sent_again_under_its_id(ada, site, receiver, state):
    made = site.owe(state)
    ada.post(f"/deliveries/{made}/resending", form="/")
    wait_until(lambda: str(made) in receiver.ids)
    wait_until(lambda: site.state(made) == ("delivered", 1))
    rows = "SELECT action FROM audit WHERE subject = %s"
    assert site.stack.sql(rows, str(made)) == [("delivery.resend",)]


@pytest.mark.parametrize("state", ["owed", "cancelled"])
def test_what_is_not_over_is_not_sent_again(ada, site, state):
    made = site.owe(state)
    assert ada.post(f"/deliveries/{made}/resending", form="/").status_code == 409
    assert site.state(made) == (state, 14)


def test_nothing_is_sent_to_a_client_without_a_webhook(ada, site):
    made = site.owe()
    site.stack.sql("UPDATE client SET webhook_url = NULL WHERE id = %s", site.number)
    reply = ada.post(f"/deliveries/{made}/resending", form="/")
    assert (reply.status_code, "no longer has a webhook" in reply.text) == (409, True)


def test_all_dead_ones_of_a_client_are_sent_again(ada, site, receiver):
    other = Site(site.stack, receiver.url)
    kept = other.owe()
    made = [site.owe(), site.owe(), site.owe("owed")]
    ada.post("/deliveries/resending", form="/", client=str(site.number))
    wait_until(lambda: {str(one) for one in made[:2]} <= set(receiver.ids))
    assert site.state(made[2]) == ("owed", 14) and other.state(kept) == ("dead", 14)


@pytest.mark.parametrize("role", ["viewer", "moderator"])
def test_others_see_them_but_send_nothing(stack, site, role):
    made = site.owe()
    console = person(stack, role)
    assert str(made) in console.get(f"/deliveries/?client={site.number}").text
    assert "Resend" not in console.get(f"/deliveries/{made}").text
    for path in (f"/deliveries/{made}/resending", "/deliveries/resending"):
        reply = console.post(path, form="/")
        assert (reply.status_code, "Only administrators" in reply.text) == (403, True)
    assert site.state(made) == ("dead", 14)


def test_an_unknown_one_is_not_there(ada):
    assert ada.get(f"/deliveries/{uuid4()}").status_code == 404
    assert ada.get("/deliveries/?before=x").status_code == 200


@pytest.mark.parametrize("other", ["abc", "²", "-1", "9" * 30])
def test_dead_ones_of_no_client_are_not_sent_again(ada, site, other):
    made = site.owe()
    reply = ada.post("/deliveries/resending", form="/", client=other)
    assert (reply.status_code, "There is no such client" in reply.text) == (404, True)
    assert site.state(made) == ("dead", 14)
