//! The rows of bookings.

use kernel::{Channel, Error, Id, Result, Time};
use log::Scope;
use store::{Row, Scoped, Tx, Val, args, values};

use crate::domain::Interval;
use crate::domain::booking::{Booking, Refusal, Slot, State};

/// A booking with whose it is.
#[derive(Clone, Debug)]
pub struct Record {
    pub booking: Booking,
    pub case: Id,
    /// The case's, when it was booked.
    pub scope: Scope,
    /// The resource's clinic.
    pub place: String,
    pub channel: Channel,
    pub external_ref: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, case_id, organisation, clinic, practice, resource, place, channel, starts_at, ends_at, state, held_until, external_ref \
             FROM booking WHERE ",
            $rest
        )
    };
}

impl Record {
    fn from(row: &Row) -> Result<Self> {
        let broken = |what: &str| Error::internal(format!("a stored booking has no valid {what}"));
        let state = match (row.text(10)?.as_str(), row.opt_time(11)?) {
            ("held", Some(until)) => State::Held { until },
            ("confirmed", _) => State::Confirmed,
            ("cancelled", _) => State::Cancelled,
            ("expired", _) => State::Expired,
            _ => return Err(broken("state")),
        };
        let slot = Slot { resource: row.text(5)?, from: row.time(8)?, to: row.time(9)? };
        Ok(Self {
            booking: Booking { id: row.id(0)?, slot, state },
            case: row.id(1)?,
            scope: Scope { organisation: row.text(2)?, clinic: row.text(3)?, practice: row.bool(4)? },
            place: row.text(6)?,
            channel: Channel::from_code(&row.text(7)?).ok_or_else(|| broken("channel"))?,
            external_ref: row.text(12)?,
        })
    }
}

fn columns(state: State) -> (&'static str, Option<Time>) {
    match state {
        State::Held { until } => ("held", Some(until)),
        State::Confirmed => ("confirmed", None),
        State::Cancelled => ("cancelled", None),
        State::Expired => ("expired", None),
    }
}

fn records(rows: &[Row]) -> Result<Vec<Record>> {
    rows.iter().map(Record::from).collect()
}

pub async fn load(db: &Scoped, id: Id) -> Result<Option<Record>> {
    db.row(select!("id = $1"), args![id]).await?.map(|row| Record::from(&row)).transpose()
}

/// What is committed or was written in this transaction, without locking it.
pub async fn peek(tx: &mut Tx, id: Id) -> Result<Option<Record>> {
    tx.row(select!("id = $1"), args![id]).await?.map(|row| Record::from(&row)).transpose()
}

pub async fn lock(tx: &mut Tx, id: Id) -> Result<Option<Record>> {
    tx.row(select!("id = $1 FOR UPDATE"), args![id]).await?.map(|row| Record::from(&row)).transpose()
}

/// A case's bookings, by time; so many that nobody needs more.
pub async fn of_case(db: &Scoped, case: Id) -> Result<Vec<Record>> {
    records(&db.rows(select!("case_id = $1 ORDER BY starts_at, id LIMIT 500"), args![case]).await?)
}

/// Ids and resources of a case's holds.
pub async fn holds_of_case(tx: &mut Tx, case: Id) -> Result<Vec<(Id, String)>> {
    let rows = tx.rows("SELECT id, resource FROM booking WHERE case_id = $1 AND state = 'held' ORDER BY resource, id", args![case]).await?;
    rows.iter().map(|row| Ok((row.id(0)?, row.text(1)?))).collect()
}

/// Serialises everybody who changes the bookings of `resource`.
pub async fn lock_resource(tx: &mut Tx, resource: &str) -> Result<()> {
    const LOCK: &str = "SELECT resource FROM resource_lock WHERE resource = $1 FOR UPDATE";
    if tx.row(LOCK, args![resource]).await?.is_none() {
        // Only the very first booking comes here: an insert counts as a write, which makes a later refusal dear.
        tx.exec("INSERT INTO resource_lock (resource) VALUES ($1) ON CONFLICT (resource) DO NOTHING", args![resource]).await?;
        tx.row(LOCK, args![resource]).await?;
    }
    Ok(())
}

/// The held and confirmed bookings that meet `slot`, locked: those of practice, or all others. A hold among them may be over.
pub async fn lock_meeting(tx: &mut Tx, slot: &Slot, practice: bool) -> Result<Vec<Record>> {
    let sql = select!(
        "resource = $1 AND starts_at < $3 AND ends_at > $2 AND state IN ('held', 'confirmed') AND practice = $4 \
         ORDER BY starts_at, id FOR UPDATE"
    );
    records(&tx.rows(sql, args![&slot.resource, slot.from, slot.to, practice]).await?)
}

