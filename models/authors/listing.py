"""Lists of authors: by last upload, by the beginning of their id, or by their marks.

Most authors have no row of their own, so that intake stays one statement. The lists therefore
walk the index of submissions by client, author and id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.database.connection import db, row_id

PAGE = 50
STEP = 5_000  # submissions that one page of the latest authors reads
MAX_COUNTED = 500  # newest uploads of an author that a summary counts
KINDS = ("strikes", "suspended", "premium")
LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class AuthorSummary:
    """An author in a list; only the newest ``MAX_COUNTED`` uploads are counted."""

    client_id: int
    client: str
    user_id: str
    strikes: int
    suspended_at: datetime | None
    premium_at: datetime | None
    uploads: int
    rejected: int
    last_at: datetime | None

    @property
    def more(self) -> bool:
        """Whether there are more uploads than were counted."""
        return self.uploads > MAX_COUNTED


@dataclass(frozen=True, slots=True)
class AuthorPage:
    """Authors, and where the next page begins: None on the last page."""

    lines: list[AuthorSummary]
    next: str | None


def latest(client_id: int | None, after: str = "") -> AuthorPage:
    """Authors by their last upload, newest first."""
    values = {"high": _uuid(after), "client": client_id, "step": STEP, "limit": PAGE + 1}
    mine = "AND client_id = %(client)s" if client_id is not None else ""
    source = (
        f"SELECT id, client_id, user_id FROM submission WHERE id < %(high)s::uuid {mine}"
        " ORDER BY id DESC LIMIT %(step)s"
    )
    rows = db.execute_sql(
        f"SELECT s.id, s.client_id, s.user_id FROM ({source}) s WHERE"
        " (SELECT true FROM submission n WHERE n.client_id = s.client_id"
        "  AND n.user_id = s.user_id AND n.id > s.id LIMIT 1) IS NOT TRUE"
        " ORDER BY s.id DESC LIMIT %(limit)s",
        values,
    ).fetchall()
    if len(rows) > PAGE:
        return AuthorPage(_summaries(rows[:PAGE]), str(rows[PAGE - 1][0]))
    end = db.execute_sql(
        f"SELECT id FROM ({source}) s OFFSET %(step)s - 1 LIMIT 1", values
    ).fetchone()
    return AuthorPage(_summaries(rows), str(end[0]) if end else None)


# Skips from one user_id to the next in the index, without reading each submission.
NAMED = """
SELECT 0, c.id, n.user_id FROM client c CROSS JOIN LATERAL (
    WITH RECURSIVE names AS (
        (SELECT user_id FROM submission WHERE client_id = c.id AND user_id >= %(prefix)s
            AND (user_id > %(user)s OR user_id = %(user)s AND c.id > %(after)s)
            ORDER BY user_id LIMIT 1)
        UNION ALL
        SELECT later.user_id FROM names CROSS JOIN LATERAL (
            SELECT user_id FROM submission WHERE client_id = c.id AND user_id > names.user_id
            ORDER BY user_id LIMIT 1) later
        WHERE starts_with(later.user_id, %(prefix)s))
    SELECT user_id FROM names WHERE starts_with(user_id, %(prefix)s) LIMIT %(limit)s) n
