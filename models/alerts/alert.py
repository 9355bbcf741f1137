"""Alerts: one row from start to end, and a transactional outbox of notices for both."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

import peewee

from models.alerts.evaluate import Alarm, Changes
from models.alerts.rules import BY_NAME, RULES, WARNING, AlertRule
from models.database.connection import Model, db
from models.settings import addresses

START, END = "start", "end"
ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0  # seconds between attempts, about 15 minutes in all
LEASE = 60  # seconds; longer than a notice may take to send
FORGOTTEN_AFTER = 600  # seconds without an update from a host, such as a removed one
LOCAL = [rule.name for rule in RULES if rule.local]


class Alert(Model):
    """One alert: a rule that fired, from start to end."""

    id = peewee.BigAutoField()
    rule = peewee.TextField()
    subject = peewee.TextField(default="")
    level = peewee.TextField()
    sentence = peewee.TextField()
    reading = peewee.FloatField()
    bound = peewee.FloatField()
    started_at = peewee.DateTimeField()
    seen_at = peewee.DateTimeField()
    ended_at = peewee.DateTimeField(null=True)

    @classmethod
    def open(cls) -> list[Alert]:
        """Open alerts, most severe and oldest first."""
        order = cls.level, cls.started_at  # critical comes before warning
        return list(cls.select().where(cls.ended_at.is_null()).order_by(*order))

    @classmethod
    def recent(cls, limit: int, before: int | None = None) -> list[Alert]:
        """The newest ended alerts; with ``before``, only those with a smaller id."""
        query = cls.select().where(cls.ended_at.is_null(False))
        if before is not None:
            query = query.where(cls.id < before)
        return list(query.order_by(cls.id.desc()).limit(limit))

    @property
    def known(self) -> AlertRule | None:
        """Its rule; None if the rule no longer exists."""
        return BY_NAME.get(self.rule)

    @property
    def title(self) -> str:
        """Its rule's title."""
        return self.known.title if self.known else self.rule.capitalize()


class Notice(Model):
    """One message about an alert to one channel: ``start`` or ``end``."""

    id = peewee.BigAutoField()
    alert = peewee.ForeignKeyField(Alert, backref="notices")
    kind = peewee.TextField()
    channel = peewee.TextField()
    state = peewee.TextField(default="owed")
    attempts = peewee.SmallIntegerField(default=0)
    due_at = peewee.DateTimeField()
    lease_until = peewee.DateTimeField(null=True)
    outcome = peewee.TextField(default="")
    sent_at = peewee.DateTimeField(null=True)

    @classmethod
    def of(cls, alerts: Collection[Alert]) -> dict[int, list[Notice]]:
        """The notices of these alerts, by alert id."""
        notices: dict[int, list[Notice]] = {alert.id: [] for alert in alerts}
        for row in cls.select().where(cls.alert.in_(list(notices))).order_by(cls.id):
            notices[row.alert_id].append(row)
        return notices


def channels(alert_urls: str) -> dict[str, str]:
    """The URLs of ``ALERT_URLS`` by displayable names: the scheme and a digest."""
    return {_channel(url): url for url in addresses(alert_urls)}


def _channel(url: str) -> str:
    return f"{url.partition('://')[0].lower()} {hashlib.sha256(url.encode()).hexdigest()[:6]}"


def open_rules(host: str) -> list[str]:
    """Names of the rules with an open alert: global ones and this host's."""
    query = Alert.select(Alert.rule).where(Alert.ended_at.is_null(), _is_of(host))
    return [row[0] for row in query.tuples()]


def open_counts() -> dict[str, int]:
    """The number of open alerts per rule, on all hosts."""
    count = peewee.fn.count(Alert.id)
    query = Alert.select(Alert.rule, count).where(Alert.ended_at.is_null()).group_by(Alert.rule)
    return dict(query.tuples())


def apply(changes: Changes, host: str, to: Iterable[str]) -> None:
    """Store the changes and add notices for the channels ``to``, in one transaction.

    Safe if several hosts do it at once: an alert starts only if its rule has none open, ends only
    if it is open, and only the host that changed it adds the notices.
    """
    channel_names = list(to)
    with db.atomic():
        for alarm in changes.began:
            begun = _begin(alarm, host)
            if begun is not None:
                _owe(begun, START, channel_names)
        for alarm in changes.continued:
            _update(alarm, host)
        for number in (*_end(changes.ended, host), *_end_stale(host)):
            _owe(number, END, channel_names)


def _begin(alarm: Alarm, host: str) -> int | None:
    row = db.execute_sql(
        "INSERT INTO alert (rule, subject, level, sentence, reading, bound)"
        " VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (rule, subject) WHERE ended_at IS NULL DO NOTHING RETURNING id",
        (*_named(alarm.rule, host), alarm.rule.level, alarm.sentence, alarm.reading, alarm.bound),
    ).fetchone()
    return row[0] if row else None


