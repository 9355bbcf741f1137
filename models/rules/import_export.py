"""Import and export of rules as CSV or JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import peewee

from models.audit.log import Audit
from models.database.config_revision import Revision
from models.database.connection import db
from models.errors import Invalid
from models.rules.rule import FACTS, Rule, check
from models.sheets import import_plan
from models.sheets.import_plan import Key, Plan, require

COLUMNS: tuple[str, ...] = ("kind", "pattern", "action", "label")
OFF = ("0", "false", "no", "off")
ON = ("1", "true", "yes", "on")


def plan(rows: Sequence[Mapping[str, str]]) -> Plan[Rule]:
    """The effect of importing these rows; nothing is written."""
    return import_plan.plan(rows, _facts, _key, _find_existing, "rule")


def _facts(row: Mapping[str, str]) -> dict[str, Any]:
    values = {name: row.get(name, "").strip() for name in COLUMNS}
    require(values, COLUMNS)
    check(*values.values())
    active = _switch(row, "active", default=True)
    ignore_accents = _switch(row, "ignore_accents", default=False)
    return {**values, "active": active, "ignore_accents": ignore_accents}


def _switch(row: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = row.get(name, "").strip().lower()
    if value not in ("", *ON, *OFF):
        raise Invalid(f"{name} must be 1 or 0, not {value!r}.")
    return value in ON if value else default


def _key(facts: dict[str, Any]) -> Key:
    return facts["kind"], facts["pattern"]


def _find_existing(keys: Collection[Key]) -> dict[Key, Rule]:
    existing = {}
    for batch in peewee.chunked([pattern for _, pattern in keys], 5000):
        for rule in Rule.select().where(Rule.pattern.in_(list(batch))):
            existing[rule.kind, rule.pattern] = rule
    return existing


def load(
    rows: Sequence[Mapping[str, str]], name: str, moderator_id: int | None = None, **more: Any
) -> Plan[Rule]:
    """Import all rows or none; raises Invalid with the first invalid rows.

    Each added or changed rule gets its own audit row, which is a version of the rule.
    """
    with db.atomic():
        db.execute_sql("LOCK TABLE rule IN SHARE ROW EXCLUSIVE MODE")  # one import at a time
        made = plan(rows)
        made.refuse_errors()
        _insert([facts for _, facts in made.added], moderator_id)
        for _, rule, facts in made.changed:
            rule.update_and_audit("rule.import", moderator_id, facts)
        Audit.append("rules.import", name, moderator_id=moderator_id, **made.counted, **more)
        Revision.bump("rules")
    return made


def _insert(added: Sequence[dict[str, Any]], moderator_id: int | None) -> None:
    for batch in peewee.chunked(added, 500):
        times = {"created_at": peewee.fn.now(), "updated_at": peewee.fn.now()}
        values = [
            {**facts, **times, "source": "import", "moderator": moderator_id} for facts in batch
        ]
        made = Rule.insert_many(values).returning(Rule).execute()
        changes = [(rule.subject, {"before": None, "after": rule.facts}) for rule in made]
        Audit.append_many("rule.import", changes, moderator_id=moderator_id)


def export(query: Any) -> list[tuple[Any, ...]]:
    """The rows of an export, with the columns FACTS."""
    columns = [getattr(Rule, name) for name in FACTS]
    return list(query.select(*columns).tuples())
