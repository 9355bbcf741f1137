"""Verifies the audit's hash chain: whether any row was changed, removed or inserted.

Each row's digest is SHA-256 of the previous digest and the row as text; the head is the last
digest. They are recomputed here and not in the database, whose functions an attacker may have
changed too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from models.database.connection import db, one

STEP = 5000  # rows in memory at once
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

# Compares the decisions of people with the audit's records of them.
UNAUDITED = """
WITH made AS (
    SELECT submission_id::text AS subject, moderator_id,
        CASE WHEN undoes IS NULL THEN to_verdict ELSE 'undo' END AS act, count(*) AS times
    FROM decision WHERE moderator_id IS NOT NULL GROUP BY 1, 2, 3
), audited AS (
    SELECT subject, moderator_id,
        CASE action WHEN 'decide' THEN details->>'after' ELSE 'undo' END AS act, count(*) AS times
    FROM audit WHERE action IN ('decide', 'undo') AND moderator_id IS NOT NULL GROUP BY 1, 2, 3
)
SELECT subject FROM made FULL JOIN audited USING (subject, moderator_id, act)
WHERE made.times IS DISTINCT FROM audited.times LIMIT 1
"""
WRONG_VERDICT = """
SELECT s.id::text FROM submission s WHERE s.verdict IS NOT NULL AND s.verdict IS DISTINCT FROM
    (SELECT to_verdict FROM decision d WHERE d.submission_id = s.id ORDER BY d.id DESC LIMIT 1)
LIMIT 1
"""
GUARDS = """
SELECT expected FROM unnest(%s) expected WHERE NOT EXISTS (
    SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relname || '.' || t.tgname = expected AND t.tgenabled IN ('O', 'A')
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
    """An audit row at its place in the chain; ``line`` is None if the row was deleted."""

    place: int
    audit_id: int
    digest: bytes
    line: str | None
    facts: tuple[Any, ...]

    def follows(self, before: bytes) -> bool:
        """Whether the digest matches the row and the previous digest."""
        text = self.line
        return text is not None and hashlib.sha256(before + text.encode()).digest() == self.digest


@dataclass(slots=True)
class Check:
    """The result: number of rows, the head, the first broken row, and other faults."""

    rows: int = 0
    head: str = START.hex()
    broken: int | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        """Whether no fault was result."""
        return self.broken is None and not self.faults


def links() -> Iterator[Link]:
    """The chain from its start, read in batches."""
    place = 0
    while rows := db.execute_sql(WALK, (place, STEP)).fetchall():
        for row in rows:
            yield Link(row[0], row[1], bytes(row[2]), row[3], row[4:])
        place = rows[-1][0]


def check(expected: str = "") -> Check:
    """Verify the chain from its start; ``expected`` is a head recorded earlier.

    A changed, removed, inserted or moved row breaks the chain at its number. Somebody with write
    access to every table can build a new chain or truncate it; then the recorded head is missing.
    """
    result = Check()
    with db.atomic():
        db.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        db.execute_sql("SET LOCAL statement_timeout = 0")
        seen = _walk(result, expected.lower())
        _check_ends(result)
        if expected and not seen:
            result.faults.append(
                f"the recorded head {expected} is not in the chain: the chain was truncated or"
                " rewritten"
            )
    return result


def check_decisions() -> list[str]:
    """Faults where decisions disagree with the audit or the submissions; empty if they agree.

    Only the first disagreement of each kind is named.
    """
    with db.atomic():
        db.execute_sql("SET LOCAL statement_timeout = 0")
        unaudited, wrong = one(UNAUDITED), one(WRONG_VERDICT)
    faults = []
    if unaudited:
        faults.append(f"the decisions on {unaudited[0]} differ from those in the audit")
    if wrong:
        faults.append(f"the verdict of {wrong[0]} differs from its last decision")
    return faults


def check_guards() -> list[str]:
    """The triggers that protect the audit and are disabled or missing."""
    rows = db.execute_sql(GUARDS, (TRIGGERS,)).fetchall()
    return [f"the trigger {name} is disabled or missing" for (name,) in rows]


def _walk(result: Check, expected: str) -> bool:
    """Walk the chain; returns whether the recorded head comes before the first broken link."""
    before, seen = START, expected == START.hex()
    for link in links():
        result.rows += 1
        if result.broken is None and (link.place != result.rows or not link.follows(before)):
            result.broken = link.audit_id
        before = link.digest
        seen = seen or (result.broken is None and before.hex() == expected)
    result.head = before.hex()
    return seen


def _check_ends(result: Check) -> None:
    """Find rows outside the chain, and a chain that does not end at its recorded head."""
    unlinked = (one(UNLINKED) or (None,))[0]
    if unlinked is not None:
        result.broken = min(unlinked, result.broken or unlinked)
    place, digest = one("SELECT place, encode(digest, 'hex') FROM audit_head") or (0, "")
    if result.broken is None and (place, digest) != (result.rows, result.head):
        last = one("SELECT coalesce(max(audit_id), 0) FROM audit_chain") or (0,)
        result.broken = last[0]
        result.faults.append(
            f"the chain ends after row {last[0]}, but the stored head is different"
        )
