//! The seals of the audit log. One sealer per shard chains the rows afterwards, in position order; a chain in the
//! command's own transaction would make all commands wait for each other. [`verify`] then finds what was changed.
//!
//! A row's content hash is SHA-256(salt ‖ its fields, each after its length). Its chain hash is SHA-256(the chain hash
//! before it ‖ shard ‖ position ‖ content hash), so that a row cannot go, come or change without every later seal showing
//! it. Erasure takes the salt and leaves the hash: the chain still holds, and what the row said cannot be guessed from it.
//!
//! The seals hold against whoever changes rows, not against one who makes all later seals anew: keep backups elsewhere.

mod verify;

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::{Error, Result, Time};
use sha2::{Digest, Sha256};
use store::{Row, args, values};
use tokio_util::sync::CancellationToken;

use crate::lease::{FENCED, Leases, Owned};
use crate::log::Log;

pub use verify::{Report, verify};

/// What a sealer's lease is called.
pub const DUTY: &str = "seal";

/// How often new rows are sealed. In real time even if business time is simulated.
const EVERY: Duration = Duration::from_secs(5);
/// Most rows that are sealed in one transaction.
const BATCH: usize = 500;
/// Between two batches, so that commands come first when much is to be sealed.
const BREATH: Duration = Duration::from_millis(50);
const SALT_BYTES: usize = 16;
/// What the first seal of a shard is chained to.
const START: [u8; 32] = [0; 32];

/// The salt of a new row.
pub(crate) fn new_salt() -> Result<Vec<u8>> {
    let mut salt = vec![0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| Error::unavailable(format!("the machine gives no random bytes: {error}")))?;
    Ok(salt)
}

/// What an audit row says, and its salt.
struct Content {
    at: Time,
    texts: Vec<String>,
    salt: Option<Vec<u8>>,
}

impl Content {
    /// From column `first` on: at, organisation, clinic, key, principal_kind, principal_id, action, salt.
    fn read(row: &Row, first: usize) -> Result<Self> {
        let texts = (first + 1..first + 7).map(|column| row.text(column)).collect::<Result<_>>()?;
        Ok(Self { at: row.time(first)?, texts, salt: row.get(first + 7)? })
    }

    fn hash(&self, salt: &[u8]) -> Vec<u8> {
        let at = self.at.micros().to_be_bytes();
        let mut hash = Sha256::new();
        hash.update(salt);
        for field in std::iter::once(at.as_slice()).chain(self.texts.iter().map(String::as_bytes)) {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.finalize().to_vec()
    }
}

fn chain(previous: &[u8], shard: u32, position: i64, content_hash: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(shard.to_be_bytes());
    hash.update(position.to_be_bytes());
    hash.update(content_hash);
    hash.finalize().to_vec()
}

/// Seals this log's audit rows until `shutdown`, then once more what is left. What is written later still, by calls that
/// finish, is sealed after the next start.
pub async fn run(log: Log, leases: Leases, shutdown: CancellationToken) {
    loop {
        let stopping = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            () = shutdown.cancelled() => true,
        };
        match seal(&log, &leases, &shutdown).await {
            Ok(_) => {}
            Err(error) => tracing::warn!(service = log.service(), %error, "audit rows were not sealed; they will be"),
        }
        if stopping {
            return;
        }
    }
}

/// Seals what is there now in the shards that are owned; answers how many rows. Without a pause if `hurry` is cancelled.
pub(crate) async fn seal(log: &Log, leases: &Leases, hurry: &CancellationToken) -> Result<usize> {
    let mut sealed = 0;
    loop {
        // One transaction for all shards: every commit waits for the disk, and so does what commits beside it.
        let owned = leases.owned().borrow().clone();
        let seals = make_seals(log, &owned).await?;
        let count = seals.len();
        if count > 0 {
            match insert(log, leases, seals).await {
                Ok(()) => sealed += count,
                // The new owner seals that shard; ours have their turn again soon.
                Err(error) if error.reason == FENCED => return Ok(sealed),
                Err(error) => return Err(error),
            }
        }
        if count < BATCH {
            return Ok(sealed);
        }
        tokio::select! {
            () = tokio::time::sleep(BREATH) => {}
            () = hurry.cancelled() => {}
        }
    }
}

struct Seal {
    shard: u32,
    epoch: i64,
    position: i64,
    content_hash: Vec<u8>,
    chain_hash: Vec<u8>,
}

/// The next seals, at most [`BATCH`]. Rows are read and hashed before the transaction, which only writes.
async fn make_seals(log: &Log, owned: &Owned) -> Result<Vec<Seal>> {
    let shards = log
        .machinery()
        .rows(
            "SELECT h.shard, h.audit_head, (SELECT MAX(s.position) FROM audit_seal s WHERE s.shard = h.shard) FROM log_head h ORDER BY h.shard",
            args![],
        )
        .await?;
    let mut seals = Vec::new();
    for row in shards {
        let (shard, head, last) = (row.int(0)? as u32, row.int(1)?, row.get::<Option<i64>>(2)?.unwrap_or(0));
        let Some(epoch) = owned.get(&shard).copied().filter(|_| last < head && seals.len() < BATCH) else { continue };
        let before =
            log.machinery().row("SELECT chain_hash FROM audit_seal WHERE shard = $1 AND position = $2", args![shard, last]).await?;
        let mut previous = before.map_or(Ok(START.to_vec()), |row| row.get(0))?;
        let rows = log
            .machinery()
            .rows(
                "SELECT position, at, organisation, clinic, key, principal_kind, principal_id, action, salt FROM audit_log \
                 WHERE shard = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4",
                args![shard, last, head, (BATCH - seals.len()) as i64],
            )
            .await?;
        for row in rows {
            let (position, content) = (row.int(0)?, Content::read(&row, 1)?);
            let content_hash = match &content.salt {
                Some(salt) => content.hash(salt),
                // Erased before it was sealed: a salt that nobody keeps, so that the hash says as little as if it had been later.
                None => content.hash(&new_salt()?),
            };
            previous = chain(&previous, shard, position, &content_hash);
            seals.push(Seal { shard, epoch, position, content_hash, chain_hash: previous.clone() });
        }
    }
    Ok(seals)
}

async fn insert(log: &Log, leases: &Leases, seals: Vec<Seal>) -> Result<()> {
    let (leases, now) = (leases.clone(), log.clock().now());
    log.machinery()
        .transaction(move |tx| {
            Box::pin(async move {
                let epochs: BTreeMap<u32, i64> = seals.iter().map(|seal| (seal.shard, seal.epoch)).collect();
                for (shard, epoch) in epochs {
                    leases.check(tx, shard, epoch).await?;
                }
                for some in seals.chunks(100) {
                    let mut args = args![];
                    for seal in some {
                        args.extend(args![seal.shard, seal.position, seal.content_hash.clone(), seal.chain_hash.clone(), now]);
                    }
                    let sql = format!(
                        "INSERT INTO audit_seal (shard, position, content_hash, chain_hash, sealed_at) VALUES {}",
                        values(1, some.len(), 5)
                    );
                    tx.exec(sql, args).await?;
                }
                Ok(())
            })
        })
        .await
}

#[cfg(test)]
mod tests;
