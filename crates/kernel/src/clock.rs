//! Where "now" comes from: the machine's clock corrected by the database's, or a clock that a simulation moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::Time;

/// The suite's clock. Cheap to clone; all clones tell the same time.
#[derive(Clone)]
pub struct Clock(Arc<Kind>);

enum Kind {
    /// Microseconds to add to the machine's clock, measured against the database.
    System {
        offset: AtomicI64,
    },
    Manual {
        now: watch::Sender<Time>,
    },
}

impl Clock {
    /// The machine's clock; `set_offset` moves it to the database's time.
    pub fn system() -> Self {
        Self(Arc::new(Kind::System { offset: AtomicI64::new(0) }))
    }

    /// A clock that stands still until `advance_to` moves it.
    pub fn manual(start: Time) -> Self {
        Self(Arc::new(Kind::Manual { now: watch::Sender::new(start) }))
    }

    pub fn is_manual(&self) -> bool {
        matches!(*self.0, Kind::Manual { .. })
    }

    pub fn now(&self) -> Time {
        match &*self.0 {
            Kind::System { offset } => Time::from_micros(machine_micros().saturating_add(offset.load(Ordering::Relaxed))),
            Kind::Manual { now } => *now.borrow(),
        }
    }

    /// Takes over `database_now`, read between two readings of the machine's clock that lie close together.
    pub fn set_offset(&self, database_now: Time) {
        if let Kind::System { offset } = &*self.0 {
            offset.store(database_now.micros() - machine_micros(), Ordering::Relaxed);
        }
    }

    /// Moves a manual clock forward; it never goes back. Nothing happens to a system clock.
    pub fn advance_to(&self, time: Time) {
        if let Kind::Manual { now } = &*self.0 {
            now.send_if_modified(|current| {
                let later = time > *current;
                if later {
                    *current = time;
                }
                later
            });
        }
    }

    /// Returns once the clock tells `time` or later. A system clock is looked at again every minute, because a
    /// suspended laptop or a corrected offset moves business time without moving timers.
    pub async fn sleep_until(&self, time: Time) {
        match &*self.0 {
            Kind::System { .. } => loop {
                let now = self.now();
                if now >= time {
                    return;
                }
                tokio::time::sleep(time.since(now).min(Duration::from_secs(60))).await;
            },
            Kind::Manual { now } => {
                let mut seen = now.subscribe();
                // The sender lives in `self`, so the wait ends only when the time has come.
                let _ = seen.wait_for(|current| *current >= time).await;
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn machine_micros() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |span| i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_and_never_goes_back() {
        let clock = Clock::manual(Time::from_secs(10));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(Time::from_secs(20)).await;
                clock.now()
            }
        });
        clock.advance_to(Time::from_secs(15));
        clock.advance_to(Time::from_secs(5));
        assert_eq!(clock.now(), Time::from_secs(15));
        clock.advance_to(Time::from_secs(20));
        assert_eq!(sleeper.await.unwrap(), Time::from_secs(20));
    }
}
