"""Accounts: second step, links, sessions by number; keys that rotate; an audit that only grows.

``audit``, ``audit_chain`` and ``decision`` refuse UPDATE, DELETE and TRUNCATE by trigger. Retention
has the one way around it: ``SET LOCAL sluice.retention = 'on'`` lets a transaction delete rows of
``decision`` and empty a submission (which cascades); the audit stays even then.

Each audit row is linked to the one before at commit, by a deferred trigger: the head is locked
when nothing else will be, so that two transactions that write audit rows cannot block each other
in a ring, and the order of the chain is the order of commits.
"""

UP = """
ALTER TABLE moderator
    ADD totp_secret       text,
    ADD totp_confirmed_at timestamptz,
    ADD totp_step         bigint NOT NULL DEFAULT 0;

CREATE TABLE recovery_code (
    digest        bytea PRIMARY KEY,
    moderator_id  bigint NOT NULL REFERENCES moderator ON DELETE CASCADE,
    used_at       timestamptz
);
CREATE INDEX recovery_code_moderator ON recovery_code (moderator_id);

ALTER TABLE moderator_session ADD id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;

ALTER TABLE invite
    ADD id      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD made_by bigint REFERENCES moderator;

CREATE TABLE password_link (
    digest        bytea PRIMARY KEY,
    moderator_id  bigint NOT NULL REFERENCES moderator ON DELETE CASCADE,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);
CREATE INDEX password_link_moderator ON password_link (moderator_id);

ALTER TABLE client
    ADD webhook_secret_before       text,
    ADD webhook_secret_before_until timestamptz;

CREATE INDEX delivery_client ON delivery (client_id, id);
CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead';

CREATE INDEX audit_moderator ON audit (moderator_id, id);
CREATE INDEX audit_action ON audit (action, id);
CREATE INDEX audit_subject ON audit (subject, id);

CREATE TABLE audit_chain (
    place         bigint PRIMARY KEY,
    audit_id      bigint NOT NULL UNIQUE REFERENCES audit,
    digest        bytea NOT NULL
);
CREATE TABLE audit_head (
    single        boolean PRIMARY KEY DEFAULT true CHECK (single),
    place         bigint NOT NULL,
    digest        bytea NOT NULL
);
INSERT INTO audit_head (place, digest) VALUES (0, sha256('sluice'));

CREATE FUNCTION audit_digest(before bytea, line audit) RETURNS bytea
LANGUAGE sql STABLE AS $$
    SELECT sha256(before || convert_to(jsonb_build_array(
        line.id, (extract(epoch FROM line.at) * 1000000)::bigint, line.moderator_id, line.action,
        line.subject, line.details)::text, 'UTF8'))
$$;

CREATE FUNCTION audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
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

DO $$
DECLARE
    line audit;
    head audit_head;
BEGIN
    SELECT * INTO head FROM audit_head;
    FOR line IN SELECT * FROM audit ORDER BY id LOOP
        head.place := head.place + 1;
        head.digest := audit_digest(head.digest, line);
        INSERT INTO audit_chain VALUES (head.place, line.id, head.digest);
    END LOOP;
    UPDATE audit_head SET place = head.place, digest = head.digest;
END $$;

CREATE CONSTRAINT TRIGGER audit_linked AFTER INSERT ON audit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_link();

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'decision' AND TG_OP = 'DELETE'
        AND current_setting('sluice.retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '%% is append-only: %% is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_chain_kept BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_chain_not_emptied BEFORE TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER decision_kept BEFORE UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER decision_not_emptied BEFORE TRUNCATE ON decision
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""

DOWN = """
DROP TRIGGER decision_not_emptied ON decision;
DROP TRIGGER decision_kept ON decision;
DROP TRIGGER audit_not_emptied ON audit;
DROP TRIGGER audit_kept ON audit;
DROP TRIGGER audit_linked ON audit;
DROP TABLE audit_chain, audit_head;
DROP FUNCTION append_only(), audit_link(), audit_digest(bytea, audit);
DROP INDEX audit_subject, audit_action, audit_moderator, delivery_dead, delivery_client;
ALTER TABLE client DROP webhook_secret_before, DROP webhook_secret_before_until;
DROP TABLE password_link, recovery_code;
ALTER TABLE invite DROP made_by, DROP id;
ALTER TABLE moderator_session DROP id;
ALTER TABLE moderator DROP totp_step, DROP totp_confirmed_at, DROP totp_secret;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
