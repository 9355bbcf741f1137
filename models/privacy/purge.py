"""Purge: deletes a submission's content in one statement and keeps a stub.

Deleted are texts and their words, pictures, findings, the author's IP hash, the client's own ids,
and everything in deliveries except the verdict. Kept are ids, verdict, score, decisions and times.
"""

from __future__ import annotations

from typing import Any

from models.database.connection import db
from models.privacy.file_removal import OWE

# ``chosen`` are locked rows with their ids and verdicts.
PARTS = f"""
WITH chosen AS MATERIALIZED ({{chosen}}),
pictures AS (
    DELETE FROM image USING chosen WHERE image.submission_id = chosen.id
    RETURNING storage_key, coalesce(frames, 2) > 1 AS animated),
owed AS ({OWE} RETURNING storage_key),
asked AS (UPDATE appeal SET message = '' FROM chosen WHERE appeal.submission_id = chosen.id),
found AS (DELETE FROM finding USING chosen WHERE finding.submission_id = chosen.id),
calls AS (
    UPDATE delivery SET
        payload = jsonb_build_object('type', payload->'type', 'data', jsonb_strip_nulls(
            jsonb_build_object('job_id', payload#>'{{{{data,job_id}}}}',
                'verdict', payload#>'{{{{data,verdict}}}}',
                'visible', payload#>'{{{{data,visible}}}}'))),
        outcome = CASE state WHEN 'owed' THEN 'erased' ELSE outcome END,
        state = CASE state WHEN 'owed' THEN 'cancelled' ELSE state END
    FROM chosen WHERE delivery.submission_id = chosen.id),
{{more}}
gone AS (
    UPDATE submission SET
        title = '', description = '', external_id = NULL, ip_hash = NULL, error = NULL,
        fingerprint = '', idempotency_key = 'purged:' || submission.id, purged_at = now(),
        lease_by = NULL, lease_until = NULL, review_by = NULL, review_until = NULL,
        reasons = (SELECT coalesce(jsonb_agg(
            CASE WHEN reason->>'check' IN ('classifier', 'known_hashes', 'duplicates', 'sample')
            THEN reason ELSE reason
            || '{{{{"explanation": "What was found is no longer kept"}}}}' END),
            '[]') FROM jsonb_array_elements(submission.reasons) reason),
        version = version + 1
        {{sets}}
    FROM chosen WHERE submission.id = chosen.id RETURNING submission.id)
SELECT (SELECT count(*) FROM gone), coalesce((SELECT array_agg(storage_key) FROM owed), '{{{{}}}}')
"""


def purge(
    chosen: str, values: dict[str, Any], *, more: str = "", sets: str = ""
) -> tuple[int, list[str]]:
    """Purge the rows of the query ``chosen``; returns (number of rows, keys of their files).

    ``more`` are additional CTEs, ``sets`` additional columns. It is one statement, so all of it is
    committed or nothing.
    """
    sql = PARTS.format(chosen=chosen, more=more, sets=sets)
    count, keys = db.execute_sql(sql, values).fetchone()
    return count, keys
