//! Notifications' tables.

pub mod contacts;
pub mod notifications;

use kernel::{Error, Result, Time};
use store::{Db, Migration, Tables, args};

pub const TABLES: Tables =
    Tables { steps: &[runtime::case_facts::MIGRATION, NOTIFICATIONS, ORGANISATIONS, ONCE, PHONES], shared: &[], crossing: &[], kept: &[] };

const ORGANISATIONS: Migration = Migration {
    name: "notifications_organisations",
    sql: "
ALTER TABLE contact ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE contact SET organisation = COALESCE((SELECT f.organisation FROM case_facts f WHERE f.case_id = contact.case_id), '');
ALTER TABLE away ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE away SET organisation = COALESCE((SELECT f.organisation FROM case_facts f WHERE f.case_id = away.case_id), '');
",
};

/// When this service's database was made: nobody is told of what happened before.
pub async fn first_start(db: &Db) -> Result<Time> {
    let row = db.of("").row("SELECT applied_at FROM schema_migration WHERE name = $1", args![NOTIFICATIONS.name]).await?;
    row.ok_or_else(|| Error::internal("the database is not migrated"))?.time(0)
}

/// Addresses for one mail only.
const ONCE: Migration = Migration { name: "notifications_0002", sql: "ALTER TABLE contact ADD COLUMN once BOOLEAN NOT NULL DEFAULT FALSE" };

/// Telephone numbers, each for one text message; empty: the address is an e-mail's.
const PHONES: Migration =
    Migration { name: "notifications_0003_phones", sql: "ALTER TABLE contact ADD COLUMN phone TEXT NOT NULL DEFAULT ''" };

const NOTIFICATIONS: Migration = Migration {
    name: "notifications_0001",
    sql: "
-- Where a visitor wants to be told. Erased with the case.
CREATE TABLE contact (
    case_id UUID PRIMARY KEY,
    email TEXT NOT NULL,
    language TEXT NOT NULL
);
-- Visitors for whom an answer waits while they are away; email is the one mail of this absence, once there is one.
CREATE TABLE away (
    case_id UUID PRIMARY KEY,
    email UUID
);
CREATE TABLE notification (
    id UUID PRIMARY KEY,
    case_id UUID NOT NULL,
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    practice BOOLEAN NOT NULL,
    -- visitor, worker
    recipient_kind TEXT NOT NULL,
    -- The visitor's or worker's id, never an address; blank once the case is erased.
    recipient TEXT NOT NULL,
    -- answer_waits, offer
    kind TEXT NOT NULL,
    -- in_app, email, sms
    channel TEXT NOT NULL,
    -- pending, sending, delivered, failed, expired, cancelled
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    -- While it is sending: when the try counts as lost.
    next_try_at BIGINT,
    -- FALSE: no longer needed, found out while it was sending.
    wanted BOOLEAN NOT NULL,
    seen_at BIGINT
);
CREATE INDEX notification_case ON notification (case_id, created_at);
CREATE INDEX notification_recipient ON notification (organisation, recipient_kind, recipient, created_at);
",
};