/// The times of `resources` that are occupied at `now`, within the window. Practice takes nobody's time.
pub async fn taken(db: &Scoped, resources: &[&str], window: Interval, now: Time) -> Result<Vec<(String, Interval)>> {
    let mut found = Vec::new();
    for some in resources.chunks(200) {
        let mut args = args![window.0, window.1, now];
        args.extend(some.iter().map(|resource| Val::from(*resource)));
        let sql = format!(
            "SELECT resource, starts_at, ends_at FROM booking WHERE ends_at > $1 AND starts_at < $2 \
             AND (state = 'confirmed' OR (state = 'held' AND held_until > $3)) AND practice = FALSE AND resource IN {}",
            // `IN (($4),($5))` would be rows on PostgreSQL; one flat row of values reads the same on both.
            values(4, 1, some.len())
        );
        for row in db.rows(sql, args).await? {
            found.push((row.text(0)?, (row.time(1)?, row.time(2)?)));
        }
    }
    Ok(found)
}

/// How many confirmed bookings `resources` have within the window, practice left out.
pub async fn confirmed(db: &Scoped, resources: &[&str], window: Interval) -> Result<u32> {
    let mut count = 0;
    for some in resources.chunks(200) {
        let mut args = args![window.0, window.1];
        args.extend(some.iter().map(|resource| Val::from(*resource)));
        let sql = format!(
            "SELECT COUNT(*) FROM booking WHERE ends_at > $1 AND starts_at < $2 AND state = 'confirmed' AND practice = FALSE AND resource IN {}",
            values(3, 1, some.len())
        );
        count += db.row(sql, args).await?.map(|row| row.int(0)).transpose()?.unwrap_or(0);
    }
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whose slot it is: one who practises takes none from anybody else.
fn occupied(resource: &str, practice: bool) -> String {
    // No resource is called so: ids have no spaces.
    if practice { format!("practice {resource}") } else { resource.to_owned() }
}

/// A new booking, which occupies its slot.
pub async fn insert(tx: &mut Tx, record: &Record) -> Result<()> {
    let (booking, slot) = (&record.booking, &record.booking.slot);
    let (state, held_until) = columns(booking.state);
    let claimed = tx
        .exec(
            "INSERT INTO booked_slot (resource, starts_at, booking_id, organisation) VALUES ($1,$2,$3,$4)",
            args![occupied(&slot.resource, record.scope.practice), slot.from, booking.id, &record.scope.organisation],
        )
        .await;
    if let Err(error) = claimed {
        return Err(if store::is_unique(&error, "booked_slot") { Refusal::SlotTaken.into() } else { error });
    }
    tx.exec(
        "INSERT INTO booking (id, case_id, organisation, clinic, practice, resource, place, channel, starts_at, ends_at, state, held_until, \
         external_ref) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
        args![
            booking.id,
            record.case,
            &record.scope.organisation,
            &record.scope.clinic,
            record.scope.practice,
            &slot.resource,
            &record.place,
            record.channel.code(),
            slot.from,
            slot.to,
            state,
            held_until,
            &record.external_ref
        ],
    )
    .await?;
    Ok(())
}

/// Writes the state of a booking; one that is over leaves its slot.
pub async fn set_state(tx: &mut Tx, booking: &Booking) -> Result<()> {
    let (state, held_until) = columns(booking.state);
    tx.exec("UPDATE booking SET state = $2, held_until = $3 WHERE id = $1", args![booking.id, state, held_until]).await?;
    if matches!(booking.state, State::Cancelled | State::Expired) {
        let slot = &booking.slot;
        tx.exec(
            "DELETE FROM booked_slot WHERE resource IN ($1, $2) AND starts_at = $3 AND booking_id = $4",
            args![&slot.resource, occupied(&slot.resource, true), slot.from, booking.id],
        )
        .await?;
    }
    Ok(())
}

pub async fn set_external_ref(tx: &mut Tx, id: Id, external_ref: &str) -> Result<()> {
    tx.exec("UPDATE booking SET external_ref = $2 WHERE id = $1", args![id, external_ref]).await?;
    Ok(())
}

/// Forgets what names the visitor in other systems.
pub async fn erase_refs(tx: &mut Tx, case: Id) -> Result<()> {
    tx.exec("UPDATE booking SET external_ref = '' WHERE case_id = $1", args![case]).await?;
    Ok(())
}
