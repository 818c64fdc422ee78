//! What in the servers is unsafe, or does not fit Samtal. Each thing is one line, so that a deployment can be read down.

use std::time::Duration;

use bus::Bus;
use kernel::{Clock, Result};
use store::Db;

use crate::config::Config;
use crate::suite::SERVICES;

/// The oldest that Samtal is tested with.
const POSTGRES: i64 = 15;
const NATS: (u32, u32) = (2, 10);
/// Clocks that differ by more shift what is due.
const OFFSET: Duration = Duration::from_secs(2);
/// Connections of a process of a service: its pool, and one that migrates.
const CONNECTIONS: i64 = 13;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    Fine,
    /// It may be meant so.
    Think,
    /// What was acknowledged can be lost, or be seen by others.
    Unsafe,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub grade: Grade,
    /// `PostgreSQL`, `NATS`, `clock`.
    pub about: &'static str,
    pub found: String,
}

impl Line {
    pub fn text(&self) -> String {
        let grade = match self.grade {
            Grade::Fine => "fine  ",
            Grade::Think => "think ",
            Grade::Unsafe => "UNSAFE",
        };
        format!("{grade} {}: {}", self.about, self.found)
    }
}

fn line(about: &'static str, grade: Grade, found: impl Into<String>) -> Line {
    Line { grade, about, found: found.into() }
}

/// Asks until there is an answer, for as long as a server may take that has just started.
pub async fn answered<T>(patience: Duration, mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let started = std::time::Instant::now();
    loop {
        match ask().await {
            Err(error) if error.is_transient() && started.elapsed() < patience => tokio::time::sleep(Duration::from_millis(100)).await,
            done => return done,
        }
    }
}

/// Looks at all servers that the settings name; one that does not answer within `patience` is a line too.
pub async fn look(config: &Config, clock: &Clock, patience: Duration) -> Vec<Line> {
    let mut lines = Vec::new();
    if config.is_embedded() {
        lines.push(line("store", Grade::Fine, "embedded: one machine, one disk; back it up (`samtal backup`)"));
    } else {
        match tokio::time::timeout(patience, postgres(config, clock)).await {
            Ok(Ok(found)) => lines.extend(found),
            Ok(Err(error)) => lines.push(line("PostgreSQL", Grade::Unsafe, error.message)),
            Err(_) => lines.push(line("PostgreSQL", Grade::Unsafe, format!("does not answer within {} s", patience.as_secs()))),
        }
    }
    if config.bus.starts_with("local:") {
        lines.push(line("bus", Grade::Fine, "inside the process"));
    } else {
        match nats(config, patience).await {
            Ok(found) => lines.extend(found),
            Err(error) => lines.push(line("NATS", Grade::Unsafe, error.message)),
        }
    }
    let (grade, found) = match config.cache.as_str() {
        "memory:" => (Grade::Fine, "in the process; several replicas of a service need Redis".to_owned()),
        url if url.contains('@') => (Grade::Fine, "named with a password".to_owned()),
        _ => (Grade::Think, "named without a password: nobody else may reach it".to_owned()),
    };
    lines.push(line("cache", grade, found));
    if config.demo {
        lines.push(line("demo", Grade::Unsafe, "logins that everybody knows are allowed"));
    }
    lines
}

