//! What triage keeps of each case. No answers, no texts but a worker's reason, which erasure takes away.

use kernel::{Error, Id, Profession, Result, Severity, Time};
use log::Unit;
use store::{Migration, Row, Tables, args};

pub const TABLES: Tables = Tables { steps: &[runtime::case_facts::MIGRATION, FIRST, ORGANISATIONS], shared: &[], crossing: &[], kept: &[] };

const ORGANISATIONS: Migration = Migration {
    name: "triage_organisations",
    sql: "
ALTER TABLE triage ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
UPDATE triage SET organisation = COALESCE((SELECT f.organisation FROM case_facts f WHERE f.case_id = triage.case_id), '');
",
};

const FIRST: Migration = Migration {
    name: "triage_0001",
    sql: "
CREATE TABLE triage (
    case_id UUID PRIMARY KEY,
    severity TEXT NOT NULL,
    profession TEXT NOT NULL,
    -- The queue that a rule named, and the one where the case waits.
    rule_queue TEXT NOT NULL,
    queue TEXT NOT NULL,
    protocol TEXT NOT NULL,
    protocol_version BIGINT NOT NULL,
    -- JSON lists of ids.
    rules TEXT NOT NULL,
    red_flags TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_reason TEXT NOT NULL,
    triaged_at BIGINT NOT NULL,
    untriaged BOOLEAN NOT NULL
);
",
};

/// A case as triage sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Triaged {
    pub case: Id,
    pub severity: Severity,
    pub profession: Profession,
    /// The queue that a rule named; empty if none did.
    pub rule_queue: String,
    /// Where it waits; empty if even the door was unknown.
    pub queue: String,
    pub protocol: String,
    pub protocol_version: u32,
    pub rules: Vec<String>,
    /// Categories found so far, in the order in which they came.
    pub red_flags: Vec<String>,
    /// The last worker who set the severity, and why. A red flag that raises it later leaves them: nothing is forgotten.
    pub set_by: String,
    pub set_reason: String,
    pub triaged_at: Time,
    pub untriaged: bool,
}

const SELECT_LOCKED: &str = "SELECT severity, profession, rule_queue, queue, protocol, protocol_version, rules, red_flags, set_by, \
     set_reason, triaged_at, untriaged FROM triage WHERE case_id = $1 FOR UPDATE";

/// A case's triage, locked until the commit.
pub async fn lock(unit: &mut Unit<'_>, case: Id) -> Result<Option<Triaged>> {
    let row = unit.tx.row(SELECT_LOCKED, args![case]).await?;
    row.map(|row| read(case, &row)).transpose()
}

fn read(case: Id, row: &Row) -> Result<Triaged> {
    let wrong = |what: &str| Error::internal(format!("the stored {what} of case {case} cannot be read"));
    let list = |text: String, what| serde_json::from_str(&text).map_err(|_| wrong(what));
    Ok(Triaged {
        case,
        severity: Severity::from_code(&row.text(0)?).ok_or_else(|| wrong("severity"))?,
        profession: Profession::from_code(&row.text(1)?).ok_or_else(|| wrong("profession"))?,
        rule_queue: row.text(2)?,
        queue: row.text(3)?,
        protocol: row.text(4)?,
        protocol_version: u32::try_from(row.int(5)?).map_err(|_| wrong("protocol version"))?,
        rules: list(row.text(6)?, "rules")?,
        red_flags: list(row.text(7)?, "red flags")?,
        set_by: row.text(8)?,
        set_reason: row.text(9)?,
        triaged_at: row.time(10)?,
        untriaged: row.bool(11)?,
    })
}

/// Stores a case's triage in place of an earlier one.
pub async fn put(unit: &mut Unit<'_>, triaged: &Triaged) -> Result<()> {
    let list =
        |ids: &[String]| serde_json::to_string(ids).map_err(|error| Error::internal(format!("a list of ids cannot be written: {error}")));
    unit.tx
        .exec(
            "INSERT INTO triage (case_id, severity, profession, rule_queue, queue, protocol, protocol_version, rules, red_flags, set_by, \
             set_reason, triaged_at, untriaged, organisation) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14) \
             ON CONFLICT (case_id) DO UPDATE SET severity = excluded.severity, profession = excluded.profession, \
             rule_queue = excluded.rule_queue, queue = excluded.queue, protocol = excluded.protocol, \
             protocol_version = excluded.protocol_version, rules = excluded.rules, red_flags = excluded.red_flags, \
             set_by = excluded.set_by, set_reason = excluded.set_reason, triaged_at = excluded.triaged_at, untriaged = excluded.untriaged",
            args![
                triaged.case,
                triaged.severity.code(),
                triaged.profession.code(),
                &triaged.rule_queue,
                &triaged.queue,
                &triaged.protocol,
                triaged.protocol_version,
                list(&triaged.rules)?,
                list(&triaged.red_flags)?,
                &triaged.set_by,
                &triaged.set_reason,
                triaged.triaged_at,
                triaged.untriaged,
                unit.origin.organisation()?
            ],
        )
        .await?;
    Ok(())
}

/// Takes away what says anything about the visitor: rules tell answers, red flags tell health, a reason is free text.
pub async fn erase(unit: &mut Unit<'_>, case: Id) -> Result<()> {
    unit.tx.exec("UPDATE triage SET rules = '[]', red_flags = '[]', set_reason = '' WHERE case_id = $1", args![case]).await?;
    Ok(())
}
