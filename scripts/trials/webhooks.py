"""Faults of `scripts/faults` in webhooks: failing receivers, a kill before the result is stored."""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
from collections.abc import Callable

from scripts.trials.client import Sender
from scripts.trials.compare import owed
from scripts.trials.receiver import Call, Receiver
from scripts.trials.trial import Fault, Scene

SLOW = 12.0  # seconds that the slow receiver takes, below the timeout
P95 = 5.0  # seconds from the decision to the arrival at a healthy receiver
NOW = "UPDATE delivery SET due_at = now(), lease_until = NULL WHERE state = 'owed' RETURNING 1"
DECIDED = "SELECT id::text, extract(epoch FROM decided_at)::float FROM submission"
GIVEN_UP = "SELECT count(*) FROM delivery WHERE state NOT IN ('owed', 'delivered')"


def slow_receiver(scene: Scene) -> None:
    """Another client's receiver responds after 12 seconds until it recovers."""
    well = threading.Event()

    def behave(call: Call) -> int:
        well.wait(SLOW)
        return 204

    _other(scene, Receiver(behave), well.set)


def dead_receiver(scene: Scene) -> None:
    """Another client's receiver responds only with errors until it recovers."""
    well = threading.Event()
    _other(scene, Receiver(lambda call: 204 if well.is_set() else 500), well.set)


def _other(scene: Scene, receiver: Receiver, heal: Callable[[], None]) -> None:
    """A second client sends too; its receiver fails, and later recovers."""
    stack, plan = scene.stack, scene.plan
    made = stack.script("client", "create", "Ill", "--webhook", receiver.url, "--json")
    beside = Sender(stack.settings.url, json.loads(made)["key"], plan.uploads // 3, plan.rate / 2)
    beside.start()
    scene.sender.finish()
    beside.finish()
    scene.until(lambda: _arrived(scene), 60, "the others' events arrive")
    p95 = _p95(scene)
    scene.require(p95 < P95, f"others' deliveries p95 is {p95:.1f} s")
    waiting = owed(stack)
    heal()
    jobs = set(beside.sent.acknowledged)
    # Shortens a day of retries: pending deliveries are due now.
    scene.until(
        lambda: stack.query(NOW) is not None and jobs <= set(receiver.ids()), 120, "0 events lost"
    )
    lost = len(jobs - set(receiver.ids()))
    scene.until(lambda: not owed(stack), 60, "nothing is owed any more")
    scene.require(stack.query(GIVEN_UP)[0][0] == 0, "no delivery was given up")
    twice = [job for job, ids in receiver.ids().items() if len(ids) > 1]
    scene.require(not twice, f"one event under several webhook ids: {len(twice)}")
    receiver.close()
    scene.notes.append(
        f"others' p95 {p95:.2f} s; {waiting} of {len(jobs)} events waited, {lost} lost"
    )


def _arrived(scene: Scene) -> bool:
    return set(scene.sender.sent.acknowledged) <= set(scene.receiver.ids())


def _p95(scene: Scene) -> float:
    """Seconds from the decision to the first arrival at the healthy receiver."""
    decided = dict(scene.stack.query(DECIDED))
    first: dict[str, float] = {}
    for call in scene.receiver.calls:
        first.setdefault(call.job_id, call.at)
    waits = [at - decided[job] for job, at in first.items() if decided.get(job)]
    return statistics.quantiles(waits, n=20)[-1] if len(waits) > 1 else float("inf")


def kill_sender(scene: Scene) -> None:
    """SIGKILL the standby process while a receiver delays its response: sent, but not recorded."""
    struck: list[Call] = []
    lock = threading.Lock()

    def behave(call: Call) -> int:
        with lock:
            if len(struck) < 3 and call.webhook_id not in {c.webhook_id for c in struck}:
                struck.append(call)
                os.kill(scene.stack.pid("standby"), 9)
        return 204

    scene.receiver.behave = behave
    scene.until(lambda: struck, 30, "the fault struck")
    scene.sender.finish()
    time.sleep(2)
    if scene.plan.quick:
        scene.stack.query(NOW)  # the lease of those calls has expired
    again = lambda: all(_times(scene, call) > 1 for call in struck)  # noqa: E731
    scene.until(again, 90, "it is sent again with the same webhook-id")
    scene.notes.append(f"{len(struck)} calls cut, each came again under its id")


def _times(scene: Scene, call: Call) -> int:
    return sum(other.webhook_id == call.webhook_id for other in scene.receiver.calls)


FAULTS = (
    Fault(
        "receiver-slow",
        "a slow receiver: others' deliveries p95 < 5 s, 0 events lost",
        slow_receiver,
        answers=frozenset({"200", "202"}),
    ),
    Fault(
        "receiver-dead",
        "a receiver that is dead for a day: others' deliveries p95 < 5 s, 0 events lost",
        dead_receiver,
        answers=frozenset({"200", "202"}),
    ),
    Fault(
        "webhook-kill",
        "SIGKILL between sending a webhook and recording it: again with the same webhook-id",
        kill_sender,
        answers=frozenset({"200", "202"}),
    ),
)
