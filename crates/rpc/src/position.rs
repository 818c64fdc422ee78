//! Position tokens: a mutation's answer says how far the log had come (`samtal-position`); a caller that passes it on
//! (`samtal-after`) is served only once the callee's projection has come that far. Tokens are sealed: positions would tell
//! how much others do.

use std::collections::BTreeMap;
use std::time::Duration;

use auth::Secret;
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

/// What position tokens are sealed for.
const PURPOSE: &str = "position";

/// How far a service's log had come when a call was answered: (shard, position). A handler puts it beside its answer, and
/// the gate makes the token of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub service: &'static str,
    pub positions: Vec<(u32, i64)>,
}

impl Reached {
    /// The token that says so, to this installation only.
    pub fn token(&self, secret: &Secret) -> Result<String> {
        secret.seal(PURPOSE, encode(self.service, &self.positions).as_bytes())
    }
}

fn open(secret: &Secret, token: &str) -> Option<(String, Vec<(u32, i64)>)> {
    let content = String::from_utf8(secret.open(PURPOSE, token)?).ok()?;
    decode(&content).map(|(service, positions)| (service.to_owned(), positions))
}

/// Service, then shard and position in hexadecimal.
fn encode(service: &str, positions: &[(u32, i64)]) -> String {
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
pub async fn wait(log: &Log, secret: &Secret, token: &str) -> Result<()> {
    let (source, wanted) = open(secret, token).ok_or_else(|| {
        Error::invalid(ASK, "is not a position token of this installation; pass on, unchanged, what samtal-position said")
    })?;
    let source = source.as_str();
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

    #[test]
    fn tokens_of_neighbouring_commits_tell_nothing() {
        let secret = Secret::new(&[7; 32]).unwrap();
        let token = |position| Reached { service: "intake", positions: vec![(3, position)] }.token(&secret).unwrap();
        let (one, next) = (token(15), token(16));
        assert_eq!(open(&secret, &one), Some(("intake".to_owned(), vec![(3, 15)])));
        assert_eq!(one.len(), next.len());
        assert_eq!(one.len(), token(i64::MAX).len(), "nor does the length");
        // The same commit twice, and its neighbour, have about as much in common as random texts have: 1 in 64.
        for other in [token(15), next] {
            let same = one.bytes().zip(other.bytes()).filter(|(a, b)| a == b).count();
            assert!(same < one.len() / 4, "{one}\n{other}");
        }
        for readable in ["intake", "~", "."] {
            assert!(!one.contains(readable));
        }
        let foreign = Secret::new(&[8; 32]).unwrap();
        assert_eq!(open(&foreign, &one), None);
        let mut tampered = one.clone();
        tampered.replace_range(40..41, if &one[40..41] == "A" { "B" } else { "A" });
        assert_eq!(open(&secret, &tampered), None);
        // What tokens were before they were sealed.
        assert_eq!(open(&secret, "intake~3.f"), None);
    }
}
