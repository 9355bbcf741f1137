"""The table of pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

import peewee
from playhouse.postgres_ext import BinaryJSONField

from models.database.connection import Model, db
from models.submissions.submission import Submission

MIN_PDQ_QUALITY = 50  # a lower one says too little to compare (the paper of PDQ's authors)


class Image(Model):
    """One picture; its file is in storage under ``storage_key``.

    ``score``, ``worst_frame``, ``pdq`` and ``view`` belong together: the view that was scored
    worst. ``view`` says which one it is: ``{}`` is the whole picture, and ``views`` is the number
    of views if there are several; ``view``, ``box`` and ``sure`` describe an extra view (see
    ``tasks.extra_views.look_closer``). It is null in rows that were not scored, and in those of
    releases that hashed the first frame.
    """

    id = peewee.UUIDField(primary_key=True)
    submission = peewee.ForeignKeyField(Submission, backref="images")
    position = peewee.SmallIntegerField()
    storage_key = peewee.TextField()
    given_name = peewee.TextField(default="")
    media_type = peewee.TextField()
    bytes = peewee.IntegerField()
    sha256 = peewee.BlobField()
    width = peewee.IntegerField(null=True)
    height = peewee.IntegerField(null=True)
    frames = peewee.IntegerField(null=True)
    score = peewee.FloatField(null=True)
    worst_frame = peewee.IntegerField(null=True)
    pdq = peewee.BlobField(null=True)
    pdq_quality = peewee.SmallIntegerField(null=True)
    thumbnail = peewee.BooleanField(default=False)
    heat = peewee.BooleanField(default=False)
    stills = BinaryJSONField(default=list)
    scored_at = peewee.DateTimeField(null=True)
    view = BinaryJSONField(null=True)

    @property
    def is_hashed(self) -> bool:
        """Whether ``pdq`` is the hash of the view that was scored, or of the only frame."""
        return self.pdq is not None and (self.view is not None or (self.frames or 1) == 1)

    @classmethod
    def of(cls, submission_id: UUID) -> list[Image]:
        """A submission's pictures in order."""
        return list(cls.select().where(cls.submission == submission_id).order_by(cls.position))

    @classmethod
    def of_all(cls, ids: Iterable[UUID]) -> list[Image]:
        """The pictures of several submissions, in order within each."""
        return list(cls.select().where(cls.submission.in_(list(ids))).order_by(cls.position))


# The columns that a worker fills, in the order of the new values in
# ``models.moderation.record_verdicts``.
SEEN = {
    "width": "integer",
    "height": "integer",
    "frames": "integer",
    "score": "real",
    "worst_frame": "integer",
    "pdq": "bytea",
    "pdq_quality": "smallint",
    "thumbnail": "boolean",
    "stills": "jsonb",
    "view": "jsonb",
}


def note(image_id: UUID, seen: Mapping[str, Any]) -> None:
    """Store a worker's results for a picture: values of the columns ``SEEN``."""
    values = dict(seen)
    if "score" in values:
        values["scored_at"] = peewee.fn.now()
    if values:
        Image.update(**values).where(Image.id == image_id).execute()


def scored_twins(digests: Collection[bytes], seconds: int) -> dict[bytes, tuple[Any, ...]]:
    """Recent scores of pictures with the same bytes, by SHA-256.

    Each is (score, worst_frame, frames, width, height, view, pdq, pdq_quality, image id), at most
    ``seconds`` old. The score depends on the bytes alone, so another client's score is used;
    nothing else of that picture is disclosed. Pictures with a ``pictures`` finding are left out:
    they are checked again, so that they get the finding again. So are those without a view.
    """
    if not digests:
        return {}
    rows = db.execute_sql(
        "SELECT DISTINCT ON (sha256) sha256,"
        " score, worst_frame, frames, width, height, view, pdq, pdq_quality, id FROM image"
        " WHERE sha256 = ANY(%s) AND score IS NOT NULL AND view IS NOT NULL"
        " AND scored_at > now() - make_interval(secs => %s)"
        " AND NOT EXISTS (SELECT FROM finding"
        " WHERE finding.image_id = image.id AND finding.\"check\" = 'pictures')"
        " ORDER BY sha256, scored_at DESC",
        (list(digests), seconds),
    ).fetchall()
    return {bytes(row[0]): tuple(row[1:]) for row in rows}


def flagged_lately(
    seconds: float, least: float, most: int
) -> list[tuple[bytes, int, float, float]]:
    """(pdq, client, score, age in seconds) of pictures recently scored ``least`` or more.

    Oldest first. ``pdq`` is the hash of the view that was scored; rows that do not say which view
    it was are left out, and so are those of an extra view alone.
    """
    rows = db.execute_sql(
        "SELECT image.pdq, submission.client_id, image.score,"
        " extract(epoch FROM now() - scored_at)::float"
        " FROM image JOIN submission ON submission.id = image.submission_id"
        " WHERE scored_at > now() - make_interval(secs => %s) AND pdq IS NOT NULL"
        " AND pdq_quality >= %s AND NOT view ? 'sure' AND image.score >= %s"
        " ORDER BY scored_at DESC LIMIT %s",
        (seconds, MIN_PDQ_QUALITY, least, most),
    ).fetchall()
    return [(bytes(code), client, score, age) for code, client, score, age in reversed(rows)]


def stills_of(image_id: UUID) -> list[list[float]]:
    """[[frame, score], ...] of the frames of an animation that have a still, worst first."""
    row = Image.select(Image.stills).where(Image.id == image_id).tuples().first()
    return row[0] if row else []
