"""All that is held about an author, piece by piece: any number of uploads fits in memory."""

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
from models.verdict import Finding
from models.webhooks.delivery import Delivery

STEP = 100  # submissions that are read at once
TOLD = (
    "external_id",
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
        """Raises NotFound where nothing is known of them."""
        if self.record() is None and next(self.uploads(), None) is None:
            raise NotFound("There is no such author.")

    def record(self) -> dict[str, Any] | None:
        """Strikes, suspension and premium, where there is any."""
        row = Author.get_or_none(Author.client == self.client_id, Author.user_id == self.user_id)
        if row is None:
            return None
        names = ("strikes", "suspended_at", "premium_at", "created_at")
        return {name: getattr(row, name) for name in names}

    def acts(self) -> list[dict[str, Any]]:
        """What people did about the author, with their reasons."""
        about = subject(self.client_id, self.user_id)
        rows = Audit.select().where(Audit.subject == about).order_by(Audit.id)
        return [{"at": row.at, "act": row.action, "details": row.details} for row in rows]

    def uploads(self) -> Iterator[CaseFile]:
        """Every submission with all that belongs to it, the oldest first."""
        after = UUID(int=0)
        while rows := self._after(after):
            yield from case_file.read(rows, authors=False)
            after = rows[-1].id

    def _after(self, after: UUID) -> list[Submission]:
        mine = (Submission.client == self.client_id, Submission.user_id == self.user_id)
        query = Submission.select().where(*mine, Submission.id > after)
        return list(query.order_by(Submission.id).limit(STEP))


def upload(known: CaseFile) -> dict[str, Any]:
    """One submission as the export tells it."""
    row = known.submission
    return {
        "job_id": row.id,
        **{name: getattr(row, name) for name in TOLD},
        "user_ip_hash": bytes(row.ip_hash).hex() if row.ip_hash else None,
        "content_removed_at": row.purged_at,
        "images": [_image(image) for image in known.images],
        "findings": [_finding(found) for found in known.findings],
        "decisions": [_decision(decision) for decision in known.decisions],
        "appeal": _appeal(known.appeal) if known.appeal else None,
        "events": _events(row.id),
    }


def file_name(image: Image) -> str:
    """The name of a picture's original in an archive."""
    return f"originals/{image.submission_id}-{image.position}"


def _image(image: Image) -> dict[str, Any]:
    names = ("given_name", "media_type", "bytes", "width", "height", "frames", "score")
    return {
        "file": file_name(image),
        **{name: getattr(image, name) for name in names},
        "sha256": bytes(image.sha256).hex(),
        "pdq": bytes(image.pdq).hex() if image.pdq else None,
    }


def _finding(found: Finding) -> dict[str, Any]:
    names = ("check", "label", "action", "score", "image", "evidence")
    return {name: getattr(found, name) for name in names}


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "at": decision.created_at,
        "by": "a moderator" if decision.moderator_id else "the machine",
        "from": decision.from_verdict,
        "to": decision.to_verdict,
        "reason": decision.reason,
    }


def _appeal(found: Appeal) -> dict[str, Any]:
    return {"at": found.created_at, "message": found.message, "answered_at": found.decided_at}


def _events(submission_id: UUID) -> list[dict[str, Any]]:
    names = ("event", "state", "created_at", "delivered_at")
    query = Delivery.select().where(Delivery.submission == submission_id)
    rows = query.order_by(Delivery.created_at)
    return [{name: getattr(row, name) for name in names} for row in rows]


def now() -> Any:
    """The database's time."""
    return db.execute_sql("SELECT now()").fetchone()[0]
