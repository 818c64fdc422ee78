//! Whose a case is, projected from intake's and routing's events, for services that must know who may see it.

use auth::Resource;
use kernel::{Error, Id, Result};
use log::{Scope, Unit};
use proto::log::Envelope;
use proto::{Event, intake, routing};
use store::{Migration, Row, Scoped, args};

/// To be listed among the service's own migrations.
pub const MIGRATION: Migration = Migration {
    name: "case_facts_0001",
    sql: "
CREATE TABLE case_facts (
    case_id UUID PRIMARY KEY,
    organisation TEXT NOT NULL,
    clinic TEXT NOT NULL,
    entry_point TEXT NOT NULL,
    visitor TEXT NOT NULL,
    holder TEXT NOT NULL,
    language TEXT NOT NULL,
    practice BOOLEAN NOT NULL,
    closed BOOLEAN NOT NULL
);
",
};

/// What a service other than intake knows of a case.
#[derive(Clone, Debug)]
pub struct Facts {
    pub case: Id,
    pub organisation: String,
    pub clinic: String,
    pub entry_point: String,
    /// The visitor's id.
    pub visitor: String,
    /// The worker who has it; empty if nobody.
    pub holder: String,
    pub language: String,
    pub practice: bool,
    pub closed: bool,
}

impl Facts {
    /// For the policy's check.
    pub fn resource(&self) -> Resource<'_> {
        Resource { organisation: &self.organisation, clinic: &self.clinic, owner: &self.visitor, holder: &self.holder }
    }

    /// For this case's events and audit rows.
    pub fn scope(&self) -> Scope {
        Scope { organisation: self.organisation.clone(), clinic: self.clinic.clone(), practice: self.practice }
    }

    fn from(row: &Row) -> Result<Self> {
        Ok(Self {
            case: row.id(0)?,
            organisation: row.text(1)?,
            clinic: row.text(2)?,
            entry_point: row.text(3)?,
            visitor: row.text(4)?,
            holder: row.text(5)?,
            language: row.text(6)?,
            practice: row.bool(7)?,
            closed: row.bool(8)?,
        })
    }
}

const SELECT: &str =
    "SELECT case_id, organisation, clinic, entry_point, visitor, holder, language, practice, closed FROM case_facts WHERE case_id = $1";
const SELECT_LOCKED: &str = "SELECT case_id, organisation, clinic, entry_point, visitor, holder, language, practice, closed FROM case_facts WHERE case_id = $1 FOR UPDATE";

/// The facts of a case; NOT_FOUND if there is none.
pub async fn load(db: &Scoped, case: Id) -> Result<Facts> {
    let row = db.row(SELECT, args![case]).await?.ok_or_else(|| Error::not_found("case"))?;
    Facts::from(&row)
}

/// The same inside a transaction, locking the row.
pub async fn lock(unit: &mut Unit<'_>, case: Id) -> Result<Facts> {
    let row = unit.tx.row(SELECT_LOCKED, args![case]).await?.ok_or_else(|| Error::not_found("case"))?;
    Facts::from(&row)
}

/// Types of events that change the facts.
pub fn wants(event_type: &str) -> bool {
    [
        intake::CaseOpened::TYPE,
        intake::CaseClosed::TYPE,
        intake::CaseReopened::TYPE,
        intake::CaseErased::TYPE,
        routing::CaseAssigned::TYPE,
        routing::CaseReleased::TYPE,
    ]
    .contains(&event_type)
}

/// Takes an event of intake or routing over. Routing's may come before intake's CaseOpened: its row then waits for the rest.
pub async fn apply(unit: &mut Unit<'_>, event: &Envelope) -> Result<()> {
    let case = Id::parse("key", &event.key)?;
    let broken = |error: prost::DecodeError| Error::internal(format!("an event's payload cannot be read: {error}"));
    if event.r#type == intake::CaseErased::TYPE || event.erased {
        // A tombstone's payload is gone; what is known of the visitor goes too.
        unit.tx.exec("UPDATE case_facts SET visitor = '', holder = '', closed = TRUE WHERE case_id = $1", args![case]).await?;
    } else if let Some(opened) = event.event::<intake::CaseOpened>().map_err(broken)? {
        unit.tx
            .exec(
                "INSERT INTO case_facts (case_id, organisation, clinic, entry_point, visitor, holder, language, practice, closed) \
                 VALUES ($1,$2,$3,$4,$5,'',$6,$7,FALSE) ON CONFLICT (case_id) DO UPDATE SET organisation = excluded.organisation, \
                 clinic = excluded.clinic, entry_point = excluded.entry_point, visitor = excluded.visitor, language = excluded.language, \
                 practice = excluded.practice",
                args![
                    case,
                    &event.organisation_id,
                    &event.clinic_id,
                    &opened.entry_point_id,
                    &opened.visitor_id,
                    &opened.language,
                    event.practice
                ],
            )
            .await?;
    } else if let Some(assigned) = event.event::<routing::CaseAssigned>().map_err(broken)? {
        unit.tx
            .exec(
                "INSERT INTO case_facts (case_id, organisation, clinic, entry_point, visitor, holder, language, practice, closed) \
                 VALUES ($1,$2,$3,'','',$4,'',$5,FALSE) ON CONFLICT (case_id) DO UPDATE SET holder = excluded.holder, clinic = excluded.clinic",
                args![case, &event.organisation_id, &event.clinic_id, &assigned.worker_id, event.practice],
            )
            .await?;
    } else if event.r#type == routing::CaseReleased::TYPE {
        unit.tx.exec("UPDATE case_facts SET holder = '' WHERE case_id = $1", args![case]).await?;
    } else if event.r#type == intake::CaseClosed::TYPE || event.r#type == intake::CaseReopened::TYPE {
        unit.tx.exec("UPDATE case_facts SET closed = $2 WHERE case_id = $1", args![case, event.r#type == intake::CaseClosed::TYPE]).await?;
    }
    Ok(())
}
