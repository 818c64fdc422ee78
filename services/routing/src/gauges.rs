//! Tells the metrics who waits, by severity and for the whole region: who waits where is on the leaders' pages.

use kernel::{Result, Severity};
use runtime::Node;

use crate::store::cases;

/// Until shutdown. In a process that does not measure it does nothing.
pub async fn run(node: Node) {
    if !telemetry::metrics::on() {
        return;
    }
    loop {
        if let Err(error) = tell(&node).await {
            telemetry::metrics::unmeasured(node.service, 1);
            tracing::debug!(service = node.service, %error, "the queues were not counted; the old values stand");
        }
        if !runtime::gauges::pause(&node).await {
            return;
        }
    }
}

async fn tell(node: &Node) -> Result<()> {
    let region = node.region.get();
    let queues: Vec<&str> = region.organisations.iter().flat_map(|of| &of.queues).map(|queue| queue.id.as_str()).collect();
    let waits = cases::waits(&node.db().of(node.everybody()), &queues).await?;
    for severity in Severity::ALL {
        let found = waits.iter().find(|(of, _, _)| of == severity);
        let (waiting, longest) = found.map(|(_, waiting, since)| (*waiting, node.now().since(*since))).unwrap_or_default();
        telemetry::metrics::queue(severity.code(), waiting, longest);
    }
    Ok(())
}
