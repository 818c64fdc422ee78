//! The tables that every service's database has beside its own.

use store::{Migration, Tables};

/// Made before the service's own tables.
pub const TABLES: Tables = Tables {
    steps: MIGRATIONS,
    shared: &[
        ("log_head", "how far each shard is; no content"),
        ("log_incarnation", "lives of the shards; no content"),
        ("log_relay", "how far each shard is published; no content"),
        ("log_cursor", "how far others' logs have taken effect; no content"),
        ("replica", "which processes live"),
        ("lease", "which process works on which shard"),
        ("audit_seal", "salted hashes, one chain per shard across organisations"),
        ("region_part", "the description of the region, which every process reads as a whole; nothing of any visitor"),
        ("region_drift", "leaders' changes to that description, which every process reads as a whole too"),
    ],
    crossing: &[
        ("log_head", "SELECT, INSERT, UPDATE", "shards are made, compared and sealed; a log rejoins"),
        ("log_incarnation", "SELECT, INSERT", "the same"),
        ("log_relay", "SELECT, INSERT, UPDATE", "the relay keeps its place"),
        ("log_cursor", "SELECT, INSERT, UPDATE", "consumers begin, and say where they are"),
        ("replica", "SELECT, INSERT, UPDATE, DELETE", "heartbeats"),
        ("lease", "SELECT, INSERT, UPDATE", "takeovers"),
        ("audit_seal", "SELECT, INSERT", "the sealer"),
        ("region_part", "SELECT", "the organisations there are"),
        ("region_drift", "SELECT", "what their leaders changed"),
        ("event_log", "SELECT", "relay and backfill give events to services, which keep organisations apart in turn"),
        ("audit_log", "SELECT, INSERT", "the sealer chains rows in the order of their positions; a rejoin is logged where it happens"),
        ("dead_letter", "SELECT", "operators list what stands still; whose it is is not known before it is read"),
        ("timer", "SELECT", "what is due next, whoever it belongs to; it fires as its organisation's"),
        ("idempotency", "SELECT, DELETE", "housekeeping forgets answers after seven days"),
    ],
    kept: &[
        ("event_log", "SELECT, INSERT, UPDATE (envelope)", "the log is never trimmed; erasure leaves a tombstone at the same position"),
        (
            "audit_log",
            "SELECT, INSERT, UPDATE (salt)",
            "who did what stays; erasure takes the salt, so that nothing can be guessed from the hash",
        ),
        ("audit_seal", "SELECT", "only the sealer adds links to the chain"),
    ],
};

const MIGRATIONS: &[Migration] = &[FIRST, GUARD, ORGANISATIONS, DRIFT];

/// What the relay and the guard read with every commit: they cost nothing in the row that is written anyway.
const GUARD: Migration = Migration {
    name: "log_0002",
    sql: "
-- The event before those that the last commit added; NULL at the start of an incarnation.
ALTER TABLE log_head ADD COLUMN previous_event_id UUID;
-- Why no events may be added until the log has rejoined; NULL: they may.
ALTER TABLE log_head ADD COLUMN refused TEXT;
",
};

/// Whose a timer, a kept answer and a dead letter are. Those from before go by the audit rows of what they are about; where there is
/// none it stays empty.
const ORGANISATIONS: Migration = Migration {
    name: "log_organisations",
    sql: "
ALTER TABLE timer ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letter ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
ALTER TABLE idempotency ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE timer SET organisation = COALESCE((SELECT MAX(a.organisation) FROM audit_log a WHERE a.key = timer.key), '');
UPDATE idempotency SET organisation = COALESCE((SELECT MAX(a.organisation) FROM audit_log a WHERE a.key = idempotency.key), '');
",
};

/// What leaders changed beside the description. Intake has them; the other services follow.
const DRIFT: Migration = Migration {
    name: "region_drift_0001",
    sql: "
CREATE TABLE region_drift (
    organisation TEXT NOT NULL,
    kind TEXT NOT NULL,
    item TEXT NOT NULL,
    body TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, kind, item)
);
",
};

const FIRST: Migration = Migration {
    name: "log_0001",
    sql: "
-- One row per shard: the shard count is fixed when the database is first migrated.
-- The row stays locked until commit, so that positions have no gaps and their order is commit order.
CREATE TABLE log_head (
    shard BIGINT PRIMARY KEY,
    head BIGINT NOT NULL,
    event_id UUID,
    audit_head BIGINT NOT NULL
);
-- Incarnations of a shard, oldest first. Positions above previous_end and up to start hold nothing.
CREATE TABLE log_incarnation (
    shard BIGINT NOT NULL,
    number BIGINT NOT NULL,
    incarnation TEXT NOT NULL,
    start BIGINT NOT NULL,
    previous_end BIGINT NOT NULL,
    PRIMARY KEY (shard, number)
);
CREATE TABLE event_log (
    shard BIGINT NOT NULL,
    position BIGINT NOT NULL,
    event_id UUID NOT NULL,
    key TEXT NOT NULL,
    key_seq BIGINT NOT NULL,
    organisation TEXT NOT NULL,
    envelope BYTEA NOT NULL,
    PRIMARY KEY (shard, position)
);
CREATE UNIQUE INDEX event_log_key ON event_log (key, key_seq);
CREATE INDEX event_log_organisation ON event_log (organisation, shard, position);
-- How far relays have published; lags behind on purpose, since publishing twice is harmless.
CREATE TABLE log_relay (
    shard BIGINT PRIMARY KEY,
    position BIGINT NOT NULL
);
CREATE TABLE log_cursor (
    source TEXT NOT NULL,
    shard BIGINT NOT NULL,
    incarnation TEXT NOT NULL,
    position BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (source, shard)
);
-- Events that can never take effect (reason given), and later ones of the same key parked behind them (no reason).
CREATE TABLE dead_letter (
    source TEXT NOT NULL,
    shard BIGINT NOT NULL,
    position BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    key TEXT NOT NULL,
    reason TEXT NOT NULL,
    envelope BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (source, shard, position, event_id)
);
CREATE TABLE replica (
    id TEXT PRIMARY KEY,
    beat_at BIGINT NOT NULL
);
-- Who may do what for a shard; a write under an older epoch is refused.
CREATE TABLE lease (
    duty TEXT NOT NULL,
    shard BIGINT NOT NULL,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (duty, shard)
);
CREATE TABLE timer (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX timer_due ON timer (due_at);
CREATE TABLE idempotency (
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal, method, request_id)
);
CREATE INDEX idempotency_created ON idempotency (created_at);
CREATE INDEX idempotency_key ON idempotency (key);
CREATE TABLE audit_log (
    shard BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    key TEXT NOT NULL,
    principal_kind TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    action TEXT NOT NULL,
    -- Goes into the row's hash; erased with what the row is about, so that nothing can be guessed from the hash.
    salt BYTEA,
    PRIMARY KEY (shard, position)
);
CREATE INDEX audit_log_key ON audit_log (key, at);
-- One row per sealed audit row, chained in position order; see audit.rs.
CREATE TABLE audit_seal (
    shard BIGINT NOT NULL,
    position BIGINT NOT NULL,
    content_hash BYTEA NOT NULL,
    chain_hash BYTEA NOT NULL,
    sealed_at BIGINT NOT NULL,
    PRIMARY KEY (shard, position)
);
-- The region's description, one row per organisation, as this service knows it.
CREATE TABLE region_part (
    organisation TEXT PRIMARY KEY,
    body TEXT NOT NULL
);
",
};
