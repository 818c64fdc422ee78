//! Backups of an installation on one machine: made while it runs, checked, and put back.
//!
//! A backup is a folder: the services' databases as of one moment, the files that were sent along, the installation's secret, and a list
//! of all of them with their checksums.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use kernel::{Clock, Error, Result, Time};
use log::unit::Origin;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Db;

use crate::folder;
use crate::suite::{SERVICES, tables};

/// The list of a backup's files.
const LIST: &str = "backup.json";
/// The shape of that list.
const FORMAT: u32 = 1;
const FILES: &str = "attachments";

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// Which Samtal made it.
    pub samtal: String,
    /// The moment of which all databases are, in RFC 3339.
    pub taken_at: String,
    /// By their path in the backup, in order.
    pub files: BTreeMap<String, Entry>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|entry| entry.bytes).sum()
    }
}

/// Where things are that go into a backup.
pub struct Source {
    pub data: PathBuf,
    /// The folder of files that were sent along, if they lie in one.
    pub attachments: Option<PathBuf>,
    pub with_secret: bool,
}

/// Makes a backup in the new folder `to`, whether or not the installation runs. Blocks. If it fails, nothing is left at `to`.
pub fn take(source: &Source, to: &Path, now: Time) -> Result<Manifest> {
    let beside = beside(to, "to")?;
    store::snapshot(&source.data, &SERVICES, beside.path())?;
    let mut manifest = Manifest {
        format: FORMAT,
        samtal: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: jiff::Timestamp::from_microsecond(now.micros()).map_err(|error| Error::internal(error.to_string()))?.to_string(),
        files: SERVICES
            .iter()
            .map(|service| Ok((format!("{service}.db"), entry(&beside.path().join(format!("{service}.db")))?)))
            .collect::<Result<_>>()?,
    };
    // Files never change once they are there, and a row that names one is written after it: what the databases name is there, or was
    // erased meanwhile.
    if let Some(attachments) = source.attachments.as_ref().filter(|folder| folder.exists()) {
        for file in files_in(attachments)? {
            let name = format!("{FILES}/{}", file.display());
            match copy(&attachments.join(&file), &beside.path().join(&name), 0o600) {
                Ok(entry) => drop(manifest.files.insert(name, entry)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(cannot("copied", &attachments.join(&file), &error)),
            }
        }
    }
    if source.with_secret {
        let file = source.data.join(folder::SECRET);
        match copy(&file, &beside.path().join(folder::SECRET), 0o600) {
            Ok(entry) => drop(manifest.files.insert(folder::SECRET.to_owned(), entry)),
            // It was given by SAMTAL_SECRET.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot("copied", &file, &error)),
        }
    }
    let list = serde_json::to_vec_pretty(&manifest).map_err(|error| Error::internal(error.to_string()))?;
    write(&beside.path().join(LIST), &list).map_err(|error| cannot("written", &to.join(LIST), &error))?;
    put(beside, to)?;
    Ok(manifest)
}

/// Puts the backup `from` into the new data folder `data`. Every file is compared with its checksum, every database is looked through, and
/// every log goes on in a new incarnation, so that nobody takes a position of now for one from before. If it fails, nothing is left at `data`.
pub async fn restore(from: &Path, data: &Path, clock: &Clock) -> Result<Manifest> {
    let beside = beside(data, "data")?;
    let (from, folder) = (from.to_owned(), beside.path().to_owned());
    let copied = tokio::task::spawn_blocking(move || bring(&from, &folder)).await;
    let manifest = copied.map_err(|error| Error::internal(error.to_string()))??;
    for service in SERVICES {
        let db = Db::open(&format!("sqlite:{}", beside.path().display()), service).await?;
        let settings = log::Settings { service, shards: 1 };
        let log = log::Log::open(&settings, db.clone(), clock.clone(), tables(service)?).await?;
        // The databases are of one moment: no consumer is ahead of a log.
        log::rejoin::rejoin(&log, Vec::new(), false, Origin::system("samtal restore").of("")).await?;
        drop(log);
        db.close().await;
    }
    put(beside, data)?;
    Ok(manifest)
}

/// Compares a backup with its list.
pub fn check(from: &Path) -> Result<Manifest> {
    let manifest = list(from)?;
    for (name, expected) in &manifest.files {
        same(name, expected, &entry(&from.join(name))?)?;
    }
    Ok(manifest)
}

fn list(from: &Path) -> Result<Manifest> {
    let file = from.join(LIST);
    let text = fs::read(&file).map_err(|error| Error::invalid("from", format!("is no backup: {}: {error}", file.display())))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| Error::invalid("from", format!("is no backup: {}: {error}", file.display())))?;
    if manifest.format != FORMAT {
        let message =
            format!("is in format {}, which this Samtal does not know; use the one that made it, {}", manifest.format, manifest.samtal);
        return Err(Error::invalid("from", message));
    }
    manifest.files.keys().try_for_each(|name| inside(name))?;
    match SERVICES.iter().find(|service| !manifest.files.contains_key(&format!("{service}.db"))) {
        Some(service) => Err(Error::invalid("from", format!("holds no database of {service}"))),
        None => Ok(manifest),
    }
}

