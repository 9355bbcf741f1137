"""Alerts: one row from start to end, and the notices that are owed for both."""

UP = """
-- ``subject``: the host, for what is of one host. ``seen_at``: when its rule last spoke.
CREATE TABLE alert (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule        text NOT NULL,
    subject     text NOT NULL DEFAULT '',
    level       text NOT NULL CHECK (level IN ('critical', 'warning')),
    sentence    text NOT NULL,
    reading     double precision NOT NULL,
    bound       double precision NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz
);
-- A rule speaks once at a time, however many processes look at it.
CREATE UNIQUE INDEX alert_open ON alert (rule, subject) WHERE ended_at IS NULL;

-- ``channel``: the kind and a digest of one of ALERT_URLS; the address itself is a secret.
CREATE TABLE notice (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id    bigint NOT NULL REFERENCES alert ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('start', 'end')),
    channel     text NOT NULL,
    state       text NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'sent', 'failed')),
    attempts    smallint NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz,
    outcome     text NOT NULL DEFAULT '',
    sent_at     timestamptz,
    UNIQUE (alert_id, kind, channel)
);
CREATE INDEX notice_owed ON notice (due_at) WHERE state = 'owed';
"""

DOWN = """
DROP TABLE notice, alert;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
