//! The store in this process's memory. Bounded: expired entries are swept, and a map that is full of living ones lets go
//! of those that would expire first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Clock, Time};

use crate::gate::Gate;

/// Entries per map. A rate limit's or a ticket's entry takes some 150 bytes.
const MOST: usize = 100_000;
/// Below this size a map is not worth sweeping.
const LEAST: usize = 1024;

#[derive(Clone)]
pub(crate) struct Memory {
    clock: Clock,
    maps: Arc<Mutex<Maps>>,
}

#[derive(Default)]
struct Maps {
    /// Until when each key is present through each of its screens.
    present: Expiring<HashMap<String, Time>>,
    /// The paid-back moment of each key, in microseconds.
    limits: Expiring<i64>,
    tickets: Expiring<String>,
}

impl Memory {
    pub fn new(clock: Clock) -> Self {
        Self { clock, maps: Arc::default() }
    }

    pub fn set_present(&self, key: &str, by: &str, ttl: Duration) {
        let now = self.clock.now();
        self.maps().change_presence(key, now, |through| {
            through.insert(by.to_owned(), now + ttl.max(Duration::from_millis(1)));
        });
    }

    pub fn clear_present(&self, key: &str, by: &str) {
        let now = self.clock.now();
        self.maps().change_presence(key, now, |through| {
            through.remove(by);
        });
    }

    pub fn present(&self, keys: &[String]) -> Vec<bool> {
        let now = self.clock.now();
        let maps = self.maps();
        keys.iter().map(|key| maps.present.get(key, now).is_some()).collect()
    }

    pub fn allow(&self, key: &str, gate: Gate) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut maps = self.maps();
        match gate.pass(now.micros(), maps.limits.get(key, now).copied()) {
            Ok(paid_back) => {
                maps.limits.put(key, paid_back, now, micros(paid_back - now.micros()));
                Ok(())
            }
            Err(wait) => Err(micros(wait)),
        }
    }

    pub fn put_ticket(&self, key: &str, value: &str, ttl: Duration) {
        let now = self.clock.now();
        self.maps().tickets.put(key, value.to_owned(), now, ttl);
    }

    pub fn take_ticket(&self, key: &str) -> Option<String> {
        let now = self.clock.now();
        self.maps().tickets.take(key, now)
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        // Nothing in here is worth more than going on.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    /// An entry lives as long as the last of its screens.
    fn change_presence(&mut self, key: &str, now: Time, change: impl FnOnce(&mut HashMap<String, Time>)) {
        let mut through = self.present.take(key, now).unwrap_or_default();
        change(&mut through);
        through.retain(|_, until| *until > now);
        if let Some(last) = through.values().max().copied() {
            self.present.put(key, through, now, last.since(now));
        }
    }
}

pub(crate) fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0) as u64)
}

/// A map whose entries live until a moment.
struct Expiring<V> {
    entries: HashMap<String, (Time, V)>,
    /// Size at which to sweep next.
    sweep_at: usize,
}

impl<V> Default for Expiring<V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sweep_at: LEAST }
    }
}

impl<V> Expiring<V> {
    fn get(&self, key: &str, now: Time) -> Option<&V> {
        self.entries.get(key).filter(|(until, _)| *until > now).map(|(_, value)| value)
    }

    fn put(&mut self, key: &str, value: V, now: Time, ttl: Duration) {
        self.entries.insert(key.to_owned(), (now + ttl.max(Duration::from_millis(1)), value));
        if self.entries.len() >= self.sweep_at {
            self.sweep(now);
        }
    }

    fn take(&mut self, key: &str, now: Time) -> Option<V> {
        self.entries.remove(key).filter(|(until, _)| *until > now).map(|(_, value)| value)
    }

    /// Runs each time the map has doubled since, so that it costs a constant per entry.
    fn sweep(&mut self, now: Time) {
        self.entries.retain(|_, (until, _)| *until > now);
        if self.entries.len() >= MOST {
            let mut ends: Vec<Time> = self.entries.values().map(|(until, _)| *until).collect();
            let (_, middle, _) = ends.select_nth_unstable(MOST / 2);
            let middle = *middle;
            self.entries.retain(|_, (until, _)| *until > middle);
        }
        self.sweep_at = (self.entries.len() * 2).clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_entries_are_swept() {
        let mut map = Expiring::default();
        for second in 0..100_000 {
            map.put(&second.to_string(), (), Time::from_secs(second), Duration::from_secs(10));
            assert!(map.entries.len() <= LEAST);
        }
        assert!(map.get("99999", Time::from_secs(100_000)).is_some());
    }

    #[test]
    fn living_entries_are_bounded_and_the_longest_lived_stay() {
        let mut map = Expiring::default();
        for n in 0..MOST as u64 * 2 {
            map.put(&n.to_string(), (), Time::ZERO, Duration::from_secs(1 + n));
            assert!(map.entries.len() <= MOST);
        }
        assert!(map.get(&(MOST * 2 - 1).to_string(), Time::ZERO).is_some());
    }

    #[test]
    fn entries_that_all_end_together_are_bounded_too() {
        let mut map = Expiring::default();
        for n in 0..MOST * 2 {
            map.put(&n.to_string(), (), Time::ZERO, Duration::from_secs(1));
        }
        assert!(map.entries.len() <= MOST);
    }
}
