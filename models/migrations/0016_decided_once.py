"""The machine decides a version of a submission once, whatever a worker does.

``version`` is the submission's after the decision. Decisions of before have none, and neither have
those of processes that still run the last release during an upgrade: the index leaves them out.
"""

UP = """
ALTER TABLE decision ADD COLUMN version integer;
CREATE UNIQUE INDEX decision_once ON decision (submission_id, version)
    WHERE moderator_id IS NULL AND version IS NOT NULL;
"""

DOWN = """
DROP INDEX decision_once;
ALTER TABLE decision DROP COLUMN version;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
