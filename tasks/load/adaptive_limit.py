"""The adaptive limit of the running server: the standby process sets it, the web applies it.

The state is kept in Redis for ``EXPIRY`` seconds, so that it expires if no standby process renews
it. A web process reads it once a second; that is the whole cost while no client is limited.
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
from models.capacity import adaptive_limit, mode, wait_estimate
from models.capacity.adaptive_limit import AdaptiveLimit, Signals, State
from models.clients.client import Client
from models.expiring_values import ExpiringValues
from models.settings import get_settings, per_process
from tasks.load import heartbeat, response_counts, snapshot
from tasks.queue.lanes import get_redis

EVERY = 5.0  # seconds between two rounds
STATE_KEY = "sluice:adaptive_limit:2"  # 2: with the signal, which 0.2.0 could not read
ROUND_KEY = "sluice:adaptive_limit:round"  # the lock of one round
NEXT_KEY = "sluice:adaptive_limit:next:"  # and the client's id: when its next upload is due
EXPIRY = 30  # seconds until the state expires if it is not renewed
SPAN, SHORT_SPAN = 60, 10  # seconds; failures count over a minute, and only while they continue
LOWERED, RESTORED = "limit.lower", "limit.lift"  # acts in the audit; stored, so never renamed
# GCRA: one number per client, the time at which its next upload is due. The limit may change
# between two uploads without giving a client a fresh start. Returns the seconds to wait.
TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local early = due - now - tonumber(ARGV[2])
if early > 0 then return tostring(early) end
redis.call('SET', KEYS[1], string.format('%.6f', due + tonumber(ARGV[1])), 'EX', 120)
return '0'
"""
BURST = 2.0  # seconds by which a limited client may be early

_kept = ExpiringValues()
_take = per_process(lambda _: get_redis().register_script(TAKE))
_jobs: deque[tuple[float, dict[str, tuple[int, int]]]] = deque()


def update() -> None:
    """Run one round; of several standby processes one does it, the others skip it."""
    try:
        if not get_settings().enable_adaptive_rate_limiting:
            return
        if not get_redis().set(ROUND_KEY, 1, nx=True, px=int(EVERY * 900)):
            return
        before = _stored()
        after = adaptive_limit.decide(
            before, signals(), response_counts.arrivals(), time.time(), get_settings()
        )
        get_redis().set(STATE_KEY, json.dumps(asdict(after)), ex=EXPIRY)
    except redis.RedisError:  # without Redis no client is limited by it
        return
    _record(before, after)


def signals() -> Signals:
    """How overloaded the server is now; raises redis.RedisError.

    In fast_track uploads do not wait in the queue, so the wait is no reason to refuse one.
    """
    queue, name = snapshot.read(), snapshot.current()["mode"]
    rates = [beat["jobs_per_second"] for beat in snapshot.workers() if beat["state"] != "stale"]
    owed = snapshot.snapshot()["queues"]["review_debt"]
    last = mode.is_last(name, get_settings())
    return Signals(
        wait=snapshot.estimated_wait() if last and name != mode.FAST_TRACK else 0.0,
        debt=wait_estimate.estimate(queue.depth + owed, rates) if last and owed else 0.0,
        errors=max(_failed_responses(), _failed_jobs(time.monotonic(), heartbeat.workers())),
    )


def _failed_responses() -> float:
    """Percent of responses that fail: the lower share of the two spans."""
    return min(response_counts.read(span).error_rate or 0.0 for span in (SPAN, SHORT_SPAN))


def _failed_jobs(now: float, beats: list[dict[str, Any]]) -> float:
    """Percent of jobs that fail: the lower share of the two spans."""
    counts = {f"{b['host']}:{b['pid']}": (b["processed"], b["errors"]) for b in beats}
    _jobs.append((now, counts))
    while now - _jobs[0][0] > SPAN + EVERY:
        _jobs.popleft()
    spans = [_jobs_since(counts, now - span) for span in (SPAN, SHORT_SPAN)]
    return min(
        100 * failed / done if done >= response_counts.FEWEST else 0.0 for done, failed in spans
    )


def _jobs_since(counts: dict[str, tuple[int, int]], start: float) -> tuple[int, int]:
    """(jobs, failed jobs) of all workers since a moment."""
    then = next(counts for at, counts in _jobs if at >= start or at == _jobs[-1][0])
    done = failed = 0
    for name, (processed, errors) in counts.items():
        before = then.get(name, (0, 0) if then else (processed, errors))
        done += processed - before[0]
        failed += errors - before[1]
    return done, failed


def current() -> State:
    """The state in force, at most a second old; no client is limited while Redis is down."""
    return _kept.get_or("state", 1.0, _read)


def limit_of(client_id: int) -> tuple[int, AdaptiveLimit] | None:
    """A limited client's uploads per minute, and how it came to that; None for other clients."""
    state = current()
    for limit in state.limits:
        if limit.client_id == client_id:
            return state.uploads_per_minute, limit
    return None


def take(client_id: int, uploads_per_minute: int) -> int:
    """Count one upload of a limited client; the seconds to wait if its limit is used up, else 0.

    While Redis is down no upload is refused.
    """
    interval = 60 / uploads_per_minute
    try:
        wait = _take()(keys=[f"{NEXT_KEY}{client_id}"], args=[interval, max(BURST, interval)])
    except redis.RedisError:
        return 0
    return math.ceil(float(wait))


def _read() -> State:
    try:
        return _stored()
    except redis.RedisError:
        return State()


def _stored() -> State:
    stored: Any = get_redis().get(STATE_KEY)
    if not stored:
        return State()
    state = json.loads(stored)
    limits = tuple(AdaptiveLimit(**limit) for limit in state["limits"])
    return State(**{**state, "limits": limits})


def _record(before: State, after: State) -> None:
    """Append an audit row for each client whose limit was lowered or restored."""
    was = {limit.client_id: limit for limit in before.limits}
    now = {limit.client_id: limit for limit in after.limits}
    changed = was.keys() ^ now.keys()
    if not changed:
        return
    names = dict(Client.select(Client.id, Client.name).where(Client.id.in_(list(changed))).tuples())
    for client_id in changed:
        name = names.get(client_id, str(client_id))
        if client_id in now:
            limit = now[client_id]
            Audit.append(
                LOWERED, name, before=limit.before, after=limit.lowest, reason=limit.reason
            )
        else:
            limit = was[client_id]
            Audit.append(
                RESTORED,
                name,
                before=limit.lowest,
                after=limit.before,
                reason=limit.reason,
                minutes=round((time.time() - limit.since) / 60, 1),
            )
