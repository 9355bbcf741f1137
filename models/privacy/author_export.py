"""Exports all data about an author, in batches, so that memory use is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.audit.log import Audit
from models.authors.author import Author, subject
from models.database.connection import db
from models.errors import NotFound
from models.moderation import case_file
from models.moderation.appeal import Appeal
from models.moderation.case_file import CaseFile
from models.moderation.decision import Decision
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import Finding, evidence_for_client
from models.webhooks.delivery import Delivery

STEP = 100  # submissions read at once
EXPORTED = (
    "external_id",
    "surface",
    "scores",
    "title",
    "description",
    "priority",
    "mode",
    "status",
    "verdict",
    "visible",
    "review_owed",
    "score",
    "reasons",
    "created_at",
    "decided_at",
)


@dataclass(frozen=True, slots=True)
class Person:
    """An author of a client."""

    client_id: int
    user_id: str

    def check(self) -> None:
        """Raises NotFound if nothing is stored about them."""
        if self.record() is None and next(self.uploads(), None) is None:
            raise NotFound("This author does not exist.")

    def record(self) -> dict[str, Any] | None:
        """Strikes, suspension and premium mark; None if there is no row."""
        row = Author.get_or_none(Author.client == self.client_id, Author.user_id == self.user_id)
        if row is None:
            return None
        names = ("strikes", "suspended_at", "premium_at", "created_at")
        return {name: getattr(row, name) for name in names}

    def actions(self) -> list[dict[str, Any]]:
        """Moderators' actions on the author, with their reasons."""
        about = subject(self.client_id, self.user_id)
        rows = Audit.select().where(Audit.subject == about).order_by(Audit.id)
        return [{"at": row.at, "act": row.action, "details": row.details} for row in rows]

    def uploads(self) -> Iterator[CaseFile]:
        """Every submission with all that belongs to it, oldest first."""
        after = UUID(int=0)
        while rows := self._after(after):
            yield from case_file.read(rows, authors=False)
            after = rows[-1].id

    def _after(self, after: UUID) -> list[Submission]:
        mine = (Submission.client == self.client_id, Submission.user_id == self.user_id)
        query = Submission.select().where(*mine, Submission.id > after)
        return list(query.order_by(Submission.id).limit(STEP))


def upload(file: CaseFile) -> dict[str, Any]:
    """One submission in the format of the export."""
    row = file.submission
    return {
        "job_id": row.id,
        **{name: getattr(row, name) for name in EXPORTED},
        "user_ip_hash": bytes(row.ip_hash).hex() if row.ip_hash else None,
        "content_removed_at": row.purged_at,
        "images": [_image(image) for image in file.images],
        "findings": [_finding(finding) for finding in file.findings],
        "decisions": [_decision(decision) for decision in file.decisions],
        "appeal": _appeal(file.appeal) if file.appeal else None,
        "events": _events(row.id),
    }


def file_name(image: Image) -> str:
    """The name of a picture's original in the archive."""
    return f"originals/{image.submission_id}-{image.position}"


def _image(image: Image) -> dict[str, Any]:
    names = ("given_name", "media_type", "bytes", "width", "height", "frames", "score")
    return {
        "file": file_name(image),
        **{name: getattr(image, name) for name in names},
        "sha256": bytes(image.sha256).hex(),
        "pdq": bytes(image.pdq).hex() if image.pdq else None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    names = ("check", "label", "action", "score", "image")
    told = {name: getattr(finding, name) for name in names}
    return {**told, "evidence": evidence_for_client(finding)}


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "at": decision.created_at,
        "by": "a moderator" if decision.moderator_id else "the machine",
        "from": decision.from_verdict,
        "to": decision.to_verdict,
        "reason": decision.reason,
    }


def _appeal(appeal: Appeal) -> dict[str, Any]:
    return {"at": appeal.created_at, "message": appeal.message, "answered_at": appeal.decided_at}


def _events(submission_id: UUID) -> list[dict[str, Any]]:
    names = ("event", "state", "created_at", "delivered_at")
    query = Delivery.select().where(Delivery.submission == submission_id)
    rows = query.order_by(Delivery.created_at)
    return [{name: getattr(row, name) for name in names} for row in rows]


def now() -> Any:
    """The database's current time."""
    return db.execute_sql("SELECT now()").fetchone()[0]