async fn postgres(config: &Config, clock: &Clock) -> Result<Vec<Line>> {
    const ABOUT: &str = "PostgreSQL";
    let db = Db::open(&config.store, "intake").await?;
    let before = clock.now();
    let server = db.server().await;
    let after = clock.now();
    db.close().await;
    let server = server?;
    let setting = |name: &str| server.settings.get(name).map_or("", String::as_str);
    let mut lines = Vec::new();
    let mut say = |grade: Grade, found: String| lines.push(line(ABOUT, grade, found));
    let version = setting("server_version").split(' ').next().unwrap_or_default().to_owned();
    match server.version / 10_000 {
        major if major < POSTGRES => say(Grade::Unsafe, format!("version {version} is older than {POSTGRES}")),
        _ => say(Grade::Fine, format!("version {version}")),
    }
    if server.standby {
        say(Grade::Unsafe, "is a standby and takes no writes: name the primary".to_owned());
    }
    for name in ["fsync", "full_page_writes"] {
        match setting(name) {
            "on" => say(Grade::Fine, format!("{name} = on")),
            other => say(Grade::Unsafe, format!("{name} = {other}: a power cut loses or breaks what was acknowledged")),
        }
    }
    match (setting("synchronous_commit"), setting("synchronous_standby_names")) {
        ("off", _) => say(Grade::Unsafe, "synchronous_commit = off: a power cut loses what was acknowledged".to_owned()),
        (_, "") => {
            say(Grade::Think, "no synchronous standby: a failover loses what it had not received, and needs `samtal log rejoin`".to_owned())
        }
        ("local", _) => say(Grade::Think, "synchronous_commit = local: a failover may lose what was acknowledged".to_owned()),
        (how, standbys) => say(Grade::Fine, format!("synchronous_commit = {how} to {standbys}")),
    }
    if server.login_passes_by {
        say(Grade::Unsafe, format!("the login {} is a superuser or has BYPASSRLS: give services one that has neither", server.login));
    } else {
        say(Grade::Fine, format!("the login {} passes by no policy", server.login));
    }
    if server.login_makes {
        let found = format!("the login {} may make roles and schemas: `samtal provision --login` lets services do without", server.login);
        say(Grade::Think, found);
    }
    if server.encrypted {
        say(Grade::Fine, "the connection is encrypted".to_owned());
    } else {
        say(Grade::Think, "the connection is not encrypted: sslmode=verify-full, unless it stays on one machine".to_owned());
    }
    let (needed, most) = (CONNECTIONS * SERVICES.len() as i64, setting("max_connections").parse().unwrap_or(0));
    if most < needed {
        say(Grade::Unsafe, format!("max_connections = {most}: one replica of each service may need {needed}"));
    } else {
        say(Grade::Fine, format!("max_connections = {most}; each replica of all services may need {needed}"));
    }
    // Between the two readings of our own clock lies the server's.
    let offset = if server.now < before { before.since(server.now) } else { server.now.since(after) };
    let grade = if offset > OFFSET { Grade::Think } else { Grade::Fine };
    lines.push(line("clock", grade, format!("PostgreSQL's and this machine's are {} ms apart; its counts", offset.as_millis())));
    Ok(lines)
}

async fn nats(config: &Config, patience: Duration) -> Result<Vec<Line>> {
    const ABOUT: &str = "NATS";
    let bus = Bus::connect(config.bus(), "provision").await?;
    let Some(server) = answered(patience, async || bus.server().await).await? else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    let mut say = |grade: Grade, found: String| lines.push(line(ABOUT, grade, found));
    let mut numbers = server.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < NATS {
        say(Grade::Unsafe, format!("version {} is older than {}.{}", server.version, NATS.0, NATS.1));
    } else {
        say(Grade::Fine, format!("version {}, {} server(s)", server.version, server.servers));
    }
    match server.replicas {
        None => say(Grade::Think, "no stream yet: `samtal provision` makes it, or the first event".to_owned()),
        Some(1) if server.servers >= 3 => {
            say(Grade::Think, "the stream has one copy in a cluster of three: `samtal provision` gives it three".to_owned());
        }
        Some(copies) => say(Grade::Fine, format!("the stream has {copies} cop{}", if copies == 1 { "y" } else { "ies" })),
    }
    if server.small {
        say(
            Grade::Think,
            "had no room for the whole stream: give JetStream 5 GiB of disk (max_file_store), then `samtal provision`".to_owned(),
        );
    }
    match (server.asks_who, server.encrypted) {
        (true, true) => say(Grade::Fine, "asks who we are, and the connection is encrypted".to_owned()),
        (true, false) => say(Grade::Think, "asks who we are, but the connection is not encrypted: tls://".to_owned()),
        (false, _) => say(Grade::Think, "lets everybody in who reaches it: give each service a user of its own".to_owned()),
    }
    say(
        Grade::Think,
        "how often it writes to the disk cannot be seen from here: `sync_interval: always`; the logs hold what it loses".to_owned(),
    );
    Ok(lines)
}
