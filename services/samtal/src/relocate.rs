//! From one machine's embedded store to PostgreSQL, when an installation outgrows it.

use kernel::{Error, Result, Time};
use store::Db;

use crate::folder::Folder;
use crate::suite::{SERVICES, tables};

/// Copies `service`'s tables; answers how many rows. Nobody can use them there before [`finish`].
pub async fn copy(folder: &Folder, to: &str, service: &'static str, now: Time) -> Result<u64> {
    let from = Db::open(&folder.store_url(), service).await?;
    let target = target(to, service).await?;
    let copied = store::copy(&from, &target, &[&log::TABLES, tables(service)?], now).await;
    target.close().await;
    from.close().await;
    copied.map_err(|error| Error { message: format!("{service}: {}", error.message), ..error })
}

/// Lets the services use what was copied, and closes the folder's own store for good.
pub async fn finish(folder: &Folder, to: &str) -> Result<()> {
    // First the folder: two that both take messages would be two truths.
    folder.mark_moved(&without_password(to))?;
    for service in SERVICES {
        let target = target(to, service).await?;
        let done = store::copied(&target).await;
        target.close().await;
        done?;
    }
    Ok(())
}

async fn target(to: &str, service: &str) -> Result<Db> {
    if !to.starts_with("postgres") {
        return Err(Error::invalid("to", "must be postgres://USER@HOST/DATABASE"));
    }
    Db::open(to, service).await
}

/// An address that may be shown.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((login, host)) => format!("{scheme}://{}@{host}", login.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}
