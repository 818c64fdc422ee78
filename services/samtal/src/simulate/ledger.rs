//! What was acknowledged, call by call: the simulation's own account, which the suite's figures must equal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use kernel::Time;
use proto::intake::{Case, Message};

/// One case as its acknowledgements tell it.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub clinic: String,
    pub reason: String,
    pub birth_year: i32,
    pub opened_at: Time,
    /// When the wait began: the opening hour for a message left at a closed door.
    pub waits_from: Time,
    pub assigned_at: Option<Time>,
    pub closed: bool,
    pub abandoned: bool,
    /// As the acknowledgement of closing has it; 0 until then.
    pub outcome: i32,
    pub rating: i32,
    pub booking: Option<String>,
    /// Acknowledged messages by seq, the first one included.
    pub messages: BTreeMap<i64, (String, String)>,
    /// Client ids that were tried, acknowledged or not.
    pub tried: BTreeSet<String>,
    /// Messages that a visitor's open screen got, in the order in which they came.
    pub seen: Vec<i64>,
}

/// All cases.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Calls that were repeated because their answer did not come.
    pub retries: std::sync::atomic::AtomicU64,
    pub calls: std::sync::atomic::AtomicU64,
}

impl Ledger {
    fn with<T>(&self, case: &str, change: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        change(entries.entry(case.to_owned()).or_default())
    }

    pub fn entries(&self) -> BTreeMap<String, Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn opened(&self, case: &Case, birth_year: i32, opens_at: Option<Time>, text: &str) {
        let opened_at = time(case.opened_at.as_ref());
        self.with(&case.case_id, |entry| {
            entry.clinic.clone_from(&case.clinic_id);
            entry.reason.clone_from(&case.contact_reason_id);
            entry.birth_year = birth_year;
            entry.opened_at = opened_at;
            entry.waits_from = opens_at.unwrap_or(opened_at);
            if !text.is_empty() {
                entry.messages.insert(1, ("opening".to_owned(), text.to_owned()));
                entry.tried.insert("opening".to_owned());
            }
        });
    }

    pub fn assigned(&self, case: &str, at: Time) {
        self.with(case, |entry| entry.assigned_at = entry.assigned_at.or(Some(at)));
    }

    pub fn tried(&self, case: &str, client_id: &str) {
        self.with(case, |entry| entry.tried.insert(client_id.to_owned()));
    }

    pub fn posted(&self, message: &Message) {
        self.with(&message.case_id, |entry| entry.messages.insert(message.seq, (message.client_id.clone(), message.text.clone())));
    }

    pub fn seen(&self, case: &str, seq: i64) {
        self.with(case, |entry| entry.seen.push(seq));
    }

    /// Whether the visitor's screen has shown every acknowledged message.
    pub fn has_seen_all(&self, case: &str) -> bool {
        self.with(case, |entry| entry.messages.keys().all(|seq| entry.seen.contains(seq)))
    }

    pub fn booked(&self, case: &str, booking: &str) {
        self.with(case, |entry| entry.booking = Some(booking.to_owned()));
    }

    pub fn closed(&self, case: &Case, abandoned: bool) {
        self.with(&case.case_id, |entry| {
            entry.closed = true;
            entry.abandoned = abandoned;
            entry.outcome = case.outcome;
        });
    }

    pub fn rated(&self, case: &str, rating: i32) {
        self.with(case, |entry| entry.rating = rating);
    }
}

pub fn time(stamp: Option<&prost_types::Timestamp>) -> Time {
    proto::from_timestamp("time", stamp).ok().flatten().unwrap_or_default()
}