def _update(alarm: Alarm, host: str) -> None:
    rule, subject = _named(alarm.rule, host)
    Alert.update(
        sentence=alarm.sentence,
        reading=alarm.reading,
        bound=alarm.bound,
        seen_at=peewee.fn.now(),
    ).where(Alert.rule == rule, Alert.subject == subject, Alert.ended_at.is_null()).execute()


def _end(rules: Collection[str], host: str) -> list[int]:
    return _ended(Alert.rule.in_(list(rules)), _is_of(host)) if rules else []


def _end_stale(host: str) -> list[int]:
    """End the alerts of hosts that no longer report, so they do not stay open for ever."""
    silent = peewee.fn.now() - peewee.SQL("make_interval(secs => %s)", (FORGOTTEN_AFTER,))
    return _ended(Alert.rule.in_(LOCAL), Alert.subject != host, Alert.seen_at < silent)


def _ended(*conditions: Any) -> list[int]:
    query = Alert.update(ended_at=peewee.fn.now()).where(Alert.ended_at.is_null(), *conditions)
    return [row.id for row in query.returning(Alert.id).execute()]


def _is_of(host: str) -> Any:
    return Alert.subject.in_(("", host))


def _named(rule: AlertRule, host: str) -> tuple[str, str]:
    return rule.name, host if rule.local else ""


def _owe(number: int, kind: str, to: Iterable[str]) -> None:
    rows = [
        {"alert": number, "kind": kind, "channel": channel, "due_at": peewee.fn.now()}
        for channel in to
    ]
    if rows:
        Notice.insert_many(rows).on_conflict_ignore().execute()


def store_earlier(
    alarm: Alarm, seconds: float, notified: Collection[str], to: Iterable[str]
) -> None:
    """Store an alert that began ``seconds`` ago and could not be stored then.

    The channels in ``notified`` already have its start; the others of ``to`` get a notice.
    """
    with db.atomic():
        number = _begin(alarm, "")
        if number is None:
            return
        began = peewee.fn.now() - peewee.SQL("make_interval(secs => %s)", (seconds,))
        Alert.update(started_at=began).where(Alert.id == number).execute()
        _owe(number, START, to)
        Notice.update(state="sent", attempts=1, sent_at=began).where(
            Notice.alert == number, Notice.channel.in_(list(notified))
        ).execute()


def send_test(by: str, to: Iterable[str]) -> None:
    """Send a test notice to every channel."""
    with db.atomic():
        row = Alert.create(
            rule="trial",
            level=WARNING,
            sentence=f"{by} tests whether alerts arrive here.",
            reading=0.0,
            bound=0.0,
            started_at=peewee.fn.now(),
            seen_at=peewee.fn.now(),
            ended_at=peewee.fn.now(),
        )
        _owe(row.id, START, to)


def claim_notices(limit: int) -> list[Notice]:
    """Claim due notices; one whose result is not recorded within the lease is sent again.

    An end waits for its start, so a receiver gets them in order.
    """
    rows = db.execute_sql(
        "UPDATE notice SET attempts = attempts + 1,"
        " lease_until = now() + make_interval(secs => %s)"
        " WHERE id IN (SELECT id FROM notice n WHERE state = 'owed' AND due_at <= now()"
        " AND (lease_until IS NULL OR lease_until < now())"
        " AND NOT (kind = 'end' AND EXISTS (SELECT 1 FROM notice s WHERE s.state = 'owed'"
        " AND s.alert_id = n.alert_id AND s.channel = n.channel AND s.kind = 'start'))"
        " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING id",
        (LEASE, limit),
    ).fetchall()
    ids = [row[0] for row in rows]
    return list(Notice.select(Notice, Alert).join(Alert).where(Notice.id.in_(ids)))


def mark_sent(notice: Notice) -> None:
    """Record that the channel accepted it."""
    Notice.update(state="sent", outcome="", sent_at=peewee.fn.now(), lease_until=None).where(
        Notice.id == notice.id
    ).execute()


def mark_not_sent(notice: Notice, outcome: str, *, again: bool = True) -> None:
    """Record a failure: retry later, or failed after the last attempt."""
    pause = min(FIRST_PAUSE * 2 ** (notice.attempts - 1), LONGEST_PAUSE)
    Notice.update(
        state="owed" if again and notice.attempts < ATTEMPTS else "failed",
        outcome=outcome[:300],
        lease_until=None,
        due_at=peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (pause,)),
    ).where(Notice.id == notice.id).execute()


def purge(days: int) -> int:
    """Delete alerts that ended more than ``days`` ago; returns their number."""
    old = peewee.fn.now() - peewee.SQL("make_interval(days => %s)", (days,))
    return int(Alert.delete().where(Alert.ended_at < old).execute())
