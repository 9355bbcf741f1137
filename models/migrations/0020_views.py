"""A picture's row says which view was scored: its score, hash and frame belong to that view.

Null in rows of earlier releases, which stored the hash of the first frame. Adding the column
rewrites no row, and a worker of the last release does not see it.
"""

UP = "ALTER TABLE image ADD COLUMN view jsonb"
DOWN = "ALTER TABLE image DROP COLUMN view"


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
