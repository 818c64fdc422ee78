//! Tells the metrics where a service stands.

use std::time::Duration;

use log::gauges::{self, Gauges};

use crate::Node;

/// How often. What changes faster is a counter or a histogram.
const EVERY: Duration = Duration::from_secs(5);

/// Reads the gauges of `node`'s log until shutdown. In a process that does not measure it does nothing.
pub async fn run(node: Node) {
    if !telemetry::metrics::on() {
        return;
    }
    telemetry::metrics::unmeasured(node.service, 0);
    loop {
        match gauges::read(&node.log).await {
            Ok(gauges) => tell(&node, &gauges),
            Err(error) => {
                telemetry::metrics::unmeasured(node.service, 1);
                tracing::debug!(service = node.service, %error, "the gauges were not read; the old values stand");
            }
        }
        if !pause(&node).await {
            return;
        }
    }
}

/// Waits for the next time; false: there is none.
pub async fn pause(node: &Node) -> bool {
    tokio::select! {
        () = tokio::time::sleep(EVERY) => true,
        () = node.platform.shutdown.cancelled() => false,
    }
}

fn tell(node: &Node, gauges: &Gauges) {
    let (service, progress) = (node.service, node.log.progress());
    telemetry::metrics::log_refused(service, node.log.guard().why().is_some());
    telemetry::metrics::behind(service, gauges.unsealed, gauges.overdue);
    for (shard, head, relayed) in &gauges.shards {
        telemetry::metrics::log_shard(service, *shard, *head, *relayed);
    }
    for (source, shard, stored) in &gauges.cursors {
        // The consumer may be ahead of what it has stored, by events without effect.
        let seen = progress.cursors(source).and_then(|seen| seen.borrow().get(*shard as usize).copied()).unwrap_or(0);
        telemetry::metrics::consumer(service, source, *shard, seen.max(*stored));
    }
    for source in progress.sources() {
        let (dead, parked) = gauges.letters.get(source).copied().unwrap_or_default();
        let shards = progress.cursors(source).map_or(0, |seen| seen.borrow().len() as u32);
        let halted = (0..shards).filter(|shard| progress.halted(source, *shard).is_some()).count();
        telemetry::metrics::stuck(service, source, halted as u64, dead, parked);
    }
}
