"""Secrets of phones and webhooks that stand in plain text are sealed."""

from models.database import encrypted_field

COLUMNS = (
    ("moderator", "totp_secret"),
    ("client", "webhook_secret"),
    ("client", "webhook_secret_before"),
)


def up(migrator, db):
    _each(
        db,
        lambda text: (
            text if text.startswith(encrypted_field.MARK) else encrypted_field.encrypt(text)
        ),
    )


def down(migrator, db):
    _each(db, encrypted_field.decrypt)


def _each(db, change):
    for table, column in COLUMNS:
        rows = f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL"
        for row_id, text in db.execute_sql(rows).fetchall():
            values = (change(text), row_id)
            db.execute_sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", values)
