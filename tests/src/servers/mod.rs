//! Private PostgreSQL, NATS and Redis servers on loopback.
//!
//! Use [`shared_postgres`] and its like with data of one's own (a fresh database, a prefix); start one's own server in a test that kills
//! it. A server keeps its port and its data over `kill` and `restart`. `.ci/tools` finds or installs the programs.

mod instance;
mod nats;
mod postgres;
mod redis;

pub use nats::{Nats, url_as};
pub use postgres::Postgres;
pub use redis::Redis;

use crate::workspace_root;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One PostgreSQL for this test process, started at first use. Never kill it; use [`Postgres::fresh_database`].
pub fn shared_postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(Postgres::start)
}

/// One NATS server for this test process. Never kill it; streams and subjects are shared, so prefix them.
pub fn shared_nats() -> &'static Nats {
    static SHARED: OnceLock<Nats> = OnceLock::new();
    SHARED.get_or_init(Nats::start)
}

/// One Redis for this test process. Never kill or flush it; keys are shared, so prefix them.
pub fn shared_redis() -> &'static Redis {
    static SHARED: OnceLock<Redis> = OnceLock::new();
    SHARED.get_or_init(Redis::start)
}

/// Where a tool is: environment, then what `.ci/tools` wrote, then `elsewhere`.
pub(crate) fn tool(variable: &str, elsewhere: impl FnOnce() -> Option<PathBuf>) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .or_else(|| {
            let written = std::fs::read_to_string(workspace_root().join("target/tools/env")).ok()?;
            let line = written.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('='))?;
            Some(PathBuf::from(line.trim_matches('\''))).filter(|path| path.exists())
        })
        .or_else(elsewhere)
        .unwrap_or_else(|| panic!("{variable} is unset and the tool is nowhere to be found: run make test, or .ci/tools first"))
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Copies a folder with all that is in it; `to` must not exist.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
