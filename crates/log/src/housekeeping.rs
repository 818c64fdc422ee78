//! What is kept for a while only. By business time, looked at in real time: a simulated clock does not wait for it.

use std::time::Duration;

use kernel::Result;
use store::args;
use tokio_util::sync::CancellationToken;

use crate::log::Log;

/// How long a command's answer is kept for a repetition of the command.
pub const ANSWERS_KEPT: Duration = Duration::from_secs(7 * 86_400);

const EVERY: Duration = Duration::from_secs(3600);
/// Most rows that are deleted in one transaction.
const BATCH: i64 = 1000;

/// Tidies up at the start and every hour until `shutdown`. Replicas may do it at once.
pub async fn run(log: Log, shutdown: CancellationToken) {
    let tidy = async {
        loop {
            match forget_answers(&log).await {
                Ok(0) => {}
                Ok(gone) => tracing::debug!(service = log.service(), gone, "old answers were forgotten"),
                Err(error) => tracing::warn!(service = log.service(), %error, "old answers were not forgotten; they will be"),
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = tidy => {}
        () = shutdown.cancelled() => {}
    }
}

/// Deletes answers that are older than [`ANSWERS_KEPT`]; says how many.
pub async fn forget_answers(log: &Log) -> Result<u64> {
    let before = log.clock().now() - ANSWERS_KEPT;
    let mut gone = 0;
    loop {
        // Looked at first, because a transaction that deletes nothing would still hold others up.
        if log.machinery().row("SELECT 1 FROM idempotency WHERE created_at < $1 LIMIT 1", args![before]).await?.is_none() {
            return Ok(gone);
        }
        gone += log
            .machinery()
            .transaction(move |tx| {
                Box::pin(async move {
                    tx.exec(
                        "DELETE FROM idempotency WHERE (principal, method, request_id) IN \
                         (SELECT principal, method, request_id FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
                        args![before, BATCH],
                    )
                    .await
                })
            })
            .await?;
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Clock, Id, Time};
    use store::Db;

    use super::*;
    use crate::unit::Once;
    use crate::{Committer, Origin, Settings};

    #[tokio::test]
    async fn answers_older_than_seven_days_are_forgotten_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite:{}", folder.path().display()), "test").await.unwrap();
        let clock = Clock::manual(Time::from_secs(1_800_000_000));
        let log = Log::open(&Settings { service: "test", shards: 1 }, db, clock.clone(), &store::Tables::NONE).await.unwrap();
        let committer = Committer::start(log.clone());
        let remember = async |number: usize| {
            let request = proto::log::HeadsRequest { service: number.to_string(), ..Default::default() };
            let once = Once::new("visitor:v".to_owned(), "Test", &format!("request-{number}"), &request);
            let key = Id::new(clock.now()).to_string();
            committer
                .run(&key.clone(), Origin::system("test").of("care"), move |unit| {
                    let (once, key, answer) = (once.clone(), key.clone(), request.clone());
                    Box::pin(async move { unit.remember_answer(&once, &key, &answer).await })
                })
                .await
                .unwrap();
        };
        for number in 0..3 {
            remember(number).await;
        }
        let count = async || log.machinery().row("SELECT COUNT(*) FROM idempotency", args![]).await.unwrap().unwrap().int(0).unwrap();
        clock.advance_to(clock.now() + ANSWERS_KEPT);
        remember(3).await;
        assert_eq!(forget_answers(&log).await.unwrap(), 0, "seven days are not over");
        clock.advance_to(clock.now() + Duration::from_micros(1));
        assert_eq!(forget_answers(&log).await.unwrap(), 3);
        assert_eq!(count().await, 1);
    }
}
