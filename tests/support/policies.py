"""Policies for tests, without the console."""

from __future__ import annotations

import json
from typing import Any

from tests.support.stack import Stack


def set_policy(stack: Stack, client: str, surface: str = "", **document: Any) -> int:
    """Make the document the newest version of a client's policy, for every process within 2 s.

    ``labels`` maps labels to their thresholds. Returns the id of the version.
    """
    rows = stack.sql(
        "WITH bump AS (UPDATE revision SET number = number + 1 WHERE name = 'policies'),"
        " made AS (INSERT INTO policy (client_id, surface)"
        "  SELECT id, %s FROM client WHERE name = %s"
        "  ON CONFLICT (coalesce(client_id, 0), surface) DO UPDATE SET surface = excluded.surface"
        "  RETURNING id)"
        " INSERT INTO policy_version (policy_id, number, document)"
        " SELECT id, (SELECT coalesce(max(number), 0) + 1 FROM policy_version v"
        "  WHERE v.policy_id = made.id), %s FROM made RETURNING id",
        surface,
        client,
        json.dumps({"labels": {}, **document}),
    )
    return int(rows[0][0])


def nudity(**thresholds: float | None) -> dict[str, Any]:
    """A document that sets the network's thresholds."""
    return {"labels": {"nudity": thresholds}}
