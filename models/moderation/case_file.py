"""Case files: all that a moderator sees of submissions, read in a few queries."""

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
class CaseFile:
    """A submission with its pictures, findings (worst first), decisions and author's record."""

    submission: Submission
    images: list[Image] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    author: dict[str, Any] = field(default_factory=dict)
    appeal: Appeal | None = None


def read(submissions: Sequence[Submission], *, authors: bool = True) -> list[CaseFile]:
    """The case files of these submissions, in their order."""
    case_files = {row.id: CaseFile(row) for row in submissions}
    if case_files:
        positions = _add_images(case_files)
        _add_findings(case_files, positions)
        _add_decisions(case_files)
        for submission_id, found in Appeal.of(case_files).items():
            case_files[submission_id].appeal = found
    if authors:
        _add_authors(case_files)
    return list(case_files.values())


def _add_images(case_files: dict[UUID, CaseFile]) -> dict[UUID, int]:
    query = Image.select().where(Image.submission.in_(list(case_files))).order_by(Image.position)
    positions = {}
    for image in query:
        case_files[image.submission_id].images.append(image)
        positions[image.id] = image.position
    return positions


def _add_findings(case_files: dict[UUID, CaseFile], positions: dict[UUID, int]) -> None:
    query = FindingRow.select().where(FindingRow.submission.in_(list(case_files)))
    for row in query.order_by(FindingRow.id):
        finding = row.as_finding(positions.get(row.image_id))
        case_files[row.submission_id].findings.append(finding)
    for case_file in case_files.values():
        case_file.findings.sort(key=lambda found: (ORDER[found.action], -(found.score or 0.0)))


def _add_decisions(case_files: dict[UUID, CaseFile]) -> None:
    query = (
        Decision.select(Decision, Moderator)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .where(Decision.submission.in_(list(case_files)))
        .order_by(Decision.id)
    )
    for decision in query:
        case_files[decision.submission_id].decisions.append(decision)


def _add_authors(case_files: dict[UUID, CaseFile]) -> None:
    records: dict[tuple[int, str], dict[str, Any]] = {}
    for case_file in case_files.values():
        key = (case_file.submission.client_id, case_file.submission.user_id)
        if key not in records:
            records[key] = author.record(*key)
        case_file.author = records[key]
