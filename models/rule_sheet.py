"""Rules as a sheet: what an import would change, the import itself, and the export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import peewee

from models.audit import Audit
from models.db import db
from models.errors import Invalid
from models.revision import Revision
from models.rule import FACTS, Rule, check

COLUMNS = ("kind", "pattern", "action", "label")
OFF = ("0", "false", "no", "off")
ON = ("1", "true", "yes", "on", "")
MOST_ERRORS = 100


@dataclass(slots=True)
class Plan:
    """What an import would do: (row's number, facts), with the rule that stands where one does."""

    added: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    changed: list[tuple[int, Rule, dict[str, Any]]] = field(default_factory=list)
    same: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)


def plan(rows: Sequence[dict[str, str]]) -> Plan:
    """What an import of these rows would do; nothing is written."""
    made = Plan()
    wanted: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
    for number, row in enumerate(rows, 1):
        try:
            facts = _facts(row)
            first = wanted.setdefault((facts["kind"], facts["pattern"]), (number, facts))[0]
            if first != number:
                raise Invalid(f"This is the same rule as in row {first}.")
        except Invalid as error:
            if len(made.errors) < MOST_ERRORS:
                made.errors.append((number, error.detail))
    standing = _standing(wanted)
    for key, (number, facts) in wanted.items():
        rule = standing.get(key)
        if rule is None:
            made.added.append((number, facts))
        elif rule.facts != facts or rule.removed_at is not None:
            made.changed.append((number, rule, facts))
        else:
            made.same += 1
    return made


def _facts(row: dict[str, str]) -> dict[str, Any]:
    values = [row.get(name, "").strip() for name in COLUMNS]
    for name, value in zip(COLUMNS, values, strict=True):
        if not value:
            raise Invalid(f"{name} is missing.")
    check(*values)
    active = row.get("active", "").strip().lower()
    if active not in (*ON, *OFF):
        raise Invalid(f"active is 1 or 0, not {active!r}.")
    return dict(zip(FACTS, (*values, active not in OFF), strict=True))


def _standing(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Rule]:
    found = {}
    for batch in peewee.chunked([pattern for _, pattern in keys], 5000):
        for rule in Rule.select().where(Rule.pattern.in_(list(batch))):
            found[rule.kind, rule.pattern] = rule
    return found


def load(
    rows: Sequence[dict[str, str]], name: str, moderator_id: int | None = None, **more: Any
) -> Plan:
    """Import the rows, all or none; raises Invalid with the first rows that are wrong.

    Each rule that is added or changed gets its own audit row, so that it has its versions.
    """
    with db.atomic():
        db.execute_sql("LOCK TABLE rule IN SHARE ROW EXCLUSIVE MODE")  # no second import beside it
        made = plan(rows)
        if made.errors:
            shown = " ".join(f"Row {number}: {words}" for number, words in made.errors[:5])
            raise Invalid(f"Nothing was imported. {shown}", field="file")
        _insert([facts for _, facts in made.added], moderator_id)
        for _, rule, facts in made.changed:
            rule.become("rule.import", moderator_id, facts)
        counted = {"added": len(made.added), "changed": len(made.changed), "same": made.same}
        Audit.append("rules.import", name, moderator_id=moderator_id, **counted, **more)
        Revision.bump("rules")
    return made


def _insert(added: Sequence[dict[str, Any]], moderator_id: int | None) -> None:
    for batch in peewee.chunked(added, 500):
        times = {"created_at": peewee.fn.now(), "updated_at": peewee.fn.now()}
        values = [
            {**facts, **times, "source": "import", "moderator": moderator_id} for facts in batch
        ]
        made = Rule.insert_many(values).returning(Rule).execute()
        acts = [(rule.subject, {"before": None, "after": rule.facts}) for rule in made]
        Audit.append_many("rule.import", acts, moderator_id=moderator_id)


def export(query: Any) -> list[tuple[Any, ...]]:
    """Rows for a sheet with the columns FACTS."""
    columns = [getattr(Rule, name) for name in FACTS]
    return list(query.select(*columns).tuples())
