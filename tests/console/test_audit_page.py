"""The audit: filters in the URL, pages, CSV, and that nobody changes it."""

from __future__ import annotations

import csv
import io
import re
from uuid import uuid4

import psycopg2
import pytest

from tests.support.console import FRAGMENT, Console, person
from tests.support.stack import Stack

TABLES = ("audit", "audit_chain", "decision")


@pytest.fixture(scope="module")
def ada(stack: Stack) -> Console:
    return person(stack, "administrator")


@pytest.fixture
def act(stack: Stack):
    """Writes acts of a kind of this test alone; answers the kind."""
    kind = f"test.{uuid4().hex[:8]}"

    def write(subject: str = "x", details: str = "{}", who: str = "", at: str = "now") -> str:
        stack.sql(
            "INSERT INTO audit (at, moderator_id, action, subject, details) VALUES"
            " (%s, (SELECT id FROM moderator WHERE name = %s), %s, %s, %s)",
            at,
            who,
            kind,
            subject,
            details,
        )
        return kind

    return write


def subjects(text: str) -> list[str]:
    return re.findall(r'class="subject"[^>]*>([^<]*)<', text)


def test_filters_stand_in_the_url(stack, ada, act):
    who = f"actor-{uuid4().hex[:6]}"
    person(stack, "viewer", who)
    kind = act("one", who=who, at="2020-01-01 12:00+00")
    act("two", at="2020-01-02 23:59+00")
    act("three")
    for query, wanted in (
        ("", ["three", "two", "one"]),
        (f"&who={who}", ["one"]),
        ("&who=:script", ["three", "two"]),
        ("&subject=two", ["two"]),
        ("&until=2020-01-01", ["one"]),
        ("&since=2020-01-02&until=2020-01-02", ["two"]),
        ("&since=nonsense", ["three", "two", "one"]),
        ("&subject=nothing", []),
    ):
        page = ada.get(f"/audit/?action={kind}{query}").text
        assert subjects(page) == wanted, query
    assert "No entry matches this filter" in page


def test_older_acts_come_behind_a_number(ada, act):
    for number in range(53):
        kind = act(f"subject-{number}")
    page = ada.get(f"/audit/?action={kind}").text
    assert len(subjects(page)) == 50
    older = re.search(r'hx-get="/console([^"]+)"', page)[1].replace("&amp;", "&")
    part = ada.get(older, headers=FRAGMENT).text
    assert subjects(part) == ["subject-2", "subject-1", "subject-0"] and "<html" not in part
    assert "<html" in ada.get(older).text


def test_what_changed_reads_from_before_to_after(ada, act):
    kind = act(
        "Site", '{"changes": {"reject_at": [null, 0.7]}, "before": "viewer", "after": "x<b>"}'
    )
    page = ada.get(f"/audit/?action={kind}").text
    assert re.search(r"reject at</i> <del[^>]*>none</del>.*?<ins[^>]*>0.7</ins>", page, re.S)
    assert re.search(r"<del[^>]*>viewer</del>.*?<ins[^>]*>x&lt;b&gt;</ins>", page, re.S)


def test_strange_names_stay_text(ada, act):
    name = "<script>alert(1)</script>' OR 1=1 -- سوق \u202e🪑"
    kind = act(name)
    page = ada.get(f"/audit/?action={kind}").text
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    page = ada.get("/audit/", params={"action": kind, "subject": name}).text
    assert len(subjects(page)) == 1
    assert ada.get("/audit/", params={"subject": "nul\0l", "before": "9" * 40}).status_code == 200


def test_the_csv_holds_the_filter_and_no_formula(ada, act):
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", "harmless", '"quoted",\nlines'):
        kind = act(text, '{"note": "=cmd"}')
    reply = ada.get(f"/audit/export?action={kind}")
    assert reply.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in reply.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(reply.text)))
    assert rows[0] == ["number", "at", "who", "action", "subject", "details"]
    assert len(rows) == 8
    assert not [cell for row in rows for cell in row if cell.lstrip()[:1] in tuple("=+-@")]
    assert "'=1+1" in {row[4] for row in rows} and "harmless" in {row[4] for row in rows}


