//! Compares the audit log with its seals.

use kernel::{Result, Time};
use store::{Db, Row, Whose, args};

use super::{Content, SALT_BYTES, START, chain};

/// Rows that are compared at a time.
const PAGE: usize = 500;
/// Most faults that are told.
const MAX_FAULTS: usize = 1000;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub rows: u64,
    pub sealed: u64,
    pub unsealed: u64,
    pub oldest_unsealed_at: Option<Time>,
    /// Rows without their salt: that they exist is still sealed, what they say is no longer.
    pub erased: u64,
    /// One sentence each, at most 1,000, without anything that the rows say.
    pub faults: Vec<String>,
}

impl Report {
    fn fault(&mut self, shard: u32, first: i64, last: i64, what: &str) {
        if self.faults.len() < MAX_FAULTS {
            let positions = if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
            self.faults.push(format!("shard {shard}, {positions}: {what}"));
        }
    }
}

/// Finds audit rows that were changed, removed or added. Rows may be written and sealed meanwhile.
pub async fn verify(db: &Db) -> Result<Report> {
    let mut report = Report::default();
    let mut shards = Vec::new();
    for row in db
        .of(Whose::Log)
        .rows(
            "SELECT h.shard, (SELECT MAX(s.position) FROM audit_seal s WHERE s.shard = h.shard) FROM log_head h ORDER BY h.shard",
            args![],
        )
        .await?
    {
        shards.push((row.int(0)? as u32, row.get::<Option<i64>>(1)?.unwrap_or(0)));
    }
    for (shard, sealed_to) in &shards {
        Walk { shard: *shard, sealed_to: *sealed_to, head: 0, next: 1, previous: START.to_vec(), is_chained: true, report: &mut report }
            .run(db)
            .await?;
    }
    // Shards are numbered from 0, so that the ends tell whether there are rows of others.
    for table in ["audit_log", "audit_seal"] {
        let ends = db.of(Whose::Log).rows(format!("SELECT MIN(shard), MAX(shard) FROM {table}"), args![]).await?.pop();
        for end in [0, 1] {
            let shard = ends.as_ref().map(|row| row.get::<Option<i64>>(end)).transpose()?.flatten().unwrap_or(0);
            let fault = format!("shard {shard}: {table} has rows of it, and there is no such shard");
            if !(0..shards.len() as i64).contains(&shard) && !report.faults.contains(&fault) {
                report.faults.push(fault);
            }
        }
    }
    Ok(report)
}

/// A shard's verification on its way through the positions.
struct Walk<'r> {
    shard: u32,
    /// The last seal when the verification began. Later ones may belong to rows that were read before they were sealed.
    sealed_to: i64,
    /// The shard's audit head, as of the last page.
    head: i64,
    /// The position that comes next if none is missing.
    next: i64,
    /// The chain hash of the last seal.
    previous: Vec<u8>,
    /// False after a seal that is missing: the one after it cannot be compared.
    is_chained: bool,
    report: &'r mut Report,
}

impl Walk<'_> {
    async fn run(mut self, db: &Db) -> Result<()> {
        let mut after = i64::MIN;
        loop {
            // One statement, hence one moment: a position up to this head without a row has lost it.
            let rows = db
                .of(Whose::Log)
                .rows(
                    "SELECT h.audit_head, p.position, s.content_hash, s.chain_hash, a.position, \
                     a.at, a.organisation, a.clinic, a.key, a.principal_kind, a.principal_id, a.action, a.salt \
                     FROM log_head h LEFT JOIN ( \
                         SELECT position FROM (SELECT position FROM audit_log WHERE shard = $1 AND position > $2 ORDER BY position LIMIT $3) AS rows_there \
                         UNION \
                         SELECT position FROM (SELECT position FROM audit_seal WHERE shard = $1 AND position > $2 ORDER BY position LIMIT $3) AS seals_there \
                         ORDER BY position LIMIT $3 \
                     ) AS p ON TRUE \
                     LEFT JOIN audit_seal s ON s.shard = h.shard AND s.position = p.position \
                     LEFT JOIN audit_log a ON a.shard = h.shard AND a.position = p.position \
                     WHERE h.shard = $1 ORDER BY p.position",
                    args![self.shard, after, PAGE as i64],
                )
                .await?;
            let mut count = 0;
            for row in &rows {
                self.head = row.int(0)?;
                // Null: nothing is left.
                let Some(position) = row.get::<Option<i64>>(1)? else { continue };
                self.step(position, row)?;
                (after, count) = (position, count + 1);
            }
            if count < PAGE {
                break;
            }
        }
        self.missing(self.head + 1);
        Ok(())
    }

    /// The row and the seal of `position`, one of which may be absent.
    fn step(&mut self, position: i64, row: &Row) -> Result<()> {
        let seal = match (row.get::<Option<Vec<u8>>>(2)?, row.get::<Option<Vec<u8>>>(3)?) {
            (Some(content), Some(chained)) if position <= self.sealed_to => Some((content, chained)),
            _ => None,
        };
        let content = row.get::<Option<i64>>(4)?.map(|_| Content::read(row, 5)).transpose()?;
        if position < 1 || position > self.head {
            let what =
                if content.is_some() { "a row was added where the log has none" } else { "a seal was added where the log has no row" };
            self.report.fault(self.shard, position, position, what);
            self.report.rows += u64::from(content.is_some());
            return Ok(());
        }
        self.missing(position);
        self.next = position + 1;
        if let Some((content_hash, chained)) = &seal {
            if self.is_chained && *chained != chain(&self.previous, self.shard, position, content_hash) {
                self.report.fault(self.shard, position, position, "the seal was changed, or one before it");
            }
            self.previous.clone_from(chained);
            self.is_chained = true;
        }
        let Some(content) = content else {
            self.report.fault(self.shard, position, position, "the row was removed; its seal is still there");
            return Ok(());
        };
        self.report.rows += 1;
        self.report.erased += u64::from(content.salt.is_none());
        let Some((content_hash, _)) = &seal else {
            self.report.unsealed += 1;
            self.report.oldest_unsealed_at = Some(self.report.oldest_unsealed_at.map_or(content.at, |oldest| oldest.min(content.at)));
            if position < self.sealed_to {
                self.report.fault(
                    self.shard,
                    position,
                    position,
                    "the row has no seal, and later ones have: it was added, or its seal removed",
                );
                self.is_chained = false;
            }
            return Ok(());
        };
        self.report.sealed += 1;
        // A salt of another length could move bytes between itself and the first field.
        if content.salt.as_ref().is_some_and(|salt| salt.len() != SALT_BYTES || content.hash(salt) != *content_hash) {
            self.report.fault(self.shard, position, position, "the row was changed since it was sealed");
        }
        Ok(())
    }

    /// Tells that nothing is there from the next position up to `before`.
    fn missing(&mut self, before: i64) {
        if self.next < before {
            self.report.fault(self.shard, self.next, before - 1, "rows were removed, and with them their seals if they had any");
            // If they were removed before they were sealed, the chain goes on without them.
            self.is_chained = false;
        }
    }
}
