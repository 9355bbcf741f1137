"""Policies by client and surface, with versions; surfaces and scores of uploads.

The clients' thresholds, sample rate and visibility become the first versions of their policies.
Processes of the release before still read them in ``client``: there they follow each new version,
until a later migration drops the columns. A trigger makes the policy of a client that they add.
"""

UP = """
CREATE TABLE policy (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id  bigint REFERENCES client ON DELETE CASCADE,
    surface    text NOT NULL DEFAULT '',
    adopted    jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (surface = '' OR client_id IS NOT NULL)
);
CREATE UNIQUE INDEX policy_name ON policy (coalesce(client_id, 0), surface);
CREATE TABLE policy_version (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    policy_id    bigint NOT NULL REFERENCES policy ON DELETE CASCADE,
    number       integer NOT NULL CHECK (number > 0),
    document     jsonb NOT NULL,
    why          text NOT NULL DEFAULT '',
    moderator_id bigint REFERENCES moderator ON DELETE SET NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (policy_id, number)
);
INSERT INTO revision (name) VALUES ('policies');

WITH own AS (
    INSERT INTO policy (client_id) SELECT id FROM client
    WHERE reject_at IS NOT NULL OR review_at IS NOT NULL OR sample_rate IS NOT NULL
        OR visibility <> 'hold' OR publish_unchecked
    RETURNING id, client_id)
INSERT INTO policy_version (policy_id, number, document, why)
SELECT own.id, 1, jsonb_strip_nulls(jsonb_build_object(
    'labels', CASE WHEN c.reject_at IS NULL AND c.review_at IS NULL THEN '{}'::jsonb
        ELSE jsonb_build_object('nudity', jsonb_build_object('review_at', c.review_at,
            'reject_at', c.reject_at)) END,
    'sample_rate', c.sample_rate,
    'visibility', CASE WHEN c.visibility <> 'hold' THEN c.visibility END,
    'publish_unchecked', CASE WHEN c.publish_unchecked THEN true END)), 'As before the upgrade'
FROM own JOIN client c ON c.id = own.client_id;

ALTER TABLE submission
    ADD COLUMN surface text NOT NULL DEFAULT '',
    ADD COLUMN scores jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN policy_version bigint;

CREATE FUNCTION client_policy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE made bigint;
BEGIN
    IF NEW.visibility <> 'hold' OR NEW.publish_unchecked THEN
        INSERT INTO policy (client_id) VALUES (NEW.id) RETURNING id INTO made;
        INSERT INTO policy_version (policy_id, number, document, why) VALUES (made, 1,
            jsonb_build_object('labels', '{}'::jsonb, 'visibility', NEW.visibility,
                'publish_unchecked', NEW.publish_unchecked),
            'Added by a process of the release before');
    END IF;
    UPDATE revision SET number = number + 1 WHERE name = 'policies';  -- all clients are known
    RETURN NULL;
END $$;
CREATE TRIGGER client_policy AFTER INSERT ON client
    FOR EACH ROW EXECUTE FUNCTION client_policy();
"""

DOWN = """
DROP TRIGGER client_policy ON client;
DROP FUNCTION client_policy;
ALTER TABLE submission DROP COLUMN surface, DROP COLUMN scores, DROP COLUMN policy_version;
DROP TABLE policy_version, policy;
DELETE FROM revision WHERE name = 'policies';
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
