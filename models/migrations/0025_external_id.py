"""The console's search finds uploads by the id that the client's site gave them.

Uploads wait while the index is built: about a second for a million of them. It is not built
CONCURRENTLY, which would wait for another host that waits for the lock of this migration.
"""

UP = """
CREATE INDEX submission_external ON submission (external_id, id) WHERE external_id IS NOT NULL
"""
DOWN = "DROP INDEX submission_external"


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
