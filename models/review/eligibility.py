"""Who may not decide a flag: it needs the eyes of another person.

Two flags wait for somebody else: one that a moderator escalated, and the appeal against a
moderator's own rejection, as long as another moderator is active.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from models.database.connection import db
from models.people.moderator import Moderator
from models.submissions.submission import Submission
from models.verdict import REVIEW

# The rejection that an open appeal is against is the moderator's own. An undone one does not count.
OWN_APPEAL = """submission.appealed_at IS NOT NULL AND (
    SELECT d.moderator_id FROM decision d
    WHERE d.submission_id = submission.id AND d.to_verdict = 'rejected' AND d.undoes IS NULL
      AND d.created_at <= submission.appealed_at
      AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id)
    ORDER BY d.id DESC LIMIT 1) IS NOT DISTINCT FROM %(moderator)s"""
# An open review page renews its claims, and with them ``seen_at``, every minute.
OTHERS_ARE_ACTIVE = """EXISTS (
    SELECT 1 FROM moderator_session s JOIN moderator m ON m.id = s.moderator_id
    WHERE m.id <> %(moderator)s AND m.role IN ('administrator', 'moderator')
      AND m.disabled_at IS NULL AND s.expires_at > now()
      AND s.seen_at > now() - interval '15 minutes')"""
OWN_APPEALS = f"""
SELECT id FROM submission
WHERE id = ANY(%(ids)s::uuid[]) AND {OWN_APPEAL} AND {OTHERS_ARE_ACTIVE}"""


def refusal(row: Submission, moderator: Moderator) -> str:
    """Why this moderator may not decide it, as a sentence; empty if they may."""
    if waits_for_another(row, moderator):
        return (
            "You asked for a second opinion on this. Another moderator or an administrator must"
            " decide it."
        )
    if row.id in own_appeals([row], moderator):
        return "This appeal is against your own decision. Another moderator must decide it."
    return ""


def waits_for_another(row: Submission, moderator: Moderator) -> bool:
    """Whether this moderator has asked for a second opinion on it."""
    asked: int | None = row.escalated_by_id
    return asked == moderator.id and row.verdict == REVIEW and not moderator.can_configure


def own_appeals(rows: Iterable[Submission], moderator: Moderator) -> set[UUID]:
    """Those with an appeal against this moderator's decision that somebody else must decide."""
    ids = [str(row.id) for row in rows if row.appealed_at is not None]
    values = {"ids": ids, "moderator": moderator.id}
    return {row[0] for row in db.execute_sql(OWN_APPEALS, values).fetchall()} if ids else set()
