"""The console's events: from a decision to five hundred browsers on one web process."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

from models.settings import ROOT
from scripts._own_stack import Stack, stack
from scripts.benches.figures import Figure, Measure, growing, percentile
from scripts.benches.http import Plan
from tests.support.api import Api
from tests.support.console import Console

LISTENERS = {50: 15, 150: 15, 500: 40}  # number of listeners -> decisions that each receives
QUICK = {10: 3, 20: 3}
PAUSE = (0.7, 1.9)  # seconds between changes, random so that they are spread between two ticks
FLAG = "Wire transfer only, WhatsApp"
GOAL = 100.0  # milliseconds
NOTE = (
    "the spread is of the last browser of each decision; two decisions between two ticks of the"
    " console are announced together"
)


def events(plan: Plan) -> list[Figure]:
    """Time from a decision until 500 browsers on one web process receive it."""
    found, middle = [], {}
    for listeners, changes in (QUICK if plan.rounds == 1 else LISTENERS).items():
        home = plan.work / f"events-{listeners}"
        with stack(home, WEB_INSTANCES=1, SYNC_TIMEOUT=10) as server:
            arrivals = _arrivals(server, listeners, changes)
            decided = [row[0] for row in server.query(
                "SELECT extract(epoch FROM decided_at)::float FROM submission"
                " WHERE verdict = 'review' ORDER BY decided_at"
            )]  # fmt: skip
        took = _took(arrivals, decided)
        middle[listeners] = percentile([ms for times in took for ms in times], 0.5)
        found += _figures(listeners, took, changes)
    return [*found, growing("events", "decision to browser, p50, by listeners", middle)]


def _took(arrivals: list[list[float]], decided: list[float]) -> list[list[float]]:
    """Milliseconds from each decision to each listener that received it."""
    took: dict[int, list[float]] = {}
    for at, number in arrivals:
        if 1 <= number <= len(decided):
            took.setdefault(int(number), []).append(1e3 * (at - decided[int(number) - 1]))
    return list(took.values())


def _figures(listeners: int, took: list[list[float]], changes: int) -> list[Figure]:
    whole = [ms for times in took for ms in times]
    last = [max(times) for times in took]
    p99 = percentile(whole, 0.99)
    missed = listeners * changes - len(whole)
    what = f"{listeners} browsers on one web process, {changes} decisions"
    return [
        Figure(
            "events", f"{what}: decision to browser, p99", Measure(p99, "ms", min(last), max(last)),
            goal=f"≤ {GOAL:g} ms", met=p99 <= GOAL, note=NOTE,
        ),
        Figure("events", f"{what}: p50", Measure(percentile(whole, 0.5), "ms")),
        Figure("events", f"{what}: first browser to the last", Measure.of(
            [max(times) - min(times) for times in took], "ms"
        )),
        Figure("events", f"{what}: not announced separately", Measure(missed, "")),
    ]  # fmt: skip


def _arrivals(server: Stack, listeners: int, changes: int) -> list[list[float]]:
    person = ("create", "bench", "--role", "moderator", "--json")
    made = json.loads(server.script("moderator", *person))
    console = Console(server.settings.url)
    console.sign_in("bench", made["password"])
    cookie = "; ".join(f"{c.name}={c.value}" for c in console.http.cookies)
    reported = {"port": server.settings.port, "cookie": cookie, "listeners": listeners}
    client = "scripts.benches.events_client"
    process = subprocess.Popen(
        [sys.executable, "-m", "gevent.monkey", "--module", client],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        process.stdin.write(json.dumps(reported) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        api = Api(server.settings.url, server.key)
        for number in range(changes):
            time.sleep(random.uniform(*PAUSE))  # nosec B311
            api.decided(title=f"Watch {number}", description=FLAG)
        time.sleep(2)
        arrivals, _ = process.communicate("end\n", timeout=60)
        return json.loads(arrivals)
    finally:
        process.kill()