WHERE {mine} ORDER BY n.user_id, c.id LIMIT %(limit)s
"""


def named(prefix: str, client_id: int | None, after: str = "", *, limit: int = PAGE) -> AuthorPage:
    """At most ``limit`` authors whose ``user_id`` begins with ``prefix``, in its order."""
    last_client, _, user = after.partition(":")
    values = {
        "prefix": prefix,
        "user": user,
        "after": row_id(last_client) or 0,
        "client": client_id,
        "limit": limit + 1,
    }
    mine = "c.id = %(client)s" if client_id is not None else "true"
    rows = db.execute_sql(NAMED.format(mine=mine), values).fetchall()
    more = len(rows) > limit
    end = f"{rows[limit - 1][1]}:{rows[limit - 1][2]}" if more else None
    return AuthorPage(_summaries(rows[:limit]), end)


def marked(kind: str, client_id: int | None, after: str = "", prefix: str = "") -> AuthorPage:
    """Authors with strikes, most first; or suspended or premium ones, newest first."""
    order, place = ("strikes DESC, id", "true") if kind == "strikes" else ("id DESC", "true")
    condition = "strikes > 0" if kind == "strikes" else f"{kind}_at IS NOT NULL"
    first, second = (row_id(part) for part in after.partition(":")[::2])
    if first is not None and second is not None:
        place = "id < %(second)s"
        if kind == "strikes":
            place = "(strikes < %(first)s OR strikes = %(first)s AND id > %(second)s)"
    mine = "client_id = %(client)s" if client_id is not None else "true"
    rows = db.execute_sql(
        f"SELECT id, client_id, user_id, strikes FROM author WHERE {condition} AND {mine}"
        f" AND starts_with(user_id, %(prefix)s) AND {place} ORDER BY {order} LIMIT %(limit)s",
        {
            "first": first,
            "second": second,
            "client": client_id,
            "prefix": prefix,
            "limit": PAGE + 1,
        },
    ).fetchall()
    end = f"{rows[PAGE - 1][3]}:{rows[PAGE - 1][0]}" if len(rows) > PAGE else None
    return AuthorPage(_summaries(rows[:PAGE]), end)


def _summaries(rows: list[tuple[Any, ...]]) -> list[AuthorSummary]:
    """Summaries for these (…, client id, user id) rows, in their order."""
    if not rows:
        return []
    summaries = db.execute_sql(
        "SELECT k.client_id, c.name, k.user_id, coalesce(a.strikes, 0), a.suspended_at,"
        " a.premium_at, u.uploads, u.rejected, u.last_at"
        " FROM unnest(%(clients)s::bigint[], %(users)s::text[]) WITH ORDINALITY"
        "  AS k (client_id, user_id, place)"
        " JOIN client c ON c.id = k.client_id"
        " LEFT JOIN author a ON a.client_id = k.client_id AND a.user_id = k.user_id"
        " CROSS JOIN LATERAL (SELECT count(*) AS uploads, max(created_at) AS last_at,"
        "  count(*) FILTER (WHERE verdict = 'rejected') AS rejected FROM (SELECT verdict,"
        "   created_at FROM submission s WHERE s.client_id = k.client_id"
        "   AND s.user_id = k.user_id ORDER BY s.id DESC LIMIT %(most)s) newest) u"
        " ORDER BY k.place",
        {
            "clients": [row[1] for row in rows],
            "users": [row[2] for row in rows],
            "most": MAX_COUNTED + 1,
        },
    ).fetchall()
    return [AuthorSummary(*row) for row in summaries]


def strikes_of(client_id: int, user_id: str, limit: int = 30) -> list[dict[str, Any]]:
    """When this author got strikes and when strikes were removed, newest first.

    Read from the decisions on the newest 1000 uploads: a rejection adds a strike, and a decision
    that ends a rejection removes it. The machine's rejection of a file that only cannot be read
    gives none.
    """
    rows = db.execute_sql(
        "SELECT d.created_at, d.to_verdict = 'rejected', d.reason, m.name, s.id,"
        " left(coalesce(nullif(s.title, ''), s.description), 120)"
        " FROM (SELECT id, title, description, reasons FROM submission WHERE client_id = %s"
        "  AND user_id = %s ORDER BY id DESC LIMIT 1000) s"
        " JOIN decision d ON d.submission_id = s.id LEFT JOIN moderator m ON m.id = d.moderator_id"
        " WHERE (d.to_verdict = 'rejected') <> (coalesce(d.from_verdict, '') = 'rejected')"
        " AND (jsonb_array_length(s.reasons) = 0 OR"
        "  jsonb_path_exists(s.reasons, '$[*] ? (@.label != \"unreadable\")') OR"
        "  EXISTS (SELECT FROM decision r WHERE r.submission_id = s.id AND r.id <= d.id"
        "  AND r.to_verdict = 'rejected' AND r.moderator_id IS NOT NULL AND r.undoes IS NULL))"
        " ORDER BY d.id DESC LIMIT %s",
        (client_id, user_id, limit),
    ).fetchall()
    names = ("at", "given", "reason", "moderator", "submission_id", "title")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return str(UUID(int=(1 << 128) - 1))
