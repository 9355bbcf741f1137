"""Secrets of phones and webhooks that stand in plain text are sealed."""

from models import seal

COLUMNS = (
    ("moderator", "totp_secret"),
    ("client", "webhook_secret"),
    ("client", "webhook_secret_before"),
)


def up(migrator, db):
    _each(db, lambda text: text if text.startswith(seal.MARK) else seal.close(text))


def down(migrator, db):
    _each(db, seal.reopen)


def _each(db, change):
    for table, column in COLUMNS:
        rows = f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL"
        for row_id, text in db.execute_sql(rows).fetchall():
            values = (change(text), row_id)
            db.execute_sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", values)
