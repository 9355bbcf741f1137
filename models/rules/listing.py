"""The list of rules and the history of one: what the console and the exports read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import peewee

from models.audit.log import Audit
from models.errors import Conflict, NotFound
from models.people.moderator import Moderator
from models.rules.rule import FACTS, Rule

STATES = ("on", "off", "removed")
SOURCES = ("starter", "import", "moderator")
VERSIONS = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rules are wanted; all that stand where nothing is said."""

    text: str = ""
    kind: str = ""
    action: str = ""
    label: str = ""
    state: str = ""
    source: str = ""

    def query(self) -> Any:
        """The rules, latest change first."""
        query = Rule.select(Rule, Moderator).join(Moderator, peewee.JOIN.LEFT_OUTER)
        for column in ("kind", "action", "label", "source"):
            if wanted := getattr(self, column):
                query = query.where(getattr(Rule, column) == wanted)
        if self.text:
            query = query.where(Rule.pattern.contains(self.text))
        query = query.where(Rule.removed_at.is_null(self.state != "removed"))
        if self.state in ("on", "off"):
            query = query.where(Rule.active == (self.state == "on"))
        return query.order_by(Rule.updated_at.desc(), Rule.id)


def page(wanted: Filter, limit: int, after: int | None = None) -> list[Rule]:
    """Rules after the one named (keyset); one that is gone begins anew."""
    query = wanted.query().limit(limit)
    last = Rule.get_or_none(Rule.id == after) if after else None
    if last is not None:
        same = (Rule.updated_at == last.updated_at) & (Rule.id > last.id)
        query = query.where((Rule.updated_at < last.updated_at) | same)
    return list(query)


def counts(wanted: Filter) -> tuple[int, int]:
    """How many rules are wanted, and how many of them are on."""
    on = peewee.fn.COUNT(peewee.SQL("1")).filter(Rule.active)
    query = wanted.query().order_by()
    row = query.select(peewee.fn.COUNT(peewee.SQL("1")), on).tuples().first()
    return (int(row[0]), int(row[1]))


@dataclass(frozen=True, slots=True)
class Version:
    """A rule as it was after an act; ``back`` names it for the way back, where there is one."""

    at: datetime
    act: str
    who: str
    facts: dict[str, Any]
    changed: tuple[str, ...]
    back: str = ""


def versions(rule: Rule) -> list[Version]:
    """What became of the rule, the latest first."""
    query = (
        Audit.select(Audit, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Audit.subject == rule.subject)
        .order_by(Audit.id.desc())
        .limit(VERSIONS)
    )
    told = []
    oldest: dict[str, Any] | None = rule.facts
    for row in query:
        before, after = row.details.get("before"), row.details["after"]
        oldest = before
        changed = tuple(name for name in FACTS if before and before[name] != after[name])
        same = after == rule.facts and rule.removed_at is None
        back = "" if same or row.action == "rule.remove" else f"{row.id}-after"
        who = row.moderator.name if row.moderator_id else "a script"
        told.append(Version(row.at, row.action, who, after, changed, back))
        first = row.id
    if oldest is not None:
        back = f"{first}-before" if told and oldest != rule.facts else ""
        who = {"starter": "starter list", "import": "import"}.get(rule.source, "a script")
        told.append(Version(rule.created_at, "rule.begin", who, oldest, (), back))
    return told


def go_back(rule: Rule, version: str, moderator_id: int) -> Rule:
    """Make the rule what it was in that version; raises NotFound and Conflict."""
    number, _, side = version.partition("-")
    row = Audit.get_or_none(Audit.id == int(number)) if number.isdigit() else None
    if row is None or row.subject != rule.subject or not row.details.get(side):
        raise NotFound("This rule has no such version.")
    facts = row.details[side]
    try:
        return Rule.change(rule.id, moderator_id, **{name: facts[name] for name in FACTS})
    except Conflict as error:
        raise Conflict(f"That version cannot come back: {error.detail}") from error
