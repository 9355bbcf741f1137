"""Import and export of known images as CSV or JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import peewee

from models.audit.log import Audit
from models.database.connection import db
from models.errors import Invalid
from models.hash_bank.known_hash import FACTS, KnownHash, check
from models.labels.label_index import NO_LABEL
from models.sheets import import_plan
from models.sheets.import_plan import Key, Plan, require

COLUMNS: tuple[str, ...] = ("kind", "hash", "action")


def plan(rows: Sequence[Mapping[str, str]]) -> Plan[KnownHash]:
    """The effect of importing these rows; nothing is written."""
    return import_plan.plan(rows, _facts, _key, _find_existing, "image")


def _facts(row: Mapping[str, str]) -> dict[str, Any]:
    values = {name: row.get(name, "").strip() for name in FACTS}
    require(values, COLUMNS)
    try:
        code = bytes.fromhex(values["hash"])
    except ValueError as error:
        raise Invalid("The hash is not hexadecimal.") from error
    values["label"] = values["label"] or NO_LABEL
    check(values["kind"], code, values["action"], values["label"], values["note"])
    return {**values, "hash": code.hex()}


def _key(facts: dict[str, Any]) -> Key:
    return facts["kind"], facts["hash"]


def _find_existing(keys: Collection[Key]) -> dict[Key, KnownHash]:
    existing: dict[Key, KnownHash] = {}
    for batch in peewee.chunked([bytes.fromhex(code) for _, code in keys], 5000):
        for row in KnownHash.select().where(KnownHash.hash.in_(list(batch))):
            existing[row.kind, bytes(row.hash).hex()] = row
    return existing


def load(
    rows: Sequence[Mapping[str, str]], name: str, moderator_id: int | None = None, **more: Any
) -> Plan[KnownHash]:
    """Import all rows or none; raises Invalid with the first invalid rows."""
    with db.atomic():
        db.execute_sql("LOCK TABLE known_hash IN SHARE ROW EXCLUSIVE MODE")
        made = plan(rows)
        made.refuse_errors()
        for facts in (*(facts for _, facts in made.added), *(facts for *_, facts in made.changed)):
            values = {**facts, "hash": bytes.fromhex(facts["hash"])}
            KnownHash.put_and_audit(**values, moderator_id=moderator_id)
        Audit.append("hashes.import", name, moderator_id=moderator_id, **made.counted, **more)
    return made


def export(query: Any) -> list[tuple[Any, ...]]:
    """The rows of an export, with the columns FACTS."""
    columns = [getattr(KnownHash, name) for name in FACTS]
    rows = query.select(*columns).tuples()
    return [(row[0], bytes(row[1]).hex(), *row[2:]) for row in rows]
