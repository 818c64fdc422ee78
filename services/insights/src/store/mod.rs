//! What is counted of each case. No texts and nobody's id: a case's own id is random, and points at nobody once intake has
//! erased the case.

pub mod facts;
pub mod report;

use store::{Migration, Tables};

pub const TABLES: Tables = Tables { steps: &[FIRST, ORGANISATIONS, REFERRALS], shared: &[], crossing: &[], kept: &[] };

const ORGANISATIONS: Migration = Migration {
    name: "insights_organisations",
    sql: "
ALTER TABLE fact_booking ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE fact_booking SET organisation = COALESCE((SELECT c.organisation FROM fact_case c WHERE c.case_id = fact_booking.case_id), '');
",
};

/// To whom somebody was guided on is no figure; that they were, and whether they arrived, is.
const REFERRALS: Migration = Migration {
    name: "insights_0003_referrals",
    sql: "
CREATE TABLE fact_referral (
    referral_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    -- NULL until intake's event of the case has come.
    case_id UUID,
    arrived BOOLEAN NOT NULL DEFAULT FALSE,
    -- Number of the report that stands.
    told_seq BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX fact_referral_case ON fact_referral (case_id);
",
};

const FIRST: Migration = Migration {
    name: "insights_0001",
    sql: "
-- One row per case, filled column by column by events of several services in whatever order they come. A row without
-- opened_at is one that intake's event has not reached yet, and counts for nothing until then.
CREATE TABLE fact_case (
    case_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL DEFAULT '',
    clinic TEXT NOT NULL DEFAULT '',
    entry_point TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    age_band BIGINT NOT NULL DEFAULT -1,
    channel TEXT NOT NULL DEFAULT '',
    practice BOOLEAN NOT NULL DEFAULT FALSE,
    opened_at BIGINT,
    -- From when its wait counts.
    wait_from BIGINT,
    first_assigned_at BIGINT,
    closed_at BIGINT,
    abandoned BOOLEAN NOT NULL DEFAULT FALSE,
    -- Number of the event that closed or reopened it last.
    state_seq BIGINT NOT NULL DEFAULT 0,
    rating BIGINT NOT NULL DEFAULT 0,
    rating_seq BIGINT NOT NULL DEFAULT 0,
    messages BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX fact_case_opened ON fact_case (organisation, opened_at);
CREATE TABLE fact_booking (
    booking_id UUID PRIMARY KEY,
    case_id UUID NOT NULL
);
CREATE INDEX fact_booking_case ON fact_booking (case_id);
",
};
