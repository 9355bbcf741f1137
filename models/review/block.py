"""Block: reject a submission and make pictures of it known; and take that back."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import peewee

from models.audit.log import Audit
from models.database.connection import db
from models.errors import Invalid
from models.hash_bank import known_hash
from models.hash_bank.known_hash import KnownHash
from models.moderation.decision import Decision, follow, write
from models.people.moderator import Moderator
from models.review.decide import lock_to_decide, settle
from models.settings import Settings
from models.submissions.finding import FindingRow
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import REJECTED, REVIEW

SETTLED = 5  # seconds in which every process has read a changed hash bank
UNBLOCKED = "unblocked"  # the reason of the machine's decision that `recheck` records
# Rejected by the machine for one of these known images, and by no person.
FOLLOWERS = """
SELECT DISTINCT submission.id FROM finding f JOIN submission ON submission.id = f.submission_id
WHERE (f.evidence->>'known')::bigint = ANY(%(known)s) AND f."check" = 'known_hashes'
  AND f.action = 'reject' AND submission.verdict = 'rejected' AND submission.purged_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.submission_id = submission.id
    AND d.moderator_id IS NOT NULL AND d.undoes IS NULL
    AND NOT EXISTS (SELECT 1 FROM decision u WHERE u.undoes = d.id))
"""


def block(
    submission_id: UUID,
    moderator: Moderator,
    *,
    version: int,
    label: str,
    settings: Settings,
    image_id: UUID | None = None,
) -> tuple[int, list[KnownHash]]:
    """Reject a submission and block one picture and those similar to it; one undo reverts both.

    Without ``image_id`` the pictures that were flagged are blocked: those at or above the client's
    threshold of review, and those that a check asks to reject or to review. Raises Invalid if there
    is none. Returns the decision's id and the known images; for those with ``look_owed`` a worker
    must compute the perceptual hash.
    """
    with db.atomic():
        row = lock_to_decide(submission_id, moderator, version, REJECTED, label)
        images = _chosen(row, image_id, settings)
        existing = _known_hashes_of(images)
        blocked = known_hash.block_images_of(row, moderator, label or "other", images=images)
        new = [entry.id for entry in blocked if entry.id not in existing]
        decision = settle(row, moderator, REJECTED, label, settings, blocked=new)
    return decision, blocked


def _chosen(row: Submission, image_id: UUID | None, settings: Settings) -> list[Image]:
    images = Image.of(row.id)
    if image_id is not None:
        shown = [image for image in images if image.id == image_id]
        if not shown:
            raise Invalid("The picture is not one of this submission.", field="picture")
        return shown
    if len(images) < 2:
        return images
    review_at = row.client.policy(settings).review_at
    query = FindingRow.select(FindingRow.image).where(
        FindingRow.submission == row.id, FindingRow.action.in_(("reject", "review"))
    )
    named = {found[0] for found in query.tuples()}
    flagged = [i for i in images if i.id in named or (i.score or 0.0) >= review_at]
    if not flagged:
        raise Invalid(
            "No picture is at or above the threshold. Show the picture to block, then block it.",
            field="picture",
        )
    return flagged


def _known_hashes_of(images: Sequence[Image]) -> set[int]:
    """Ids of existing entries for these pictures."""
    codes = [bytes(code) for image in images for code in (image.sha256, image.pdq) if code]
    entries = KnownHash.select(KnownHash.id).where(
        KnownHash.hash.in_(codes), KnownHash.removed_at.is_null()
    )
    return {row[0] for row in entries.tuples()} if codes else set()


def unblock(decision: Decision, moderator: Moderator) -> list[UUID]:
    """Remove the known images that the decision added; returns the uploads rejected for them.

    Those that a worker added for them since are removed too. The uploads are for ``recheck``.
    """
    images = [image.id for image in Image.of(decision.submission_id)]
    since = KnownHash.select(KnownHash.id).where(
        KnownHash.image.in_(images),
        KnownHash.moderator == moderator.id,
        KnownHash.created_at > decision.created_at,
        KnownHash.removed_at.is_null(),
    )
    known = [*decision.blocked, *(row[0] for row in since.tuples())]
    KnownHash.remove(known, moderator.id)
    return [row[0] for row in db.execute_sql(FOLLOWERS, {"known": known}).fetchall()]


def recheck(row: Submission, moderator: Moderator, settings: Settings) -> None:
    """Undo the machine's rejection of a locked row, its strike included, and owe a full check.

    The checks stopped at the known image, so what the others say is not known. Until a worker has
    made them it is a flag of the review debt, and its client is told so. No worker takes it before
    ``SETTLED`` seconds: a process may hold the removed image in its cache for one more second.
    """
    before: str = row.verdict
    row.verdict, row.visible = REVIEW, row.client.policy(settings).shows(REVIEW)
    row.review_owed, row.attempts, row.error = True, 0, None
    write(row, ("review_owed", "attempts", "error"), before)
    later = peewee.fn.now() + peewee.SQL("make_interval(secs => %s)", (SETTLED,))
    Submission.update(lease_until=later).where(Submission.id == row.id).execute()
    Decision.append(row, before, reason=UNBLOCKED)
    follow(row, before)
    Audit.append("recheck", str(row.id), moderator_id=moderator.id, before=before, after=REVIEW)
