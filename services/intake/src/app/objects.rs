//! Where the bytes of attachments lie: an object store, by default a folder. A key is an attachment's id and says nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use kernel::{Error, Id, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

/// Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
}

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::unavailable(format!("the store of attachments cannot {what} a file: {error}"))
}

impl Objects {
    /// `file:FOLDER`, which is made if it is missing.
    pub fn open(address: &str) -> Result<Self> {
        let folder = address.strip_prefix("file:").filter(|folder| !folder.is_empty());
        let folder = PathBuf::from(folder.ok_or_else(|| Error::invalid("attachments", "must be file: and a folder"))?);
        let unusable = |error: String| Error::invalid("attachments", format!("{} cannot be used: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(|error| unusable(error.to_string()))?;
        let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| unusable(error.to_string()))?;
        // A file that is acknowledged must outlive a power cut.
        Ok(Self { store: Arc::new(store.with_fsync(true)) })
    }

    fn path(id: Id) -> Path {
        Path::from(id.to_string())
    }

    /// On return the bytes are on the disk.
    pub async fn put(&self, id: Id, bytes: Vec<u8>) -> Result<()> {
        self.store.put(&Self::path(id), bytes.into()).await.map(|_| ()).map_err(|error| failed("write", error))
    }

    pub async fn get(&self, id: Id) -> Result<bytes::Bytes> {
        let found = self.store.get(&Self::path(id)).await.map_err(|error| failed("read", error))?;
        found.bytes().await.map_err(|error| failed("read", error))
    }

    /// A file that is not there is as good as deleted.
    pub async fn delete(&self, id: Id) -> Result<()> {
        match self.store.delete(&Self::path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", error)),
        }
    }
}
