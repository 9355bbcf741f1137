"""Dossiers: all that a moderator is shown of submissions, read in a handful of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import peewee

from models.authors import author
from models.moderation.appeal import Appeal
from models.moderation.decision import Decision
from models.people.moderator import Moderator
from models.submissions.finding import FindingRow
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import Finding

ORDER = {"reject": 0, "review": 1, "allow": 2, "note": 3}


@dataclass(slots=True)
class Dossier:
    """A submission with its pictures, findings (worst first), decisions and author's record."""

    submission: Submission
    images: list[Image] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    author: dict[str, Any] = field(default_factory=dict)
    appeal: Appeal | None = None


def read(submissions: Sequence[Submission], *, authors: bool = True) -> list[Dossier]:
    """The dossiers of these submissions, in their order."""
    dossiers = {row.id: Dossier(row) for row in submissions}
    if dossiers:
        positions = _add_images(dossiers)
        _add_findings(dossiers, positions)
        _add_decisions(dossiers)
        for submission_id, found in Appeal.of(dossiers).items():
            dossiers[submission_id].appeal = found
    if authors:
        _add_authors(dossiers)
    return list(dossiers.values())


def _add_images(dossiers: dict[UUID, Dossier]) -> dict[UUID, int]:
    query = Image.select().where(Image.submission.in_(list(dossiers))).order_by(Image.position)
    positions = {}
    for image in query:
        dossiers[image.submission_id].images.append(image)
        positions[image.id] = image.position
    return positions


def _add_findings(dossiers: dict[UUID, Dossier], positions: dict[UUID, int]) -> None:
    query = FindingRow.select().where(FindingRow.submission.in_(list(dossiers)))
    for row in query.order_by(FindingRow.id):
        finding = row.as_finding(positions.get(row.image_id))
        dossiers[row.submission_id].findings.append(finding)
    for dossier in dossiers.values():
        dossier.findings.sort(key=lambda found: (ORDER[found.action], -(found.score or 0.0)))


def _add_decisions(dossiers: dict[UUID, Dossier]) -> None:
    query = (
        Decision.select(Decision, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Decision.submission.in_(list(dossiers)))
        .order_by(Decision.id)
    )
    for decision in query:
        dossiers[decision.submission_id].decisions.append(decision)


def _add_authors(dossiers: dict[UUID, Dossier]) -> None:
    records: dict[tuple[int, str], dict[str, Any]] = {}
    for dossier in dossiers.values():
        key = (dossier.submission.client_id, dossier.submission.user_id)
        if key not in records:
            records[key] = author.record(*key)
        dossier.author = records[key]
