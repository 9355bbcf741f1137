"""Flags that wait are counted from indexes alone, however many submissions there are."""

UP = """
-- What is owed is no flag: without it, the index holds exactly what review goes through.
DROP INDEX submission_review;
CREATE INDEX submission_review ON submission (priority DESC, created_at, id)
    WHERE verdict = 'review' AND NOT review_owed;
CREATE INDEX submission_claimed ON submission (review_until)
    WHERE verdict = 'review' AND NOT review_owed AND review_by IS NOT NULL;
"""

DOWN = """
DROP INDEX submission_claimed, submission_review;
CREATE INDEX submission_review ON submission (priority DESC, created_at, id)
    WHERE verdict = 'review';
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
