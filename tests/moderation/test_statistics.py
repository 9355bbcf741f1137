"""Statistics: everything is counted once, whatever happens meanwhile, and a year is quick."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from models.statistics import history
from models.statistics.counters import Counts, total
from tests.support.api import Api, eventually
from tests.support.console import person
from tests.support.stack import ROOT, Stack

COUNT = """
import threading
from models.database import connection as db
from models.settings import Settings, use_settings
from tasks.maintenance import rollup
db.connect(use_settings(Settings.load()), pool=2)
with db.connection():
    rollup.count(threading.Event())
    rollup.keep()
"""
TABLES = ("tally", "tally_hour", "tally_day")


class Shop:
    """A client of its own, and what was counted of it."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.name = stack, f"shop-{uuid4().hex[:8]}"
        made = stack.json("client", "create", self.name, "--json")
        self.api = Api(stack.url, made["key"])
        [(self.id,)] = stack.sql("SELECT id FROM client WHERE name = %s", self.name)

    def counts(self, table: str = "tally_hour", client: int | None = None) -> Counts:
        rows = self.stack.sql(
            f"SELECT kind, name, detail, sum(n)::bigint FROM {table}"
            " WHERE client_id = %s GROUP BY 1, 2, 3",
            self.id if client is None else client,
        )
        return Counts({tuple(row[:3]): row[3] for row in rows if row[3]})


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Shop:
    return Shop(stack)


def counted(stack: Stack, question: Callable[[], object]) -> None:
    """Wait until something is counted, without waiting for the standby's next round."""
    eventually(lambda: count_now(stack) or question())


