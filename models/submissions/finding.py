"""The table of findings: each check's results with their evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.database.connection import Model, db, rows_sql
from models.submissions.image import Image
from models.submissions.submission import Submission
from models.verdict import Finding

COLUMNS = {
    "submission_id": "uuid",
    "image_id": "uuid",
    '"check"': "text",
    "label": "text",
    "score": "real",
    "action": "text",
    "evidence": "jsonb",
}


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
        cls, submission_id: UUID, findings: Iterable[Finding], images: Mapping[int, UUID]
    ) -> None:
        """Replace the submission's findings by these; ``images`` maps position to image id."""
        cls.delete().where(cls.submission == submission_id).execute()
        parameters: list[Any] = []
        values = rows_sql(COLUMNS, rows(submission_id, findings, images), parameters)
        if values:
            db.execute_sql(f"INSERT INTO finding ({', '.join(COLUMNS)}) {values}", parameters)

    def as_finding(self, position: int | None) -> Finding:
        """Convert to the domain object; ``position`` is the picture's."""
        return Finding(self.check, self.label, self.action, self.score, position, self.evidence)


def rows(
    submission_id: UUID, findings: Iterable[Finding], images: Mapping[int, UUID]
) -> Iterator[list[Any]]:
    """The findings as rows of ``COLUMNS``; ``images`` maps position to image id."""
    for finding in findings:
        image = None if finding.image is None else images[finding.image]
        source = [submission_id, image, finding.check, finding.label]
        yield [*source, finding.score, finding.action, json.dumps(finding.evidence)]
