"""The request that brought a submission: its id, and its trace."""

UP = """
ALTER TABLE submission ADD COLUMN request_id text, ADD COLUMN traceparent text;
"""

DOWN = """
ALTER TABLE submission DROP COLUMN traceparent, DROP COLUMN request_id;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
