"""Known images as a sheet: what an import would change, the import itself, and the export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import peewee

from models.audit import Audit
from models.db import db
from models.errors import Invalid
from models.known_hash import FACTS, KnownHash, check

COLUMNS = ("kind", "hash", "action")
MOST_ERRORS = 100


@dataclass(slots=True)
class Plan:
    """What an import would do: (row's number, facts), with the entry that stands where one does."""

    added: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    changed: list[tuple[int, KnownHash, dict[str, Any]]] = field(default_factory=list)
    same: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)


def plan(rows: Sequence[dict[str, str]]) -> Plan:
    """What an import of these rows would do; nothing is written."""
    made = Plan()
    wanted: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
    for number, row in enumerate(rows, 1):
        try:
            facts = _facts(row)
            first = wanted.setdefault((facts["kind"], facts["hash"]), (number, facts))[0]
            if first != number:
                raise Invalid(f"This is the same image as in row {first}.")
        except Invalid as error:
            if len(made.errors) < MOST_ERRORS:
                made.errors.append((number, error.detail))
    standing = _standing([bytes.fromhex(code) for _, code in wanted])
    for key, (number, facts) in wanted.items():
        known = standing.get(key)
        if known is None:
            made.added.append((number, facts))
        elif known.facts != facts or known.removed_at is not None:
            made.changed.append((number, known, facts))
        else:
            made.same += 1
    return made


def _facts(row: dict[str, str]) -> dict[str, Any]:
    values = {name: row.get(name, "").strip() for name in FACTS}
    for name in COLUMNS:
        if not values[name]:
            raise Invalid(f"{name} is missing.")
    try:
        code = bytes.fromhex(values["hash"])
    except ValueError as error:
        raise Invalid("The hash is not hexadecimal.") from error
    values["label"] = values["label"] or "other"
    check(values["kind"], code, values["action"], values["label"], values["note"])
    return {**values, "hash": code.hex()}


def _standing(codes: list[bytes]) -> dict[tuple[str, str], KnownHash]:
    found = {}
    for batch in peewee.chunked(codes, 5000):
        for row in KnownHash.select().where(KnownHash.hash.in_(list(batch))):
            found[row.kind, bytes(row.hash).hex()] = row
    return found


def load(
    rows: Sequence[dict[str, str]], name: str, moderator_id: int | None = None, **more: Any
) -> Plan:
    """Import the rows, all or none; raises Invalid with the first rows that are wrong."""
    with db.atomic():
        db.execute_sql("LOCK TABLE known_hash IN SHARE ROW EXCLUSIVE MODE")
        made = plan(rows)
        if made.errors:
            shown = " ".join(f"Row {number}: {words}" for number, words in made.errors[:5])
            raise Invalid(f"Nothing was imported. {shown}", field="file")
        facts = [facts for _, facts in made.added] + [facts for _, _, facts in made.changed]
        for values in facts:
            code, note = bytes.fromhex(values["hash"]), values["note"]
            kind, action, label = values["kind"], values["action"], values["label"]
            KnownHash.learn(kind, code, action, label, moderator_id, note=note)
        counted = {"added": len(made.added), "changed": len(made.changed), "same": made.same}
        Audit.append("hashes.import", name, moderator_id=moderator_id, **counted, **more)
    return made


def export(query: Any) -> list[tuple[Any, ...]]:
    """Rows for a sheet with the columns FACTS."""
    columns = [getattr(KnownHash, name) for name in FACTS]
    rows = query.select(*columns).tuples()
    return [(row[0], bytes(row[1]).hex(), *row[2:]) for row in rows]
