"""Alerts: one row from start to end, and the notices owed for both, a transactional outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

import peewee

from models.alerts.evaluate import Alarm, Changes
from models.alerts.rules import BY_NAME, RULES, WARNING, Rule
from models.database.connection import Model, db
from models.settings import addresses

START, END = "start", "end"
ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0  # seconds between tries: a quarter of an hour of them
LEASE = 60  # seconds; longer than a notice may take to send
FORGOTTEN_AFTER = 600  # seconds without a word of a host's alert, as of one that was taken away
LOCAL = [rule.name for rule in RULES if rule.local]


class Alert(Model):
    """A rule that speaks, or spoke, once."""

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
        """What speaks now, the gravest and oldest first."""
        order = cls.level, cls.started_at  # critical comes before warning
        return list(cls.select().where(cls.ended_at.is_null()).order_by(*order))

    @classmethod
    def recent(cls, limit: int, before: int | None = None) -> list[Alert]:
        """The newest that are over, of those before a number where one is given."""
        query = cls.select().where(cls.ended_at.is_null(False))
        if before is not None:
            query = query.where(cls.id < before)
        return list(query.order_by(cls.id.desc()).limit(limit))

    @property
    def known(self) -> Rule | None:
        """Its rule; None where there is no such rule any more."""
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
        """The notices of some alerts, by the alert's number."""
        found: dict[int, list[Notice]] = {alert.id: [] for alert in alerts}
        for row in cls.select().where(cls.alert.in_(list(found))).order_by(cls.id):
            found[row.alert_id].append(row)
        return found


def channels(alert_urls: str) -> dict[str, str]:
    """The addresses of ``ALERT_URLS`` by names that can be shown: kind and a digest."""
    return {_channel(url): url for url in addresses(alert_urls)}


def _channel(url: str) -> str:
    return f"{url.partition('://')[0].lower()} {hashlib.sha256(url.encode()).hexdigest()[:6]}"


def open_rules(host: str) -> list[str]:
    """Names of the rules that speak already: those of all, and this host's own."""
    query = Alert.select(Alert.rule).where(Alert.ended_at.is_null(), _is_of(host))
    return [row[0] for row in query.tuples()]


def speaking() -> dict[str, int]:
    """How many alerts of each rule are open, on all hosts together."""
    count = peewee.fn.count(Alert.id)
    query = Alert.select(Alert.rule, count).where(Alert.ended_at.is_null()).group_by(Alert.rule)
    return dict(query.tuples())


def apply(changes: Changes, host: str, to: Iterable[str]) -> None:
    """Store what changed and owe its notices to the channels ``to``, in one transaction.

    Safe when several hosts do it at once: an alert begins only where none of its rule is open,
    ends only where it is open, and whoever did the one or the other owes the notices.
    """
    channel_names = list(to)
    with db.atomic():
        for alarm in changes.began:
            begun = _begin(alarm, host)
            if begun is not None:
                _owe(begun, START, channel_names)
        for alarm in changes.goes_on:
            _keep(alarm, host)
        for number in (*_end(changes.ended, host), *_end_forgotten(host)):
            _owe(number, END, channel_names)


def _begin(alarm: Alarm, host: str) -> int | None:
    row = db.execute_sql(
        "INSERT INTO alert (rule, subject, level, sentence, reading, bound)"
        " VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (rule, subject) WHERE ended_at IS NULL DO NOTHING RETURNING id",
        (*_named(alarm.rule, host), alarm.rule.level, alarm.sentence, alarm.reading, alarm.bound),
    ).fetchone()
    return row[0] if row else None


def _keep(alarm: Alarm, host: str) -> None:
    rule, subject = _named(alarm.rule, host)
    Alert.update(
        sentence=alarm.sentence,
        reading=alarm.reading,
        bound=alarm.bound,
        seen_at=peewee.fn.now(),
    ).where(Alert.rule == rule, Alert.subject == subject, Alert.ended_at.is_null()).execute()


def _end(rules: Collection[str], host: str) -> list[int]:
    return _ended(Alert.rule.in_(list(rules)), _is_of(host)) if rules else []


def _end_forgotten(host: str) -> list[int]:
    """End what is of a host that no longer speaks, so that it does not stand for ever."""
    silent = peewee.fn.now() - peewee.SQL("make_interval(secs => %s)", (FORGOTTEN_AFTER,))
    return _ended(Alert.rule.in_(LOCAL), Alert.subject != host, Alert.seen_at < silent)


def _ended(*conditions: Any) -> list[int]:
    query = Alert.update(ended_at=peewee.fn.now()).where(Alert.ended_at.is_null(), *conditions)
    return [row.id for row in query.returning(Alert.id).execute()]


def _is_of(host: str) -> Any:
    return Alert.subject.in_(("", host))


def _named(rule: Rule, host: str) -> tuple[str, str]:
    return rule.name, host if rule.local else ""


def _owe(number: int, kind: str, to: Iterable[str]) -> None:
    rows = [
        {"alert": number, "kind": kind, "channel": channel, "due_at": peewee.fn.now()}
        for channel in to
    ]
    if rows:
        Notice.insert_many(rows).on_conflict_ignore().execute()


def begun_earlier(alarm: Alarm, seconds: float, told: Collection[str], to: Iterable[str]) -> None:
    """Store an alert that began so many seconds ago and could not be stored then.

    The channels in ``told`` have heard of it; the others of ``to`` are owed its start.
    """
    with db.atomic():
        number = _begin(alarm, "")
        if number is None:
            return
        began = peewee.fn.now() - peewee.SQL("make_interval(secs => %s)", (seconds,))
        Alert.update(started_at=began).where(Alert.id == number).execute()
        _owe(number, START, to)
        Notice.update(state="sent", attempts=1, sent_at=began).where(
            Notice.alert == number, Notice.channel.in_(list(told))
        ).execute()


def try_out(by: str, to: Iterable[str]) -> None:
    """Owe every channel a trial, by which an operator sees that alerts arrive."""
    with db.atomic():
        row = Alert.create(
            rule="trial",
            level=WARNING,
            sentence=f"{by} tries whether alerts arrive here.",
            reading=0.0,
            bound=0.0,
            started_at=peewee.fn.now(),
            seen_at=peewee.fn.now(),
            ended_at=peewee.fn.now(),
        )
        _owe(row.id, START, to)


def claim_notices(limit: int) -> list[Notice]:
    """Claim notices that are due; what is not recorded within the lease is sent again.

    An end waits for its start, so that a receiver never hears them the wrong way round.
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


def sent(notice: Notice) -> None:
    """The channel took it."""
    Notice.update(state="sent", outcome="", sent_at=peewee.fn.now(), lease_until=None).where(
        Notice.id == notice.id
    ).execute()


def not_sent(notice: Notice, outcome: str, *, again: bool = True) -> None:
    """The channel did not take it: again later, or failed after the last attempt."""
    pause = min(FIRST_PAUSE * 2 ** (notice.attempts - 1), LONGEST_PAUSE)
    Notice.update(
        state="owed" if again and notice.attempts < ATTEMPTS else "failed",
        outcome=outcome[:300],
        lease_until=None,
        due_at=peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (pause,)),
    ).where(Notice.id == notice.id).execute()


def purge(days: int) -> int:
    """Remove alerts that ended so many days ago; returns how many."""
    old = peewee.fn.now() - peewee.SQL("make_interval(days => %s)", (days,))
    return int(Alert.delete().where(Alert.ended_at < old).execute())
