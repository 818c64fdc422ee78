//! Seals on a store of their own, and a hand that reaches into it past the log.

use kernel::{Clock, Id};
use store::{Args, Db};

use super::*;
use crate::{Committer, Origin, Scope, Settings};

/// To shard $1, position $2.
const COPY_OF_SECOND_ROW: &str = "INSERT INTO audit_log (shard, position, at, organisation, clinic, key, principal_kind, principal_id, action, salt) \
     SELECT $1, $2, at, organisation, clinic, key, principal_kind, principal_id, action, salt FROM audit_log WHERE shard = 0 AND position = 2";

struct Rig {
    log: Log,
    committer: Committer,
    leases: Leases,
    keys: Vec<Id>,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// A log of `shards` shards with `rows` audit rows, each of a key of its own.
    async fn new(shards: u32, rows: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite:{}", folder.path().display()), "test").await.unwrap();
        let clock = Clock::manual(Time::from_secs(1_800_000_000));
        let log = Log::open(&Settings { service: "test", shards }, db, clock, &store::Tables::NONE).await.unwrap();
        let committer = Committer::start(log.clone());
        let mut rig = Self { log, committer, leases: Leases::alone(DUTY, shards), keys: Vec::new(), _folder: folder };
        rig.write(rows).await;
        rig
    }

    async fn write(&mut self, rows: usize) {
        let keys: Vec<Id> = (0..rows).map(|_| Id::new(self.log.clock().now())).collect();
        self.keys.extend(&keys);
        let origin = Origin { principal_kind: "worker", principal_id: "anna".to_owned(), ..Origin::system("Read").of("care") };
        let work = move |unit: &mut crate::Unit<'_>| {
            for key in &keys {
                unit.audit(*key, &Scope { organisation: "care".to_owned(), clinic: "sea".to_owned(), practice: false });
            }
        };
        self.committer
            .run("all", origin, move |unit| {
                work(unit);
                Box::pin(async { Ok(()) })
            })
            .await
            .unwrap();
    }

    async fn erase(&self, key: Id) {
        self.committer.run("all", Origin::system("erase").of("care"), move |unit| Box::pin(unit.erase_key(key))).await.unwrap();
    }

    async fn seal(&self) -> usize {
        seal(&self.log, &self.leases, &CancellationToken::new()).await.unwrap()
    }

    /// Does what no part of Samtal does.
    async fn tamper(&self, sql: &'static str, args: Args) {
        let touched = self.log.db().of("care").transaction(move |tx| Box::pin(async move { tx.exec(sql, args).await })).await.unwrap();
        assert!(touched > 0, "{sql}");
    }

    async fn verify(&self) -> Report {
        verify(self.log.db()).await.unwrap()
    }

    /// The faults, each of which lies in shard 0.
    async fn faults(&self) -> Vec<String> {
        self.verify().await.faults.iter().map(|fault| fault.strip_prefix("shard 0, ").unwrap_or(fault).to_owned()).collect()
    }
}

fn starts(faults: &[String], wanted: &[&str]) {
    let same = faults.len() == wanted.len() && faults.iter().zip(wanted).all(|(fault, wanted)| fault.starts_with(wanted));
    assert!(same, "{faults:#?} instead of {wanted:#?}");
}

#[tokio::test]
async fn what_was_sealed_verifies_and_is_sealed_once() {
    let mut rig = Rig::new(4, 700).await;
    assert_eq!(rig.seal().await, 700);
    assert_eq!(rig.seal().await, 0);
    rig.write(3).await;
    let report = rig.verify().await;
    assert_eq!(
        report,
        Report { rows: 703, sealed: 700, unsealed: 3, oldest_unsealed_at: Some(rig.log.clock().now()), ..Report::default() }
    );
    assert_eq!(rig.seal().await, 3, "the chain goes on");
    assert_eq!(rig.verify().await, Report { rows: 703, sealed: 703, ..Report::default() });
}

#[tokio::test]
async fn a_shard_of_many_batches_and_pages_verifies() {
    let rig = Rig::new(1, 1203).await;
    assert_eq!(rig.seal().await, 1203);
    assert_eq!(rig.verify().await, Report { rows: 1203, sealed: 1203, ..Report::default() });
}

#[tokio::test]
async fn an_empty_log_verifies() {
    let rig = Rig::new(2, 0).await;
    assert_eq!(rig.seal().await, 0);
    assert_eq!(rig.verify().await, Report::default());
}

