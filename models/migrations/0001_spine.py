"""Clients, submissions and what is known of them, rules, known hashes, moderators, deliveries."""

UP = """
CREATE TABLE client (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name <> ''),
    visibility    text NOT NULL DEFAULT 'hold' CHECK (visibility IN ('hold', 'publish_first')),
    reject_at     real CHECK (reject_at BETWEEN 0 AND 1),
    review_at     real CHECK (review_at BETWEEN 0 AND 1),
    sample_rate   real CHECK (sample_rate BETWEEN 0 AND 1),
    webhook_url   text,
    webhook_secret text,
    suspended_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_key (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id     bigint NOT NULL REFERENCES client ON DELETE CASCADE,
    digest        bytea NOT NULL UNIQUE,
    hint          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz
);
CREATE INDEX api_key_client ON api_key (client_id);

CREATE TABLE author (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id     bigint NOT NULL REFERENCES client ON DELETE CASCADE,
    user_id       text NOT NULL,
    strikes       integer NOT NULL DEFAULT 0,
    suspended_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (client_id, user_id)
);

CREATE TABLE moderator (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name <> ''),
    role          text NOT NULL CHECK (role IN ('administrator', 'moderator', 'viewer')),
    password_hash text NOT NULL,
    preferences   jsonb NOT NULL DEFAULT '{}',
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE moderator_session (
    digest        bytea PRIMARY KEY,
    moderator_id  bigint NOT NULL REFERENCES moderator ON DELETE CASCADE,
    user_agent    text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    seen_at       timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);
CREATE INDEX moderator_session_moderator ON moderator_session (moderator_id);

CREATE TABLE invite (
    digest        bytea PRIMARY KEY,
    role          text NOT NULL CHECK (role IN ('administrator', 'moderator', 'viewer')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);

CREATE TABLE submission (
    id              uuid PRIMARY KEY,
    client_id       bigint NOT NULL REFERENCES client,
    user_id         text NOT NULL,
    external_id     text,
    title           text NOT NULL DEFAULT '',
    description     text NOT NULL DEFAULT '',
    ip_hash         bytea,
    priority        text NOT NULL CHECK (priority IN ('priority', 'normal')),
    mode            text NOT NULL CHECK (mode IN ('sync', 'async', 'fast_track', 'direct')),
    status          text NOT NULL
        CHECK (status IN ('received', 'queued', 'processing', 'decided', 'quarantined')),
    verdict         text CHECK (verdict IN ('approved', 'rejected', 'review')),
    visible         boolean NOT NULL,
    review_owed     boolean NOT NULL DEFAULT false,
    score           real,
    reasons         jsonb NOT NULL DEFAULT '[]',
    idempotency_key text NOT NULL,
    fingerprint     bytea NOT NULL,
    attempts        smallint NOT NULL DEFAULT 0,
    lease_by        text,
    lease_until     timestamptz,
    review_by       bigint REFERENCES moderator ON DELETE SET NULL,
    review_until    timestamptz,
    version         integer NOT NULL DEFAULT 0,
    error           text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    queued_at       timestamptz,
    decided_at      timestamptz,
    UNIQUE (client_id, idempotency_key),
    CHECK ((status IN ('decided', 'quarantined')) = (verdict IS NOT NULL)),
    CHECK (status <> 'quarantined' OR verdict = 'review')
);
CREATE INDEX submission_open ON submission (status, queued_at)
    WHERE status IN ('received', 'queued', 'processing');
CREATE INDEX submission_owed ON submission (created_at) WHERE review_owed;
CREATE INDEX submission_review ON submission (priority DESC, created_at, id)
    WHERE verdict = 'review';
CREATE INDEX submission_author ON submission (client_id, user_id, id);
CREATE INDEX submission_decided ON submission (decided_at) WHERE decided_at IS NOT NULL;

CREATE TABLE image (
    id            uuid PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submission ON DELETE CASCADE,
    position      smallint NOT NULL,
    storage_key   text NOT NULL,
    given_name    text NOT NULL DEFAULT '',
    media_type    text NOT NULL,
    bytes         integer NOT NULL,
    sha256        bytea NOT NULL,
    width         integer,
    height        integer,
    frames        integer,
    score         real,
    worst_frame   integer,
    pdq           bytea,
    pdq_quality   smallint,
    thumbnail     boolean NOT NULL DEFAULT false,
    scored_at     timestamptz,
    UNIQUE (submission_id, position)
);
CREATE INDEX image_sha256 ON image (sha256, scored_at DESC) WHERE scored_at IS NOT NULL;
CREATE INDEX image_recent ON image (scored_at) WHERE pdq IS NOT NULL;

CREATE TABLE finding (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submission ON DELETE CASCADE,
    image_id      uuid REFERENCES image ON DELETE CASCADE,
    "check"       text NOT NULL,
    label         text NOT NULL,
    score         real,
    action        text NOT NULL CHECK (action IN ('reject', 'review', 'allow', 'note')),
    evidence      jsonb NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX finding_submission ON finding (submission_id);

CREATE TABLE decision (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submission ON DELETE CASCADE,
    moderator_id  bigint REFERENCES moderator,
    from_verdict  text,
    to_verdict    text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    undoes        bigint UNIQUE REFERENCES decision,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX decision_submission ON decision (submission_id, id);
CREATE INDEX decision_moderator ON decision (moderator_id, id) WHERE moderator_id IS NOT NULL;

CREATE TABLE delivery (
    id            uuid PRIMARY KEY,
    client_id     bigint NOT NULL REFERENCES client ON DELETE CASCADE,
    submission_id uuid REFERENCES submission ON DELETE CASCADE,
    event         text NOT NULL,
    payload       jsonb NOT NULL,
    state         text NOT NULL DEFAULT 'owed'
        CHECK (state IN ('owed', 'delivered', 'cancelled', 'dead')),
    attempts      smallint NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT now(),
    lease_until   timestamptz,
    outcome       text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    delivered_at  timestamptz
);
CREATE INDEX delivery_owed ON delivery (due_at) WHERE state = 'owed';
CREATE INDEX delivery_submission ON delivery (submission_id);

CREATE TABLE rule (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('word', 'phrase', 'regex', 'domain')),
    pattern       text NOT NULL CHECK (pattern <> ''),
    action        text NOT NULL CHECK (action IN ('reject', 'review', 'allow')),
    label         text NOT NULL,
    active        boolean NOT NULL DEFAULT true,
    source        text NOT NULL DEFAULT 'moderator',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, pattern)
);

CREATE TABLE known_hash (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('sha256', 'pdq')),
    hash          bytea NOT NULL CHECK (length(hash) = 32),
    action        text NOT NULL CHECK (action IN ('block', 'allow')),
    label         text NOT NULL DEFAULT 'other',
    note          text NOT NULL DEFAULT '',
    image_id      uuid REFERENCES image ON DELETE SET NULL,
    moderator_id  bigint REFERENCES moderator ON DELETE SET NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, hash)
);

CREATE TABLE audit (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    moderator_id  bigint REFERENCES moderator,
    action        text NOT NULL,
    subject       text NOT NULL DEFAULT '',
    details       jsonb NOT NULL DEFAULT '{}'
);

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
);

-- One row a kind of configuration; its version rises with every change, so that each process can
-- see with one short query whether what it holds in memory is still true.
CREATE TABLE revision (
    name          text PRIMARY KEY,
    number        bigint NOT NULL DEFAULT 1
);
INSERT INTO revision (name) VALUES ('rules'), ('known_hashes');
"""

DOWN = """
DROP TABLE revision, load_sample, audit, known_hash, rule, delivery, decision, finding, image,
    submission, invite, moderator_session, moderator, author, api_key, client;
"""


def up(migrator, db):
    db.execute_sql(UP)


def down(migrator, db):
    db.execute_sql(DOWN)
