"""The console lists the surfaces that clients named, and searches by them.

Uploads wait while the table is read once, for the index has no rows yet: about a second for a
million of them. Reads go on.
"""

UP = """
CREATE INDEX submission_surface ON submission (client_id, surface, id) WHERE surface <> ''
"""
DOWN = "DROP INDEX submission_surface"


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
