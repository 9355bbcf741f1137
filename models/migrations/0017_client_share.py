"""A client's share of the workers, and whether it publishes pictures before they are checked.

A client that holds shows no picture in mode fast_track before its full checks, unless
``publish_unchecked``.
"""

UP = """
ALTER TABLE client
    ADD COLUMN weight smallint NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100),
    ADD COLUMN publish_unchecked boolean NOT NULL DEFAULT false;
"""

DOWN = """
ALTER TABLE client DROP COLUMN weight, DROP COLUMN publish_unchecked;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
