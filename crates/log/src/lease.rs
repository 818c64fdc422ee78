//! Which replica may work on which shard. One process alone owns everything; several share by rendezvous hash over one
//! heartbeat row each. Every takeover raises the lease's epoch, and a write under an older epoch is refused, so that an
//! owner that slept and wakes up cannot write. Time is the database's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::id::key_hash;
use kernel::{Error, Result};
use store::{Db, Tx, Whose, args};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often a replica says that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// After this long without a beat a replica's shards go to others.
const DEAD_AFTER_MICROS: i64 = 5_000_000;

const NOW: &str = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";

/// Reason of an error that a stale owner's write gets.
pub const FENCED: &str = "FENCED";

/// The shards that this replica owns for one duty, each with its epoch.
pub type Owned = Arc<BTreeMap<u32, i64>>;

/// A replica's leases for one duty (`relay`, `consume:intake`). Cheap to clone.
#[derive(Clone)]
pub struct Leases {
    duty: Arc<str>,
    owned: watch::Receiver<Owned>,
    shared: bool,
}

impl Leases {
    /// The only process there is: it owns every shard, and nothing needs to be checked.
    pub fn alone(duty: &str, shards: u32) -> Self {
        let all: BTreeMap<u32, i64> = (0..shards).map(|shard| (shard, 0)).collect();
        Self { duty: duty.into(), owned: watch::Sender::new(Arc::new(all)).subscribe(), shared: false }
    }

    /// One of several replicas. Starts the heartbeat; when `shutdown` comes the replica's shards are given up at once.
    pub fn shared(duty: &str, shards: u32, db: Db, replica: String, shutdown: CancellationToken) -> Self {
        let (sender, owned) = watch::channel(Owned::default());
        let name: Arc<str> = duty.into();
        tokio::spawn(keep(name.clone(), shards, db, replica, sender, shutdown));
        Self { duty: name, owned, shared: true }
    }

    pub fn owned(&self) -> watch::Receiver<Owned> {
        self.owned.clone()
    }

    /// Inside the transaction that writes: refuses if another replica has taken `shard` over since `epoch`.
    pub async fn check(&self, tx: &mut Tx, shard: u32, epoch: i64) -> Result<()> {
        if !self.shared {
            return Ok(());
        }
        let row = tx.row("SELECT epoch FROM lease WHERE duty = $1 AND shard = $2 FOR UPDATE", args![&*self.duty, shard]).await?;
        match row.map(|row| row.int(0)).transpose()? {
            Some(current) if current == epoch => Ok(()),
            _ => Err(Error::new(kernel::Code::Aborted, FENCED, format!("another replica has taken over shard {shard} of {}", self.duty))),
        }
    }
}

async fn keep(duty: Arc<str>, shards: u32, db: Db, replica: String, sender: watch::Sender<Owned>, shutdown: CancellationToken) {
    loop {
        match beat(&duty, shards, &db, &replica).await {
            Ok(owned) => {
                sender.send_if_modified(|current| {
                    let changed = **current != owned;
                    if changed {
                        *current = Arc::new(owned);
                    }
                    changed
                });
            }
            // Keeps what it has: if others take over meanwhile, the epoch refuses our writes.
            Err(error) => tracing::warn!(%duty, %error, "the heartbeat was not written"),
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            () = shutdown.cancelled() => break,
        }
    }
    let key = format!("{duty}/{replica}");
    let _ = db
        .of(Whose::Log)
        .transaction(move |tx| Box::pin(async move { tx.exec("DELETE FROM replica WHERE id = $1", args![key]).await }))
        .await;
}

/// Writes one heartbeat and takes over what now falls to this replica.
async fn beat(duty: &Arc<str>, shards: u32, db: &Db, replica: &str) -> Result<BTreeMap<u32, i64>> {
    let (duty, replica) = (duty.clone(), replica.to_owned());
    db.of(Whose::Log)
        .transaction(move |tx| {
            Box::pin(async move {
                let me = format!("{duty}/{replica}");
                tx.exec(
                    format!(
                        "INSERT INTO replica (id, beat_at) VALUES ($1, {NOW}) ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at"
                    ),
                    args![&me],
                )
                .await?;
                let rows = tx
                    .rows(
                        format!("SELECT id FROM replica WHERE id LIKE $1 AND beat_at > {NOW} - $2 ORDER BY id"),
                        args![format!("{duty}/%"), DEAD_AFTER_MICROS],
                    )
                    .await?;
                let alive = rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>>>()?;
                let rows = tx.rows("SELECT shard, owner, epoch FROM lease WHERE duty = $1", args![&*duty]).await?;
                let mut leases = BTreeMap::new();
                for row in rows {
                    leases.insert(row.int(0)? as u32, (row.text(1)?, row.int(2)?));
                }
                let mut owned = BTreeMap::new();
                for shard in (0..shards).filter(|shard| owner(&duty, *shard, &alive) == Some(&me)) {
                    match leases.get(&shard) {
                        Some((current, epoch)) if *current == me => {
                            owned.insert(shard, *epoch);
                        }
                        _ => {
                            let row = tx
                                .row(
                                    "INSERT INTO lease (duty, shard, owner, epoch) VALUES ($1, $2, $3, 1) \
                                 ON CONFLICT (duty, shard) DO UPDATE SET owner = excluded.owner, epoch = lease.epoch + 1 RETURNING epoch",
                                    args![&*duty, shard, &me],
                                )
                                .await?
                                .ok_or_else(|| Error::internal("a lease was not written"))?;
                            owned.insert(shard, row.int(0)?);
                        }
                    }
                }
                Ok(owned)
            })
        })
        .await
}

/// Rendezvous hash: the replica with the highest hash for this shard; a replica that comes or goes moves only its own share.
pub fn owner<'r>(duty: &str, shard: u32, alive: &'r [String]) -> Option<&'r String> {
    alive.iter().max_by_key(|replica| (key_hash(&format!("{duty}#{shard}#{replica}")), *replica))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_that_goes_moves_only_its_own_shards() {
        let three: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let two: Vec<String> = ["a", "c"].map(String::from).to_vec();
        let mut shares = [0; 3];
        for shard in 0..300 {
            let before = owner("relay", shard, &three).unwrap();
            shares[three.iter().position(|one| one == before).unwrap()] += 1;
            if before != "b" {
                assert_eq!(owner("relay", shard, &two).unwrap(), before);
            }
        }
        assert!(shares.iter().all(|share| *share > 60), "uneven: {shares:?}");
    }
}
