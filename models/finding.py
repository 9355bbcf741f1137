"""Findings as they are stored: what each check saw, with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.db import Model
from models.image import Image
from models.submission import Submission
from models.verdict import Finding


class FindingRow(Model):
    """A finding of a submission."""

    id = peewee.BigAutoField()
    submission = peewee.ForeignKeyField(Submission, backref="findings")
    image = peewee.ForeignKeyField(Image, null=True, backref="findings")
    check = peewee.TextField()
    label = peewee.TextField()
    score = peewee.FloatField(null=True)
    action = peewee.TextField()
    evidence = BinaryJSONField(default=dict)
    created_at = peewee.DateTimeField()

    class Meta:
        table_name = "finding"

    @classmethod
    def replace_of(
        cls,
        submission_id: UUID,
        findings: Iterable[Finding],
        images: Mapping[int, UUID],
        *,
        again: bool = True,
    ) -> None:
        """Put these findings in the place of the submission's; ``images`` by position.

        Unless it is done ``again`` there are none yet, and one statement is saved.
        """
        if again:
            cls.delete().where(cls.submission == submission_id).execute()
        rows = [_row(submission_id, finding, images) for finding in findings]
        if rows:
            cls.insert_many(rows).execute()

    def as_finding(self, position: int | None) -> Finding:
        """The domain's object again; ``position`` is its picture's."""
        return Finding(self.check, self.label, self.action, self.score, position, self.evidence)


def _row(submission_id: UUID, finding: Finding, images: Mapping[int, UUID]) -> dict[str, Any]:
    return {
        "submission": submission_id,
        "image": None if finding.image is None else images[finding.image],
        "check": finding.check,
        "label": finding.label,
        "score": finding.score,
        "action": finding.action,
        "evidence": finding.evidence,
        "created_at": peewee.fn.now(),
    }
