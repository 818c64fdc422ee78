//! Cases as rows.

use ::store::{Row, Scoped, Tx, args};
use auth::Resource;
use kernel::{Channel, Code, Error, Id, Result, Severity, Time};
use log::Scope;

use super::{placeholders, severity_number, severity_of};
use crate::domain::case::{Case, State};
use crate::domain::queue::Waiting;

/// A case with what routing keeps beside the domain's state.
#[derive(Clone, Debug)]
pub struct CaseRow {
    pub id: Id,
    version: i64,
    pub organisation: String,
    /// The clinic of its queue.
    pub clinic: String,
    pub practice: bool,
    pub entry_point: String,
    pub visitor: String,
    pub asynchronous: bool,
    /// How they meet; what it costs a worker follows from it and from the mode.
    pub channel: Channel,
    /// Who had it last, for a case that is opened again.
    pub last_holder: String,
    /// How many later arrivals were taken before it. Read only: counted by [`overtake`].
    pub overtaken: u32,
    /// Whether those whom it overtook have been counted.
    pub counted: bool,
    /// A left message is offered from the clinic's opening on.
    pub not_before: Time,
    /// After everybody has been asked: when the next round may begin.
    pub again_at: Option<Time>,
    /// Decisions about it so far.
    pub decisions: i64,
    pub case: Case,
}

/// What a case that nobody waits for at a screen costs: it can be put aside like an e-mail.
pub const fn points_as(channel: Channel, asynchronous: bool) -> Channel {
    match channel {
        Channel::Onsite => Channel::Onsite,
        _ if asynchronous => Channel::Email,
        _ => channel,
    }
}

/// A new case, not stored yet.
pub fn new(id: Id, scope: Scope, entry_point: String, visitor: String, asynchronous: bool, channel: Channel, case: Case) -> CaseRow {
    CaseRow {
        id,
        version: 0,
        organisation: scope.organisation,
        clinic: scope.clinic,
        practice: scope.practice,
        entry_point,
        visitor,
        asynchronous,
        channel,
        last_holder: String::new(),
        overtaken: 0,
        counted: false,
        not_before: Time::ZERO,
        again_at: None,
        decisions: 0,
        case,
    }
}

