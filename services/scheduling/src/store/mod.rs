//! Scheduling's tables.

pub mod bookings;

use store::{Migration, Tables};

pub const TABLES: Tables = Tables {
    steps: &[runtime::case_facts::MIGRATION, BOOKINGS, ORGANISATIONS],
    shared: &[("resource_lock", "names of resources, to be locked; no content")],
    crossing: &[],
    kept: &[],
};

const ORGANISATIONS: Migration = Migration {
    name: "scheduling_organisations",
    sql: "
ALTER TABLE booked_slot ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE booked_slot SET organisation = COALESCE((SELECT booking.organisation FROM booking WHERE booking.id = booked_slot.booking_id), '');
",
};

const BOOKINGS: Migration = Migration {
    name: "scheduling_0001",
    sql: "
-- One row per resource that was ever booked; whoever changes its bookings locks it first.
CREATE TABLE resource_lock (
    resource TEXT PRIMARY KEY
);
CREATE TABLE booking (
    id UUID PRIMARY KEY,
    case_id UUID NOT NULL,
    -- Whose event a change of it is: the case's organisation and clinic.
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    practice BOOLEAN NOT NULL,
    resource TEXT NOT NULL,
    -- The resource's clinic and channel when it was booked.
    place TEXT NOT NULL,
    channel TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    -- held, confirmed, cancelled, expired
    state TEXT NOT NULL,
    held_until BIGINT,
    external_ref TEXT NOT NULL
);
CREATE INDEX booking_case ON booking (case_id, starts_at);
CREATE INDEX booking_resource ON booking (resource, starts_at);
-- Second defence: the live booking of a slot, held or confirmed. Slots are cut on a fixed grid, so a key suffices.
CREATE TABLE booked_slot (
    resource TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    booking_id UUID NOT NULL,
    PRIMARY KEY (resource, starts_at)
);
",
};
