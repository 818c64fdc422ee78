//! Whether two services follow the same description.

use crate::model::Organisation;

impl Organisation {
    /// Equal where everything about the organisation is equal, leaders' changes included. For comparison only.
    pub fn version(&self) -> u64 {
        // What was read from JSON can be written as such; if not, the two are taken for different, and are asked again.
        serde_json::to_string(self).map_or(0, |json| kernel::id::key_hash(&json))
    }
}
