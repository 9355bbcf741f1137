"""Statistics: raw rows in partitions of a day, which are dropped whole, and rollups that stay.

The application's role may not make or drop a table, so the one function that does so runs as the
tables' owner. Submissions themselves stay in one table: foreign keys, the idempotency key and the
status call would each have to name the day, and retention empties rows but keeps their stubs.
"""

UP = """
ALTER TABLE load_sample RENAME TO load_sample_before;
ALTER TABLE load_sample_before RENAME CONSTRAINT load_sample_pkey TO load_sample_before_pkey;
CREATE TABLE load_sample (
    at            timestamptz PRIMARY KEY DEFAULT now(),
    priority      integer NOT NULL,
    normal        integer NOT NULL,
    review_debt   integer NOT NULL,
    to_review     integer NOT NULL,
    mode          text NOT NULL,
    wait          real NOT NULL,
    throughput    real NOT NULL,
    workers       integer NOT NULL
) PARTITION BY RANGE (at);

CREATE TABLE load_hour (
    at            timestamptz PRIMARY KEY,
    depth         real NOT NULL,
    depth_max     integer NOT NULL,
    review_debt   real NOT NULL,
    to_review     real NOT NULL,
    mode          text NOT NULL,
    wait          real NOT NULL,
    throughput    real NOT NULL,
    workers       real NOT NULL
);

-- What happened, counted: by minute, hour and day, for each client and, as client 0, for all.
-- ``detail`` says more of some kinds; models/statistics/counters.py knows them.
CREATE TABLE tally (
    client_id     bigint NOT NULL,
    at            timestamptz NOT NULL,
    kind          text NOT NULL,
    name          text NOT NULL,
    detail        text NOT NULL,
    n             bigint NOT NULL,
    PRIMARY KEY (client_id, at, kind, name, detail)
) PARTITION BY RANGE (at);
CREATE TABLE tally_hour (LIKE tally, PRIMARY KEY (client_id, at, kind, name, detail))
    WITH (fillfactor = 70);
CREATE TABLE tally_day (LIKE tally, PRIMARY KEY (client_id, at, kind, name, detail))
    WITH (fillfactor = 70);

-- Up to when everything is counted. One row: whoever counts holds it.
CREATE TABLE tally_mark (counted_to timestamptz NOT NULL);
INSERT INTO tally_mark SELECT date_trunc('minute',
    coalesce((SELECT min(created_at) FROM submission), now()) - interval '1 minute');
CREATE INDEX decision_created ON decision (created_at);

-- A partition for each day from ``days`` ago to some days ahead; older ones go. The name says the
-- day, in UTC.
CREATE FUNCTION keep_raw_days(days integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    parent text;
    child text;
    first date := current_date - greatest(days, 1);
BEGIN
    -- Of two that come at once, the second finds everything done.
    PERFORM pg_advisory_xact_lock(7243003);
    FOREACH parent IN ARRAY ARRAY['load_sample', 'tally'] LOOP
        FOR day IN 0 .. greatest(days, 1) + 3 LOOP
            child := parent || to_char(first + day, '"_"YYYYMMDD');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            EXECUTE format('CREATE TABLE %%I PARTITION OF %%I FOR VALUES FROM (%%L) TO (%%L)',
                child, parent, first + day, first + day + 1);
        END LOOP;
        FOR child IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = parent::regclass
              AND c.relname < parent || to_char(first, '"_"YYYYMMDD')
        LOOP
            EXECUTE format('DROP TABLE %%I', child);
        END LOOP;
    END LOOP;
END $$;
SELECT keep_raw_days(32);
INSERT INTO load_sample SELECT * FROM load_sample_before
    WHERE at >= date_trunc('day', now(), 'UTC') - interval '32 days' AND at <= now();
DROP TABLE load_sample_before;
"""

DOWN = """
CREATE TABLE load_sample_before (LIKE load_sample INCLUDING ALL);
INSERT INTO load_sample_before SELECT * FROM load_sample;
DROP FUNCTION keep_raw_days;
DROP TABLE load_sample, load_hour, tally, tally_hour, tally_day, tally_mark;
DROP INDEX decision_created;
ALTER TABLE load_sample_before RENAME TO load_sample;
ALTER INDEX load_sample_before_pkey RENAME TO load_sample_pkey;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
