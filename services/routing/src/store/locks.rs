//! The lock of a queue: who holds it may change who waits there and who is asked.

use ::store::{Tx, args};
use kernel::Result;

/// Locks `queue` until the transaction ends.
pub async fn lock(tx: &mut Tx, queue: &str) -> Result<()> {
    // First without writing: a command that is refused afterwards then costs its batch nothing.
    for _ in 0..2 {
        if tx.row("SELECT queue FROM queue_lock WHERE queue = $1 FOR UPDATE", args![queue]).await?.is_some() {
            return Ok(());
        }
        tx.exec("INSERT INTO queue_lock (queue) VALUES ($1) ON CONFLICT (queue) DO NOTHING", args![queue]).await?;
    }
    Ok(())
}
