"""Block: reject a submission and make pictures of it known; and take that back."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from models.audit.log import Audit
from models.database.connection import db
from models.errors import Invalid
from models.hash_bank import known_hash
from models.hash_bank.known_hash import KnownHash
from models.labels.label_index import NO_LABEL, labels
from models.moderation.decision import Decision
from models.people.moderator import Moderator
from models.review.decide import lock_to_decide, settle
from models.settings import Settings
from models.submissions.finding import FindingRow
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import REJECTED


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
        images = _chosen(row, image_id)
        existing = _known_hashes_of(images)
        blocked = known_hash.block_images_of(row, moderator, label or "other", images=images)
        new = [entry.id for entry in blocked if entry.id not in existing]
        decision = settle(row, moderator, REJECTED, label, settings, blocked=new)
    return decision, blocked


def _chosen(row: Submission, image_id: UUID | None) -> list[Image]:
    images = Image.of(row.id)
    if image_id is not None:
        shown = [image for image in images if image.id == image_id]
        if not shown:
            raise Invalid("The picture is not one of this submission.", field="picture")
        return shown
    if len(images) < 2:
        return images
    review_at = row.client.policy(row.surface).review_at
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


def added_by(decision: Decision) -> list[int]:
    """Ids of the known images that the decision added, with those that a worker added for them."""
    images = [image.id for image in Image.of(decision.submission_id)]
    since = KnownHash.select(KnownHash.id).where(
        KnownHash.image.in_(images),
        KnownHash.moderator == decision.moderator_id,
        KnownHash.created_at > decision.created_at,
        KnownHash.removed_at.is_null(),
    )
    return [*decision.blocked, *(row[0] for row in since.tuples())]


def unblock(decision: Decision, moderator: Moderator) -> list[int]:
    """Remove the known images that the decision added; returns their ids.

    A worker that adds a perceptual hash holds its entry's lock. The wait for it comes first, so
    that none is added afterwards.
    """
    _entries_of(decision)
    known = added_by(decision)
    KnownHash.remove(known, moderator.id)
    return known


def change_back(decision: Decision, moderator: Moderator) -> None:
    """Give known images that the decision itself changed, such as an allowed one, their facts back.

    The audit has them: what was written in the decision's transaction has its time. An entry that
    somebody has changed since is left as it is. The machine's rejections for such an entry stand.
    """
    if decision.to_verdict != REJECTED:
        return
    for entry in _entries_of(decision):
        since = Audit.select().where(
            Audit.subject == entry.subject,
            Audit.action == "known_hash.put",
            Audit.at >= decision.created_at,
        )
        puts = list(since.order_by(Audit.id))
        own = [row for row in puts if row.at == decision.created_at]
        if not own or own != puts or entry.removed_at is not None:
            continue
        before, after = own[0].details.get("before"), own[-1].details.get("after")
        if before and after == entry.facts != before:
            label = NO_LABEL if labels.get().problem(before["label"]) else before["label"]
            KnownHash.put_and_audit(
                entry.kind,
                bytes(entry.hash),
                before["action"],
                label,
                moderator.id,
                note=before["note"],
            )


def _entries_of(decision: Decision) -> list[KnownHash]:
    """The locked known images that are linked to the submission's pictures."""
    images = [image.id for image in Image.of(decision.submission_id)]
    query = KnownHash.select().where(KnownHash.image.in_(images))
    return list(query.order_by(KnownHash.id).for_update())
