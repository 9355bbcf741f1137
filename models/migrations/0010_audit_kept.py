"""The audit is linked by its owner's hand, and nothing lifts its guard.

The link is made by a function that runs as the tables' owner, so that the application's role needs
no right to write to the chain. All rows of a transaction are linked at its first one: a row is
linked in microseconds, however many there are.

Retention deletes no decision, so the way around the guard is closed.
"""

UP = """
CREATE OR REPLACE FUNCTION audit_link() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    head audit_head;
    line audit;
BEGIN
    IF EXISTS (SELECT FROM audit_chain WHERE audit_id = NEW.id) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO head FROM audit_head FOR UPDATE;
    -- What others have committed is linked; what they have not is not seen: these are ours.
    FOR line IN SELECT a.* FROM audit a LEFT JOIN audit_chain c ON c.audit_id = a.id
        WHERE a.id >= NEW.id AND c.audit_id IS NULL ORDER BY a.id
    LOOP
        head.place := head.place + 1;
        head.digest := audit_digest(head.digest, line);
        INSERT INTO audit_chain VALUES (head.place, line.id, head.digest);
    END LOOP;
    UPDATE audit_head SET place = head.place, digest = head.digest;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%% is append-only: %% is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""

DOWN = """
CREATE OR REPLACE FUNCTION audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head audit_head;
BEGIN
    SELECT * INTO head FROM audit_head FOR UPDATE;
    head.place := head.place + 1;
    head.digest := audit_digest(head.digest, NEW);
    INSERT INTO audit_chain VALUES (head.place, NEW.id, head.digest);
    UPDATE audit_head SET place = head.place, digest = head.digest;
    RETURN NULL;
END $$;
ALTER FUNCTION audit_link() SECURITY INVOKER RESET ALL;

CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'decision' AND TG_OP = 'DELETE'
        AND current_setting('sluice.retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '%% is append-only: %% is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
