"""Webhooks on a running stack: signed, sent again, paused, switched off; and who waits for whom."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from standardwebhooks.webhooks import Webhook
from uuid_utils.compat import uuid7

from tasks.webhooks import deliver
from tests.support.api import Api, eventually, unique
from tests.support.console import FRAGMENT, Console, person
from tests.support.receiver import Call, Receiver, receiving
from tests.support.stack import Stack, running, wait_until

WINDOW = 2  # seconds in which an undo sends no webhook


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    """A stack whose standby may be killed, and that has no webhook before these tests."""
    with running(UNDO_SECONDS=str(WINDOW)) as stack:
        yield stack


@pytest.fixture(scope="module")
def ada(own: Stack) -> Console:
    return person(own, "administrator")


class Site:
    """A client of the stack with a webhook."""

    def __init__(self, stack: Stack, url: str) -> None:
        self.stack, self.name = stack, f"Hooked {uuid4().hex[:8]}"
        made = stack.json("client", "create", self.name, "--webhook", url, "--json")
        self.secret = made["webhook_secret"]
        ((self.number,),) = stack.sql("SELECT id FROM client WHERE name = %s", self.name)

    def owe(self, count: int = 1) -> list[UUID]:
        made = [uuid7() for _ in range(count)]
        payload = '{"type": "submission.decided", "data": {"user_id": "آ🪑"}}'
        self.stack.sql(
            "INSERT INTO delivery (id, client_id, event, payload)"
            " SELECT id::uuid, %s, 'submission.decided', %s FROM unnest(%s) AS id",
            self.number,
            payload,
            [str(one) for one in made],
        )
        return made

    def row(self, delivery: UUID) -> tuple[str, int, str | None]:
        query = "SELECT state, attempts, outcome FROM delivery WHERE id = %s"
        return self.stack.sql(query, str(delivery))[0]

    def is_(self, column: str) -> bool:
        query = f"SELECT webhook_{column} IS NOT NULL FROM client WHERE id = %s"
        return self.stack.sql(query, self.number)[0][0]

    def due_now(self) -> None:
        """As if the pause were over."""
        self.stack.sql("UPDATE delivery SET due_at = now() WHERE client_id = %s", self.number)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def test_the_navigation_counts_what_was_given_up(own, ada):
    page = ada.get("/deliveries/").text
    assert "dead-count" not in page and "No client has a webhook" in page
    site = Site(own, "http://127.0.0.1:9/hook")
    own.sql("UPDATE client SET webhook_disabled_at = now() WHERE id = %s", site.number)
    site.owe(2)
    own.sql("UPDATE delivery SET state = 'dead' WHERE client_id = %s", site.number)
    wait_until(lambda: '<b class="dead-count">2</b>' in ada.get("/deliveries/").text)
    own.sql("UPDATE delivery SET state = 'cancelled' WHERE client_id = %s", site.number)


def test_calls_are_signed_by_standard_webhooks_with_both_secrets(own, ada, hook):
    site = Site(own, hook.url)
    page = ada.post(f"/clients/{site.number}/webhook-secret", form="/").text
    newer = re.search(r'id="secret">(whsec_[\w+/=]+)<', page)[1]
    [made] = site.owe()
    wait_until(lambda: hook.calls)
    [call] = hook.calls
    for secret in (site.secret, newer):
        told = Webhook(secret).verify(call.body, call.headers)
        assert told["data"] == {"user_id": "آ🪑"}
    with pytest.raises(Exception, match="signature"):
        Webhook(site.secret).verify(call.body + b" ", call.headers)
    assert call.id == str(made)
    own.sql(
        "UPDATE client SET webhook_secret_before_until = now() WHERE id = %s", site.number
    )  # as if a day had passed
    site.owe()
    wait_until(lambda: len(hook.calls) == 2)
    assert len(hook.calls[1].headers["webhook-signature"].split()) == 1


def test_a_retry_has_the_same_id_and_body_and_a_fresh_timestamp(own, hook):
    hook.status = 500
    site = Site(own, hook.url)
    [made] = site.owe()
    wait_until(lambda: site.row(made) == ("owed", 1, "status 500"))
    assert site.is_("failing_since")
    hook.status = 204
    time.sleep(1.1)
    site.due_now()
    wait_until(lambda: site.row(made) == ("delivered", 2, "status 204"))
    first, second = hook.calls
    assert (first.id, first.body) == (second.id, second.body)
    assert stamp(first) < stamp(second)
    assert not site.is_("failing_since")


def test_a_call_that_was_not_recorded_is_sent_again_under_its_id(own, hook):
    """Its process is killed when the receiver has the call, and has not answered yet."""
    hook.free.clear()
    site = Site(own, hook.url)
    [made] = site.owe()
    wait_until(lambda: hook.calls)
    own.kill("standby", signal.SIGKILL)
    hook.free.set()
    time.sleep(1.1)
    assert site.row(made) == ("owed", 1, None)
    own.sql(  # as if its lease had run out
        "UPDATE delivery SET lease_until = now() WHERE id = %s AND lease_until > now()", str(made)
    )
    wait_until(lambda: site.row(made) == ("delivered", 2, "status 200"), 30)
    first, second = hook.calls
    assert first.id == second.id == str(made)
    assert stamp(first) < stamp(second)


def stamp(call: Call) -> int:
    return int(call.headers["webhook-timestamp"])


def test_a_dead_receiver_delays_nobody(own, hook):
    with receiving() as hanging:
        hanging.free.clear()
        dead, site = Site(own, hanging.url), Site(own, hook.url)
        dead.owe(500)
        wait_until(lambda: hanging.calls)
        for _ in range(10):
            before = len(hook.calls)
            site.owe(10)
            wait_until(lambda before=before: len(hook.calls) >= before + 10, 60)
        # A hundred calls of another came before most of these had their turn.
        assert len(hanging.calls) <= deliver.CALLS_PER_CLIENT + 4  # then one call at a time
        own.sql("DELETE FROM delivery WHERE client_id = %s", dead.number)


def test_a_quick_receiver_is_not_held_back(own, hook):
    site = Site(own, hook.url)
    made = site.owe(300)
    eventually(lambda: len(hook.calls) == 300)
    # The standby looks twice a second; the calls after those of one look follow without a wait.
    times = [call.at for call in hook.calls]
    busiest = max(sum(0 <= at - start < 0.5 for at in times) for start in times)
    assert busiest > 2 * deliver.CALLS_PER_CLIENT
    assert set(hook.ids) == {str(one) for one in made}


def test_410_switches_the_webhook_off_until_a_person_switches_it_on(own, ada, hook):
    hook.status = 410
    site = Site(own, hook.url)
    [made] = site.owe()
    wait_until(lambda: site.is_("disabled_at"))
    [later] = site.owe()
    page = ada.get(f"/clients/{site.number}").text
    assert "responded with status 410 (gone)" in page and "Send a test event" not in page
    assert "once the webhook is switched on" in ada.get(f"/deliveries/{later}").text
    hook.status = 200
    time.sleep(1)
    assert (len(hook.calls), site.row(later)) == (1, ("owed", 0, None))
    ada.post(f"/clients/{site.number}/webhook-enabling", form="/")
    wait_until(lambda: site.row(made)[0] == site.row(later)[0] == "delivered")
    acts = own.sql("SELECT action FROM audit WHERE subject = %s ORDER BY id", site.name)
    assert [row[0] for row in acts] == ["webhook.disable", "webhook.enable"]
    again = ada.post(f"/clients/{site.number}/webhook-enabling", form="/")
    assert (again.status_code, "Already done" in again.text) == (409, True)


def test_what_waits_for_a_webhook_that_is_off_is_given_up_after_three_days(own, ada, hook):
    site, on = Site(own, hook.url), Site(own, hook.url)
    own.sql("UPDATE client SET webhook_disabled_at = now() WHERE id = %s", site.number)
    old, new = site.owe(2)
    [other] = on.owe()
    age = "UPDATE delivery SET created_at = now() - interval '73 hours' WHERE id IN (%s, %s)"
    own.sql(age, str(old), str(other))
    own.kill("standby", signal.SIGTERM)  # it begins its rounds anew
    wait_until(lambda: site.row(old) == ("dead", 0, "off"), 30)
    assert site.row(new)[0] == "owed" and on.row(other)[0] == "delivered"
    refused = ada.post(f"/deliveries/{old}/resending", form="/")
    assert (refused.status_code, "is disabled. Enable it first" in refused.text) == (409, True)
    ada.post(f"/clients/{site.number}/webhook-enabling", form="/")
    ada.post("/deliveries/resending", form="/", client=str(site.number))
    wait_until(lambda: site.row(old)[0] == site.row(new)[0] == "delivered")


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_pauses_all_calls_to_that_client(own, ada, hook, status):
    hook.status, hook.headers = status, {"retry-after": "3600"}
    site = Site(own, hook.url)
    [made] = site.owe()
    wait_until(lambda: site.row(made) == ("owed", 1, f"status {status}"))
    until = "SELECT extract(epoch FROM due_at - now()) FROM delivery WHERE id = %s"
    assert 3500 < own.sql(until, str(made))[0][0] <= 3600
    hook.status = 200
    [later] = site.owe()
    time.sleep(1)
    assert (len(hook.calls), site.row(later)[0]) == (1, "owed")
    assert "asked for a pause" in ada.get(f"/clients/{site.number}").text
    own.sql("UPDATE client SET webhook_paused_until = now() WHERE id = %s", site.number)
    wait_until(lambda: site.row(later)[0] == "delivered")


def test_a_test_event_shows_that_calls_arrive(own, ada, hook):
    site = Site(own, hook.url)
    shown = ada.post(f"/clients/{site.number}/webhook-test", form="/")
    assert "The test event is being sent" in shown.text
    wait_until(lambda: hook.calls)
    [call] = hook.calls
    assert Webhook(site.secret).verify(call.body, call.headers)["data"] == {"client": site.name}
    wait_until(lambda: site.row(UUID(call.id))[0] == "delivered")


def test_what_is_private_when_it_is_sent_is_not_called(own, ada):
    """An address that was fine when it was saved, and leads elsewhere now."""
    with receiving(host="127.0.0.2") as inside:
        site = Site(own, "http://127.0.0.1:9/hook")
        own.sql("UPDATE client SET webhook_url = %s WHERE id = %s", inside.url, site.number)
        [made] = site.owe()
        wait_until(lambda: site.row(made) == ("owed", 1, "private address"))
        assert not inside.calls
    assert (
        "not called: the address is not on the public internet"
        in ada.get(f"/deliveries/{made}").text
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:169.254.169.254]/",
        "http://10.0.0.1:6379/",
        "http://127.0.0.2/",
        "http://2130706434/",
    ],
)
def test_a_private_address_is_not_saved(own, ada, url):
    name = f"Sneaky {uuid4().hex[:6]}"
    reply = ada.post("/clients/", form="/clients/new", name=name, webhook_url=url)
    fault = re.search(r'id="fault-webhook_url".*?</p>', reply.text, re.S)
    assert reply.status_code == 422 and fault and "is not a public address" in fault[0]
    done = own.run("client", "create", name, "--webhook", url, check=False)
    assert (done.returncode, "WEBHOOK_ALLOWED_HOSTS" in done.stderr) == (1, True)
    assert not own.sql("SELECT 1 FROM client WHERE name = %s", name)
    site = Site(own, "https://hooks.example.org/")
    page = ada.post(f"/clients/{site.number}", form="/", name=site.name, webhook_url=url)
    assert page.status_code == 422 and "is not a public address" in page.text


# Undo and what the client hears


def heard(hook: Receiver) -> list[tuple[str, str]]:
    """Event and verdict of every call."""
    return [(call.told["type"], call.told["data"]["verdict"]) for call in hook.calls]


def flagged(stack: Stack, hook: Receiver) -> str:
    """A flag of a new client with that webhook."""
    made = stack.json("client", "create", f"hooked-{hook.port}", "--webhook", hook.url, "--json")
    key = made["key"]
    told = Api(stack.url, key).decided(unique("review_a.jpg"))
    assert told["verdict"] == "review"
    return told["job_id"]


def decide(moderator: Console, job_id: str, outcome: str) -> None:
    """Decide the flag that the moderator holds."""
    [version] = [version for held, version in moderator.deck() if held == job_id]
    assert moderator.decide(job_id, version, outcome).status_code == 200


def undo(moderator: Console) -> None:
    assert moderator.post("/reviews/undo", form="/", headers=FRAGMENT).status_code == 200


def acts(stack: Stack, job_id: str) -> list[str]:
    """What the audit tells of the flag."""
    rows = stack.sql("SELECT action FROM audit WHERE subject = %s ORDER BY id", job_id)
    return [row[0] for row in rows]


def test_within_the_window_the_client_hears_nothing(own: Stack, hook) -> None:
    job_id, moderator = flagged(own, hook), person(own)
    eventually(lambda: heard(hook) == [("submission.decided", "review")])
    decide(moderator, job_id, "rejected:scam")
    undo(moderator)
    time.sleep(WINDOW + 2)
    assert heard(hook) == [("submission.decided", "review")]
    assert acts(own, job_id) == ["decide", "undo"]


def test_after_the_window_a_compensating_event_goes_out(own: Stack, hook) -> None:
    job_id, moderator = flagged(own, hook), person(own)
    decide(moderator, job_id, "rejected:scam")
    eventually(lambda: ("submission.decided", "rejected") in heard(hook))
    undo(moderator)
    eventually(lambda: heard(hook)[-1] == ("submission.restored", "review"))
    assert acts(own, job_id) == ["decide", "undo"]
