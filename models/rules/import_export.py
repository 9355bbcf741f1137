"""Import and export of rules as CSV or JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import peewee

from models.audit.log import Audit
from models.database.config_revision import Revision
from models.database.connection import db
from models.errors import Invalid
from models.labels.label_index import check_label
from models.rules.rule import FACTS, Rule, check
from models.rules.rule_set import LONGEST_NAME, OWN_NAME, RuleSet, check_language, own_name
from models.sheets import import_plan
from models.sheets.import_plan import Key, Plan, require

COLUMNS: tuple[str, ...] = ("kind", "pattern", "action", "label")  # required
EXPORTED = (*FACTS, "language")
SWITCHES = ("ignore_accents", "inflections")  # optional columns, 1 or 0
EVERY = "every"  # in the column language: the rules of every language
OFF = ("0", "false", "no", "off")
ON = ("1", "true", "yes", "on")


class RowReader:
    """Reads rows of a sheet. What a row does not name stays as it is in the existing rule.

    ``created`` are the sets that the rows name and that do not exist yet: language by name.
    """

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        self.created: dict[str, str] = {}
        self._sets = {row.name: row.language for row in RuleSet.select()}
        self._existing: dict[Key, list[Rule]] = {}
        patterns = {row.get("pattern", "").strip() for row in rows}
        for batch in peewee.chunked(sorted(patterns), 5000):
            query = Rule.select(Rule, RuleSet).join(RuleSet).where(Rule.pattern.in_(list(batch)))
            for rule in query.order_by(Rule.removed_at.is_null(False), Rule.id):
                self._existing.setdefault((rule.kind, rule.pattern), []).append(rule)

    def facts(self, row: Mapping[str, str]) -> dict[str, Any]:
        """The facts of the row's rule; raises Invalid."""
        values: dict[str, Any] = {name: row.get(name, "").strip() for name in COLUMNS}
        require(values, COLUMNS)
        check(values["kind"], values["pattern"], values["action"])
        same = self._existing.get((values["kind"], values["pattern"]), [])
        rule_set = self._set_of(row, same)
        known = next((rule for rule in same if rule.rule_set.name == rule_set), None)
        check_label(values["label"], known.label if known else "")
        values["active"] = _switch(row, "active", default=True)
        for name in SWITCHES:
            values[name] = _switch(row, name, default=bool(known and getattr(known, name)))
        return {**values, "rule_set": rule_set}

    def find_existing(self, keys: Collection[Key]) -> dict[Key, Rule]:
        """The existing rules, by the key of ``rule_key``."""
        rules = (rule for key in keys for rule in self._existing.get(key[:2], ()))
        return {rule_key(rule.facts): rule for rule in rules}

    def create_sets(self) -> None:
        """Create the sets that the rows name; call it in the transaction of the import."""
        for name, language in self.created.items():
            RuleSet.ensure(name, language)

    def _set_of(self, row: Mapping[str, str], same: Sequence[Rule]) -> str:
        """The name of the row's set; without one, that of the rule that exists already."""
        name, column = (row.get(column, "").strip() for column in ("rule_set", "language"))
        language = "" if column == EVERY else column
        check_language(language)
        if not name:
            fits = [rule for rule in same if not column or rule.rule_set.language == language]
            if fits:
                return str(fits[0].rule_set.name)
            name = own_name(language) if language else OWN_NAME
        if len(name) > LONGEST_NAME:
            raise Invalid(f"A rule set's name must have 1 to {LONGEST_NAME} characters.")
        its = self._sets.setdefault(name, language)
        if column and its != language:
            raise Invalid(f"The rule set {name!r} has the language {its or EVERY!r}.")
        self.created.setdefault(name, its)
        return name


def rule_key(facts: Mapping[str, Any]) -> Key:
    """What identifies a rule in a sheet."""
    return facts["kind"], facts["pattern"], facts["rule_set"]


def plan(rows: Sequence[Mapping[str, str]]) -> Plan[Rule]:
    """The effect of importing these rows; nothing is written."""
    return _plan(rows, RowReader(rows))


def _plan(rows: Sequence[Mapping[str, str]], reader: RowReader) -> Plan[Rule]:
    return import_plan.plan(rows, reader.facts, rule_key, reader.find_existing, "rule")


def _switch(row: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = row.get(name, "").strip().lower()
    if value not in ("", *ON, *OFF):
        raise Invalid(f"{name} must be 1 or 0, not {value!r}.")
    return value in ON if value else default


def load(
    rows: Sequence[Mapping[str, str]], name: str, moderator_id: int | None = None, **more: Any
) -> Plan[Rule]:
    """Import all rows or none; raises Invalid with the first invalid rows.

    Each added or changed rule gets its own audit row, which is a version of the rule.
    """
    with db.atomic():
        db.execute_sql("LOCK TABLE rule IN SHARE ROW EXCLUSIVE MODE")  # one import at a time
        reader = RowReader(rows)
        made = _plan(rows, reader)
        made.refuse_errors()
        reader.create_sets()
        _insert([facts for _, facts in made.added], moderator_id)
        for _, rule, facts in made.changed:
            rule.update_and_audit("rule.import", moderator_id, facts)
        Audit.append("rules.import", name, moderator_id=moderator_id, **made.counted, **more)
        Revision.bump("rules")
    return made


def _insert(added: Sequence[dict[str, Any]], moderator_id: int | None) -> None:
    sets = {row.name: row for row in RuleSet.select()}
    for batch in peewee.chunked(added, 500):
        times = {"created_at": peewee.fn.now(), "updated_at": peewee.fn.now()}
        more = {**times, "source": "import", "moderator": moderator_id}
        values = [{**facts, **more, "rule_set": sets[facts["rule_set"]].id} for facts in batch]
        made = Rule.insert_many(values).returning(Rule.id).execute()
        changes = [
            (f"rule {row.id}", {"before": None, "after": facts})
            for row, facts in zip(made, batch, strict=True)
        ]
        Audit.append_many("rule.import", changes, moderator_id=moderator_id)


def export(query: Any) -> list[tuple[Any, ...]]:
    """The rows of an export, with the columns EXPORTED; the query joins the rule sets."""
    columns = [getattr(Rule, name) for name in FACTS[:-1]]
    rows = query.select(*columns, RuleSet.name, RuleSet.language).tuples()
    return [(*row[:-1], row[-1] or EVERY) for row in rows]
