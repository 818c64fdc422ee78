//! The data folder of one machine: locked by one process, with the installation's secret in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use auth::Secret;
use kernel::{Error, Result};

/// The file with the installation's secret.
pub const SECRET: &str = "secret";
/// The file that says where the folder's store has moved.
const MOVED: &str = "moved";

/// A locked data folder; the lock ends with the process, however it ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Creates the folder if need be and locks it. A second process is refused.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |what: &str, error: std::io::Error| Error::invalid("data", format!("folder {}: {what}: {error}", path.display()));
        // What people write lies in it: for its owner only.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| fail("cannot be created", error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("samtal.lock"))
            .map_err(|error| fail("cannot be written", error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::precondition(
                "DATA_IN_USE",
                format!(
                    "the data folder {} is in use by another samtal; stop that one, or choose another folder with --data",
                    path.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(fail("cannot be locked", error)),
        }
    }

    /// `sqlite:…`, for [`store::Db::open`].
    pub fn store_url(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    /// Where its store has moved, if it has.
    pub fn moved(&self) -> Option<String> {
        fs::read_to_string(self.path.join(MOVED)).ok().map(|text| text.trim().to_owned())
    }

    /// Refuses a store that has moved: what is written there now would be seen by nobody.
    pub fn refuse_moved(&self) -> Result<()> {
        let Some(to) = self.moved() else { return Ok(()) };
        let message = format!("the store in {} has moved to {to}; start with --store {to}", self.path.display());
        Err(Error::precondition("DATA_MOVED", message))
    }

    /// Closes the store in the folder for good: all that was in it is at `to`.
    pub fn mark_moved(&self, to: &str) -> Result<()> {
        let fail = |error: std::io::Error| Error::unavailable(format!("{} cannot be written: {error}", self.path.join(MOVED).display()));
        let mut file = File::create(self.path.join(MOVED)).map_err(fail)?;
        writeln!(file, "{to}").and_then(|()| file.sync_all()).map_err(fail)?;
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(fail)
    }

    /// The installation's secret, made at the first start.
    pub fn secret(&self) -> Result<Secret> {
        read_secret(&self.path).unwrap_or_else(|| {
            let fail = |error: std::io::Error| Error::unavailable(format!("the secret cannot be written to the data folder: {error}"));
            let text = Secret::generate()?;
            // Written beside and moved into place: a crash leaves a whole secret or none.
            let beside = self.path.join("secret.new");
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside).map_err(fail)?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
            fs::rename(&beside, self.path.join(SECRET)).map_err(fail)?;
            File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(fail)?;
            Secret::new(text.as_bytes())
        })
    }
}

/// The secret that lies in a data folder; None if there is none yet. Needs no lock, so that tools can use it beside `up`.
pub fn read_secret(folder: &Path) -> Option<Result<Secret>> {
    let text = fs::read_to_string(folder.join(SECRET)).ok()?;
    Some(Secret::new(text.trim().as_bytes()))
}
