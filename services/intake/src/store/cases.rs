//! Cases and their visitors.

use auth::Resource;
use kernel::{Channel, Error, Id, Result, Severity, Time};
use log::{Scope, Unit};
use proto::intake::{self, Answer, Case, ForWhom, RevealedField, Visitor};
use store::{Row, Scoped, args};

use crate::domain::case::Life;
use crate::domain::terms::{Mode, Outcome, State};

/// Who comes, as stored.
#[derive(Clone, Debug, Default)]
pub struct Person {
    pub display_name: String,
    pub birth_year: i32,
    pub identified: bool,
    pub external_ref: String,
}

/// A case as stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: Id,
    pub organisation: String,
    pub clinic: String,
    pub entry_point: String,
    pub visitor: Id,
    pub person: Person,
    pub for_whom: ForWhom,
    pub reason: String,
    pub catalogue_version: i64,
    pub answers: Vec<(String, String)>,
    pub channel: Channel,
    pub language: String,
    pub opened_by: String,
    pub opened_at: Time,
    pub last_seq: i64,
    pub last_note_seq: i64,
    pub practice: bool,
    pub erase_at: Option<Time>,
    pub erased: bool,
    pub red_flags: Vec<String>,
    pub external_ref: String,
    /// An answer has come that the visitor had no screen open for.
    pub answer_waits: bool,
    /// When it was written into the journal, and who said so.
    pub documented_at: Option<Time>,
    pub documented_by: String,
    /// How the visitor found the way; empty if unknown.
    pub found_us: String,
    pub rating_text: String,
    pub revealed: Vec<Revealed>,
    pub life: Life,
}

/// A part of an identity that the visitor told: which one (the contract's number), what, when in microseconds.
pub type Revealed = (i32, String, i64);

pub(super) const COLUMNS: &str = "c.case_id, c.organisation, c.clinic, c.entry_point, c.visitor_id, v.display_name, v.birth_year, v.identified, \
     v.external_ref, c.for_whom, c.reason, c.catalogue_version, c.answers, c.mode, c.state, c.severity, c.channel, c.language, c.worker, \
     c.opened_by, c.last_seq, c.last_note_seq, c.due_at, c.opened_at, c.first_assigned_at, c.closed_at, c.outcome, c.rating, c.practice, \
     c.erase_at, c.erased, c.red_flags, c.external_ref, c.answer_waits, c.documented_at, c.documented_by, c.found_us, c.rating_text, \
     c.revealed";

fn json<T: for<'d> serde::Deserialize<'d>>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::internal(format!("a stored list cannot be read: {error}")))
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("a list cannot be written: {error}")))
}

pub(super) fn read(row: &Row) -> Result<Stored> {
    let channel = intake::Channel::try_from(row.int(16)? as i32).unwrap_or_default().known().unwrap_or(Channel::Chat);
    Ok(Stored {
        id: row.id(0)?,
        organisation: row.text(1)?,
        clinic: row.text(2)?,
        entry_point: row.text(3)?,
        visitor: row.id(4)?,
        person: Person { display_name: row.text(5)?, birth_year: row.int(6)? as i32, identified: row.bool(7)?, external_ref: row.text(8)? },
        for_whom: ForWhom::try_from(row.int(9)? as i32).unwrap_or_default(),
        reason: row.text(10)?,
        catalogue_version: row.int(11)?,
        answers: json(&row.text(12)?)?,
        life: Life {
            mode: Mode::from_wire(row.int(13)? as i32).unwrap_or(Mode::Live),
            state: State::from_wire(row.int(14)? as i32).ok_or_else(|| Error::internal("a stored case has no state"))?,
            severity: Severity::from_code(&row.text(15)?),
            worker: row.text(18)?,
            due_at: row.opt_time(22)?,
            first_assigned_at: row.opt_time(24)?,
            closed_at: row.opt_time(25)?,
            outcome: Outcome::from_wire(row.int(26)? as i32),
            rating: row.int(27)? as i32,
        },
        channel,
        language: row.text(17)?,
        opened_by: row.text(19)?,
        last_seq: row.int(20)?,
        last_note_seq: row.int(21)?,
        opened_at: row.time(23)?,
        practice: row.bool(28)?,
        erase_at: row.opt_time(29)?,
        erased: row.bool(30)?,
        red_flags: json(&row.text(31)?)?,
        external_ref: row.text(32)?,
        answer_waits: row.bool(33)?,
        documented_at: row.opt_time(34)?,
        documented_by: row.text(35)?,
        found_us: row.text(36)?,
        rating_text: row.text(37)?,
        revealed: json(&row.text(38)?)?,
    })
}

