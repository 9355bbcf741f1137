"""Text rules: what uploads may or must not contain."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import peewee

from models.audit.log import Audit
from models.database.config_revision import Revision, RevisionCache
from models.database.connection import Model, db
from models.errors import Conflict, Invalid, NotFound
from models.people.moderator import Moderator
from models.rules.matcher.matcher import (
    UNFINISHED,
    Match,
    Matcher,
    PatternError,
    RuleSpec,
    effective,
    validate,
)
from models.verdict import LABELS, Finding

KINDS = ("word", "phrase", "regex", "domain")
ACTIONS = ("reject", "review", "allow")
FIELDS = ("title", "description")
log = logging.getLogger("sluice.rules")
# The values in a version of a rule.
FACTS = ("kind", "pattern", "action", "label", "active", "ignore_accents")


@dataclass(frozen=True, slots=True)
class Broken:
    """Stored rules that this version cannot compile: an older one could, or SQL wrote them.

    ``reasons`` by the rule's number; ``ignored`` are the numbers of those that are switched on.
    """

    reasons: dict[int, str]
    ignored: tuple[int, ...]

    def summary(self) -> str:
        """The ignored ones in one line; empty if there are none."""
        if not self.ignored:
            return ""
        first = self.ignored[0]
        more = f" (and {len(self.ignored) - 1} more)" if len(self.ignored) > 1 else ""
        return f"rule {first} does not compile: {self.reasons[first]}{more}"


class Rule(Model):
    """A keyword, phrase, regex or domain with an action; ``moderator`` changed it last.

    A removed rule keeps its row, so it can be restored and findings can still refer to it.
    """

    id = peewee.BigAutoField()
    kind = peewee.TextField()
    pattern = peewee.TextField()
    action = peewee.TextField()
    label = peewee.TextField()
    active = peewee.BooleanField(default=True)
    ignore_accents = peewee.BooleanField(default=False)  # of the pattern, see RuleSpec
    source = peewee.TextField(default="moderator")
    moderator = peewee.ForeignKeyField(Moderator, null=True)
    created_at = peewee.DateTimeField()
    updated_at = peewee.DateTimeField()
    removed_at = peewee.DateTimeField(null=True)

    @classmethod
    def add(
        cls,
        kind: str,
        pattern: str,
        action: str,
        label: str,
        *,
        active: bool = True,
        ignore_accents: bool = False,
        moderator_id: int | None = None,
    ) -> Rule:
        """Add a rule; raises Invalid for an invalid pattern, Conflict if the rule exists."""
        pattern = pattern.strip()
        check(kind, pattern, action, label)
        facts = (kind, pattern, action, label, active, ignore_accents)
        values = dict(zip(FACTS, facts, strict=True))
        taken = Conflict(f"A {kind} rule with this pattern already exists.", field="pattern")
        with db.atomic():
            rule = cls._find_existing(kind, pattern)
            if rule is None:
                try:
                    with db.atomic():
                        row = cls.insert(
                            **values, created_at=peewee.fn.now(), updated_at=peewee.fn.now()
                        ).execute()
                except peewee.IntegrityError as error:
                    raise taken from error
                rule = cls.get_by_id(row)
            elif rule.removed_at is None:
                raise taken
            return rule.update_and_audit(
                "rule.add", moderator_id, {**values, "source": "moderator"}
            )

    @classmethod
    def _find_existing(cls, kind: str, pattern: str) -> Rule | None:
        row: Rule | None = (
            cls.select().where(cls.kind == kind, cls.pattern == pattern).for_update().first()
        )
        return row

    @classmethod
    def find(cls, rule_id: int, *, lock: bool = False) -> Rule:
        """The rule with this id, even if removed; raises NotFound."""
        query = cls.select().where(cls.id == rule_id)
        row: Rule | None = (query.for_update() if lock else query).first()
        if row is None:
            raise NotFound(f"There is no rule {rule_id}.")
        return row

    @classmethod
    def remove(cls, rule_id: int, moderator_id: int | None = None) -> Rule:
        """Remove a rule; ``restore`` reverses it. Raises NotFound."""
        with db.atomic():
            rule = cls.find(rule_id, lock=True)
            if rule.removed_at is not None:
                return rule
            return rule.update_and_audit("rule.remove", moderator_id, {}, removed=True)

    @classmethod
    def restore(cls, rule_id: int, moderator_id: int | None = None) -> Rule:
        """Restore a removed rule; raises NotFound."""
        with db.atomic():
            rule = cls.find(rule_id, lock=True)
            if rule.removed_at is None:
                return rule
            return rule.update_and_audit("rule.restore", moderator_id, {})

    @classmethod
    def change(
        cls, rule_id: int, moderator_id: int | None, *, seen: str = "", **changes: Any
    ) -> Rule:
        """Change a rule's values; raises Invalid, NotFound and Conflict.

        ``seen`` is the ``version`` that the person edited: Conflict if the rule has changed since,
        or if another rule has the new pattern.
        """
        with db.atomic():
            rule = cls.find(rule_id, lock=True)
            if seen and seen != rule.version:
                raise Conflict(f"{rule.changed_by} has changed this rule since you opened it.")
            values = {**rule.facts, **changes}
            values["pattern"] = values["pattern"].strip()
            check(*(values[name] for name in FACTS[:4]))
            if values == rule.facts and rule.removed_at is None:
                return rule
            other = cls._find_existing(values["kind"], values["pattern"])
            if other is not None and other.id != rule.id:
                raise Conflict(f"Rule {other.id} already has this pattern.", field="pattern")
            return rule.update_and_audit("rule.change", moderator_id, values)

    @classmethod
    def switch(cls, ids: Sequence[int], moderator_id: int | None, *, active: bool) -> list[int]:
        """Switch these rules on or off; returns the ids of those that changed."""
        with db.atomic():
            rows = (
                cls.select()
                .where(cls.id.in_(list(ids)), cls.active != active, cls.removed_at.is_null())
                .order_by(cls.id)
                .for_update()
            )
            changed = [
                rule.update_and_audit("rule.switch", moderator_id, {"active": active})
                for rule in list(rows)
            ]
        return [rule.id for rule in changed]

    def update_and_audit(
        self,
        action: str,
        moderator_id: int | None,
        values: dict[str, Any],
        *,
        removed: bool = False,
    ) -> Rule:
        """Write these values with an audit row; call it in a transaction."""
        before = None if action == "rule.add" else self.facts
        Rule.update(
            **values,
            moderator=moderator_id,
            updated_at=peewee.fn.clock_timestamp(),
            removed_at=peewee.fn.now() if removed else None,
        ).where(Rule.id == self.id).execute()
        rule: Rule = Rule.get_by_id(self.id)
        Audit.append(
            action, rule.subject, moderator_id=moderator_id, before=before, after=rule.facts
        )
        Revision.bump("rules")
        return rule

    @property
    def facts(self) -> dict[str, Any]:
        """The values in a version of the rule."""
        return {name: getattr(self, name) for name in FACTS}

    @property
    def subject(self) -> str:
        """This rule's name in the audit."""
        return f"rule {self.id}"

    @property
    def version(self) -> str:
        """A version string; every change of the rule changes it."""
        return f"{self.updated_at.timestamp():.6f}"

    @property
    def changed_by(self) -> str:
        """Who last changed it, or its source."""
        if self.moderator_id:
            name: str = self.moderator.name
            return name
        return {"starter": "starter list", "import": "import"}.get(self.source, "a script")

    @classmethod
    def put(cls, rows: Iterable[tuple[str, str, str, str, bool]], *, source: str) -> int:
        """Add (kind, pattern, action, label, active) rows and change existing ones."""
        values = []
        for row in rows:
            check(*row[:4])
            facts = dict(zip(FACTS[:5], row, strict=True))
            times = {"created_at": peewee.fn.now(), "updated_at": peewee.fn.now()}
            values.append({**facts, **times, "source": source, "removed_at": None})
        unique = {(value["kind"], value["pattern"]): value for value in values}
        with db.atomic():
            for batch in peewee.chunked(unique.values(), 500):
                cls.insert_many(batch).on_conflict(
                    conflict_target=[cls.kind, cls.pattern],
                    preserve=[cls.action, cls.label, cls.active, cls.updated_at, cls.removed_at],
                ).execute()
            Revision.bump("rules")
        return len(unique)


