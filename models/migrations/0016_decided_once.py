"""The machine decides a version of a submission once, whatever a worker does.

``version`` is the submission's after the decision. A trigger sets it, so the guard also holds for
processes that still run the last release. It is null for older decisions, which the index leaves
out.
"""

UP = """
ALTER TABLE decision ADD COLUMN version integer;
CREATE UNIQUE INDEX decision_once ON decision (submission_id, version)
    WHERE moderator_id IS NULL AND version IS NOT NULL;
CREATE FUNCTION set_decision_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := (SELECT version FROM submission WHERE id = NEW.submission_id);
    RETURN NEW;
END
$$;
CREATE TRIGGER decision_version BEFORE INSERT ON decision
    FOR EACH ROW EXECUTE FUNCTION set_decision_version();
"""

DOWN = """
DROP TRIGGER decision_version ON decision;
DROP FUNCTION set_decision_version();
DROP INDEX decision_once;
ALTER TABLE decision DROP COLUMN version;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
