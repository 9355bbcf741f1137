"""Appeals: an author's request, through the client, to look again at a rejection."""

UP = """
CREATE TABLE appeal (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id uuid NOT NULL UNIQUE REFERENCES submission ON DELETE CASCADE,
    message       text NOT NULL,
    decision_id   bigint REFERENCES decision,
    created_at    timestamptz NOT NULL DEFAULT now(),
    decided_at    timestamptz,
    CHECK ((decision_id IS NULL) = (decided_at IS NULL))
);
CREATE INDEX appeal_decision ON appeal (decision_id) WHERE decision_id IS NOT NULL;

-- While the appeal is open; the flag's place in the queue of appeals.
ALTER TABLE submission ADD COLUMN appealed_at timestamptz;
CREATE INDEX submission_appealed ON submission (priority DESC, created_at, id)
    WHERE verdict = 'review' AND appealed_at IS NOT NULL;
"""

DOWN = """
DROP INDEX submission_appealed;
ALTER TABLE submission DROP COLUMN appealed_at;
DROP TABLE appeal;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
