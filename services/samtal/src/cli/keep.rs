//! Keeping an installation on one machine: backups, and moving on when it outgrows the machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kernel::{Clock, Error, Result};
use suite::config::{Config, Flags};
use suite::folder::Folder;
use suite::suite::SERVICES;
use suite::{backup, relocate};

pub async fn back_up(to: PathBuf, without_secret: bool, flags: &Flags) -> Result<ExitCode> {
    let config = embedded(flags, "backup")?;
    let attachments = config.attachments();
    let source = backup::Source {
        data: config.data,
        attachments: attachments.strip_prefix("file:").map(PathBuf::from),
        with_secret: !without_secret,
    };
    let elsewhere = source.attachments.is_none();
    let path = to.clone();
    let taken = tokio::task::spawn_blocking(move || backup::take(&source, &path, Clock::system().now())).await;
    let manifest = taken.map_err(|error| Error::internal(error.to_string()))??;
    say!("Backed up to {}: {} files, {} bytes, as of {}.", to.display(), manifest.files.len(), manifest.bytes(), manifest.taken_at);
    if elsewhere {
        say!("Files that were sent along are not in it: they lie at {attachments}.");
    }
    if !manifest.files.contains_key(suite::folder::SECRET) {
        say!("The installation's secret is not in it: without it return phrases of before say nothing any more.");
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn restore(from: &Path, only_check: bool, flags: &Flags) -> Result<ExitCode> {
    if only_check {
        let from = from.to_owned();
        let checked = tokio::task::spawn_blocking(move || backup::check(&from)).await;
        let manifest = checked.map_err(|error| Error::internal(error.to_string()))??;
        say!("{} files, {} bytes, as of {}: all as they were backed up.", manifest.files.len(), manifest.bytes(), manifest.taken_at);
        return Ok(ExitCode::SUCCESS);
    }
    let config = embedded(flags, "restore")?;
    let manifest = backup::restore(from, &config.data, &Clock::system()).await?;
    say!("Restored to {}, as of {}. Start it with `samtal up --data {0}`.", config.data.display(), manifest.taken_at);
    say!(
        "What happened after that moment is gone, and erasures that had happened since happen again. Tell integrators: they read each log from where it now begins."
    );
    Ok(ExitCode::SUCCESS)
}

pub async fn relocate(to: &str, flags: &Flags) -> Result<ExitCode> {
    let config = embedded(flags, "move")?;
    // Nobody else writes while the rows are copied.
    let folder = Folder::open(&config.data)?;
    let mut rows = 0;
    // If an attempt before ended after all was copied, only its end is left.
    if folder.moved() != Some(relocate::without_password(to)) {
        folder.refuse_moved()?;
        for service in SERVICES {
            let copied = relocate::copy(&folder, to, service, Clock::system().now()).await?;
            say!("{service}: {copied} rows");
            rows += copied;
        }
    }
    relocate::finish(&folder, to).await?;
    let (data, to) = (config.data.display(), relocate::without_password(to));
    say!(
        "{rows} rows moved. From now on: `samtal up --data {data} --store {to}`, which keeps the secret and the files in the folder;\n\
         or `samtal serve` for each service, with the secret in {data}/secret and `attachments = \"file:…\"` that all replicas of intake reach."
    );
    Ok(ExitCode::SUCCESS)
}

fn embedded(flags: &Flags, command: &str) -> Result<Config> {
    let config = Config::load(flags)?;
    if config.is_embedded() {
        return Ok(config);
    }
    Err(Error::invalid(
        "store",
        format!("names a server, and `samtal {command}` is for an embedded one; for PostgreSQL its own tools: docs/operations/backup.md"),
    ))
}