def test_the_csv_is_longer_than_a_page(stack, ada, act):
    kind = act()
    stack.sql(
        "INSERT INTO audit (action, subject) SELECT %s, n::text FROM generate_series(1, 2500) n",
        kind,
    )
    rows = list(csv.reader(io.StringIO(ada.get(f"/audit/export?action={kind}").text)))
    assert len(rows) == 2502
    assert len({row[0] for row in rows}) == 2502


@pytest.mark.parametrize("role", ["viewer", "moderator"])
def test_others_see_it_but_do_not_export_it(stack, role):
    console = person(stack, role)
    assert console.get("/audit/").status_code == 200
    for path in ("/audit/export", "/audit/check"):
        reply = console.get(path)
        assert (reply.status_code, "Only administrators" in reply.text) == (403, True)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("command", ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_refuses_to_change_it(stack, api, act, table, command):
    act()
    api.decided(title="Something that is decided")
    sets = {"audit": "action = 'x'", "audit_chain": "digest = ''", "decision": "reason = 'x'"}
    before = stack.sql(f"SELECT count(*) FROM {table}")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="append-only"):
        stack.sql(command.format(table, sets[table]))
    assert stack.sql(f"SELECT count(*) FROM {table}") >= before


@pytest.fixture
def past_the_triggers(stack: Stack):
    """Runs a command as who owns the database could: with the triggers off."""

    def run(command: str) -> None:
        tables = ("audit", "audit_chain")
        off, on = (
            "; ".join(f"ALTER TABLE {table} {word} TRIGGER USER" for table in tables)
            for word in ("DISABLE", "ENABLE")
        )
        stack.sql(off)
        stack.sql(command)
        stack.sql(on)

    return run


def test_a_look_at_the_chain_finds_what_was_changed(stack, ada, act, past_the_triggers):
    act(details='{"before": "viewer", "after": "moderator"}')
    kind = act()
    ((number,),) = stack.sql("SELECT min(id) FROM audit WHERE action = %s", kind)
    assert ">intact<" in ada.get("/audit/check").text.replace("</i>", "<i>").replace("<i>", ">")
    past_the_triggers(f"UPDATE audit SET subject = 'forged' WHERE id = {number}")
    assert f"broken at entry {number}" in ada.get("/audit/check").text
    past_the_triggers(f"UPDATE audit SET subject = 'x' WHERE id = {number}")
    assert "broken at" not in ada.get("/audit/check").text


def test_a_look_at_the_chain_finds_what_was_put_in_or_moved(stack, ada, act, past_the_triggers):
    act()
    kind = act()
    (first, second) = [r[0] for r in stack.sql("SELECT id FROM audit WHERE action = %s", kind)]
    past_the_triggers(f"INSERT INTO audit (action) VALUES ('{kind}.forged')")
    ((forged,),) = stack.sql("SELECT id FROM audit WHERE action = %s", f"{kind}.forged")
    assert f"broken at entry {forged}" in ada.get("/audit/check").text
    past_the_triggers(f"DELETE FROM audit WHERE id = {forged}")
    assert "broken at" not in ada.get("/audit/check").text
    swap = (
        "UPDATE audit_chain SET audit_id = -audit_id WHERE audit_id IN ({0}, {1});"
        "UPDATE audit_chain SET audit_id = CASE audit_id WHEN -{0} THEN {1} ELSE {0} END"
        " WHERE audit_id < 0"
    )
    stack.sql("ALTER TABLE audit_chain DROP CONSTRAINT audit_chain_audit_id_fkey")
    past_the_triggers(swap.format(first, second))
    assert "broken at" in ada.get("/audit/check").text
    past_the_triggers(swap.format(first, second))
    stack.sql("ALTER TABLE audit_chain ADD FOREIGN KEY (audit_id) REFERENCES audit")
    assert "broken at" not in ada.get("/audit/check").text


def test_acts_of_many_at_once_make_one_chain(stack, ada, act):
    import threading

    kind = act()
    threads = [threading.Thread(target=act, args=(f"at once {n}",)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stack.sql("SELECT count(*) FROM audit WHERE action = %s", kind) == [(13,)]
    assert "broken at" not in ada.get("/audit/check").text
