//! Steps of deployment: what the servers must hold, and whether they are fit.

use std::process::ExitCode;
use std::time::Duration;

use bus::Bus;
use kernel::{Clock, Error, Result};
use store::Db;
use suite::check::{self, Grade};
use suite::config::{Config, Flags};
use suite::suite::{SERVICES, tables};

/// How long a server may take to answer the first time.
const PATIENCE: Duration = Duration::from_secs(15);

/// Roles, schemas and tables in PostgreSQL, and the stream in NATS. What is there already stays.
pub async fn provision(logins: &[String], flags: &Flags) -> Result<ExitCode> {
    let config = Config::load(flags)?;
    let store = server(&config)?;
    for service in SERVICES {
        let db = shaped(store, service).await?;
        for login in logins {
            store::migrate::let_in(&db, login).await.map_err(|error| named(service, error))?;
        }
        say!(
            "{service}: roles, schema and tables{}",
            if logins.is_empty() { String::new() } else { format!(", for {}", logins.join(", ")) }
        );
        db.close().await;
    }
    let bus = Bus::connect(config.bus(), "provision").await?;
    let stands = check::answered(PATIENCE, async || bus.provision().await).await;
    say!("NATS: {}", stands.map_err(|error| named("NATS", error))?);
    Ok(ExitCode::SUCCESS)
}

/// The databases alone.
pub async fn migrate(flags: &Flags) -> Result<ExitCode> {
    let config = Config::load(flags)?;
    let store = server(&config)?;
    for service in SERVICES {
        shaped(store, service).await?.close().await;
        say!("{service}: in this version's shape");
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for each thing that was looked at.
pub async fn check(flags: &Flags) -> Result<ExitCode> {
    let config = Config::load(flags)?;
    let lines = check::look(&config, &Clock::system(), PATIENCE).await;
    for line in &lines {
        say!("{}", line.text());
    }
    let count = |grade: Grade| lines.iter().filter(|line| line.grade == grade).count();
    say!("{} unsafe, {} to think about, {} fine.", count(Grade::Unsafe), count(Grade::Think), count(Grade::Fine));
    Ok(if count(Grade::Unsafe) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn server(config: &Config) -> Result<&str> {
    if config.is_embedded() {
        return Err(Error::invalid(
            "store",
            "must name a PostgreSQL server; an embedded store is made and brought up to date by `samtal up`",
        ));
    }
    Ok(&config.store)
}

async fn shaped(store: &str, service: &str) -> Result<Db> {
    let db = Db::open(store, service).await?;
    let all = [&log::TABLES, tables(service)?];
    store::migrate::migrate(&db, &all, Clock::system().now()).await.map_err(|error| named(service, error))?;
    Ok(db)
}

fn named(what: &str, error: Error) -> Error {
    Error { message: format!("{what}: {}", error.message), ..error }
}
