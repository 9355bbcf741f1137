"""A submission says which label the person gave whose decision stands.

Null: the machine's decision stands. Empty: the person named no label. Processes of the release
before write no value for the decisions that they record during an upgrade: then replies have the
machine's reasons, as before.
"""

UP = """
ALTER TABLE submission ADD COLUMN moderator_label text;
UPDATE submission SET moderator_label = last.reason FROM (
    SELECT DISTINCT ON (d.submission_id) d.submission_id, d.reason FROM decision d
    WHERE d.moderator_id IS NOT NULL AND d.undoes IS NULL
      AND NOT EXISTS (SELECT FROM decision u WHERE u.undoes = d.id)
    ORDER BY d.submission_id, d.id DESC
) AS last WHERE submission.id = last.submission_id;
"""

DOWN = "ALTER TABLE submission DROP COLUMN moderator_label"


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