fn bring(from: &Path, to: &Path) -> Result<Manifest> {
    let manifest = list(from)?;
    for (name, expected) in &manifest.files {
        let file = from.join(name);
        let copied = copy(&file, &to.join(name), 0o600).map_err(|error| cannot("copied", &file, &error))?;
        same(name, expected, &copied)?;
    }
    for service in SERVICES {
        let file = to.join(format!("{service}.db"));
        store::check_file(&file).map_err(|error| Error { message: format!("{service}: {}", error.message), ..error })?;
    }
    Ok(manifest)
}

fn same(name: &str, expected: &Entry, found: &Entry) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::precondition("BACKUP_DAMAGED", format!("{name} is not what was backed up: its checksum differs; use another backup")))
}

/// A name from a list that leads nowhere but into the backup.
fn inside(name: &str) -> Result<()> {
    if !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(());
    }
    Err(Error::invalid("from", format!("is no backup: its list names {name}")))
}

/// The files below a folder, by their paths in it.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut left) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(part) = left.pop() {
        let entries = fs::read_dir(folder.join(&part)).map_err(|error| cannot("read", &folder.join(&part), &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| cannot("read", &folder.join(&part), &error))?;
            let path = part.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => left.push(path),
                Ok(kind) if kind.is_file() => found.push(path),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(cannot("read", &folder.join(&path), &error)),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies to a new file, down to the disk; answers what was copied.
fn copy(from: &Path, to: &Path, mode: u32) -> std::io::Result<Entry> {
    let mut source = File::open(from)?;
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut target = OpenOptions::new().create_new(true).write(true).mode(mode).open(to)?;
    let entry = pour(&mut source, &mut target)?;
    target.sync_all()?;
    Ok(entry)
}

fn entry(file: &Path) -> Result<Entry> {
    let mut source = File::open(file).map_err(|error| cannot("read", file, &error))?;
    pour(&mut source, &mut std::io::sink()).map_err(|error| cannot("read", file, &error))
}

fn pour(source: &mut File, target: &mut dyn Write) -> std::io::Result<Entry> {
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = source.read(&mut piece)?;
        let Some(piece) = piece.get(..read).filter(|piece| !piece.is_empty()) else { break };
        hash.update(piece);
        target.write_all(piece)?;
        bytes += read as u64;
    }
    Ok(Entry { bytes, sha256: format!("{:x}", hash.finalize()) })
}

fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A folder beside `to` that nobody else may read, and that goes again unless it is [`put`] there.
fn beside(to: &Path, flag: &'static str) -> Result<tempfile::TempDir> {
    if fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some()) || to.is_file() {
        return Err(Error::invalid(flag, format!("{} is there already and not empty; name a new folder", to.display())));
    }
    tempfile::Builder::new()
        .prefix(".samtal-")
        .suffix(".partial")
        .tempdir_in(parent(to))
        .map_err(|error| Error::invalid(flag, format!("{} cannot be made: {error}", to.display())))
}

/// Moves the finished folder into place: it is there as a whole or not at all.
fn put(beside: tempfile::TempDir, to: &Path) -> Result<()> {
    let fail = |error: std::io::Error| cannot("put into place", to, &error);
    // An empty folder makes room.
    if to.exists() {
        fs::remove_dir(to).map_err(fail)?;
    }
    fs::rename(beside.path(), to).map_err(fail)?;
    // There is nothing left to tidy up.
    let _ = beside.keep();
    File::open(parent(to)).and_then(|folder| folder.sync_all()).map_err(fail)
}

fn parent(of: &Path) -> &Path {
    of.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn cannot(what: &str, file: &Path, error: &std::io::Error) -> Error {
    Error::unavailable(format!("{} cannot be {what}: {error}", file.display()))
}
