"""The policies that there are, and the surfaces that clients named in their uploads."""

from __future__ import annotations

from typing import NamedTuple

import peewee

from models.database.connection import db
from models.people.moderator import Moderator
from models.policies.policy import PolicyRow, PolicyVersion

# One step of the index for each surface of a client, however many uploads there are.
SURFACES = """
WITH RECURSIVE found AS (
    (SELECT client_id, surface FROM submission WHERE surface <> ''
     ORDER BY client_id, surface LIMIT 1)
    UNION ALL
    SELECT next.client_id, next.surface FROM found, LATERAL (
        SELECT client_id, surface FROM submission
        WHERE surface <> '' AND (client_id, surface) > (found.client_id, found.surface)
        ORDER BY client_id, surface LIMIT 1) next)
SELECT client_id, surface FROM found LIMIT %s
"""
MOST_SURFACES = 1000


class Newest(NamedTuple):
    """A policy with the version that is in force."""

    row: PolicyRow
    version: PolicyVersion


def newest() -> dict[tuple[int | None, str], Newest]:
    """The newest version of every policy, with who made it."""
    query = (
        PolicyVersion.select(PolicyVersion, PolicyRow, Moderator)
        .join(PolicyRow)
        .switch(PolicyVersion)
        .join(Moderator, peewee.JOIN.LEFT_OUTER)
        .distinct(PolicyVersion.policy)
        .order_by(PolicyVersion.policy, PolicyVersion.number.desc())
    )
    return {
        (version.policy.client_id, version.policy.surface): Newest(version.policy, version)
        for version in query
    }


def surfaces() -> set[tuple[int, str]]:
    """(client, surface) of all uploads, and of all policies of surfaces."""
    used = {(row[0], row[1]) for row in db.execute_sql(SURFACES, (MOST_SURFACES,)).fetchall()}
    rows = PolicyRow.select(PolicyRow.client_id, PolicyRow.surface).where(PolicyRow.surface != "")
    return used | set(rows.tuples())
