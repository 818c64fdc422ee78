//! Counting. Every statement inserts the row or sets only its own columns, so that the order in which different
//! services' events come makes no difference.

use kernel::{Id, Result, Time};
use log::Unit;
use store::args;

/// What intake says of a new case.
pub struct Opened<'a> {
    pub case: Id,
    pub organisation: &'a str,
    pub clinic: &'a str,
    pub entry_point: &'a str,
    pub reason: &'a str,
    /// -1 if unknown.
    pub age_band: i64,
    pub channel: &'a str,
    pub practice: bool,
    pub at: Time,
    pub wait_from: Time,
}

pub async fn opened(unit: &mut Unit<'_>, opened: &Opened<'_>) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_case (case_id, organisation, clinic, entry_point, reason, age_band, channel, practice, opened_at, wait_from) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10) ON CONFLICT (case_id) DO UPDATE SET organisation = excluded.organisation, \
             clinic = excluded.clinic, entry_point = excluded.entry_point, reason = excluded.reason, age_band = excluded.age_band, \
             channel = excluded.channel, practice = excluded.practice, opened_at = excluded.opened_at, wait_from = excluded.wait_from",
            args![
                opened.case,
                opened.organisation,
                opened.clinic,
                opened.entry_point,
                opened.reason,
                opened.age_band,
                opened.channel,
                opened.practice,
                opened.at,
                opened.wait_from
            ],
        )
        .await?;
    Ok(())
}

pub async fn message(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_case (case_id, messages, organisation) VALUES ($1, 1, $2) \
             ON CONFLICT (case_id) DO UPDATE SET messages = fact_case.messages + 1",
            args![case, unit.origin.organisation()?],
        )
        .await?;
    Ok(())
}

/// Closed at a time, or open again. `seq` is the event's number within its case: a later event stands.
pub async fn state(unit: &mut Unit<'_>, case: Id, seq: i64, closed_at: Option<Time>, abandoned: bool) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_case (case_id, closed_at, abandoned, state_seq, organisation) VALUES ($1,$2,$3,$4,$5) ON CONFLICT (case_id) DO UPDATE SET \
             closed_at = excluded.closed_at, abandoned = excluded.abandoned, state_seq = excluded.state_seq \
             WHERE fact_case.state_seq < excluded.state_seq",
            args![case, closed_at.map(Time::micros), abandoned, seq, unit.origin.organisation()?],
        )
        .await?;
    Ok(())
}

pub async fn rated(unit: &mut Unit<'_>, case: Id, seq: i64, rating: i64) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_case (case_id, rating, rating_seq, organisation) VALUES ($1,$2,$3,$4) ON CONFLICT (case_id) DO UPDATE SET \
             rating = excluded.rating, rating_seq = excluded.rating_seq WHERE fact_case.rating_seq < excluded.rating_seq",
            args![case, rating, seq, unit.origin.organisation()?],
        )
        .await?;
    Ok(())
}

/// A worker has it: the first time counts.
pub async fn assigned(unit: &mut Unit<'_>, case: Id, at: Time) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_case (case_id, first_assigned_at, organisation) VALUES ($1,$2,$3) ON CONFLICT (case_id) DO UPDATE SET \
             first_assigned_at = excluded.first_assigned_at \
             WHERE fact_case.first_assigned_at IS NULL OR fact_case.first_assigned_at > excluded.first_assigned_at",
            args![case, at, unit.origin.organisation()?],
        )
        .await?;
    Ok(())
}

/// A booking of the case was confirmed. One that is given up later was confirmed all the same.
pub async fn booked(unit: &mut Unit<'_>, booking: Id, case: Id) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_booking (booking_id, case_id, organisation) VALUES ($1,$2,$3) ON CONFLICT (booking_id) DO NOTHING",
            args![booking, case, unit.origin.organisation()?],
        )
        .await?;
    Ok(())
}

/// A visitor was guided on.
pub async fn referred(unit: &mut Unit<'_>, referral: Id, case: Id) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_referral (referral_id, case_id, organisation) VALUES ($1,$2,$3) \
             ON CONFLICT (referral_id) DO UPDATE SET case_id = excluded.case_id",
            args![referral, case, unit.origin.organisation()?],
        )
        .await?;
    Ok(())
}

/// What became of it; a later report stands.
pub async fn reported(unit: &mut Unit<'_>, referral: Id, seq: i64, arrived: bool) -> Result<()> {
    unit.tx
        .exec(
            "INSERT INTO fact_referral (referral_id, arrived, told_seq, organisation) VALUES ($1,$2,$3,$4) ON CONFLICT (referral_id) DO UPDATE SET \
             arrived = excluded.arrived, told_seq = excluded.told_seq WHERE fact_referral.told_seq < excluded.told_seq",
            args![referral, arrived, seq, unit.origin.organisation()?],
        )
        .await?;
    Ok(())
}

/// The case was erased. It stays counted; the details that no figure needs go.
pub async fn erased(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx.exec("UPDATE fact_case SET entry_point = '', channel = '' WHERE case_id = $1", args![case]).await?;
    Ok(())
}
