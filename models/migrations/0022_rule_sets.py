"""Rule sets: named groups of rules by language and topic, and the languages that clients use.

Set 1 holds the rules that belong to no other set; processes of the last release add theirs there.
Starter rules go to set 2 first, and the seeding of starter rules after the migration sorts them
by language. ``client.languages`` is null if the client uses the server's default languages.
"""

UP = """
CREATE TABLE rule_set (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (name <> ''),
    language   text NOT NULL DEFAULT '',
    topic      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO rule_set (name, topic) VALUES ('Own rules', ''), ('Starter list', 'starter');

CREATE TABLE default_language (language text PRIMARY KEY CHECK (language <> ''));
INSERT INTO default_language VALUES ('en');
ALTER TABLE client ADD COLUMN languages text[];

ALTER TABLE rule
    ADD COLUMN inflections boolean NOT NULL DEFAULT false,
    ADD COLUMN rule_set_id bigint NOT NULL DEFAULT 1 REFERENCES rule_set,
    DROP CONSTRAINT rule_kind_pattern_key;
UPDATE rule SET rule_set_id = 2 WHERE source = 'starter';
CREATE UNIQUE INDEX rule_once ON rule (rule_set_id, kind, pattern);
CREATE INDEX rule_pattern ON rule (kind, pattern);
"""

DOWN = """
DELETE FROM rule USING (
        SELECT id, row_number() OVER (PARTITION BY kind, pattern
            ORDER BY removed_at IS NOT NULL, NOT active, id) AS place FROM rule) AS same
    WHERE rule.id = same.id AND same.place > 1;  -- one that applies stays
DROP INDEX rule_pattern, rule_once;
ALTER TABLE rule
    ADD CONSTRAINT rule_kind_pattern_key UNIQUE (kind, pattern),
    DROP COLUMN rule_set_id,
    DROP COLUMN inflections;
ALTER TABLE client DROP COLUMN languages;
DROP TABLE default_language, rule_set;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
