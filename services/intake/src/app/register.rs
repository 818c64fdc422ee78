//! Where people's clinics are looked up: a port for a region's register of clinics. Without one, the region's description is it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use kernel::{Error, Result};
use region::Region;
use runtime::Node;
use serde::Deserialize;

/// How often a register's file is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// Largest file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// A clinic that people may find, and the entry point that leads to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The id of an entry point in the region's description.
    pub entry_point: String,
    /// What it is called where people know it; the clinic's own name if empty.
    #[serde(default)]
    pub clinic: String,
    /// The clinic's own if empty.
    #[serde(default)]
    pub place: String,
    /// Other words by which it is found: districts, former names, an address.
    #[serde(default)]
    pub also: Vec<String>,
}

/// A register of clinics.
pub trait Register: Send + Sync {
    /// What can be found now. Entry points that the region does not describe are passed over by whoever asks.
    fn listings(&self, region: &Region) -> Vec<Listing>;
}

/// Every door that the description lists.
pub struct Described;

impl Register for Described {
    fn listings(&self, region: &Region) -> Vec<Listing> {
        let doors = region.organisations.iter().flat_map(|organisation| &organisation.entry_points);
        let listed = doors.filter(|door| door.listed && !door.practice);
        listed.map(|door| Listing { entry_point: door.id.clone(), clinic: String::new(), place: String::new(), also: Vec::new() }).collect()
    }
}

/// A JSON list of [`Listing`]s in a file, which another system writes; read again whenever it has changed.
pub struct Filed {
    path: PathBuf,
    known: RwLock<(Option<SystemTime>, Vec<Listing>)>,
}

impl Filed {
    /// Errors: a file that cannot be read, or is no such list.
    pub fn open(path: &Path) -> Result<Self> {
        let filed = Self { path: path.to_owned(), known: RwLock::default() };
        filed.look()?;
        Ok(filed)
    }

    /// Reads the file if it is another one than before.
    pub fn look(&self) -> Result<()> {
        let wrong = |why: String| Error::invalid("register", format!("{} cannot be used: {why}", self.path.display()));
        let about = std::fs::metadata(&self.path).map_err(|error| wrong(error.to_string()))?;
        let changed = about.modified().ok();
        if changed.is_some() && changed == self.known.read().unwrap_or_else(PoisonError::into_inner).0 {
            return Ok(());
        }
        if about.len() > MAX_BYTES {
            return Err(wrong(format!("it has more than {} MiB", MAX_BYTES >> 20)));
        }
        let text = std::fs::read(&self.path).map_err(|error| wrong(error.to_string()))?;
        let listings = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = (changed, listings);
        Ok(())
    }
}

impl Register for Filed {
    fn listings(&self, _: &Region) -> Vec<Listing> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

/// The register that the settings name: `file:PATH`, or the description.
pub fn start(node: &Node) -> Result<Arc<dyn Register>> {
    let setting = node.platform.register.as_str();
    if setting.is_empty() {
        return Ok(Arc::new(Described));
    }
    let path = setting.strip_prefix("file:").ok_or_else(|| Error::invalid("register", "must be file:PATH"))?;
    let filed = Arc::new(Filed::open(Path::new(path))?);
    let (watched, shutdown) = (filed.clone(), node.platform.shutdown.clone());
    node.platform.tasks.spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
            let filed = watched.clone();
            // A file that is being written, or is gone, leaves the last good one in force.
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || filed.look()).await {
                tracing::warn!(%error, "the register of clinics was not read; the one before serves");
            }
        }
    });
    Ok(filed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_changes_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clinics.json");
        let write = |text: &str, second: u64| {
            std::fs::write(&path, text).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).unwrap();
        };
        write(r#"[{ "entry_point": "door", "place": "Ånge", "also": ["Fränsta"] }]"#, 1);
        let register = Filed::open(&path).unwrap();
        let found = |register: &Filed| register.listings(&Region::default()).into_iter().map(|one| one.place).collect::<Vec<_>>();
        assert_eq!(found(&register), ["Ånge"]);
        write("[{", 2);
        assert_eq!(register.look().unwrap_err().violations[0].field, "register");
        assert_eq!(found(&register), ["Ånge"]);
        write(r#"[{ "entry_point": "door", "place": "Umeå" }]"#, 3);
        register.look().unwrap();
        assert_eq!(found(&register), ["Umeå"]);
        for wrong in ["{}", r#"[{ "place": "Ånge" }]"#, r#"[{ "entry_point": "door", "phone": "1" }]"#] {
            write(wrong, 9);
            assert!(Filed::open(&path).is_err(), "{wrong}");
        }
    }
}