#[tokio::test]
async fn a_change_of_any_field_shows() {
    let rig = Rig::new(1, 8).await;
    rig.seal().await;
    for (position, sql) in [
        (1, "UPDATE audit_log SET at = at + 1 WHERE position = $1"),
        (2, "UPDATE audit_log SET organisation = 'other' WHERE position = $1"),
        // The same bytes in a row, cut elsewhere.
        (3, "UPDATE audit_log SET organisation = 'cares', clinic = 'ea' WHERE position = $1"),
        (4, "UPDATE audit_log SET key = 'other' WHERE position = $1"),
        (5, "UPDATE audit_log SET principal_kind = 'leader' WHERE position = $1"),
        (6, "UPDATE audit_log SET principal_id = 'bert' WHERE position = $1"),
        (7, "UPDATE audit_log SET action = '' WHERE position = $1"),
        (8, "UPDATE audit_log SET salt = X'00' WHERE position = $1"),
    ] {
        rig.tamper(sql, args![position]).await;
    }
    let wanted: Vec<String> = (1..=8).map(|position| format!("position {position}: the row was changed")).collect();
    starts(&rig.faults().await, &wanted.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_removed_row_shows_with_its_seal_and_without() {
    let mut rig = Rig::new(1, 10).await;
    rig.seal().await;
    rig.write(3).await;
    rig.tamper("DELETE FROM audit_log WHERE position IN (3, 7, 12)", args![]).await;
    rig.tamper("DELETE FROM audit_seal WHERE position IN (7)", args![]).await;
    starts(&rig.faults().await, &["position 3: the row was removed", "position 7: rows were removed", "position 12: rows were removed"]);
    assert_eq!(rig.seal().await, 2, "what is left is sealed all the same");
    starts(&rig.faults().await, &["position 3: the row was removed", "position 7: rows were removed", "position 12: rows were removed"]);
}

#[tokio::test]
async fn the_newest_rows_do_not_vanish_unseen() {
    let rig = Rig::new(1, 10).await;
    rig.seal().await;
    rig.tamper("DELETE FROM audit_log WHERE position > 8", args![]).await;
    rig.tamper("DELETE FROM audit_seal WHERE position > 8", args![]).await;
    starts(&rig.faults().await, &["positions 9 to 10: rows were removed"]);
}

#[tokio::test]
async fn an_added_row_shows() {
    let rig = Rig::new(1, 5).await;
    rig.seal().await;
    for (position, shard) in [(0, 0), (9, 0), (1, 7)] {
        rig.tamper(COPY_OF_SECOND_ROW, args![shard, position]).await;
    }
    rig.tamper("INSERT INTO audit_seal SELECT shard, 8, content_hash, chain_hash, sealed_at FROM audit_seal WHERE position = 2", args![])
        .await;
    starts(
        &rig.faults().await,
        &["position 0: a row was added", "position 8: a seal was added", "position 9: a row was added", "shard 7: audit_log has rows"],
    );
}

#[tokio::test]
async fn a_row_in_the_place_of_a_removed_one_shows() {
    let rig = Rig::new(1, 5).await;
    rig.seal().await;
    rig.tamper("DELETE FROM audit_seal WHERE position = 3", args![]).await;
    starts(&rig.faults().await, &["position 3: the row has no seal"]);
    rig.tamper("DELETE FROM audit_log WHERE position = 3", args![]).await;
    rig.tamper(COPY_OF_SECOND_ROW, args![0, 3]).await;
    rig.tamper("INSERT INTO audit_seal SELECT shard, 3, content_hash, chain_hash, sealed_at FROM audit_seal WHERE position = 2", args![])
        .await;
    starts(&rig.faults().await, &["position 3: the seal was changed", "position 4: the seal was changed"]);
}

#[tokio::test]
async fn erasure_takes_the_salt_and_leaves_the_chain_whole() {
    let rig = Rig::new(1, 4).await;
    rig.seal().await;
    rig.erase(rig.keys[1]).await;
    assert_eq!(rig.verify().await, Report { rows: 4, sealed: 4, erased: 1, ..Report::default() });
    rig.tamper("DELETE FROM audit_log WHERE position = 2", args![]).await;
    starts(&rig.faults().await, &["position 2: the row was removed"]);
}

#[tokio::test]
async fn a_row_erased_before_it_was_sealed_is_sealed_without_a_trace_of_it() {
    let mut rig = Rig::new(1, 4).await;
    rig.erase(rig.keys[3]).await;
    assert_eq!(rig.seal().await, 4);
    rig.write(1).await;
    rig.seal().await;
    assert_eq!(rig.verify().await, Report { rows: 5, sealed: 5, erased: 1, ..Report::default() });
}

#[tokio::test]
async fn the_sealer_seals_what_is_left_when_it_is_stopped() {
    let rig = Rig::new(2, 5).await;
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    run(rig.log.clone(), rig.leases.clone(), shutdown).await;
    assert_eq!(rig.verify().await, Report { rows: 5, sealed: 5, ..Report::default() });
}

#[tokio::test]
async fn verifying_while_rows_are_written_and_sealed_finds_no_fault() {
    let mut rig = Rig::new(2, 100).await;
    let (log, leases) = (rig.log.clone(), rig.leases.clone());
    let over = CancellationToken::new();
    let sealing = tokio::spawn({
        let over = over.clone();
        async move {
            while !over.is_cancelled() {
                seal(&log, &leases, &over).await.unwrap();
            }
        }
    });
    let verifying = tokio::spawn({
        let (db, over) = (rig.log.db().clone(), over.clone());
        async move {
            while !over.is_cancelled() {
                assert_eq!(verify(&db).await.unwrap().faults, Vec::<String>::new());
            }
        }
    });
    for _ in 0..30 {
        rig.write(100).await;
    }
    over.cancel();
    sealing.await.unwrap();
    verifying.await.unwrap();
    rig.seal().await;
    assert_eq!(rig.verify().await, Report { rows: 3100, sealed: 3100, ..Report::default() });
}
