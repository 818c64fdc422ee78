//! Position tokens: a mutation's answer says how far the log had come (`samtal-position`); a caller that passes it on
//! (`samtal-after`) is served only once the callee's projection has come that far.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::error::Code;
use kernel::{Error, Result};
use log::Log;

/// Response metadata.
pub const ANSWER: &str = "samtal-position";
/// Request metadata.
pub const ASK: &str = "samtal-after";
/// How long a callee waits for its projection.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the table is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// Most positions in one token.
const MAX: usize = 64;

/// Service, then shard and position in hexadecimal.
pub fn encode(service: &str, positions: &[(u32, i64)]) -> String {
    let list: Vec<String> = positions.iter().map(|(shard, position)| format!("{shard:x}.{position:x}")).collect();
    format!("{service}~{}", list.join("_"))
}

fn decode(token: &str) -> Option<(&str, Vec<(u32, i64)>)> {
    let (service, list) = token.split_once('~')?;
    let positions = list
        .split('_')
        .take(MAX)
        .map(|one| {
            let (shard, position) = one.split_once('.')?;
            Some((u32::from_str_radix(shard, 16).ok()?, i64::from_str_radix(position, 16).ok()?))
        })
        .collect::<Option<Vec<_>>>()?;
    Some((service, positions))
}

/// Waits until the service of `log` has seen what `token` names; a service that does not consume that log need not wait.
pub async fn wait(log: &Log, token: &str) -> Result<()> {
    let (source, wanted) =
        decode(token).ok_or_else(|| Error::invalid(ASK, "is not a position token; pass on what samtal-position said"))?;
    let reached = |all: &[i64], wanted: &[(u32, i64)]| {
        let by_shard: BTreeMap<u32, i64> = all.iter().enumerate().map(|(shard, position)| (shard as u32, *position)).collect();
        wanted.iter().all(|(shard, position)| by_shard.get(shard).is_none_or(|at| at >= position))
    };
    if source == log.service() {
        return Ok(());
    }
    let Some(mut cursors) = log.progress().cursors(source) else { return Ok(()) };
    let here = async { drop(cursors.wait_for(|all| reached(all, &wanted)).await) };
    // Another replica may own the shard: then only the table tells.
    let elsewhere = async {
        loop {
            tokio::time::sleep(LOOK).await;
            if stored(log, source).await.is_ok_and(|all| reached(&all, &wanted)) {
                return;
            }
        }
    };
    let either = async {
        tokio::select! {
            () = here => {}
            () = elsewhere => {}
        }
    };
    match tokio::time::timeout(PATIENCE, either).await {
        Ok(()) => Ok(()),
        Err(_) => Err(Error::new(Code::Unavailable, "PROJECTION_BEHIND", "this service has not seen that change yet; try again")),
    }
}

/// Cursors as the table has them, by shard.
async fn stored(log: &Log, source: &str) -> Result<Vec<i64>> {
    let rows =
        log.machinery().rows("SELECT shard, position FROM log_cursor WHERE source = $1 ORDER BY shard", store::args![source]).await?;
    rows.iter().map(|row| row.int(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_nonsense_is_refused() {
        let token = encode("intake", &[(3, 17), (11, 400)]);
        assert_eq!(decode(&token), Some(("intake", vec![(3, 17), (11, 400)])));
        for nonsense in ["", "intake", "intake~", "intake~x.y", "intake~1", "~"] {
            assert_eq!(decode(nonsense), None, "{nonsense}");
        }
    }
}
