"""Rules: what the texts of uploads must not, or may, hold."""

from __future__ import annotations

from collections.abc import Iterable

import peewee

from models.db import Model, db
from models.errors import Conflict, Invalid, NotFound
from models.matching import Matcher, PatternError, RuleSpec, effective, validate
from models.revision import Revision, Watched
from models.verdict import LABELS, Finding

KINDS = ("word", "phrase", "regex", "domain")
ACTIONS = ("reject", "review", "allow")
FIELDS = ("title", "description")


class Rule(Model):
    """A keyword, phrase, regex or domain with an action."""

    id = peewee.BigAutoField()
    kind = peewee.TextField()
    pattern = peewee.TextField()
    action = peewee.TextField()
    label = peewee.TextField()
    active = peewee.BooleanField(default=True)
    source = peewee.TextField(default="moderator")
    created_at = peewee.DateTimeField()
    updated_at = peewee.DateTimeField()

    @classmethod
    def add(cls, kind: str, pattern: str, action: str, label: str, *, active: bool = True) -> Rule:
        """A new rule; raises Invalid for what cannot be matched, Conflict where it stands."""
        pattern = pattern.strip()
        _check(kind, pattern, action, label)
        try:
            with db.atomic():
                row = cls.insert(
                    kind=kind,
                    pattern=pattern,
                    action=action,
                    label=label,
                    active=active,
                    created_at=peewee.fn.now(),
                    updated_at=peewee.fn.now(),
                ).execute()
                Revision.bump("rules")
        except peewee.IntegrityError as error:
            raise Conflict(f"There is such a {kind} rule already.", field="pattern") from error
        return cls.get_by_id(row)

    @classmethod
    def remove(cls, rule_id: int) -> None:
        """Remove a rule; raises NotFound."""
        with db.atomic():
            if not cls.delete().where(cls.id == rule_id).execute():
                raise NotFound(f"There is no rule {rule_id}.")
            Revision.bump("rules")

    @classmethod
    def put(cls, rows: Iterable[tuple[str, str, str, str, bool]], *, source: str) -> int:
        """Add (kind, pattern, action, label, active) rows, changing those that stand already."""
        values = []
        for kind, pattern, action, label, active in rows:
            _check(kind, pattern, action, label)
            values.append(
                {
                    "kind": kind,
                    "pattern": pattern,
                    "action": action,
                    "label": label,
                    "active": active,
                    "source": source,
                    "created_at": peewee.fn.now(),
                    "updated_at": peewee.fn.now(),
                }
            )
        kept = {(value["kind"], value["pattern"]): value for value in values}
        with db.atomic():
            for batch in peewee.chunked(kept.values(), 500):
                cls.insert_many(batch).on_conflict(
                    conflict_target=[cls.kind, cls.pattern],
                    preserve=[cls.action, cls.label, cls.active, cls.updated_at],
                ).execute()
            Revision.bump("rules")
        return len(kept)


def _check(kind: str, pattern: str, action: str, label: str) -> None:
    for name, value, known in (("kind", kind, KINDS), ("action", action, ACTIONS)):
        if value not in known:
            raise Invalid(f"{name} is one of {', '.join(known)}, not {value!r}.", field=name)
    if label not in LABELS:
        raise Invalid(f"label is one of {', '.join(LABELS)}, not {label!r}.", field="label")
    try:
        validate(kind, pattern)
    except PatternError as error:
        raise Invalid(str(error), field="pattern") from error


def _matcher() -> Matcher:
    columns = (Rule.id, Rule.kind, Rule.pattern, Rule.action, Rule.label)
    rows = Rule.select(*columns).where(Rule.active).order_by(Rule.id).tuples()
    return Matcher(RuleSpec(*row) for row in rows)


matcher = Watched("rules", _matcher)


def check_text(title: str, description: str) -> list[Finding]:
    """What the active rules find in the texts; a process learns of changed rules within 1 s."""
    return [
        Finding(
            "rules",
            match.rule.label,
            match.rule.action,
            evidence={
                "rule": match.rule.id,
                "kind": match.rule.kind,
                "pattern": match.rule.pattern,
                "field": name,
                "start": match.start,
                "end": match.end,
                "text": match.text,
            },
        )
        for name, text in zip(FIELDS, (title, description), strict=True)
        if text
        for match in effective(matcher.get().find(text))
    ]
