"""A submission says which label the person gave whose decision stands.

Null: the machine's decision stands. Empty: the person named no label. A trigger sets it, so it is
also right after decisions and undos of processes that still run the last release. Decisions made
before this migration set nothing: filling in would lock the table for as long as it is large.
"""

UP = """
ALTER TABLE submission ADD COLUMN moderator_label text;
CREATE FUNCTION set_moderator_label() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE submission SET moderator_label = (
        SELECT d.reason FROM decision d
        WHERE d.submission_id = NEW.submission_id
          AND d.moderator_id IS NOT NULL AND d.undoes IS NULL
          AND NOT EXISTS (SELECT FROM decision u WHERE u.undoes = d.id)
        ORDER BY d.id DESC LIMIT 1)
    WHERE id = NEW.submission_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER decision_label AFTER INSERT ON decision
    FOR EACH ROW WHEN (NEW.moderator_id IS NOT NULL) EXECUTE FUNCTION set_moderator_label();
"""

DOWN = """
DROP TRIGGER decision_label ON decision;
DROP FUNCTION set_moderator_label();
ALTER TABLE submission DROP COLUMN moderator_label;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
