"""The list of rules, and the versions of one rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import peewee

from models.audit.log import Audit
from models.database.connection import row_id
from models.errors import Conflict, NotFound
from models.people.moderator import Moderator
from models.rules.rule import FACTS, Rule
from models.rules.rule_set import RuleSet
from models.rules.starter_list import waiting

STATES = ("on", "off", "removed")
SOURCES = ("starter", "import", "moderator")
VERSIONS = 50
EVERY_LANGUAGE = "every"  # in a filter: the rules of no language


@dataclass(frozen=True, slots=True)
class RuleFilter:
    """Which rules to select; empty selects all that are not removed."""

    text: str = ""
    kind: str = ""
    action: str = ""
    label: str = ""
    state: str = ""
    source: str = ""
    language: str = ""

    def query(self) -> Any:
        """The rules, last changed first."""
        query = Rule.select(Rule, Moderator, RuleSet).join(Moderator, peewee.JOIN.LEFT_OUTER)
        query = query.switch(Rule).join(RuleSet)
        for column in ("kind", "action", "label", "source"):
            if value := getattr(self, column):
                query = query.where(getattr(Rule, column) == value)
        if self.language:
            code = "" if self.language == EVERY_LANGUAGE else self.language
            query = query.where(RuleSet.language == code)
        if self.text:
            query = query.where(Rule.pattern.contains(self.text))
        query = query.where(Rule.removed_at.is_null(self.state != "removed"))
        if self.state in ("on", "off"):
            query = query.where(Rule.active == (self.state == "on"))
        return query.order_by(Rule.updated_at.desc(), Rule.id)


def page(where: RuleFilter, limit: int, after: int | None = None) -> list[Rule]:
    """Rules after the id ``after`` (keyset paging); an unknown id starts from the beginning."""
    query = where.query().limit(limit)
    last = Rule.get_or_none(Rule.id == after) if after else None
    if last is not None:
        same = (Rule.updated_at == last.updated_at) & (Rule.id > last.id)
        query = query.where((Rule.updated_at < last.updated_at) | same)
    return list(query)


def counts(where: RuleFilter, languages: Collection[str]) -> tuple[int, int, int]:
    """The numbers of matching rules, of active ones, and of those that apply to some client.

    ``languages`` are those that clients use.
    """
    every = peewee.fn.COUNT(peewee.SQL("1"))
    applies = Rule.active & RuleSet.language.in_(["", *languages])
    query = where.query().order_by()
    row = query.select(every, every.filter(Rule.active), every.filter(applies)).tuples().first()
    return (int(row[0]), int(row[1]), int(row[2]))


def active_by_language() -> dict[str, int]:
    """The number of rules that apply to a client of each language; "" is every language.

    These are the active rules, and the starter rules that wait for the language.
    """
    on = peewee.fn.COUNT(Rule.id).filter(Rule.active & Rule.removed_at.is_null())
    query = RuleSet.select(RuleSet.language, on).join(Rule, peewee.JOIN.LEFT_OUTER)
    active = dict(query.group_by(RuleSet.language).tuples())
    waits = Counter(waiting().values())
    return {language: count + waits[language] for language, count in active.items()}


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule after a change; ``back`` is its id for ``go_back``, empty if it is current."""

    at: datetime
    act: str
    who: str
    facts: dict[str, Any]
    changed: tuple[str, ...]
    back: str = ""


def versions(rule: Rule) -> list[RuleVersion]:
    """The versions of the rule, latest first."""
    query = (
        Audit.select(Audit, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Audit.subject == rule.subject)
        .order_by(Audit.id.desc())
        .limit(VERSIONS)
    )
    result = []
    oldest: dict[str, Any] | None = rule.facts
    for row in query:
        before, after = row.details.get("before"), row.details["after"]
        oldest = before
        changed = tuple(name for name in FACTS if before and before.get(name) != after.get(name))
        same = is_current(rule, after) and rule.removed_at is None
        back = "" if same or row.action == "rule.remove" else f"{row.id}-after"
        who = row.moderator.name if row.moderator_id else "a script"
        result.append(RuleVersion(row.at, row.action, who, after, changed, back))
        first = row.id
    if oldest is not None:
        back = f"{first}-before" if result and not is_current(rule, oldest) else ""
        who = {"starter": "starter list", "import": "import"}.get(rule.source, "a script")
        result.append(RuleVersion(rule.created_at, "rule.begin", who, oldest, (), back))
    return result


def is_current(rule: Rule, facts: dict[str, Any]) -> bool:
    """Whether the rule has these values; versions of older releases lack some of them."""
    return facts.items() <= rule.facts.items()


def go_back(rule: Rule, version: str, moderator_id: int) -> Rule:
    """Restore a version of the rule; raises NotFound and Conflict."""
    number, _, side = version.partition("-")
    row = Audit.get_or_none(Audit.id == row_id(number))
    if row is None or row.subject != rule.subject or not row.details.get(side):
        raise NotFound("This rule has no such version.")
    facts = {"ignore_accents": False, **row.details[side]}  # an older version says nothing of it
    try:
        return Rule.change(rule.id, moderator_id, **facts)
    except (Conflict, NotFound) as error:
        raise Conflict(f"This version cannot be restored: {error.detail}") from error
