"""A long backlog in PostgreSQL is swept into the queue in order, at the cost of what is taken."""

UP = """
CREATE INDEX submission_received ON submission (priority DESC, created_at)
    WHERE status = 'received';
"""

DOWN = """
DROP INDEX submission_received;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