impl CaseRow {
    /// For the policy's check. The last holder of a closed case still counts as its holder.
    pub fn resource(&self) -> Resource<'_> {
        let holder = match self.case.state {
            State::Done => self.last_holder.as_str(),
            _ => self.case.holder().unwrap_or_default(),
        };
        Resource { organisation: &self.organisation, clinic: &self.clinic, owner: &self.visitor, holder }
    }

    /// For events and audit rows.
    pub fn scope(&self) -> Scope {
        Scope { organisation: self.organisation.clone(), clinic: self.clinic.clone(), practice: self.practice }
    }

    /// For the queue's order.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            case: self.id,
            severity: self.case.severity,
            since: self.case.since,
            overtaken: self.overtaken,
            needs: self.case.needs.clone(),
        }
    }

    /// The same as [`peek`] answers.
    pub fn motion(&self) -> [String; 3] {
        [self.case.needs.queue.clone(), self.case.holder().unwrap_or_default().to_owned(), self.offered_to().to_owned()]
    }

    pub fn is_offered(&self) -> bool {
        matches!(self.case.state, State::Offered(_))
    }

    fn status(&self) -> &'static str {
        match self.case.state {
            State::Pending { .. } => "pending",
            State::Waiting => "waiting",
            State::Offered(_) => "offered",
            State::Assigned { .. } => "assigned",
            State::Done => "done",
        }
    }

    fn offered_to(&self) -> &str {
        self.case.offer().map_or("", |offer| offer.worker.as_str())
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT case_id, version, organisation, clinic, practice, entry_point, visitor, asynchronous, channel, last_holder, \
             overtaken, counted, not_before, again_at, decisions, state FROM routing_case ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<CaseRow> {
    let channel = Channel::from_code(&row.text(8)?).ok_or_else(|| Error::internal("a stored channel is unknown"))?;
    let case = serde_json::from_str(&row.text(15)?).map_err(|error| Error::internal(format!("a stored case cannot be read: {error}")))?;
    Ok(CaseRow {
        id: row.id(0)?,
        version: row.int(1)?,
        organisation: row.text(2)?,
        clinic: row.text(3)?,
        practice: row.bool(4)?,
        entry_point: row.text(5)?,
        visitor: row.text(6)?,
        asynchronous: row.bool(7)?,
        channel,
        last_holder: row.text(9)?,
        overtaken: u32::try_from(row.int(10)?).unwrap_or(u32::MAX),
        counted: row.bool(11)?,
        not_before: row.time(12)?,
        again_at: row.opt_time(13)?,
        decisions: row.int(14)?,
        case,
    })
}

fn all(rows: &[Row]) -> Result<Vec<CaseRow>> {
    rows.iter().map(read).collect()
}

/// What must be locked before the case: its queue, its holder, who is asked.
pub async fn peek(tx: &mut Tx, id: Id) -> Result<Option<[String; 3]>> {
    let row = tx.row("SELECT queue, holder, offered_to FROM routing_case WHERE case_id = $1", args![id]).await?;
    row.map(|row| Ok([row.text(0)?, row.text(1)?, row.text(2)?])).transpose()
}

pub async fn lock(tx: &mut Tx, id: Id) -> Result<Option<CaseRow>> {
    let row = tx.row(columns!("WHERE case_id = $1 FOR UPDATE"), args![id]).await?;
    row.as_ref().map(read).transpose()
}

/// A case as it is committed; NOT_FOUND if there is none.
pub async fn load(db: &Scoped, id: Id) -> Result<CaseRow> {
    let row = db.row(columns!("WHERE case_id = $1"), args![id]).await?.ok_or_else(|| Error::not_found("case"))?;
    read(&row)
}

/// Who waits in these queues, in no order, and which emergencies wait in the others. Call it with the queues locked.
pub async fn waiting(tx: &mut Tx, queues: &[&str], emergencies_of: &[&str]) -> Result<Vec<CaseRow>> {
    let list = |first: usize, queues: &[&str]| if queues.is_empty() { "NULL".to_owned() } else { placeholders(first, queues.len()) };
    if queues.is_empty() && emergencies_of.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "{} AND (queue IN ({}) OR (queue IN ({}) AND severity = {}))",
        columns!("WHERE status = 'waiting'"),
        list(1, queues),
        list(1 + queues.len(), emergencies_of),
        severity_number(Severity::Emergency)
    );
    all(&tx.rows(sql, queues.iter().chain(emergencies_of).map(|queue| ::store::Val::from(*queue)).collect()).await?)
}

/// Who waits in a queue or is offered from it, as committed: real cases, or practice.
pub async fn queued(db: &Scoped, queue: &str, practice: bool) -> Result<Vec<CaseRow>> {
    all(&db.rows(columns!("WHERE queue = $1 AND status IN ('waiting', 'offered') AND practice = $2"), args![queue, practice]).await?)
}

/// How many real cases wait in these queues or are offered from them, and since when the first: by severity, as committed.
pub async fn waits(db: &Scoped, queues: &[&str]) -> Result<Vec<(Severity, i64, Time)>> {
    if queues.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT severity, COUNT(*), MIN(since) FROM routing_case WHERE queue IN ({}) AND status IN ('waiting', 'offered') \
         AND practice = FALSE GROUP BY severity",
        placeholders(1, queues.len())
    );
    let rows = db.rows(sql, queues.iter().map(|queue| ::store::Val::from(*queue)).collect()).await?;
    rows.iter()
        .map(|row| {
            let severity = severity_of(row.int(0)?).ok_or_else(|| Error::internal("a stored severity is none"))?;
            Ok((severity, row.int(1)?, row.time(2)?))
        })
        .collect()
}

/// How many visitors wait in a queue at their screens, those included whom triage has not answered for yet.
pub async fn at_screens(db: &Scoped, queue: &str, practice: bool, now: Time) -> Result<u32> {
    let sql = "SELECT COUNT(*) FROM routing_case WHERE queue = $1 AND status IN ('pending', 'waiting', 'offered') AND asynchronous = FALSE \
               AND not_before <= $2 AND practice = $3";
    let row = db.row(sql, args![queue, now, practice]).await?.ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(u32::try_from(row.int(0)?).unwrap_or(u32::MAX))
}

/// A case inside a transaction, not locked: for what must be known before the locks.
pub async fn peek_row(tx: &mut Tx, id: Id) -> Result<Option<CaseRow>> {
    let row = tx.row(columns!("WHERE case_id = $1"), args![id]).await?;
    row.as_ref().map(read).transpose()
}

