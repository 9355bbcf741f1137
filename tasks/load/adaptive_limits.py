"""Limits under pressure: judged in one place, the standby process, and held to by the web.

What is in force lies in Redis for a short time, so that it dissolves by itself when nobody judges
any more. A web process looks there once a second; while nobody is lowered, that is all it costs.
"""

from __future__ import annotations

import json
import math
import time
from collections import deque
from dataclasses import asdict
from typing import Any

import redis

from models.audit.log import Audit
from models.capacity import adaptive_limits, wait_estimate
from models.capacity.adaptive_limits import Lowered, Signals, State
from models.clients.client import Client
from models.settings import get_settings, per_process
from tasks.load import heartbeat, response_counts, snapshot
from tasks.queue.lanes import get_redis

EVERY = 5.0  # seconds between two rounds
KEY, TURN, LAST = "sluice:pressure", "sluice:pressure:turn", "sluice:pressure:last:"
IN_FORCE = 30  # seconds that a judgement holds when none follows
SPAN, SHORT = 60, 10  # seconds: what failed counts over a minute, as long as it fails still
LOWERED, LIFTED = "limit.lower", "limit.lift"  # the acts in the audit
# GCRA: one number a client, the time at which its next upload would be even. The limit may change
# between two uploads without anybody getting a fresh start. Answers the seconds to wait.
TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local even = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local early = even - now - tonumber(ARGV[2])
if early > 0 then return tostring(early) end
redis.call('SET', KEYS[1], string.format('%.6f', even + tonumber(ARGV[1])), 'EX', 120)
return '0'
"""
BURST = 2.0  # seconds by which a lowered client may run ahead

_kept = snapshot.Kept()
_take = per_process(lambda _: get_redis().register_script(TAKE))
_jobs: deque[tuple[float, dict[str, tuple[int, int]]]] = deque()


def judge() -> None:
    """One round; of several standby processes one does it, the others see that it is done."""
    try:
        if not get_settings().enable_adaptive_rate_limiting:
            return
        if not get_redis().set(TURN, 1, nx=True, px=int(EVERY * 900)):
            return
        before = _stored()
        after = adaptive_limits.decide(
            before, signals(), response_counts.arrivals(), time.time(), get_settings()
        )
        get_redis().set(KEY, json.dumps(asdict(after)), ex=IN_FORCE)
    except redis.RedisError:  # then nothing is in force, and each process limits on its own
        return
    _write_down(before, after)


def signals() -> Signals:
    """How overloaded the server is now; raises redis.RedisError."""
    queue = snapshot.read()
    rates = [beat["jobs_per_second"] for beat in snapshot.workers() if beat["state"] != "stale"]
    debt = snapshot.snapshot()["queues"]["review_debt"]
    return Signals(
        wait=snapshot.estimated_wait() if queue.depth else 0.0,
        debt=wait_estimate.estimate(queue.depth + debt, rates) if debt else 0.0,
        errors=max(_failing_answers(), _failing_jobs(time.monotonic(), heartbeat.workers())),
    )


def _failing_answers() -> float:
    """Percent of answers that fail, over a minute and still."""
    return min(response_counts.read(span).error_rate or 0.0 for span in (SPAN, SHORT))


def _failing_jobs(now: float, beats: list[dict[str, Any]]) -> float:
    """Percent of jobs that fail, over a minute and still."""
    told = {f"{b['host']}:{b['pid']}": (b["processed"], b["errors"]) for b in beats}
    _jobs.append((now, told))
    while now - _jobs[0][0] > SPAN + EVERY:
        _jobs.popleft()
    spans = [_since(told, now - span) for span in (SPAN, SHORT)]
    return min(
        100 * failed / done if done >= response_counts.FEWEST else 0.0 for done, failed in spans
    )


def _since(told: dict[str, tuple[int, int]], start: float) -> tuple[int, int]:
    """(jobs, failed ones) of all workers since a moment."""
    then = next(counts for at, counts in _jobs if at >= start or at == _jobs[-1][0])
    done = failed = 0
    for name, (processed, errors) in told.items():
        before = then.get(name, (0, 0) if then else (processed, errors))
        done += processed - before[0]
        failed += errors - before[1]
    return done, failed


def current() -> State:
    """What is in force, at most a second old; nothing where Redis is away."""
    return _kept.get_or("state", 1.0, _read)


def limit_of(client_id: int) -> tuple[int, Lowered] | None:
    """The uploads a minute that a lowered client may make, and how that came; None for others."""
    state = current()
    for one in state.lowered:
        if one.client_id == client_id:
            return state.limit, one
    return None


def take(client_id: int, limit: int) -> int:
    """Take one upload of a lowered client's limit a minute; the seconds to wait where none is left.

    While Redis is away nothing is held back.
    """
    try:
        told = _take()(keys=[f"{LAST}{client_id}"], args=[60 / limit, max(BURST, 60 / limit)])
    except redis.RedisError:
        return 0
    return math.ceil(float(told))


def _read() -> State:
    try:
        return _stored()
    except redis.RedisError:
        return State()


def _stored() -> State:
    stored: Any = get_redis().get(KEY)
    if not stored:
        return State()
    told = json.loads(stored)
    return State(**{**told, "lowered": tuple(Lowered(**one) for one in told["lowered"])})


def _write_down(before: State, after: State) -> None:
    """A row of the audit for each client whose limit was lowered or is whole again."""
    was = {one.client_id: one for one in before.lowered}
    now = {one.client_id: one for one in after.lowered}
    if was.keys() == now.keys():
        return
    changed = was.keys() ^ now.keys()
    names = dict(Client.select(Client.id, Client.name).where(Client.id.in_(list(changed))).tuples())
    for client_id in changed:
        name = names.get(client_id, str(client_id))
        if client_id in now:
            one = now[client_id]
            Audit.append(LOWERED, name, before=one.before, after=one.lowest, reason=one.why)
        else:
            one = was[client_id]
            minutes = round((time.time() - one.since) / 60, 1)
            Audit.append(
                LIFTED, name, before=one.lowest, after=one.before, reason=one.why, minutes=minutes
            )
