//! What may be forgotten: presence, typing, rate limits, one-use tickets. In memory for one process, in Redis for many.
//!
//! No call fails. While Redis is away each process serves itself from memory, says so once per outage in the log, and
//! goes back to Redis by itself. So losing Redis changes only presence, rate limits and latency (promise P8): presence is
//! set again by the next heartbeat, limits count per process, and a ticket that another process issued is simply asked
//! for anew.

mod gate;
mod memory;
mod remote;

pub mod conformance;

use std::time::Duration;

use kernel::{Clock, Error, Result};

use crate::memory::Memory;
use crate::remote::Remote;

/// The store of what may be forgotten. Cheap to clone; all clones share one store.
#[derive(Clone)]
pub struct Ephemeral(Kind);

#[derive(Clone)]
enum Kind {
    Memory(Memory),
    Redis(Remote),
}

impl Ephemeral {
    /// In memory of this process; everything expires by `clock`, so that a simulated clock expires it too.
    pub fn memory(clock: Clock) -> Self {
        Self(Kind::Memory(Memory::new(clock)))
    }

    /// Opens the store at `url`: `memory:` or `redis://host:port/db`. A Redis that does not answer is no error: it is asked
    /// again in the background, and memory serves meanwhile. Redis expires by its own clock, the memory by `clock`.
    ///
    /// Must be called in a tokio runtime. Errors: `INVALID_FIELD` on `cache` for any other URL.
    pub async fn connect(url: &str, clock: Clock) -> Result<Self> {
        if url == "memory:" || url == "memory://" {
            return Ok(Self::memory(clock));
        }
        if !url.starts_with("redis://") {
            return Err(Error::invalid("cache", "must be memory: or redis://host:port"));
        }
        // The driver's message may quote the URL and the password in it.
        let client = redis::Client::open(url).map_err(|_| Error::invalid("cache", "is not a valid redis:// URL"))?;
        Ok(Self(Kind::Redis(Remote::start(client, Memory::new(clock)).await)))
    }

    /// Whether Redis is in use and answers; always true in memory. For readiness and metrics, not for decisions.
    pub fn is_healthy(&self) -> bool {
        match &self.0 {
            Kind::Memory(_) => true,
            Kind::Redis(remote) => remote.is_up(),
        }
    }

    /// Marks `key` as present through `by` (one of its open screens, say) for `ttl` from now, at least a millisecond.
    pub async fn set_present(&self, key: &str, by: &str, ttl: Duration) {
        match &self.0 {
            Kind::Memory(memory) => memory.set_present(key, by, ttl),
            Kind::Redis(remote) => remote.set_present(key, by, ttl).await,
        }
    }

    /// Forgets that `key` is present through `by`; through others it still is.
    pub async fn clear_present(&self, key: &str, by: &str) {
        match &self.0 {
            Kind::Memory(memory) => memory.clear_present(key, by),
            Kind::Redis(remote) => remote.clear_present(key, by).await,
        }
    }

    /// Whether `key` is present through anything.
    pub async fn is_present(&self, key: &str) -> bool {
        self.present(&[key.to_owned()]).await.first().copied().unwrap_or(false)
    }

    /// Whether each of `keys` is present, in their order; one round trip.
    pub async fn present(&self, keys: &[String]) -> Vec<bool> {
        match &self.0 {
            Kind::Memory(memory) => memory.present(keys),
            Kind::Redis(remote) => remote.present(keys).await,
        }
    }

    /// Takes one of the `limit` acts that `key` has per `window`. They come back evenly (GCRA): after `limit` at once, one
    /// every `window / limit`. A `limit` of zero allows nothing.
    ///
    /// Errors: how long to wait until the next act will be allowed.
    pub async fn allow(&self, key: &str, limit: u32, window: Duration) -> Result<(), Duration> {
        let Some(gate) = gate::Gate::new(limit, window) else {
            return Err(window);
        };
        match &self.0 {
            Kind::Memory(memory) => memory.allow(key, gate),
            Kind::Redis(remote) => remote.allow(key, gate).await,
        }
    }

    /// Stores `value` under `key` for `ttl`, to be taken once. A ticket of the same key is replaced.
    pub async fn put_ticket(&self, key: &str, value: &str, ttl: Duration) {
        match &self.0 {
            Kind::Memory(memory) => memory.put_ticket(key, value, ttl),
            Kind::Redis(remote) => remote.put_ticket(key, value, ttl).await,
        }
    }

    /// Takes the ticket: of all calls with this key, in all processes, one gets it. None once it was taken or expired, or when
    /// Redis forgot it; the caller asks for a new one.
    pub async fn take_ticket(&self, key: &str) -> Option<String> {
        match &self.0 {
            Kind::Memory(memory) => memory.take_ticket(key),
            Kind::Redis(remote) => remote.take_ticket(key).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::{Code, Time};

    use super::*;

    #[tokio::test]
    async fn memory_conforms_by_a_simulated_clock() {
        let clock = Clock::manual(Time::from_secs(1_800_000_000));
        conformance::run(&Ephemeral::memory(clock.clone()), &clock).await;
    }

    #[tokio::test]
    async fn memory_conforms_by_the_system_clock() {
        let clock = Clock::system();
        conformance::run(&Ephemeral::connect("memory:", clock.clone()).await.unwrap(), &clock).await;
    }

    #[tokio::test]
    async fn other_schemes_are_refused_and_no_password_is_repeated() {
        for url in ["", "memcached://x", "http://x", "redis://:secret@host:notaport", "/tmp/x"] {
            let error = Ephemeral::connect(url, Clock::system()).await.err().unwrap();
            assert_eq!((error.code, error.violations[0].field.as_str()), (Code::InvalidArgument, "cache"));
            assert!(!error.message.contains("secret"));
        }
    }

    #[tokio::test]
    async fn without_a_server_memory_serves() {
        // Bound and dropped: nobody listens there.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let clock = Clock::manual(Time::from_secs(1_800_000_000));
        let store = Ephemeral::connect(&format!("redis://{address}"), clock.clone()).await.unwrap();
        assert!(!store.is_healthy());
        conformance::run(&store, &clock).await;
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_a_server_that_is_not_there() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let clock = Clock::manual(Time::from_secs(1_800_000_000));
        let store = Ephemeral::connect(&format!("redis://{}", silent.local_addr().unwrap()), clock.clone()).await.unwrap();
        conformance::run(&store, &clock).await;
    }
}
