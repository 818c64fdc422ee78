//! The tables.

use ::store::{Migration, Tables};

pub const TABLES: Tables = Tables {
    steps: &[FIRST, ALERTS, ORGANISATIONS, PRACTICE],
    shared: &[("queue_lock", "names of queues, to be locked; no content")],
    crossing: &[],
    kept: &[],
};

const ORGANISATIONS: Migration = Migration {
    name: "routing_organisations",
    sql: "
ALTER TABLE early_verdict ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE early_verdict SET organisation = COALESCE((SELECT c.organisation FROM routing_case c WHERE c.case_id = early_verdict.case_id), '');
ALTER TABLE assignment ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE assignment SET organisation = COALESCE((SELECT c.organisation FROM routing_case c WHERE c.case_id = assignment.case_id), '');
ALTER TABLE decision ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE decision SET organisation = COALESCE((SELECT c.organisation FROM routing_case c WHERE c.case_id = decision.case_id), '');
",
};

const PRACTICE: Migration = Migration {
    name: "routing_practice",
    sql: "
-- Whoever practises gets practice cases and no others; how long those take is nobody's expected wait.
ALTER TABLE presence ADD COLUMN practising BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE assignment ADD COLUMN practice BOOLEAN NOT NULL DEFAULT FALSE;
-- The person behind a decision, if it was not a rule's, and what they gave as their reason.
ALTER TABLE decision ADD COLUMN by_worker TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN reason TEXT NOT NULL DEFAULT '';
",
};

const FIRST: Migration = Migration {
    name: "routing_0001",
    sql: "
-- A case in the eyes of routing. `state` is the domain's case as JSON and decides; the columns beside it are for queries.
-- The row is guarded by its version: a change that was decided on an older one touches nothing.
CREATE TABLE routing_case (
    case_id UUID PRIMARY KEY,
    version BIGINT NOT NULL,
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    practice BOOLEAN NOT NULL,
    entry_point TEXT NOT NULL,
    visitor TEXT NOT NULL,
    asynchronous BOOLEAN NOT NULL,
    channel TEXT NOT NULL,
    status TEXT NOT NULL,
    queue TEXT NOT NULL,
    severity BIGINT NOT NULL,
    since BIGINT NOT NULL,
    points_as TEXT NOT NULL,
    holder TEXT NOT NULL,
    offered_to TEXT NOT NULL,
    last_holder TEXT NOT NULL,
    overtaken BIGINT NOT NULL,
    counted BOOLEAN NOT NULL,
    not_before BIGINT NOT NULL,
    again_at BIGINT,
    decisions BIGINT NOT NULL,
    state TEXT NOT NULL
);
CREATE INDEX routing_case_queue ON routing_case (queue, status);
CREATE INDEX routing_case_holder ON routing_case (holder);
CREATE INDEX routing_case_offered_to ON routing_case (offered_to);
-- What triage said of a case that cannot be queued yet: intake's event has not come, or no queue is known.
CREATE TABLE early_verdict (
    case_id UUID PRIMARY KEY,
    severity BIGINT NOT NULL,
    profession TEXT NOT NULL,
    queue TEXT NOT NULL,
    lowered BOOLEAN NOT NULL
);
CREATE TABLE offer (
    offer_id UUID PRIMARY KEY,
    case_id UUID NOT NULL,
    organisation TEXT NOT NULL,
    worker TEXT NOT NULL,
    queue TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
-- Second defence of the promise that one case is offered to one worker at a time, and held by one.
CREATE UNIQUE INDEX offer_open_case_id ON offer (case_id) WHERE ended_at IS NULL;
CREATE INDEX offer_open_worker ON offer (worker) WHERE ended_at IS NULL;
CREATE INDEX offer_case ON offer (case_id);
CREATE TABLE assignment (
    assignment_id UUID PRIMARY KEY,
    case_id UUID NOT NULL,
    worker TEXT NOT NULL,
    queue TEXT NOT NULL,
    live BOOLEAN NOT NULL,
    since BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE UNIQUE INDEX assignment_open_case_id ON assignment (case_id) WHERE ended_at IS NULL;
CREATE INDEX assignment_case ON assignment (case_id);
CREATE INDEX assignment_queue ON assignment (queue, ended_at);
-- Who is there. `timer_key` names the worker in the timer table, whose keys are UUIDs.
CREATE TABLE presence (
    worker TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    timer_key UUID NOT NULL,
    present BOOLEAN NOT NULL,
    vanished BOOLEAN NOT NULL,
    capacity BIGINT NOT NULL,
    since BIGINT NOT NULL,
    unoccupied_since BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX presence_timer_key ON presence (timer_key);
-- One row per queue, locked by whoever changes who waits in it or who can answer it.
CREATE TABLE queue_lock (
    queue TEXT PRIMARY KEY
);
CREATE TABLE decision (
    case_id UUID NOT NULL,
    n BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    worker TEXT NOT NULL,
    queue TEXT NOT NULL,
    why TEXT NOT NULL,
    candidates TEXT NOT NULL,
    PRIMARY KEY (case_id, n)
);
",
};

const ALERTS: Migration = Migration {
    name: "routing_0002",
    sql: "
-- Who was alerted to signs of danger in a case. Gone once somebody has it or it is over.
CREATE TABLE alert (
    case_id UUID NOT NULL,
    organisation TEXT NOT NULL,
    worker TEXT NOT NULL,
    severity TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    PRIMARY KEY (case_id, worker)
);
CREATE INDEX alert_worker ON alert (worker);
",
};
