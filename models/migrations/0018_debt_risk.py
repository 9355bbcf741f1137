"""Review debt is paid by risk and by age.

``debt_risk`` is set when the fast rules let an upload through: `models.submissions.submission` has
its values. Older rows, and those of processes of the release before, have 0.
"""

UP = """
ALTER TABLE submission ADD COLUMN debt_risk smallint NOT NULL DEFAULT 0;
CREATE INDEX submission_owed_risk ON submission (debt_risk DESC, created_at) WHERE review_owed;
"""

DOWN = """
DROP INDEX submission_owed_risk;
ALTER TABLE submission DROP COLUMN debt_risk;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
