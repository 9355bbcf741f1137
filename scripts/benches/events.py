"""The console's events: from a decision to five hundred browsers on one web process."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

from models.settings import ROOT
from scripts._own_stack import Stack, stack
from scripts.benches.figures import Figure, Measure, at_most, percentile
from scripts.benches.http import Plan
from tests.api import Api
from tests.console import Console

LISTENERS, CHANGES = 500, 40
PAUSE = (0.7, 1.9)  # seconds between two changes, so that they fall anywhere between two ticks
FLAG = "Wire transfer only, WhatsApp"


def events(plan: Plan) -> list[Figure]:
    """Seconds from a decision to 500 browsers that listen to one web process."""
    quick = plan.rounds == 1
    listeners, changes = (50, 5) if quick else (LISTENERS, CHANGES)
    with stack(plan.work / "events", WEB_INSTANCES=1, SYNC_TIMEOUT=10) as server:
        heard = _heard(server, listeners, changes)
        decided = [row[0] for row in server.query(
            "SELECT extract(epoch FROM decided_at)::float FROM submission"
            " WHERE verdict = 'review' ORDER BY decided_at"
        )]  # fmt: skip
    took: dict[int, list[float]] = {}
    for at, number in heard:
        if 1 <= number <= len(decided):
            took.setdefault(number, []).append(1e3 * (at - decided[number - 1]))
    whole = [ms for times in took.values() for ms in times]
    spread = [max(times) - min(times) for times in took.values()]
    missed = listeners * changes - len(whole)
    what = f"{listeners} browsers, one web process, {changes} decisions"
    return [
        at_most("events", f"{what}: to browser, p99", [percentile(whole, 0.99)], "ms", 100),
        Figure("events", "decision to browser, p50", Measure(percentile(whole, 0.5), "ms")),
        Figure("events", "first browser to the last, p50", Measure.of(spread, "ms")),
        Figure("events", "not told by a tick of its own", Measure(missed, "of them")),
    ]


def _heard(server: Stack, listeners: int, changes: int) -> list[list[float]]:
    person = ("create", "bench", "--role", "moderator", "--json")
    made = json.loads(server.script("moderator", *person))
    console = Console(server.settings.url)
    console.sign_in("bench", made["password"])
    cookie = "; ".join(f"{c.name}={c.value}" for c in console.http.cookies)
    told = {"port": server.settings.port, "cookie": cookie, "listeners": listeners}
    client = "scripts.benches.events_client"
    process = subprocess.Popen(
        [sys.executable, "-m", "gevent.monkey", "--module", client],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        api = Api(server.settings.url, server.key)
        for number in range(changes):
            time.sleep(random.uniform(*PAUSE))  # nosec B311
            api.decided(title=f"Watch {number}", description=FLAG)
        time.sleep(2)
        heard, _ = process.communicate("end\n", timeout=60)
        return json.loads(heard)
    finally:
        process.kill()
