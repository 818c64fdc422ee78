//! How far a log and its consumers have come, as this process knows it: for position tokens, for metrics, and for a
//! simulated clock that may only move when nothing is left to do.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use crate::consumer::Cursor;

/// Positions of one service: the heads of its own log, and its cursors in the logs of others.
#[derive(Clone)]
pub struct Progress(Arc<Inner>);

struct Inner {
    heads: watch::Sender<Vec<i64>>,
    /// By source; made when a consumer starts.
    cursors: RwLock<BTreeMap<&'static str, watch::Sender<Vec<i64>>>>,
    /// The same cursors in whole, of the shards whose events took effect in this process.
    seen: RwLock<BTreeMap<(&'static str, u32), Cursor>>,
    /// Why a shard of a source stands still.
    halted: RwLock<BTreeMap<(&'static str, u32), String>>,
}

impl Progress {
    pub(crate) fn new(heads: Vec<i64>) -> Self {
        Self(Arc::new(Inner {
            heads: watch::Sender::new(heads),
            cursors: RwLock::default(),
            seen: RwLock::default(),
            halted: RwLock::default(),
        }))
    }

    /// The last position committed in each shard, as far as this process has committed it.
    pub fn heads(&self) -> watch::Receiver<Vec<i64>> {
        self.0.heads.subscribe()
    }

    /// The same of one shard.
    pub(crate) fn head(&self, shard: u32) -> i64 {
        self.0.heads.borrow().get(shard as usize).copied().unwrap_or(0)
    }

    /// The last position of `source` that took effect, per shard; None if nothing of `source` is consumed here.
    pub fn cursors(&self, source: &str) -> Option<watch::Receiver<Vec<i64>>> {
        let cursors = self.0.cursors.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        cursors.get(source).map(watch::Sender::subscribe)
    }

    /// The sources that are consumed here.
    pub fn sources(&self) -> Vec<&'static str> {
        self.0.cursors.read().unwrap_or_else(std::sync::PoisonError::into_inner).keys().copied().collect()
    }

    /// Up to which event of this shard of `source` effects have been taken here, and in which incarnation; None if by another replica, or
    /// not since the consumer started. It may be ahead of what is stored.
    pub fn seen(&self, source: &str, shard: u32) -> Option<Cursor> {
        let seen = self.0.seen.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.iter().find(|((name, number), _)| *name == source && *number == shard).map(|(_, cursor)| cursor.clone())
    }

    /// Why this shard of `source` stands still here; None if it runs.
    pub fn halted(&self, source: &str, shard: u32) -> Option<String> {
        let halted = self.0.halted.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        halted.iter().find(|((name, number), _)| *name == source && *number == shard).map(|(_, why)| why.clone())
    }

    pub(crate) fn set_halted(&self, source: &'static str, shard: u32, why: Option<String>) {
        let mut halted = self.0.halted.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        match why {
            Some(why) => halted.insert((source, shard), why),
            None => halted.remove(&(source, shard)),
        };
    }

    pub(crate) fn committed(&self, shard: u32, position: i64) {
        raise(&self.0.heads, shard, position);
    }

    pub(crate) fn start_source(&self, source: &'static str, cursors: Vec<i64>) {
        self.0.seen.write().unwrap_or_else(std::sync::PoisonError::into_inner).retain(|(name, _), _| *name != source);
        let mut all = self.0.cursors.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Those who watch already go on watching.
        all.entry(source).or_insert_with(|| watch::Sender::new(Vec::new())).send_replace(cursors);
    }

    pub(crate) fn consumed(&self, source: &'static str, shard: u32, cursor: Cursor) {
        let position = cursor.position;
        self.0.seen.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert((source, shard), cursor);
        let cursors = self.0.cursors.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(sender) = cursors.get(source) {
            raise(sender, shard, position);
        }
    }
}

fn raise(sender: &watch::Sender<Vec<i64>>, shard: u32, position: i64) {
    sender.send_if_modified(|all| match all.get_mut(shard as usize) {
        Some(current) if *current < position => {
            *current = position;
            true
        }
        _ => false,
    });
}
