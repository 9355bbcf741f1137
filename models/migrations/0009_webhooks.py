"""Webhooks: how a client's receiver fares, and what is due for each client."""

UP = """
-- ``failing``: its last call came to nothing. ``paused``: it asked for a pause. ``disabled``: it
-- answered 410, and waits for a person.
ALTER TABLE client
    ADD COLUMN webhook_failing_since timestamptz,
    ADD COLUMN webhook_paused_until timestamptz,
    ADD COLUMN webhook_disabled_at timestamptz;

DROP INDEX delivery_owed;
CREATE INDEX delivery_due ON delivery (client_id, due_at) WHERE state = 'owed';
CREATE INDEX delivery_called ON delivery (client_id)
    WHERE state = 'owed' AND lease_until IS NOT NULL;
"""

DOWN = """
DROP INDEX delivery_called, delivery_due;
CREATE INDEX delivery_owed ON delivery (due_at) WHERE state = 'owed';
ALTER TABLE client
    DROP COLUMN webhook_failing_since,
    DROP COLUMN webhook_paused_until,
    DROP COLUMN webhook_disabled_at;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
