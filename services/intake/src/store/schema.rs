//! Intake's own tables, beside the log's. Codes of the contracts' enums are stored as their numbers.

use store::{Migration, Tables};

pub const TABLES: Tables = Tables {
    steps: &[FIRST, IDLE, ORGANISATIONS, LINES, FILES, SESSIONS, TRANSFERS, WAYS_IN, PASSKEYS],
    shared: &[],
    crossing: &[
        ("access_token", "SELECT", "a token's hash or id says whose it is, and nothing else does yet"),
        ("attachment", "SELECT (organisation, attachment_id, state)", "the sweep looks for doomed files; each goes as its organisation's"),
        ("referral", "SELECT (organisation, code_hash)", "the code on a card says whose it is, and nothing else does yet"),
        (
            "invitation",
            "SELECT (organisation, invitation_id, token_hash)",
            "a link, or an id, says whose invitation it is, and nothing else does yet",
        ),
        ("staff_address", "SELECT (organisation, worker_id, address_hash)", "an address says whose it is, and nothing else does yet"),
        ("passkey", "SELECT (organisation, credential_id)", "a passkey's id says whose it is, and nothing else does yet"),
        ("cases", "SELECT (organisation, phrase_hash)", "a return phrase says whose case it is, and nothing else does yet"),
    ],
    kept: &[],
};

const ORGANISATIONS: Migration = Migration {
    name: "intake_organisations",
    sql: "
ALTER TABLE message ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE message SET organisation = COALESCE((SELECT cases.organisation FROM cases WHERE cases.case_id = message.case_id), '');
ALTER TABLE note ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE note SET organisation = COALESCE((SELECT cases.organisation FROM cases WHERE cases.case_id = note.case_id), '');
",
};

/// Staff's sessions end when nobody is at the screen. NULL: the token has no idle time.
const IDLE: Migration = Migration {
    name: "intake_0002",
    sql: "
ALTER TABLE access_token ADD COLUMN idle_at BIGINT;
",
};

/// Lines of Samtal's own in a conversation, and what a case knows beyond it.
const LINES: Migration = Migration {
    name: "intake_0003_lines",
    sql: "
ALTER TABLE message ADD COLUMN code BIGINT NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN params TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN documented_at BIGINT;
ALTER TABLE cases ADD COLUMN documented_by TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN found_us TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN rating_text TEXT NOT NULL DEFAULT '';
ALTER TABLE cases ADD COLUMN revealed TEXT NOT NULL DEFAULT '[]';
",
};

/// Files, referrals, and how far clinics are on their way to being live.
const FILES: Migration = Migration {
    name: "intake_0004_files",
    sql: "
ALTER TABLE message ADD COLUMN attachments TEXT NOT NULL DEFAULT '';
CREATE TABLE attachment (
    attachment_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    case_id UUID NOT NULL,
    sender_kind BIGINT NOT NULL,
    sender TEXT NOT NULL,
    file_name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    state BIGINT NOT NULL,
    seq BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX attachment_case ON attachment (case_id);
CREATE INDEX attachment_state ON attachment (state);
-- Lives longer than its case, which it forgets when that is erased.
CREATE TABLE referral (
    referral_id UUID PRIMARY KEY,
    case_id UUID,
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    practice BOOLEAN NOT NULL,
    target TEXT NOT NULL,
    code_hash BYTEA NOT NULL,
    outcome BIGINT NOT NULL,
    referred_at BIGINT NOT NULL,
    reported_at BIGINT
);
CREATE UNIQUE INDEX referral_code ON referral (code_hash);
CREATE INDEX referral_case ON referral (case_id);
CREATE TABLE rollout_step (
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    step BIGINT NOT NULL,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, clinic, step)
);
",
};

/// What the owner of a session recognises it by. No way: the token is no session.
const SESSIONS: Migration = Migration {
    name: "intake_0005_sessions",
    sql: "
ALTER TABLE access_token ADD COLUMN way TEXT NOT NULL DEFAULT '';
ALTER TABLE access_token ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE access_token ADD COLUMN begun_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX access_token_bearer ON access_token (organisation, principal_id);
",
};

