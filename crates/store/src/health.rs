//! Connections to PostgreSQL that lead nowhere. A machine that dies, an address that moves in a failover, a firewall that
//! forgets: nobody tells our end, and a statement would wait for ever. So each has its time; and once one has overstayed it,
//! every connection that is as old is let go before it is used again.

use std::time::Duration;

use kernel::{Error, Result};
use tokio::sync::watch;
use tokio::time::Instant;

/// To begin a transaction takes no lock and reads no row. As long has a statement that is under way when its connection
/// comes into doubt.
const BEGIN: Duration = Duration::from_secs(6);
/// Beyond the server's own limits: a lock is waited for 2 s, and no statement of a command is long.
const WRITE: Duration = Duration::from_secs(12);
/// Beyond the server's `statement_timeout`.
const READ: Duration = Duration::from_secs(33);

/// What is known of a pool's connections: those that were there at this moment may lead nowhere. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Health(watch::Sender<Option<Instant>>);

/// How long a transaction's statements may take.
#[derive(Clone)]
pub(crate) struct Patience {
    health: Health,
    statement: Duration,
}

impl Health {
    /// Whether a connection of this age may be used.
    pub fn trusts(&self, age: Duration) -> bool {
        let doubted = *self.0.borrow();
        doubted.is_none_or(|since| Instant::now().checked_sub(age).is_some_and(|born| born > since))
    }

    /// A statement that began then was not answered in time.
    fn doubt(&self, began: Instant) {
        tracing::warn!("PostgreSQL does not answer on a connection; new ones take the place of all that are as old");
        self.0.send_modify(|since| *since = (*since).max(Some(began)));
    }

    pub fn writing(&self) -> Patience {
        Patience { health: self.clone(), statement: WRITE }
    }

    pub fn reading(&self) -> Patience {
        Patience { health: self.clone(), statement: READ }
    }
}

impl Patience {
    pub async fn statement<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
        self.within(self.statement, work).await
    }

    pub async fn begin<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
        self.within(BEGIN, work).await
    }

    /// A connection on which this gives up must not be used again: what is still to come would be taken for the next answer.
    async fn within<T>(&self, limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
        let started = Instant::now();
        let doubted = async {
            // Ends only with the health itself.
            let mut news = self.health.0.subscribe();
            let _ = news.changed().await;
            tokio::time::sleep(BEGIN).await;
        };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done.map_err(crate::error::from_sqlx),
            () = tokio::time::sleep(limit) => self.health.doubt(started),
            () = doubted => {}
        }
        Err(Error::unavailable(format!("the database does not answer: nothing came for {} s", started.elapsed().as_secs())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_says_nothing_is_given_up_and_so_is_whatever_is_as_old() {
        let (health, old) = (Health::default(), Instant::now());
        assert!(health.trusts(old.elapsed()));
        let silent = std::future::pending::<Result<(), sqlx::Error>>();
        let error = health.writing().within(Duration::from_millis(5), silent).await.unwrap_err();
        assert_eq!(error.code, kernel::Code::Unavailable);
        assert!(!health.trusts(old.elapsed()), "it was there then");
        assert!(health.trusts(Duration::ZERO), "made since");
    }

    #[tokio::test]
    async fn one_that_answers_is_left_alone() {
        let health = Health::default();
        let slow = async {
            health.doubt(Instant::now());
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(7)
        };
        assert_eq!(health.reading().statement(slow).await.unwrap(), 7);
    }
}
