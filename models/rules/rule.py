"""Text rules: what uploads may or must not contain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from models.audit.log import Audit
from models.clients.language_names import LANGUAGES
from models.database.config_revision import Revision
from models.database.connection import Model, db
from models.errors import Conflict, Invalid, NotFound
from models.labels.label_index import check_label
from models.people.moderator import Moderator
from models.rules.matcher.matcher import PatternError, validate
from models.rules.rule_set import OWN, RuleSet

KINDS = ("word", "phrase", "regex", "domain")
ACTIONS = ("reject", "review", "allow")
FIELDS = ("title", "description")
# The values in a version of a rule; ``rule_set`` is the set's name.
FACTS = (
    "kind",
    "pattern",
    "action",
    "label",
    "active",
    "ignore_accents",
    "inflections",
    "rule_set",
)


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
    inflections = peewee.BooleanField(default=False)
    rule_set = peewee.ForeignKeyField(RuleSet, default=OWN)
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
        inflections: bool = False,
        language: str = "",
        moderator_id: int | None = None,
    ) -> Rule:
        """Add a rule to the own rules of a language; an empty language is every language.

        Raises Invalid for an invalid pattern, Conflict if the language has this rule already.
        """
        pattern = pattern.strip()
        check(kind, pattern, action)
        check_label(label)
        with db.atomic():
            rule_set = RuleSet.own(language)
            facts = (kind, pattern, action, label, active, ignore_accents, inflections)
            values = dict(zip(FACTS, (*facts, rule_set.name), strict=True))
            rule = cls._find_existing(kind, pattern, rule_set)
            if rule is not None and rule.removed_at is None:
                raise _taken(kind, language)
            if rule is None:
                rule = cls._insert({**values, "rule_set": rule_set.id}, language)
            return rule.update_and_audit(
                "rule.add", moderator_id, {**values, "source": "moderator"}
            )

    @classmethod
    def _insert(cls, values: dict[str, Any], language: str) -> Rule:
        times = {"created_at": peewee.fn.now(), "updated_at": peewee.fn.now()}
        try:
            with db.atomic():
                row: Rule = cls.get_by_id(cls.insert(**values, **times).execute())
        except peewee.IntegrityError as error:  # another process was faster
            raise _taken(values["kind"], language) from error
        return row

    @classmethod
    def _find_existing(cls, kind: str, pattern: str, rule_set: RuleSet) -> Rule | None:
        """A rule of the set's language with this pattern: one that is there, else a removed one.

        Of removed ones it is the set's own, if there is one: it is restored in that set.
        """
        row: Rule | None = (
            cls.select(cls)
            .join(RuleSet)
            .where(cls.kind == kind, cls.pattern == pattern, RuleSet.language == rule_set.language)
            .order_by(cls.removed_at.is_null(False), cls.rule_set != rule_set.id, cls.id)
            .for_update("FOR UPDATE OF t1")
            .first()
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
        or if another rule of the language has the new pattern.
        """
        with db.atomic():
            rule = cls.find(rule_id, lock=True)
            if seen and seen != rule.version:
                raise Conflict(f"{rule.changed_by} has changed this rule since you opened it.")
            values = {**rule.facts, **changes}
            values["pattern"] = values["pattern"].strip()
            check(*(values[name] for name in FACTS[:3]))
            check_label(values["label"], rule.label)
            rule_set = RuleSet.named(values["rule_set"])
            if values == rule.facts and rule.removed_at is None:
                return rule
            other = cls._find_existing(values["kind"], values["pattern"], rule_set)
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
        if "rule_set" in values:
            values = {**values, "rule_set": RuleSet.named(values["rule_set"]).id}
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
        facts = {name: getattr(self, name) for name in FACTS[:-1]}
        return {**facts, "rule_set": self.rule_set.name}

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


def _taken(kind: str, language: str) -> Conflict:
    where = f" in {LANGUAGES[language]}" if language else ""
    return Conflict(f"A {kind} rule with this pattern already exists{where}.", field="pattern")


def check(kind: str, pattern: str, action: str) -> None:
    """Raises Invalid naming the field if the values are not a valid rule; see ``check_label``."""
    for name, value, allowed in (("kind", kind, KINDS), ("action", action, ACTIONS)):
        if value not in allowed:
            raise Invalid(f"{name} must be one of {', '.join(allowed)}, not {value!r}.", field=name)
    if "\0" in pattern:
        raise Invalid("The pattern contains a NUL character.", field="pattern")
    try:
        pattern.encode()
        validate(kind, pattern)
    except UnicodeEncodeError as error:
        raise Invalid("The pattern contains half of a surrogate pair.", field="pattern") from error
    except PatternError as error:
        raise Invalid(str(error), field="pattern") from error
