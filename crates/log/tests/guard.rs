//! A log whose database went back in time, on the embedded store.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that goes wrong shall stop; clippy knows only functions marked #[test] for tests"
)]

use kernel::{Clock, Id, Time};
use proto::log::{Cursor, Head};
use samtal_log::guard::{self, Phase};
use samtal_log::{Committer, Log, Origin, Scope, Settings, reader, rejoin};
use store::{Db, args};

const NOW: Time = Time::from_secs(1_800_000_000);

struct Rig {
    folder: tempfile::TempDir,
    log: Log,
    committer: Committer,
}

impl Rig {
    async fn open(folder: tempfile::TempDir) -> Self {
        let db = Db::open(&format!("sqlite:{}", folder.path().display()), "test").await.unwrap();
        let log = Log::open(&Settings { service: "test", shards: 1 }, db, Clock::manual(NOW), &store::Tables::NONE).await.unwrap();
        Self { folder, committer: Committer::start(log.clone()), log }
    }

    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap()).await
    }

    /// Commits one event; what it reads at the end is what a consumer has seen.
    async fn say(&self) -> kernel::Result<Cursor> {
        let key = Id::derived(&[b"case"]);
        let work =
            |unit: &mut samtal_log::Unit<'_>| unit.emit(Id::derived(&[b"case"]), &Scope::default(), &proto::intake::CaseErased::default());
        self.committer.run(&key.to_string(), Origin::system("test"), move |unit| Box::pin(async move { work(unit) })).await?;
        let head = self.head().await;
        let (incarnation, event_id) = (head.incarnation, head.event_id);
        let (consumer, source) = ("triage".to_owned(), "test".to_owned());
        Ok(Cursor { consumer, source, shard: 0, incarnation, position: head.position, event_id, halted: String::new() })
    }

    /// Commits an audit row and nothing else, as every read does.
    async fn look(&self) -> kernel::Result<()> {
        let key = Id::derived(&[b"case"]);
        let work = move |unit: &mut samtal_log::Unit<'_>| {
            unit.audit(key, &Scope::default());
            Ok(())
        };
        let lane = key.to_string();
        self.committer.run(&lane, Origin::system("test"), move |unit| Box::pin(async move { work(unit) })).await.map(drop)
    }

    async fn head(&self) -> Head {
        reader::heads(self.log.db()).await.unwrap().remove(0)
    }

    /// The database as it is now, in a folder of its own.
    async fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        let to = copy.path().join("test.db").display().to_string();
        self.log.machinery().rows("SELECT 1", args![]).await.unwrap();
        for end in ["", "-wal"] {
            let _ = std::fs::copy(format!("{}{end}", self.folder.path().join("test.db").display()), format!("{to}{end}"));
        }
        copy
    }

    async fn rejoin(&self, cursor: &Cursor) -> rejoin::Rejoined {
        self.log.clock().advance_to(NOW + std::time::Duration::from_secs(60));
        rejoin::rejoin(&self.log, vec![cursor.clone()], false, Origin::system("Rejoin")).await.unwrap()
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(done: kernel::Result<T>) {
    let error = done.unwrap_err();
    assert_eq!((error.code, error.reason), (kernel::Code::Unavailable, guard::WENT_BACK), "{error}");
    assert!(error.message.contains("`samtal log rejoin test`"), "{error}");
}

#[tokio::test]
async fn a_restored_log_takes_no_events_until_it_has_rejoined() {
    let before = Rig::new().await;
    let old = before.say().await.unwrap();
    let backup = before.copy().await;
    let lost = before.say().await.unwrap();

    let restored = Rig::open(backup).await;
    guard::hear(&restored.log, std::slice::from_ref(&old)).await.unwrap();
    let other = restored.say().await.unwrap();
    assert_eq!((other.position, other.event_id == lost.event_id), (lost.position, false));
    guard::hear(&restored.log, std::slice::from_ref(&lost)).await.unwrap();
    refused(restored.say().await);
    restored.look().await.unwrap();
    assert!(restored.log.guard().why().is_some());
    // The mark is the database's: a process that begins now knows it too.
    let again = Rig::open(restored.copy().await).await;
    refused(again.say().await);

    let done = restored.rejoin(&lost).await;
    assert_eq!(restored.log.guard().why(), None);
    assert!(restored.say().await.unwrap().position > lost.position);
    let sql = "SELECT action, key FROM audit_log WHERE action = 'Rejoin'";
    let rows = restored.log.machinery().rows(sql, args![]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.text(1).unwrap()).collect::<Vec<_>>(), [done.incarnation]);
    // Whoever has not followed yet stands below the new incarnation.
    guard::hear(&restored.log, &[lost]).await.unwrap();
    restored.say().await.unwrap();
}

#[tokio::test]
async fn a_log_that_is_behind_what_it_told_takes_no_events() {
    let rig = Rig::new().await;
    rig.say().await.unwrap();
    let seen = rig.say().await.unwrap();
    // A failover: the process lives on, and the last commit is gone.
    let back = "UPDATE log_head SET head = 1, event_id = previous_event_id";
    rig.log.machinery().transaction(move |tx| Box::pin(async move { tx.exec(back, args![]).await })).await.unwrap();
    refused(rig.say().await);
    rig.look().await.unwrap();
    rig.rejoin(&seen).await;
    rig.say().await.unwrap();
}

#[tokio::test]
async fn while_witnesses_are_asked_commands_wait() {
    let rig = Rig::new().await;
    let folder = rig.copy().await;
    let db = Db::open(&format!("sqlite:{}", folder.path().display()), "test").await.unwrap();
    let log = Log::open(&Settings { service: "test", shards: 1 }, db, Clock::manual(NOW), &store::Tables::NONE).await.unwrap();
    log.guard().set(Phase::Asking);
    let rig = Rig { folder, committer: Committer::start(log.clone()), log };
    let mut waiting = std::pin::pin!(rig.say());
    assert!(futures::FutureExt::now_or_never(waiting.as_mut()).is_none());
    tokio::task::yield_now().await;
    assert_eq!(rig.head().await.position, 0);
    rig.log.guard().set(Phase::Doubtful("the bus has more".to_owned()));
    assert_eq!(waiting.await.unwrap_err().reason, guard::UNPROVEN);
    rig.log.guard().set(Phase::Open);
    rig.say().await.unwrap();
}

#[test]
fn what_contradicts_a_log_and_what_does_not() {
    let head = Head { incarnation: "B".into(), incarnation_start: 10, position: 14, event_id: "e14".into(), ..Head::default() };
    let judge = |incarnation: &str, position: i64, event_id: &str, held: Option<&str>| {
        let cursor = Cursor { incarnation: incarnation.into(), position, event_id: event_id.into(), ..Cursor::default() };
        guard::contradiction(&head, held, &cursor).is_some()
    };
    assert!(!judge("", 0, "", None), "it has seen nothing");
    assert!(!judge("A", 9, "lost", None), "declared by the rejoin");
    assert!(!judge("B", 10, "", None), "at the start");
    assert!(!judge("B", 12, "e12", Some("e12")));
    assert!(!judge("B", 12, "", Some("e12")), "only the position is known");
    assert!(judge("B", 12, "x", Some("e12")));
    assert!(judge("B", 12, "x", None));
    assert!(judge("B", 15, "", None), "beyond the end");
    assert!(judge("A", 11, "e11", Some("e11")), "the rejoin began too low");
    assert!(judge("C", 13, "e13", Some("e13")), "a rejoin was forgotten");
    assert!(judge("C", 9, "e9", None), "and lies below this one");
}
