"""The audit's chain: a look whether what was written down is still what was written.

Each row's digest is SHA-256 of the digest before it and of the row as text; the head is the last
one. The digests are made here and not by the database, which whoever changed it may have changed
whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from models.database.connection import db, one

STEP = 5000  # rows that are held at once
START = hashlib.sha256(b"sluice").digest()
LINE = (
    "jsonb_build_array(a.id, (extract(epoch FROM a.at) * 1000000)::bigint, a.moderator_id,"
    " a.action, a.subject, a.details)::text"
)
WALK = (
    f"SELECT c.place, c.audit_id, c.digest, CASE WHEN a.id IS NOT NULL THEN {LINE} END,"
    " a.at, a.moderator_id, a.action, a.subject, a.details"
    " FROM (SELECT * FROM audit_chain WHERE place > %s ORDER BY place LIMIT %s) c"
    " LEFT JOIN audit a ON a.id = c.audit_id ORDER BY c.place"
)
UNLINKED = (
    "SELECT min(a.id) FROM audit a LEFT JOIN audit_chain c ON c.audit_id = a.id"
    " WHERE c.audit_id IS NULL"
)

# What people decided and what the audit says they decided, side by side.
UNTOLD = """
WITH made AS (
    SELECT submission_id::text AS subject, moderator_id,
        CASE WHEN undoes IS NULL THEN to_verdict ELSE 'undo' END AS act, count(*) AS times
    FROM decision WHERE moderator_id IS NOT NULL GROUP BY 1, 2, 3
), told AS (
    SELECT subject, moderator_id,
        CASE action WHEN 'decide' THEN details->>'after' ELSE 'undo' END AS act, count(*) AS times
    FROM audit WHERE action IN ('decide', 'undo') AND moderator_id IS NOT NULL GROUP BY 1, 2, 3
)
SELECT subject FROM made FULL JOIN told USING (subject, moderator_id, act)
WHERE made.times IS DISTINCT FROM told.times LIMIT 1
"""
UNDECIDED = """
SELECT s.id::text FROM submission s WHERE s.verdict IS NOT NULL AND s.verdict IS DISTINCT FROM
    (SELECT to_verdict FROM decision d WHERE d.submission_id = s.id ORDER BY d.id DESC LIMIT 1)
LIMIT 1
"""
GUARDS = """
SELECT wanted FROM unnest(%s) wanted WHERE NOT EXISTS (
    SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relname || '.' || t.tgname = wanted AND t.tgenabled IN ('O', 'A')
      AND c.relnamespace = current_schema()::regnamespace)
"""
TRIGGERS = [
    "audit.audit_linked",
    "audit.audit_kept",
    "audit.audit_not_emptied",
    "audit_chain.audit_chain_kept",
    "audit_chain.audit_chain_not_emptied",
    "decision.decision_kept",
    "decision.decision_not_emptied",
]


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the audit at its place in the chain; ``line`` is None where the row is gone."""

    place: int
    audit_id: int
    digest: bytes
    line: str | None
    facts: tuple[Any, ...]

    def follows(self, before: bytes) -> bool:
        """Whether its digest is of that row and of the digest before it."""
        text = self.line
        return text is not None and hashlib.sha256(before + text.encode()).digest() == self.digest


@dataclass(slots=True)
class Check:
    """What a look found: how many rows, the head, the first broken row, and what else is wrong."""

    rows: int = 0
    head: str = START.hex()
    broken: int | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return self.broken is None and not self.faults


def links() -> Iterator[Link]:
    """The chain from its start, read in steps."""
    place = 0
    while rows := db.execute_sql(WALK, (place, STEP)).fetchall():
        for row in rows:
            yield Link(row[0], row[1], bytes(row[2]), row[3], row[4:])
        place = rows[-1][0]


def check(expected: str = "") -> Check:
    """Follow the chain from its start; ``expected`` is a head that was noted before.

    A row that was changed, taken out, put in or moved breaks it at its number. Whoever may write
    to every table can make a new chain, or cut its end off: then the noted head is not in it.
    """
    found = Check()
    with db.atomic():
        db.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        db.execute_sql("SET LOCAL statement_timeout = 0")
        seen = _follow(found, expected.lower())
        _check_ends(found)
        if expected and not seen:
            found.faults.append(
                f"the noted head {expected} is not in the chain: its end was cut off, or it was"
                " written anew"
            )
    return found


def check_decisions() -> list[str]:
    """Where the decisions are not what the audit and the submissions say; nothing where they are.

    Each list names its first one.
    """
    with db.atomic():
        db.execute_sql("SET LOCAL statement_timeout = 0")
        untold, undecided = one(UNTOLD), one(UNDECIDED)
    faults = []
    if untold:
        faults.append(f"the decisions on {untold[0]} are not those that the audit tells")
    if undecided:
        faults.append(f"the verdict of {undecided[0]} is not the one that was decided last")
    return faults


def check_guards() -> list[str]:
    """The triggers that keep the audit and are switched off or gone."""
    rows = db.execute_sql(GUARDS, (TRIGGERS,)).fetchall()
    return [f"the trigger {name} is off or gone" for (name,) in rows]


def _follow(found: Check, expected: str) -> bool:
    """Walk to the first broken link; whether the noted head was on the way."""
    before, seen = START, expected == START.hex()
    for link in links():
        found.rows += 1
        if found.broken is None and (link.place != found.rows or not link.follows(before)):
            found.broken = link.audit_id
        before = link.digest
        seen = seen or (found.broken is None and before.hex() == expected)
    found.head = before.hex()
    return seen


def _check_ends(found: Check) -> None:
    """Rows beside the chain, and a chain that is longer or shorter than its head says."""
    unlinked = (one(UNLINKED) or (None,))[0]
    if unlinked is not None:
        found.broken = min(unlinked, found.broken or unlinked)
    place, digest = one("SELECT place, encode(digest, 'hex') FROM audit_head") or (0, "")
    if found.broken is None and (place, digest) != (found.rows, found.head):
        last = one("SELECT coalesce(max(audit_id), 0) FROM audit_chain") or (0,)
        found.broken = last[0]
        found.faults.append(f"the chain ends after row {last[0]}, but its head is another one")
