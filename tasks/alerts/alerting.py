"""Alerts: readings are taken, rules begin and end alerts, and each is told once at both ends.

The rows are the truth. A notice is owed in the transaction that begins or ends its alert, claimed
before it is sent and recorded after: whatever dies between, it is sent, and as a rule once.
"""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

import peewee

from models.alerts import alert
from models.alerts.alert import START, Alert, Notice
from models.alerts.evaluate import Watch
from models.alerts.rules import BY_NAME, CRITICAL
from models.database.connection import connection
from models.settings import ROOT
from tasks.alerts import readings
from tasks.alerts.database_outage import Outage
from tasks.queue.lanes import settings

HOST = socket.gethostname()
EVERY = max(1.0, min(5.0, settings.alert_after))  # seconds between two looks
BATCH = 4  # notices at once, so that one dead mail server delays no other
PATIENCE = 20.0  # seconds that sending one may take
log = logging.getLogger("sluice.alerts")
watch = Watch(settings)
channels = alert.channels(settings.alert_urls)
outage = Outage(settings)
telling: list[Future[None]] = []  # of the outage
pool = ThreadPoolExecutor(BATCH, thread_name_prefix="notice")


def look() -> None:
    """Read, and store which alerts begin, go on and end; without PostgreSQL, tell that."""
    try:
        with connection():
            if outage.is_noted():
                wait(telling)  # so that whoever hears of it just now is not told again
                outage.over(channels)
            _look()
    except peewee.PeeweeException as error:
        log.warning("alerts: PostgreSQL: %s", str(error).strip().split("\n")[0])
        telling[:] = [pool.submit(_tell_outage, name) for name in outage.lasts(channels)] or telling


def _look() -> None:
    changes = watch.look(readings.read(), alert.open_rules(HOST), time.monotonic())
    for alarm in changes.began:
        log.warning("alert: %s: %s", alarm.rule.title, alarm.sentence)
    for name in changes.ended:
        log.warning("alert over: %s", name)
    alert.apply(changes, HOST, channels)


def tell() -> int:
    """Start sending the notices that are due; returns how many."""
    claimed = alert.claim_notices(BATCH)
    for notice in claimed:
        pool.submit(_tell, notice)
    return len(claimed)


def _tell(notice: Notice) -> None:
    try:
        url = channels.get(notice.channel)
        outcome = send(url, message(notice)) if url else "its address is no longer in ALERT_URLS"
        with connection():
            if outcome:
                log.warning("alert not told by %s: %s", notice.channel, outcome)
                alert.not_sent(notice, outcome, again=url is not None)
            else:
                alert.sent(notice)
    except Exception:
        log.exception("notice %s", notice.id)  # its lease runs out and it is sent again


def _tell_outage(channel: str) -> None:
    """Tell that PostgreSQL is away; what fails is owed when it is back."""
    rule = BY_NAME["database"]
    text = {
        "title": f"Sluice: {rule.title}",
        "body": f"{rule.say(1)}\n{rule.advice}",
        "type": "failure",
    }
    outcome = send(channels[channel], text)
    if outcome:
        log.warning("PostgreSQL's outage not told by %s: %s", channel, outcome)
    else:
        outage.told(channel)


def send(url: str, text: dict[str, str]) -> str:
    """Send a message to an Apprise address; returns why it could not be, or nothing.

    In a process of its own: it can be ended whatever it hangs on, and the memory of the library
    is given back.
    """
    command = [sys.executable, "-m", "tasks.alerts.notify"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps({"url": url, **text}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=ROOT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not answer within {PATIENCE:.0f} s"
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or "could not be sent"


def message(notice: Notice) -> dict[str, str]:
    """``title``, ``body`` and ``type`` of a notice, in words."""
    row: Alert = notice.alert
    where = f" on {row.subject}" if row.subject else ""
    link = f"{settings.url}/console/alerts/"
    if notice.kind == START:
        advice = row.known.advice if row.known else ""
        return {
            "title": f"Sluice: {row.title}{where}",
            "body": f"{row.sentence}\nSince {_clock(row.started_at)}. {advice}\n{link}",
            "type": "failure" if row.level == CRITICAL else "warning",
        }
    return {
        "title": f"Sluice: over: {row.title}{where}",
        "body": f"From {_clock(row.started_at)} to {_clock(row.ended_at)}.\n"
        f"It was: {row.sentence}\n{link}",
        "type": "success",
    }


def _clock(at: datetime) -> str:
    return at.strftime("%d %b %Y %H:%M:%S UTC")