/// Proposals to go on at another organisation. Which case it is there stands nowhere: it follows from the id and the installation's
/// secret.
const TRANSFERS: Migration = Migration {
    name: "intake_0006_transfers",
    sql: "
CREATE TABLE transfer (
    transfer_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    case_id UUID NOT NULL,
    to_organisation TEXT NOT NULL,
    entry_point TEXT NOT NULL,
    reason TEXT NOT NULL,
    body TEXT NOT NULL,
    worker TEXT NOT NULL,
    state BIGINT NOT NULL,
    proposed_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX transfer_case ON transfer (case_id, proposed_at);
",
};

/// How staff come in without a sign-in service. Of links and codes only what tells a right one from a wrong one is kept; an invitation
/// that is taken up or back is gone.
const WAYS_IN: Migration = Migration {
    name: "intake_0007_ways_in",
    sql: "
CREATE TABLE invitation (
    invitation_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    email TEXT NOT NULL,
    language TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    invited_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitation_token ON invitation (token_hash);
CREATE INDEX invitation_worker ON invitation (organisation, worker_id);
CREATE TABLE staff_address (
    organisation TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    email TEXT NOT NULL,
    address_hash BYTEA NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (organisation, worker_id)
);
CREATE INDEX staff_address_of ON staff_address (address_hash);
-- The region's, with an empty organisation: whose the address is, is asked when its mail is written, and when the code is right.
CREATE TABLE sign_in_code (
    code_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    address_hash BYTEA NOT NULL,
    language TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    used BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX sign_in_code_token ON sign_in_code (token_hash);
CREATE INDEX sign_in_code_address ON sign_in_code (address_hash, created_at);
",
};

/// The public halves of passkeys.
const PASSKEYS: Migration = Migration {
    name: "intake_0008_passkeys",
    sql: "
CREATE TABLE passkey (
    passkey_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    credential_id BYTEA NOT NULL,
    point BYTEA NOT NULL,
    signed BIGINT NOT NULL,
    device TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE UNIQUE INDEX passkey_credential ON passkey (credential_id);
CREATE INDEX passkey_worker ON passkey (organisation, worker_id);
",
};

const FIRST: Migration = Migration {
    name: "intake_0001",
    sql: "
CREATE TABLE visitor (
    visitor_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    display_name TEXT NOT NULL,
    birth_year BIGINT NOT NULL,
    identified BOOLEAN NOT NULL,
    external_ref TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX visitor_external ON visitor (organisation, external_ref);
CREATE TABLE cases (
    case_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    entry_point TEXT NOT NULL,
    visitor_id UUID NOT NULL,
    for_whom BIGINT NOT NULL,
    reason TEXT NOT NULL,
    catalogue_version BIGINT NOT NULL,
    answers TEXT NOT NULL,
    mode BIGINT NOT NULL,
    state BIGINT NOT NULL,
    severity TEXT NOT NULL,
    channel BIGINT NOT NULL,
    language TEXT NOT NULL,
    worker TEXT NOT NULL,
    opened_by TEXT NOT NULL,
    last_seq BIGINT NOT NULL,
    last_note_seq BIGINT NOT NULL,
    due_at BIGINT,
    opened_at BIGINT NOT NULL,
    first_assigned_at BIGINT,
    closed_at BIGINT,
    outcome BIGINT NOT NULL,
    rating BIGINT NOT NULL,
    practice BOOLEAN NOT NULL,
    erase_at BIGINT,
    erased BOOLEAN NOT NULL,
    red_flags TEXT NOT NULL,
    external_ref TEXT NOT NULL,
    phrase_hash BYTEA,
    answer_waits BOOLEAN NOT NULL
);
CREATE INDEX cases_organisation ON cases (organisation, opened_at, case_id);
CREATE INDEX cases_worker ON cases (organisation, worker, opened_at);
CREATE INDEX cases_external ON cases (organisation, external_ref);
CREATE INDEX cases_visitor ON cases (visitor_id);
CREATE UNIQUE INDEX cases_phrase ON cases (phrase_hash);
CREATE TABLE message (
    case_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    sender_kind BIGINT NOT NULL,
    sender TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    erased BOOLEAN NOT NULL,
    PRIMARY KEY (case_id, seq)
);
CREATE UNIQUE INDEX message_client ON message (case_id, sender_kind, sender, client_id);
CREATE TABLE note (
    case_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    worker TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (case_id, seq)
);
CREATE UNIQUE INDEX note_client ON note (case_id, worker, client_id);
CREATE TABLE access_token (
    hash BYTEA PRIMARY KEY,
    token_id UUID NOT NULL,
    role TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    organisation TEXT NOT NULL,
    clinics TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX access_token_id ON access_token (token_id);
CREATE INDEX access_token_principal ON access_token (organisation, principal_id);
",
};