def count_now(stack: Stack) -> None:
    """What the standby does every ten seconds, beside it."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT], cwd=ROOT, env=stack.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_upload_and_decision_is_counted_once_at_every_grain(stack: Stack, shop: Shop):
    for number in range(3):
        shop.api.decided(title=f"Chair {number}")
    bad = shop.api.decided(title="viagra for sale", priority="priority")
    assert bad["verdict"] in ("rejected", "review")
    wanted = {"received": 4, "verdict": 4, "wait": 4, "label": 1, "person": 0}
    counted(stack, lambda: shop.counts().of("verdict") == 4)
    with ThreadPoolExecutor(3) as pool:  # counting again, at once too, adds nothing
        list(pool.map(count_now, [stack] * 3))
    for table in TABLES:
        counts = shop.counts(table)
        assert {kind: counts.of(kind) for kind in wanted} == wanted, table
        assert counts.of("verdict", "approved") == 3
        assert counts.of("received", detail="priority") == 1
        assert counts.of("label", detail=bad["verdict"]) == 1
        assert 0 < (counts.wait_mean or 0) < 60
    everybody = shop.counts(client=history.EVERYBODY)
    clients = stack.sql("SELECT sum(n) FROM tally_hour WHERE client_id > 0 AND kind = 'verdict'")
    assert everybody.of("verdict") == clients[0][0]


def test_a_rejection_that_a_person_overturns_is_a_false_positive_until_it_is_undone(stack: Stack):
    shop, judge = Shop(stack), person(stack)
    job = shop.api.decided("reject_a.jpg", title="A picture")
    assert job["verdict"] == "rejected"
    [(version,)] = stack.sql("SELECT version FROM submission WHERE id = %s", job["job_id"])
    reply = judge.decide(job["job_id"], str(version), "approved")
    assert reply.status_code == 200, reply.text
    counted(stack, lambda: shop.counts().overturned == 1)
    assert shop.counts().false_positive_share == 1.0
    judge.post("/reviews/undo", form="/")
    counted(stack, lambda: shop.counts().overturned == 0)
    assert shop.counts("tally").of("person") == 0


def test_what_people_approve_of_the_flags_is_the_share_of_false_positives(stack: Stack):
    shop, judge = Shop(stack), person(stack)
    jobs = [shop.api.decided(title="Watch", description="Wire transfer only, via WhatsApp")]
    jobs += [shop.api.decided("review_a.jpg", title=f"Picture {n}") for n in range(2)]
    assert {job["verdict"] for job in jobs} == {"review"}
    for job, outcome in zip(jobs, ("approved", "approved", "rejected:scam"), strict=True):
        [(version,)] = stack.sql("SELECT version FROM submission WHERE id = %s", job["job_id"])
        assert judge.decide(job["job_id"], str(version), outcome).status_code == 200
    counted(stack, lambda: shop.counts().flags_decided == 3)
    assert shop.counts().flags_approved == 2
    assert round(shop.counts().false_positive_share or 0, 3) == 0.667
    page = judge.get(f"/statistics/?client={shop.id}").text
    assert "66.7 %" in page and "2 of 3 decided flags approved by people" in page


def test_the_api_and_the_console_tell_a_clients_own_figures(stack: Stack, shop: Shop):
    other, viewer = Shop(stack), person(stack, "viewer")
    other.api.decided(title="A lamp")
    counted(stack, lambda: other.counts().of("verdict") == 1)
    for name, span in history.SPANS.items():
        reply = other.api.http.get(f"{other.api.base}/stats/history", params={"range": name})
        told = reply.json()
        assert told["total"]["received"] == told["total"]["verdicts"]["approved"] == 1, name
        assert len(told["points"]) == span.steps
        assert sum(point["received"] for point in told["points"][-2:]) == 1
        page = viewer.get(f"/statistics/?range={name}&client={other.id}").text
        assert "1 first verdict" in page
        csv = viewer.get(f"/statistics/export.csv?range={name}&client={other.id}").text
        rows = [line.split(",") for line in csv.splitlines()]
        assert sum(int(row[rows[0].index("received")]) for row in rows[1:]) == 1
    wrong = other.api.http.get(f"{other.api.base}/stats/history", params={"range": "decade"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "range")


def test_what_is_committed_late_is_counted_too(stack: Stack):
    shop = Shop(stack)
    job = shop.api.decided(title="A chair")["job_id"]
    with closing(
        psycopg2.connect(host=str(stack.home / "run"), user="sluice", dbname="sluice")
    ) as late:
        # The machine decides a version once, so the version rises with the decision.
        late.cursor().execute("UPDATE submission SET version = version + 1 WHERE id = %s", (job,))
        late.cursor().execute(
            "INSERT INTO decision (submission_id, from_verdict, to_verdict, reason)"
            " VALUES (%s, 'approved', 'review', 'scam')",
            (job,),
        )
        early = shop.api.decided(title="A table")
        assert early["verdict"] == "approved"
        [(before,)] = stack.sql("SELECT counted_to FROM tally_mark")
        counted(stack, lambda: stack.sql("SELECT counted_to > %s FROM tally_mark", before)[0][0])
        count_now(stack)
        [(mark, now)] = stack.sql("SELECT counted_to, now() FROM tally_mark")
        assert mark < now
        late.commit()
    counted(stack, lambda: shop.counts().of("changed", "review", "approved") == 1)
    counted(stack, lambda: shop.counts().of("verdict") == 2)
    count_now(stack)
    assert [shop.counts(table).of("changed") for table in TABLES] == [1, 1, 1]


def test_raw_rows_go_by_dropping_their_day_and_hours_stay(stack: Stack):
    def partitions() -> set[str]:
        return {
            row[0]
            for row in stack.sql(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent IN ('tally'::regclass, 'load_sample'::regclass)"
            )
        }

    [(today, ahead)] = stack.sql(
        "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'),"
        " to_char(now() AT TIME ZONE 'UTC' + interval '3 days', 'YYYYMMDD')"
    )
    stack.sql(
        "CREATE TABLE tally_20010101 PARTITION OF tally"
        " FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-01-02 00:00+00')"
    )
    old = "'2001-01-01 10:00+00', 'verdict', 'approved', 'sync', 7"
    for table in ("tally", "tally_hour"):
        stack.sql(f"INSERT INTO {table} VALUES (-1, {old})")
    stack.sql("SELECT keep_raw_days(30)", role="sluice")  # as the standby may
    assert "tally_20010101" not in partitions()
    assert {
        f"{t}_{day}" for t in ("tally", "load_sample") for day in (today, ahead)
    } <= partitions()
    assert stack.sql("SELECT n FROM tally_hour WHERE client_id = -1") == [(7,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        stack.sql(f"DROP TABLE tally_{today}", role="sluice")
    stack.sql("DELETE FROM tally_hour WHERE client_id = -1")


def test_the_load_is_rolled_up_by_the_hour(stack: Stack):
    counted(stack, lambda: stack.sql("SELECT 1 FROM load_hour"))
    hours = stack.sql("SELECT at FROM load_hour ORDER BY at")
    [(samples,)] = stack.sql("SELECT count(*) FROM load_sample WHERE at >= %s", hours[-1][0])
    assert samples > 0


@pytest.mark.parametrize(
    ("name", "table", "step"), [("year", "tally_day", "day"), ("month", "tally_hour", "hour")]
)
def test_a_chart_touches_only_what_it_draws(stack: Stack, name: str, table: str, step: str):
    """Half a million counts of 40 clients; nothing of it is committed."""
    span = history.SPANS[name]
    with closing(stack.connect("sluice_owner")) as server:
        cursor = server.cursor()
        cursor.execute(
            f"INSERT INTO {table} SELECT -client, date_trunc('hour', now())"
            f" - at * interval '1 {step}', 'wait', name::text, '', 1"
            " FROM generate_series(1, 40) client, generate_series(0, 700) at,"
            " generate_series(1, 18) name"
        )
        cursor.execute(f"ANALYZE {table}")
        [(first,)] = fetched(
            cursor, "SELECT extract(epoch FROM now())::bigint - %s", span.steps * span.seconds
        )
        values = {"step": span.seconds, "client": -7, "first": first}
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + history.QUERIES[table], values)
        [plan] = cursor.fetchone()[0]
        drawn = min(span.steps * span.seconds // (86400 if step == "day" else 3600) + 1, 701) * 18
        assert touched(plan["Plan"]) <= drawn * 1.1, json.dumps(plan, indent=1)


def fetched(cursor: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    cursor.execute(sql, values)
    return cursor.fetchall()


def touched(node: dict[str, Any]) -> int:
    """Rows that the scans of a plan read, those that a filter let go too."""
    below = sum(touched(child) for child in node.get("Plans", []))
    if "Scan" not in node["Node Type"] or node["Node Type"] == "Bitmap Index Scan":
        return below
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + (node["Actual Rows"] + removed) * node["Actual Loops"]


def test_percentiles_come_out_of_summed_classes():
    fast, slow = Counts({("wait", "0", ""): 90}), Counts({("wait", "40", ""): 10})
    both = total([fast, slow])
    assert both.wait_percentile(50) == pytest.approx(0.01, rel=0.11)
    assert both.wait_percentile(95) == pytest.approx(0.01 * 2**10, rel=0.11)
    assert Counts().wait_percentile(95) is None
