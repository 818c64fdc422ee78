//! Connections to PostgreSQL, and what becomes of those that lead nowhere. A machine that dies, an address that moves in a
//! failover, a firewall that forgets: nobody tells our end, and a statement would wait for ever. So each has its time; once one
//! has overstayed it, the whole pool is replaced.
//!
//! The whole pool, since sqlx 0.9 asks a connection that is given back whether it still lives, without a limit of time: one
//! that leads nowhere keeps its place for good, and a pool of them none for anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kernel::{Error, Result};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::from_sqlx;

/// For a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// To begin a transaction takes no lock and reads no row. As long has a statement that is under way when its pool is replaced.
const BEGIN: Duration = Duration::from_secs(6);
/// Beyond the server's own limits: a lock is waited for 2 s, and no statement of a command is long.
const WRITE: Duration = Duration::from_secs(12);
/// Beyond the server's `statement_timeout`.
const READ: Duration = Duration::from_secs(33);
/// For connections to end in order.
const CLOSE: Duration = Duration::from_secs(5);

/// How long statements may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    Read,
    Write,
    /// As long as they need: for an owner, who has one thing to do.
    Endless,
}

/// A pool that is replaced when it leads nowhere. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Inner>);

struct Inner {
    login: PgConnectOptions,
    most: u32,
    current: watch::Sender<Current>,
}

#[derive(Clone)]
struct Current {
    pool: PgPool,
    made: Instant,
    /// Connections that somebody works with.
    used: Arc<AtomicU32>,
}

/// A connection that somebody works with.
pub(crate) struct Used {
    pub conn: PoolConnection<Postgres>,
    used: Arc<AtomicU32>,
}

impl Drop for Used {
    fn drop(&mut self) {
        self.used.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    /// At most so many. Nothing is connected yet.
    pub fn new(login: PgConnectOptions, most: u32) -> Self {
        let current = watch::Sender::new(Current::new(&login, most));
        Self(Arc::new(Inner { login, most, current }))
    }

    pub fn most(&self) -> u32 {
        self.0.most
    }

    pub async fn acquire(&self) -> Result<Used> {
        loop {
            let (current, began) = (self.0.current.borrow().clone(), Instant::now());
            match current.pool.acquire().await {
                Ok(conn) => {
                    current.used.fetch_add(1, Ordering::Relaxed);
                    return Ok(Used { conn, used: current.used });
                }
                // Replaced while we waited.
                Err(sqlx::Error::PoolClosed) if self.0.current.borrow().made != current.made => {}
                Err(error) => {
                    let is_full = current.used.load(Ordering::Relaxed) >= self.0.most;
                    if matches!(error, sqlx::Error::PoolTimedOut) && !is_full {
                        // Places are taken, and not by anybody who works.
                        self.replace(began);
                    }
                    return Err(from_sqlx(error));
                }
            }
        }
    }

    /// What was begun then was not answered in time: unless the pool is younger, another takes its place.
    fn replace(&self, began: Instant) {
        let mut old = None;
        self.0.current.send_if_modified(|current| {
            if current.made > began {
                return false;
            }
            old = Some(std::mem::replace(current, Current::new(&self.0.login, self.0.most)).pool);
            true
        });
        if let Some(old) = old {
            tracing::warn!("PostgreSQL does not answer on a connection; new ones take the place of all");
            tokio::spawn(async move { tokio::time::timeout(CLOSE, old.close()).await });
        }
    }

    /// Begins a transaction with `work`.
    pub async fn begin<T>(&self, patience: Patience, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
        self.within((patience != Patience::Endless).then_some(BEGIN), work).await
    }

    pub async fn statement<T>(&self, patience: Patience, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
        let limit = match patience {
            Patience::Read => Some(READ),
            Patience::Write => Some(WRITE),
            Patience::Endless => None,
        };
        self.within(limit, work).await
    }

    /// A connection on which this gives up must not be used again: what is still to come would be taken for the next answer.
    async fn within<T>(&self, limit: Option<Duration>, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
        let Some(limit) = limit else { return work.await.map_err(from_sqlx) };
        let (began, mut news) = (Instant::now(), self.0.current.subscribe());
        let replaced = async {
            // Ends only with the pool itself.
            let _ = news.changed().await;
            tokio::time::sleep(BEGIN).await;
        };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done.map_err(from_sqlx),
            () = tokio::time::sleep(limit) => self.replace(began),
            () = replaced => {}
        }
        Err(Error::unavailable(format!("the database does not answer: nothing came for {} s", began.elapsed().as_secs())))
    }

    /// Ends all connections; those that lead nowhere end with the process.
    pub async fn close(&self) {
        let pool = self.0.current.borrow().pool.clone();
        if tokio::time::timeout(CLOSE, pool.close()).await.is_err() {
            tracing::warn!("a connection to PostgreSQL did not end in order");
        }
    }
}

impl Current {
    fn new(login: &PgConnectOptions, most: u32) -> Self {
        // Not pinged before each use: the BEGIN finds out whether a connection still lives.
        let options = PgPoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE).test_before_acquire(false);
        Self { pool: options.connect_lazy_with(login.clone()), made: Instant::now(), used: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Connections {
        Connections::new(PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1), 2)
    }

    #[tokio::test]
    async fn what_says_nothing_is_given_up_with_its_pool_and_a_younger_pool_is_kept() {
        let connections = nowhere();
        let first = connections.0.current.borrow().made;
        let silent = || std::future::pending::<Result<(), sqlx::Error>>();
        let began = Instant::now();
        let error = connections.within(Some(Duration::from_millis(5)), silent()).await.unwrap_err();
        assert_eq!(error.code, kernel::Code::Unavailable);
        let second = connections.0.current.borrow().made;
        assert!(second > first, "another took its place");
        connections.replace(began);
        assert_eq!(connections.0.current.borrow().made, second, "what began before it says nothing about it");
    }

    #[tokio::test]
    async fn what_answers_is_left_alone() {
        let connections = nowhere();
        let slow = async {
            connections.replace(Instant::now());
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(7)
        };
        assert_eq!(connections.statement(Patience::Read, slow).await.unwrap(), 7);
    }
}
