"""Review: second opinions, decisions that were made as a group, heatmaps and stills of frames."""

UP = """
ALTER TABLE submission
    ADD COLUMN escalated_at timestamptz,
    ADD COLUMN escalated_by bigint REFERENCES moderator ON DELETE SET NULL;
CREATE INDEX submission_escalated ON submission (priority DESC, created_at, id)
    WHERE verdict = 'review' AND escalated_at IS NOT NULL;

-- Decisions of one act carry the same number; one undo takes all of them back.
-- ``blocked``: the known images that this decision made, which its undo removes again.
ALTER TABLE decision
    ADD COLUMN group_id uuid,
    ADD COLUMN blocked jsonb NOT NULL DEFAULT '[]';
CREATE INDEX decision_group ON decision (group_id) WHERE group_id IS NOT NULL;

-- ``heat``: the heatmap stands beside the thumbnail. ``stills``: [[frame, score], ...] of the
-- frames that were drawn, the worst first.
ALTER TABLE image
    ADD COLUMN heat boolean NOT NULL DEFAULT false,
    ADD COLUMN stills jsonb NOT NULL DEFAULT '[]';
"""

DOWN = """
ALTER TABLE image DROP COLUMN heat, DROP COLUMN stills;
DROP INDEX decision_group;
ALTER TABLE decision DROP COLUMN group_id, DROP COLUMN blocked;
DROP INDEX submission_escalated;
ALTER TABLE submission DROP COLUMN escalated_at, DROP COLUMN escalated_by;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
