"""A rule can ignore its own accents, as all rules did before.

Existing rules require them from now on: "coño" no longer matches "cono". A process of the last
release neither reads nor writes the column.
"""

UP = "ALTER TABLE rule ADD COLUMN ignore_accents boolean NOT NULL DEFAULT false"
DOWN = "ALTER TABLE rule DROP COLUMN ignore_accents"


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
