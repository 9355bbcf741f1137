"""Alerts: take readings, begin and end alerts, and send one notice at the start and at the end.

The rows are the truth. A notice is stored in the transaction that begins or ends its alert, claimed
before it is sent, and recorded after. If a process dies in between, it is sent again; normally it
is sent once.
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
from models.settings import ROOT, Settings, get_settings
from tasks.alerts import readings
from tasks.alerts.database_outage import Outage

BATCH = 4  # notices sent at once, so that one dead mail server delays no other channel
SEND_TIMEOUT = 20.0  # seconds for one notice
log = logging.getLogger("sluice.alerts")


class Alerting:
    """The alerts of one standby process and the channels that it sends to."""

    def __init__(self, settings: Settings) -> None:
        self.host = socket.gethostname()
        self.every = max(1.0, min(5.0, settings.alert_after))  # seconds between two evaluations
        self.channels = alert.channels(settings.alert_urls)
        self._watch = Watch(settings)
        self._outage = Outage(settings)
        self._outage_notices: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(BATCH, thread_name_prefix="notice")

    def evaluate(self) -> None:
        """Take readings and store the changes of alerts; report if PostgreSQL is down."""
        try:
            with connection():
                if self._outage.is_recorded():
                    wait(self._outage_notices)  # else a channel could get that notice twice
                    self._outage.end(self.channels)
                self._evaluate()
        except peewee.PeeweeException as error:
            log.warning("alerts: PostgreSQL: %s", str(error).strip().split("\n")[0])
            due = self._outage.continues(self.channels)
            sending = [self._pool.submit(self._send_outage, name) for name in due]
            self._outage_notices = sending or self._outage_notices

    def _evaluate(self) -> None:
        open_rules = alert.open_rules(self.host)
        changes = self._watch.look(readings.read(), open_rules, time.monotonic())
        for alarm in changes.began:
            log.warning("alert: %s: %s", alarm.rule.title, alarm.sentence)
        for name in changes.ended:
            log.warning("alert over: %s", name)
        alert.apply(changes, self.host, self.channels)

    def send_notices(self) -> int:
        """Start sending the notices that are due; returns how many."""
        claimed = alert.claim_notices(BATCH)
        for notice in claimed:
            self._pool.submit(self._send, notice)
        return len(claimed)

    def _send(self, notice: Notice) -> None:
        try:
            url = self.channels.get(notice.channel)
            gone = "its address is no longer in ALERT_URLS"
            outcome = send(url, message(notice)) if url else gone
            with connection():
                if outcome:
                    log.warning("notice not sent by %s: %s", notice.channel, outcome)
                    alert.mark_not_sent(notice, outcome, again=url is not None)
                else:
                    alert.mark_sent(notice)
        except Exception:
            log.exception("notice %s", notice.id)  # its lease expires and it is sent again

    def _send_outage(self, channel: str) -> None:
        """Report that PostgreSQL is down; if that fails, the notice is sent when it is up."""
        rule = BY_NAME["database"]
        text = {
            "title": f"Sluice: {rule.title}",
            "body": f"{rule.say(1)}\n{rule.advice}",
            "type": "failure",
        }
        outcome = send(self.channels[channel], text)
        if outcome:
            log.warning("PostgreSQL's outage not reported by %s: %s", channel, outcome)
        else:
            self._outage.reported(channel)


def send(url: str, text: dict[str, str]) -> str:
    """Send a message to an Apprise address; returns the reason if it fails, else "".

    It runs in a separate process, which can be killed if it hangs, and which frees the library's
    memory.
    """
    command = [sys.executable, "-m", "tasks.alerts.notify"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps({"url": url, **text}),
            capture_output=True,
            text=True,
            timeout=SEND_TIMEOUT,
            cwd=ROOT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not answer within {SEND_TIMEOUT:.0f} s"
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or "could not be sent"


def message(notice: Notice) -> dict[str, str]:
    """``title``, ``body`` and ``type`` of a notice, in words."""
    row: Alert = notice.alert
    where = f" on {row.subject}" if row.subject else ""
    link = f"{get_settings().url}/console/alerts/"
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
