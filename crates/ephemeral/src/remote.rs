//! The store in Redis, with this process's memory behind it for as long as Redis is away.

use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, Script};
use tracing::{info, warn};

use crate::gate::Gate;
use crate::memory::{Memory, micros};

/// How long Redis has for one command or one attempt to connect.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Pauses between attempts to connect: doubled from the first up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// `gate::Gate::pass`, atomic in the server and by the server's clock, so that all processes agree.
/// Numbers stay below 2^53, where Lua's doubles are exact; `%.0f` because tostring would keep 14 digits only.
static ALLOW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
         local cost, window = tonumber(ARGV[1]), tonumber(ARGV[2])
         local paid = tonumber(redis.call('GET', KEYS[1]) or now)
         paid = math.min(math.max(paid, now), now + window)
         local next = paid + cost
         local wait = next - window - now
         if wait > 0 then return wait end
         redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
         return 0",
    )
});

/// A key's screens with the moment at which each is over, by the server's clock; the key lives as long as the last of them.
static SHOW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
         local ttl = tonumber(ARGV[2])
         redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
         redis.call('ZADD', KEYS[1], string.format('%.0f', now + ttl), ARGV[1])
         redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(ttl, redis.call('PTTL', KEYS[1]))))
         return 0",
    )
});

/// Which of the keys have a screen that is not over.
static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
         local present = {}
         for at, key in ipairs(KEYS) do
             present[at] = redis.call('ZCOUNT', key, string.format('(%.0f', now), '+inf') > 0 and 1 or 0
         end
         return present",
    )
});

#[derive(Clone)]
pub(crate) struct Remote(Arc<Shared>);

struct Shared {
    client: Client,
    memory: Memory,
    link: Mutex<Link>,
}

/// The connection, if Redis answers.
#[derive(Default)]
struct Link {
    connection: Option<MultiplexedConnection>,
    /// Counts connections: of many calls that fail on one connection, the first ends it.
    generation: u64,
}

impl Remote {
    /// Tries to connect once; if that fails it goes on in the background.
    pub async fn start(client: Client, memory: Memory) -> Self {
        let shared = Arc::new(Shared { client, memory, link: Mutex::default() });
        match open(&shared.client).await {
            Ok(connection) => shared.link().connection = Some(connection),
            Err(error) => {
                warn!(%error, "Redis does not answer; presence, rate limits and tickets are kept in memory until it does");
                tokio::spawn(reconnect(Arc::downgrade(&shared), shared.client.clone()));
            }
        }
        Self(shared)
    }

    pub fn is_up(&self) -> bool {
        self.0.link().connection.is_some()
    }

    pub async fn set_present(&self, key: &str, by: &str, ttl: Duration) {
        let done = self
            .call(async |mut connection| SHOW.key(present_key(key)).arg(by).arg(millis(ttl)).invoke_async::<i64>(&mut connection).await)
            .await;
        if done.is_none() {
            self.0.memory.set_present(key, by, ttl);
        }
    }

    pub async fn clear_present(&self, key: &str, by: &str) {
        // Whatever an outage left behind goes too.
        self.0.memory.clear_present(key, by);
        let mut command = redis::cmd("ZREM");
        command.arg(present_key(key)).arg(by);
        self.run::<()>(&command).await;
    }

    pub async fn present(&self, keys: &[String]) -> Vec<bool> {
        // What was set during an outage lives in memory until it expires, the outage over or not.
        let mut present = self.0.memory.present(keys);
        if present.contains(&false) {
            let found = self
                .call(async |mut connection| {
                    let mut look = LOOK.prepare_invoke();
                    for key in keys {
                        look.key(present_key(key));
                    }
                    look.invoke_async::<Vec<bool>>(&mut connection).await
                })
                .await;
            for (present, found) in present.iter_mut().zip(found.unwrap_or_default()) {
                *present |= found;
            }
        }
        present
    }

    pub async fn allow(&self, key: &str, gate: Gate) -> Result<(), Duration> {
        let script = &*ALLOW;
        let waited = self
            .call(async |mut connection| {
                script.key(format!("samtal:limit:{key}")).arg(gate.cost).arg(gate.window).invoke_async::<i64>(&mut connection).await
            })
            .await;
        match waited {
            Some(0) => Ok(()),
            Some(wait) => Err(micros(wait)),
            None => self.0.memory.allow(key, gate),
        }
    }

    pub async fn put_ticket(&self, key: &str, value: &str, ttl: Duration) {
        let mut command = redis::cmd("SET");
        command.arg(ticket_key(key)).arg(value).arg("PX").arg(millis(ttl));
        if self.run::<()>(&command).await.is_none() {
            // It may have reached Redis all the same (a timeout tells nothing); `take_ticket` takes both.
            self.0.memory.put_ticket(key, value, ttl);
        }
    }

    pub async fn take_ticket(&self, key: &str) -> Option<String> {
        let spare = self.0.memory.take_ticket(key);
        let mut command = redis::cmd("GETDEL");
        command.arg(ticket_key(key));
        self.run::<Option<String>>(&command).await.flatten().or(spare)
    }

    async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        self.call(async |mut connection| command.query_async(&mut connection).await).await
    }

    /// Runs a call on the connection; None if Redis is away. The call that finds it gone starts the way back.
    async fn call<T, F: Future<Output = RedisResult<T>>>(&self, call: impl FnOnce(MultiplexedConnection) -> F) -> Option<T> {
        let (connection, generation) = {
            let link = self.0.link();
            (link.connection.clone()?, link.generation)
        };
        let error = match tokio::time::timeout(TIMEOUT, call(connection)).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error,
            Err(_) => RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)),
        };
        let first = {
            let mut link = self.0.link();
            let first = link.generation == generation && link.connection.take().is_some();
            link.generation += u64::from(first);
            first
        };
        if first {
            warn!(%error, "Redis is lost; presence, rate limits and tickets are kept in memory until it is back");
            tokio::spawn(reconnect(Arc::downgrade(&self.0), self.0.client.clone()));
        }
        None
    }
}

impl Shared {
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries until Redis takes a write or the last handle is gone.
async fn reconnect(shared: Weak<Shared>, client: Client) {
    let (mut pause, longest) = PAUSES;
    loop {
        tokio::time::sleep(pause).await;
        if shared.strong_count() == 0 {
            return;
        }
        if let Ok(connection) = open(&client).await {
            if let Some(shared) = shared.upgrade() {
                shared.link().connection = Some(connection);
                info!("Redis is back");
            }
            return;
        }
        pause = (pause * 2).min(longest);
    }
}

/// Connects and writes: a replica or a full server answers PING, and would be lost again at the first use.
async fn open(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT)).set_response_timeout(Some(TIMEOUT));
    let attempt = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd("SET").arg("samtal:probe").arg(1).arg("PX").arg(1000).query_async::<()>(&mut connection).await?;
        Ok(connection)
    };
    // One limit over all: connecting, greeting and writing.
    match tokio::time::timeout(TIMEOUT * 2, attempt).await {
        Ok(result) => result,
        Err(_) => Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
    }
}

fn present_key(key: &str) -> String {
    format!("samtal:screens:{key}")
}

fn ticket_key(key: &str) -> String {
    format!("samtal:ticket:{key}")
}

/// Redis refuses an expiry of zero.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, 366 * 86_400 * 1000)
}