impl Stored {
    /// For the policy's check.
    pub fn resource<'a>(&'a self, owner: &'a str) -> Resource<'a> {
        Resource { organisation: &self.organisation, clinic: &self.clinic, owner, holder: &self.life.worker }
    }

    /// For this case's events and audit rows.
    pub fn scope(&self) -> Scope {
        Scope { organisation: self.organisation.clone(), clinic: self.clinic.clone(), practice: self.practice }
    }

    /// The case as callers see it.
    pub fn to_proto(&self) -> Case {
        Case {
            case_id: self.id.to_string(),
            organisation_id: self.organisation.clone(),
            clinic_id: self.clinic.clone(),
            entry_point_id: self.entry_point.clone(),
            visitor: Some(Visitor {
                visitor_id: self.visitor.to_string(),
                display_name: self.person.display_name.clone(),
                birth_year: self.person.birth_year,
                identified: self.person.identified,
                external_ref: self.person.external_ref.clone(),
            }),
            for_whom: self.for_whom.into(),
            contact_reason_id: self.reason.clone(),
            catalogue_version: self.catalogue_version as u32,
            answers: self
                .answers
                .iter()
                .map(|(question_id, option_id)| Answer { question_id: question_id.clone(), option_id: option_id.clone() })
                .collect(),
            mode: self.life.mode.to_wire(),
            state: self.life.state.to_wire(),
            severity: self.life.severity.map_or(intake::Severity::Unspecified, Into::into).into(),
            channel: intake::Channel::from(self.channel).into(),
            language: self.language.clone(),
            worker_id: self.life.worker.clone(),
            opened_by_worker_id: self.opened_by.clone(),
            last_seq: self.last_seq,
            due_at: self.life.due_at.map(proto::timestamp),
            opened_at: Some(proto::timestamp(self.opened_at)),
            first_assigned_at: self.life.first_assigned_at.map(proto::timestamp),
            closed_at: self.life.closed_at.map(proto::timestamp),
            outcome: self.life.outcome.map_or(0, Outcome::to_wire),
            rating: self.life.rating,
            practice: self.practice,
            erase_at: self.erase_at.map(proto::timestamp),
            erased: self.erased,
            red_flags: self.red_flags.clone(),
            external_ref: self.external_ref.clone(),
            documented_at: self.documented_at.map(proto::timestamp),
            documented_by_worker_id: self.documented_by.clone(),
            found_us_id: self.found_us.clone(),
            revealed: self
                .revealed
                .iter()
                .map(|(field, value, at)| RevealedField {
                    field: *field,
                    value: value.clone(),
                    revealed_at: Some(proto::timestamp(Time::from_micros(*at))),
                })
                .collect(),
            // Said where they are asked for, by `App::show`.
            rating_text: String::new(),
            reopen_until: None,
        }
    }
}

/// The visitor of this organisation with this id in the journal system.
pub async fn visitor_by_external_ref(unit: &mut Unit<'_>, organisation: &str, external_ref: &str) -> Result<Option<Id>> {
    let row = unit
        .tx
        .row(
            "SELECT visitor_id FROM visitor WHERE organisation = $1 AND external_ref = $2 AND identified ORDER BY created_at LIMIT 1",
            args![organisation, external_ref],
        )
        .await?;
    row.map(|row| row.id(0)).transpose()
}

pub async fn insert_visitor(unit: &mut Unit<'_>, id: Id, organisation: &str, person: &Person) -> Result<()> {
    let now = unit.now;
    unit.tx
        .exec(
            "INSERT INTO visitor (visitor_id, organisation, display_name, birth_year, identified, external_ref, created_at) VALUES ($1,$2,$3,$4,$5,$6,$7)",
            args![id, organisation, &person.display_name, person.birth_year, person.identified, &person.external_ref, now],
        )
        .await?;
    Ok(())
}

pub async fn insert(unit: &mut Unit<'_>, case: &Stored, phrase_hash: Option<Vec<u8>>) -> Result<()> {
    let life = &case.life;
    unit.tx
        .exec(
            "INSERT INTO cases (case_id, organisation, clinic, entry_point, visitor_id, for_whom, reason, catalogue_version, answers, mode, state, \
             severity, channel, language, worker, opened_by, last_seq, last_note_seq, due_at, opened_at, first_assigned_at, closed_at, outcome, rating, \
             practice, erase_at, erased, red_flags, external_ref, phrase_hash, answer_waits, found_us) \
             VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,$28,$29,$30,$31,$32)",
            args![
                case.id,
                &case.organisation,
                &case.clinic,
                &case.entry_point,
                case.visitor,
                case.for_whom as i32,
                &case.reason,
                case.catalogue_version,
                to_json(&case.answers)?,
                life.mode.to_wire(),
                life.state.to_wire(),
                life.severity.map_or("", Severity::code),
                intake::Channel::from(case.channel) as i32,
                &case.language,
                &life.worker,
                &case.opened_by,
                case.last_seq,
                case.last_note_seq,
                life.due_at,
                case.opened_at,
                life.first_assigned_at,
                life.closed_at,
                life.outcome.map_or(0, Outcome::to_wire),
                life.rating,
                case.practice,
                case.erase_at,
                case.erased,
                to_json(&case.red_flags)?,
                &case.external_ref,
                phrase_hash,
                case.answer_waits,
                &case.found_us
            ],
        )
        .await?;
    Ok(())
}

