"""Privacy: what is left of a submission whose content is gone, and the files that are to go.

``purged_at``: texts, pictures, findings and the hash of the address are gone, the stub stays.
``erased_at``: so because somebody asked, and the author's name is gone too.

``removal`` is the list of files that no row owns any more. It is written in the transaction that
deletes the rows, so that whoever dies on the way leaves neither a row without its file nor a file
that nobody knows of.
"""

UP = """
ALTER TABLE submission
    ADD COLUMN purged_at timestamptz,
    ADD COLUMN erased_at timestamptz;

-- What retention looks for, the oldest first: a row enters when it is decided and leaves when it
-- is purged.
CREATE INDEX submission_kept ON submission (created_at)
    WHERE purged_at IS NULL AND NOT review_owed AND verdict IN ('approved', 'rejected');

-- Without them each picture that is deleted reads these tables from end to end.
CREATE INDEX finding_image ON finding (image_id) WHERE image_id IS NOT NULL;
CREATE INDEX known_hash_image ON known_hash (image_id) WHERE image_id IS NOT NULL;

CREATE TABLE removal (
    storage_key   text PRIMARY KEY,
    animated      boolean NOT NULL DEFAULT true,
    passes        smallint NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX removal_due ON removal (due_at);

-- ``author`` is a keyed hash of the name, by which a second request finds the first; the name
-- itself stands here only until all that bears it is gone.
CREATE TABLE erasure (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id     bigint NOT NULL REFERENCES client ON DELETE CASCADE,
    moderator_id  bigint REFERENCES moderator,
    author        bytea NOT NULL,
    user_id       text,
    alias         text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    submissions   integer NOT NULL DEFAULT 0,
    asked_at      timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    CHECK ((finished_at IS NULL) = (user_id IS NOT NULL))
);
CREATE INDEX erasure_author ON erasure (client_id, author);
CREATE INDEX erasure_open ON erasure (id) WHERE finished_at IS NULL;
"""

DOWN = """
DROP TABLE erasure, removal;
DROP INDEX known_hash_image, finding_image, submission_kept;
ALTER TABLE submission DROP COLUMN erased_at, DROP COLUMN purged_at;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
