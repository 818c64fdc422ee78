//! Erasure reaches triage too: the row's texts and codes, its events, and the answers that were kept for repeated calls.

use kernel::{Id, Result};
use log::Unit;
use proto::log::Envelope;

use crate::store;

pub async fn take(unit: &mut Unit<'_>, event: &Envelope) -> Result<()> {
    let case = Id::parse("key", &event.key)?;
    store::erase(unit, case).await?;
    unit.erase_key(case).await
}