/// All cases that a worker holds, not locked.
pub async fn held_by(tx: &mut Tx, worker: &str) -> Result<Vec<CaseRow>> {
    all(&tx.rows(columns!("WHERE holder = $1 AND status = 'assigned' ORDER BY case_id"), args![worker]).await?)
}

/// The same as committed, for who asks for their own.
pub async fn of_holder(db: &Scoped, organisation: &str, worker: &str) -> Result<Vec<CaseRow>> {
    let sql = columns!("WHERE holder = $1 AND organisation = $2 AND status = 'assigned' ORDER BY case_id");
    all(&db.rows(sql, args![worker, organisation]).await?)
}

/// Live cases that a worker holds.
pub async fn live_of(tx: &mut Tx, worker: &str) -> Result<Vec<Id>> {
    let rows = tx
        .rows(
            "SELECT case_id FROM routing_case WHERE holder = $1 AND status = 'assigned' AND asynchronous = FALSE ORDER BY case_id",
            args![worker],
        )
        .await?;
    rows.iter().map(|row| row.id(0)).collect()
}

fn json(case: &Case) -> Result<String> {
    serde_json::to_string(case).map_err(|error| Error::internal(format!("a case cannot be written: {error}")))
}

/// Stores a new case.
pub async fn insert(tx: &mut Tx, row: &CaseRow) -> Result<()> {
    tx.exec(
        "INSERT INTO routing_case (case_id, version, organisation, clinic, practice, entry_point, visitor, asynchronous, channel, status, \
         queue, severity, since, points_as, holder, offered_to, last_holder, overtaken, counted, not_before, again_at, decisions, state) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,0,FALSE,$18,$19,$20,$21)",
        args![
            row.id,
            row.version,
            &row.organisation,
            &row.clinic,
            row.practice,
            &row.entry_point,
            &row.visitor,
            row.asynchronous,
            row.channel.code(),
            row.status(),
            &row.case.needs.queue,
            severity_number(row.case.severity),
            row.case.since,
            points_as(row.channel, row.asynchronous).code(),
            row.case.holder().unwrap_or_default(),
            row.offered_to(),
            &row.last_holder,
            row.not_before,
            row.again_at,
            row.decisions,
            json(&row.case)?,
        ],
    )
    .await?;
    Ok(())
}

/// Stores a changed case; refused if it is not the version that was read.
pub async fn save(tx: &mut Tx, row: &mut CaseRow) -> Result<()> {
    let touched = tx
        .exec(
            "UPDATE routing_case SET version = version + 1, clinic = $3, asynchronous = $4, status = $5, queue = $6, severity = $7, \
             since = $8, points_as = $9, holder = $10, offered_to = $11, last_holder = $12, counted = $13, not_before = $14, \
             again_at = $15, decisions = $16, state = $17 WHERE case_id = $1 AND version = $2",
            args![
                row.id,
                row.version,
                &row.clinic,
                row.asynchronous,
                row.status(),
                &row.case.needs.queue,
                severity_number(row.case.severity),
                row.case.since,
                points_as(row.channel, row.asynchronous).code(),
                row.case.holder().unwrap_or_default(),
                row.offered_to(),
                &row.last_holder,
                row.counted,
                row.not_before,
                row.again_at,
                row.decisions,
                json(&row.case)?,
            ],
        )
        .await?;
    if touched != 1 {
        return Err(Error::new(Code::Aborted, "CONFLICT", "somebody else has changed the case; read it again"));
    }
    row.version += 1;
    Ok(())
}

/// Counts one later arrival that was taken before this case.
pub async fn overtake(tx: &mut Tx, id: Id) -> Result<()> {
    tx.exec("UPDATE routing_case SET overtaken = overtaken + 1 WHERE case_id = $1", args![id]).await?;
    Ok(())
}

/// Begins the counting of overtakings anew, for a case that is opened again.
pub async fn reset_overtaken(tx: &mut Tx, id: Id) -> Result<()> {
    tx.exec("UPDATE routing_case SET overtaken = 0 WHERE case_id = $1", args![id]).await?;
    Ok(())
}

/// Forgets everything about a case.
pub async fn erase(tx: &mut Tx, id: Id) -> Result<()> {
    for table in ["routing_case", "alert", "early_verdict", "offer", "assignment", "decision"] {
        tx.exec(format!("DELETE FROM {table} WHERE case_id = $1"), args![id]).await?;
    }
    Ok(())
}
