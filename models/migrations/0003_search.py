"""Search among a million submissions; authors that are premium.

A uuid v7 begins with its time, so an index on (value, id) holds the submissions of that value in
their order, and a page of a filter is read from one place. The indexes are partial where most
rows need no entry. The words of the texts have a table of their own: a submission is updated three
times on its way, and each time every index on it would be filled again.
"""

UP = """
CREATE INDEX submission_verdict ON submission (verdict, id) WHERE verdict IS NOT NULL;
CREATE INDEX submission_mode ON submission (mode, id);
CREATE INDEX submission_client ON submission (client_id, id);
CREATE INDEX submission_score ON submission (floor(score * 10), id) WHERE score >= 0.1;
CREATE INDEX submission_owed_id ON submission (id) WHERE review_owed;
CREATE INDEX submission_quarantined ON submission (id) WHERE status = 'quarantined';
CREATE INDEX finding_label ON finding (label, submission_id) WHERE action <> 'note';
CREATE INDEX finding_check ON finding ("check", submission_id) WHERE action <> 'note';

CREATE TABLE submission_words (
    submission_id uuid PRIMARY KEY,
    words         tsvector NOT NULL
);
CREATE INDEX submission_words_words ON submission_words USING gin (words);

-- The words of a submission, and the hour of its id as one that no text can hold, so that the
-- index finds a common word hour by hour.
CREATE FUNCTION words_of(id uuid, title text, description text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN strip(to_tsvector('simple', left(title || ' ' || description, 20000)))
        || array_to_tsvector(ARRAY['hour ' ||
            ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 3600000]);

CREATE FUNCTION keep_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM submission_words WHERE submission_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND (NEW.title <> '' OR NEW.description <> '') THEN
        INSERT INTO submission_words VALUES (NEW.id, words_of(NEW.id, NEW.title, NEW.description));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_words AFTER INSERT OR DELETE OR UPDATE OF title, description ON submission
    FOR EACH ROW EXECUTE FUNCTION keep_words();

INSERT INTO submission_words
    SELECT id, words_of(id, title, description) FROM submission
    WHERE title <> '' OR description <> '';

ALTER TABLE author ADD COLUMN premium_at timestamptz;
CREATE INDEX author_strikes ON author (strikes DESC, id) WHERE strikes > 0;
INSERT INTO revision (name) VALUES ('authors');
"""

DOWN = """
DELETE FROM revision WHERE name = 'authors';
DROP INDEX author_strikes;
ALTER TABLE author DROP COLUMN premium_at;
DROP TRIGGER keep_words ON submission;
DROP FUNCTION keep_words;
DROP TABLE submission_words;
DROP FUNCTION words_of;
DROP INDEX finding_check, finding_label, submission_quarantined, submission_owed_id,
    submission_score, submission_client, submission_mode, submission_verdict;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