/// Writes back what may change in a case.
pub async fn update(unit: &mut Unit<'_>, case: &Stored) -> Result<()> {
    let life = &case.life;
    unit.tx
        .exec(
            "UPDATE cases SET clinic = $2, mode = $3, state = $4, severity = $5, worker = $6, last_seq = $7, last_note_seq = $8, due_at = $9, \
             first_assigned_at = $10, closed_at = $11, outcome = $12, rating = $13, erase_at = $14, red_flags = $15, answer_waits = $16, documented_at = $17, \
             documented_by = $18, rating_text = $19, revealed = $20 WHERE case_id = $1",
            args![
                case.id,
                &case.clinic,
                life.mode.to_wire(),
                life.state.to_wire(),
                life.severity.map_or("", Severity::code),
                &life.worker,
                case.last_seq,
                case.last_note_seq,
                life.due_at,
                life.first_assigned_at,
                life.closed_at,
                life.outcome.map_or(0, Outcome::to_wire),
                life.rating,
                case.erase_at,
                to_json(&case.red_flags)?,
                case.answer_waits,
                case.documented_at,
                &case.documented_by,
                &case.rating_text,
                to_json(&case.revealed)?
            ],
        )
        .await?;
    Ok(())
}

pub async fn load(db: &Scoped, id: Id) -> Result<Stored> {
    let sql = format!("SELECT {COLUMNS} FROM cases c JOIN visitor v ON v.visitor_id = c.visitor_id WHERE c.case_id = $1");
    let row = db.row(sql, args![id]).await?.ok_or_else(|| Error::not_found("case"))?;
    read(&row)
}

/// The case inside a transaction, its row locked. None if there is none.
pub async fn lock(unit: &mut Unit<'_>, id: Id) -> Result<Option<Stored>> {
    // The lock is on the case alone; a join with FOR UPDATE would lock the visitor too.
    if unit.tx.row("SELECT 1 FROM cases WHERE case_id = $1 FOR UPDATE", args![id]).await?.is_none() {
        return Ok(None);
    }
    let sql = format!("SELECT {COLUMNS} FROM cases c JOIN visitor v ON v.visitor_id = c.visitor_id WHERE c.case_id = $1");
    unit.tx.row(sql, args![id]).await?.as_ref().map(read).transpose()
}

/// Whose case a return phrase names: all that is known of it before this.
pub async fn organisation_of_phrase(machinery: &Scoped, phrase_hash: &[u8]) -> Result<Option<String>> {
    let row = machinery.row("SELECT organisation FROM cases WHERE phrase_hash = $1", args![phrase_hash]).await?;
    row.map(|row| row.text(0)).transpose()
}

pub async fn by_phrase(db: &Scoped, phrase_hash: &[u8]) -> Result<Option<Stored>> {
    let sql =
        format!("SELECT {COLUMNS} FROM cases c JOIN visitor v ON v.visitor_id = c.visitor_id WHERE c.phrase_hash = $1 AND NOT c.erased");
    db.row(sql, args![phrase_hash]).await?.as_ref().map(read).transpose()
}

/// Erases what a case says of a person. The visitor's own row goes blank with the last of their cases.
pub async fn erase(unit: &mut Unit<'_>, case: &Stored) -> Result<bool> {
    unit.tx
        .exec(
            "UPDATE cases SET erased = TRUE, answers = '[]', external_ref = '', rating_text = '', revealed = '[]', found_us = '', phrase_hash = NULL, red_flags = '[]', erase_at = NULL WHERE case_id = $1",
            args![case.id],
        )
        .await?;
    let others = unit.tx.row("SELECT 1 FROM cases WHERE visitor_id = $1 AND NOT erased LIMIT 1", args![case.visitor]).await?.is_some();
    if !others {
        unit.tx
            .exec(
                "UPDATE visitor SET display_name = '', birth_year = 0, identified = FALSE, external_ref = '' WHERE visitor_id = $1",
                args![case.visitor],
            )
            .await?;
    }
    Ok(!others)
}
