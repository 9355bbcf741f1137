"""Rules and known images: who changed them, what was removed and can come back, what they hit."""

UP = """
ALTER TABLE rule
    ADD COLUMN moderator_id bigint REFERENCES moderator ON DELETE SET NULL,
    ADD COLUMN removed_at timestamptz;
CREATE INDEX rule_changed ON rule (updated_at DESC, id);

-- An entry of exact bytes whose look is still owed: a worker makes the perceptual entry from
-- ``picture`` (a file that waits for it) or from the linked image; ``problem`` says why it could
-- not.
ALTER TABLE known_hash
    ADD COLUMN removed_at timestamptz,
    ADD COLUMN picture text,
    ADD COLUMN look_owed boolean NOT NULL DEFAULT false,
    ADD COLUMN problem text NOT NULL DEFAULT '';

CREATE INDEX finding_rule ON finding (((evidence->>'rule')::bigint), created_at)
    WHERE "check" = 'rules';
CREATE INDEX finding_known ON finding (((evidence->>'known')::bigint), created_at)
    WHERE "check" = 'known_hashes' AND action <> 'note';
CREATE INDEX IF NOT EXISTS audit_by_subject ON audit (subject, id);
"""

DOWN = """
DROP INDEX IF EXISTS audit_by_subject;
DROP INDEX finding_known, finding_rule;
DELETE FROM known_hash WHERE removed_at IS NOT NULL;
ALTER TABLE known_hash
    DROP COLUMN removed_at, DROP COLUMN picture, DROP COLUMN look_owed, DROP COLUMN problem;
DROP INDEX rule_changed;
DELETE FROM rule WHERE removed_at IS NOT NULL;
ALTER TABLE rule DROP COLUMN moderator_id, DROP COLUMN removed_at;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