def check(kind: str, pattern: str, action: str, label: str) -> None:
    """Raises Invalid naming the field if the values are not a valid rule."""
    for name, value, allowed in (("kind", kind, KINDS), ("action", action, ACTIONS)):
        if value not in allowed:
            raise Invalid(f"{name} must be one of {', '.join(allowed)}, not {value!r}.", field=name)
    if label not in LABELS:
        raise Invalid(f"label must be one of {', '.join(LABELS)}, not {label!r}.", field="label")
    if "\0" in pattern:
        raise Invalid("The pattern contains a NUL character.", field="pattern")
    try:
        pattern.encode()
        validate(kind, pattern)
    except UnicodeEncodeError as error:
        raise Invalid("The pattern contains half of a surrogate pair.", field="pattern") from error
    except PatternError as error:
        raise Invalid(str(error), field="pattern") from error


def _matcher() -> Matcher:
    columns = (Rule.id, Rule.kind, Rule.pattern, Rule.action, Rule.label, Rule.ignore_accents)
    rows = Rule.select(*columns).where(Rule.active, Rule.removed_at.is_null()).order_by(Rule.id)
    made = Matcher(RuleSpec(*row) for row in rows.tuples())
    for spec, reason in made.broken:
        log.error("rule %d does not compile and is ignored: %s", spec.id, reason)
    return made


def _broken() -> Broken:
    columns = (Rule.id, Rule.kind, Rule.pattern, Rule.active)
    rows = Rule.select(*columns).where(Rule.removed_at.is_null()).order_by(Rule.id)
    reasons, ignored = {}, []
    for number, kind, pattern, active in rows.tuples():
        try:
            validate(kind, pattern)
        except PatternError as error:
            reasons[number] = str(error)
            ignored += [number] * active
    return Broken(reasons, tuple(ignored))


matcher = RevisionCache("rules", _matcher)
broken = RevisionCache(
    "rules", _broken
)  # without the matcher's memory, for processes that match no text


def check_text(title: str, description: str) -> list[Finding]:
    """Findings of the active rules in the texts; changes of rules take effect within 1 s."""
    return [
        _finding(match, name)
        for name, text in zip(FIELDS, (title, description), strict=True)
        if text
        for match in effective(matcher.get().find(text))
    ]


def _finding(match: Match, name: str) -> Finding:
    rule = match.rule
    if rule is UNFINISHED:
        problem = f"the regular expressions exceeded their time limit on the {name}"
        return Finding("failure", rule.label, rule.action, evidence={"problem": problem})
    evidence = {"rule": rule.id, "kind": rule.kind, "pattern": rule.pattern, "field": name}
    evidence |= {"start": match.start, "end": match.end, "text": match.text}
    return Finding("rules", rule.label, rule.action, evidence=evidence)
