//! The data folder of one machine: locked by one process, with the installation's secret in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use auth::Secret;
use kernel::{Error, Result};

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
        fs::create_dir_all(path).map_err(|error| fail("cannot be created", error))?;
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

    /// The installation's secret, made at the first start.
    pub fn secret(&self) -> Result<Secret> {
        read_secret(&self.path).unwrap_or_else(|| {
            let fail = |error: std::io::Error| Error::unavailable(format!("the secret cannot be written to the data folder: {error}"));
            let text = Secret::generate()?;
            // Written beside and moved into place: a crash leaves a whole secret or none.
            let beside = self.path.join("secret.new");
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside).map_err(fail)?;
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
            fs::rename(&beside, self.path.join("secret")).map_err(fail)?;
            File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(fail)?;
            Secret::new(text.as_bytes())
        })
    }
}

/// The secret that lies in a data folder; None if there is none yet. Needs no lock, so that tools can use it beside `up`.
pub fn read_secret(folder: &Path) -> Option<Result<Secret>> {
    let text = fs::read_to_string(folder.join("secret")).ok()?;
    Some(Secret::new(text.trim().as_bytes()))
}
