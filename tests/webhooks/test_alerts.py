"""Alerts begin and end once, by rules that do not flap, and are told once at both ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from models.alerts.alert import channels
from models.alerts.evaluate import Readings, Watch
from models.alerts.rules import BY_NAME, RULES, worded
from models.settings import ROOT, Settings
from tasks.alerts.notify import without_secrets
from tasks.load import response_counts
from tasks.servers.supervisor_client import Supervisor
from tests.support.api import Api
from tests.support.console import person
from tests.support.stack import Stack, free_port, running, wait_until

SETTINGS = Settings(alert_after=30)


def looks(settings: Settings, *readings: tuple[float, Readings]) -> list[str]:
    """``+rule`` and ``-rule`` as they begin and end over readings at given seconds."""
    watch, open_, story = Watch(settings), set(), []
    for at, reading in readings:
        changes = watch.look(reading, open_, at)
        for alarm in changes.began:
            open_.add(alarm.rule.name)
            story.append(f"+{alarm.rule.name}")
        for name in changes.ended:
            open_.discard(name)
            story.append(f"-{name}")
    return story


def test_every_reading_has_its_rule() -> None:
    assert {rule.name for rule in RULES} == {f.name for f in fields(Readings)} - {"why"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_speaks_above_its_bound_and_not_at_it(rule) -> None:
    at = rule.bound(SETTINGS)
    for reading, spoken in ((at, []), (at + 1, [f"+{rule.name}"])):
        seen = Readings(**{rule.name: reading})
        assert looks(SETTINGS, (0, seen), (30, seen)) == spoken


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.setting], ids=lambda r: r.name)
def test_a_bound_of_0_turns_a_rule_off_and_ends_its_alert(rule) -> None:
    seen = Readings(**{rule.name: 1e9})
    off = replace(SETTINGS, **{rule.setting: 0})
    assert looks(off, (0, seen), (60, seen)) == []
    assert Watch(off).look(seen, {rule.name}, 0).ended == (rule.name,)


def test_the_bounds_are_the_ones_that_are_promised() -> None:
    assert {rule.name: rule.bound(Settings()) for rule in RULES if rule.setting} == {
        "queue_depth": 8000,
        "memory": 85,
        "disk": 90,
        "database_connections": 90,
        "redis_connections": 90,
        "error_rate": 5,
        "answer_seconds": 5,
        "review_debt_age": 300,
        "oldest_flag_age": 86400,
    }


def test_a_peak_that_does_not_last_begins_nothing() -> None:
    high, low = Readings(memory=99), Readings(memory=20)
    assert looks(SETTINGS, (0, high), (29, high), (30, low), (31, high), (60, high)) == []


def test_it_ends_only_well_below_its_bound_and_after_a_while() -> None:
    high, near, low = Readings(memory=99), Readings(memory=80), Readings(memory=70)
    begun = [(0, high), (30, high)]
    assert looks(SETTINGS, *begun, (60, near), (200, near)) == ["+memory"]
    assert looks(SETTINGS, *begun, (60, low), (80, low), (85, high), (100, low)) == ["+memory"]
    assert looks(SETTINGS, *begun, (60, low), (90, low)) == ["+memory", "-memory"]


def test_what_cannot_be_read_begins_and_ends_nothing() -> None:
    high = Readings(queue_depth=9000)
    assert looks(SETTINGS, (0, high), (30, high), (60, Readings()), (500, Readings())) == [
        "+queue_depth"
    ]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (91.04, "%", "91 %"),
        (5.25, "%", "5.25 %"),
        (8120, "jobs", "8,120"),
        (6.25, "s", "6.2 s"),
        (9000, "s", "2.5 h"),
        (259_200, "s", "3 days"),
        (1, "calls", "1 webhook call was"),
        (3, "calls", "3 webhook calls were"),
    ],
)
def test_readings_have_words(value, unit, words) -> None:
    assert worded(value, unit) == words


def test_a_sentence_says_the_reading() -> None:
    assert BY_NAME["memory"].say(91) == "91 % of the memory is in use; uploads pause at " + (
        "MEMORY_THRESHOLD."
    )
    for rule in RULES:
        assert "{" not in rule.say(3, "why") and rule.say(3, "why").endswith((".", "why"))


def test_addresses_are_told_apart_without_being_shown() -> None:
    text = "mailto://me:hunter2@mail?to=a@x,b@y, slack://hunter2/b/c\njson://h/hunter2"
    names = channels(text)
    assert [name.split()[0] for name in names] == ["mailto", "slack", "json"]
    assert next(iter(names.values())).endswith("to=a@x,b@y")
    assert "hunter2" not in "".join(names)


def test_an_outcome_keeps_the_secret() -> None:
    url = "json://me:hunter2@127.0.0.1:99/token-abc?key=quiet"
    told = without_secrets("127.0.0.1 refused me hunter2 at /token-abc key=quiet", url)
    assert told == "127.0.0.1 refused me •••••• at /•••••• key=••••••"


def test_every_rule_stands_in_the_docs() -> None:
    docs = (ROOT / "docs" / "operating.md").read_text()
    for rule in RULES:
        bound = f"`{rule.setting.upper()}`" if rule.setting else "always"
        assert f"| {rule.title} | {rule.level} | {bound} |" in docs, rule.name


class Receiver(ThreadingHTTPServer):
    """A webhook of the operator's: keeps what it is told; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.status = 200
        super().__init__(("127.0.0.1", free_port()), self._handler())
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.told.append(json.loads(body))
                self.send_response(server.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Mailbox:
    """Keeps the mails that it is sent."""

    def __init__(self) -> None:
        self.mails: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture(scope="module")
def own() -> Iterator[SimpleNamespace]:
    """A stack with a webhook and a mailbox for its alerts, and one channel that nobody hears."""
    hook, mailbox = Receiver(), Mailbox()
    smtp = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    smtp.start()
    urls = (
        f"json://127.0.0.1:{hook.server_port}/hook-secret",
        f"mailto://127.0.0.1:{smtp.port}?mode=insecure&from=sluice@example.org&to=op@example.org",
        f"json://127.0.0.1:{free_port()}/nobody-secret",
    )
    wanted = {"ALERT_URLS": " ".join(urls), "ALERT_AFTER": "1", "ALERT_ANSWER_SECONDS": "0"}
    with running(**wanted, PRIORITY_WORKERS="1") as stack:
        stack.run("client", "create", "Told", "--webhook", "http://127.0.0.1:9/")
        yield SimpleNamespace(stack=stack, hook=hook, mails=mailbox.mails)
    smtp.stop()
    hook.shutdown()


def give_up(stack: Stack) -> None:
    """A webhook call that was given up."""
    stack.sql(
        "INSERT INTO delivery (id, client_id, event, payload, state, outcome)"
        " SELECT gen_random_uuid(), id, 'submission.decided', '{}', 'dead', 'status 500'"
        " FROM client LIMIT 1"
    )


def settle(stack: Stack) -> None:
    """Nothing is given up any more."""
    stack.sql("UPDATE delivery SET state = 'cancelled' WHERE state = 'dead'")


def spoken(told: list[dict[str, Any]]) -> list[str]:
    return [text["title"] for text in told if "Webhook calls" in text["title"]]


def states(stack: Stack, kind: str) -> list[str]:
    """How the notices about webhook calls stand, by channel's state."""
    query = (
        "SELECT n.state FROM notice n JOIN alert a ON a.id = n.alert_id"
        " WHERE a.rule = 'dead_deliveries' AND n.kind = %s ORDER BY 1"
    )
    return [row[0] for row in stack.sql(query, kind)]


def test_one_notice_at_the_start_and_one_at_the_end_though_the_standby_is_killed(own) -> None:
    stack, told = own.stack, own.hook.told
    give_up(stack)
    wait_until(lambda: states(stack, "start") == ["owed", "sent", "sent"], 60)
    for _ in range(2):
        stack.kill("standby")
        wait_until(lambda: "standby" in stack.pids(), 20)
    settle(stack)
    wait_until(lambda: states(stack, "end") == ["owed", "sent", "sent"], 60)
    assert sum("Webhook calls" in mail for mail in own.mails) == 2
    assert spoken(told) == [
        "Sluice: Webhook calls were given up",
        "Sluice: over: Webhook calls were given up",
    ]
    assert [text["type"] for text in told if "Webhook" in text["title"]] == ["warning", "success"]
    rows = stack.sql("SELECT ended_at > started_at FROM alert WHERE rule = 'dead_deliveries'")
    assert rows == [(True,)]


def test_a_rule_that_does_not_compile_begins_an_alert_until_it_is_gone(own) -> None:
    stack = own.stack
    bump = "UPDATE revision SET number = number + 1 WHERE name = 'rules'"
    [(number,)] = stack.sql(
        "INSERT INTO rule (kind, pattern, action, label) VALUES ('regex', '(?<=x)y', 'reject',"
        " 'scam') RETURNING id"
    )
    stack.sql(bump)
    query = "SELECT sentence, ended_at IS NOT NULL FROM alert WHERE rule = 'rules'"
    wait_until(lambda: len(stack.sql(query)) == 1, 30)
    [(sentence, over)] = stack.sql(query)
    assert not over
    assert f"rule {number} does not compile: " in sentence
    stack.sql("DELETE FROM rule WHERE id = %s", number)
    stack.sql(bump)
    wait_until(lambda: stack.sql(query)[0][1], 30)


def test_a_channel_that_fails_is_tried_again_shown_and_keeps_its_secret(own) -> None:
    stack = own.stack
    query = (
        "SELECT attempts, outcome FROM notice WHERE state = 'owed' AND kind = 'start'"
        " AND attempts > 1"
    )
    give_up(stack)
    wait_until(lambda: stack.sql(query), 60)
    settle(stack)
    page = person(stack, "administrator").get("/alerts/").text
    assert "Webhook calls were given up" in page and "Connection error" in page
    assert "secret" not in page
    logs = "".join(path.read_text(errors="replace") for path in (stack.home / "log").iterdir())
    assert "nobody-secret" not in logs and "hook-secret" not in logs


def test_an_administrator_sends_a_trial_and_nobody_else(own) -> None:
    tried = person(own.stack, "administrator").post("/alerts/trials")
    assert tried.status_code == 200 and "tests whether alerts arrive here" in tried.text
    wait_until(lambda: "Sluice: Trial" in [text["title"] for text in own.hook.told], 30)
    assert person(own.stack, "moderator").post("/alerts/trials", form="/").status_code == 403


def test_what_is_read_from_the_servers_begins_and_ends_alerts(own) -> None:
    stack, worker = own.stack, ["worker:worker_00"]
    rules = ["error_rate", "oldest_flag_age", "workers"]
    supervisor = Supervisor(Settings.load(stack.env))
    api = Api(stack.url, stack.json("client", "create", "Shop", "--json")["key"])
    flag = api.decided("review_a.jpg")["job_id"]
    stack.sql("UPDATE submission SET created_at = now() - interval '2 days' WHERE id = %s", flag)
    now = int(time.time()) // response_counts.BUCKET
    keys = [f"{response_counts.KEY}{number}" for number in range(now, now + 6)]
    for key in keys:
        stack.redis().hset(key, mapping={"all": 1000, "errors": 100, "t1": 1000})
    supervisor.stop(worker)
    wait_until(lambda: speaking(stack) == rules, 40)
    told = dict(stack.sql("SELECT rule, sentence FROM alert WHERE ended_at IS NULL"))
    assert told["workers"] == "1 of 2 workers online."
    assert told["oldest_flag_age"] == "The oldest flag has waited 2 days for a person."
    assert "% of the last minute's responses were server errors" in told["error_rate"]
    page = person(stack, "viewer").get("/").text
    assert all(BY_NAME[rule].title in page for rule in rules)

    supervisor.start(worker)
    stack.redis().delete(*keys)
    stack.sql("UPDATE submission SET created_at = now() WHERE id = %s", flag)
    wait_until(lambda: speaking(stack) == [], 40)


def speaking(stack: Stack) -> list[str]:
    """Rules of the alerts that are open."""
    return [row[0] for row in stack.sql("SELECT rule FROM alert WHERE ended_at IS NULL ORDER BY 1")]


def test_an_outage_of_the_database_is_told_while_it_lasts(own) -> None:
    stack, told = own.stack, own.hook.told

    def heard() -> list[str]:
        return [text["title"] for text in told if "PostgreSQL" in text["title"]]

    supervisor = Supervisor(Settings.load(stack.env))
    supervisor.stop(["postgres:postgres"])
    wait_until(lambda: heard() == ["Sluice: PostgreSQL is down"], 60)
    supervisor.start(["postgres:postgres"])
    wait_until(lambda: len(heard()) == 2, 60)
    assert heard()[1] == "Sluice: over: PostgreSQL is down"
    assert stack.sql("SELECT ended_at > started_at FROM alert WHERE rule = 'database'") == [(True,)]
