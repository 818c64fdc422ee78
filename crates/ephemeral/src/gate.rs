//! The rate limit's arithmetic (GCRA): one number per key, the moment at which all acts taken so far will have been paid
//! back. Redis runs the same steps in its script.

use std::time::Duration;

/// How many acts there are in which time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// Microseconds that one act costs.
    pub cost: i64,
    /// Microseconds of cost that may be open at a time.
    pub window: i64,
}

impl Gate {
    /// None if nothing is ever allowed.
    pub fn new(limit: u32, window: Duration) -> Option<Self> {
        let limit = i64::from(limit);
        if limit == 0 {
            return None;
        }
        // A year at most, so that no sum overflows, and at least a microsecond per act.
        let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX).clamp(limit, 366 * 86_400 * 1_000_000);
        // Floored to whole microseconds: rounding up could deny the last of `limit` acts at once.
        Some(Self { cost: (window / limit).max(1), window })
    }

    /// Takes an act at `now`. Gives the new paid-back moment, or how many microseconds to wait.
    pub fn pass(self, now: i64, paid_back: Option<i64>) -> Result<i64, i64> {
        // Never further ahead than a window: a clock that was set back must not lock the key for long.
        let open_until = paid_back.unwrap_or(now).clamp(now, now + self.window);
        let next = open_until + self.cost;
        let wait = next - self.window - now;
        if wait > 0 { Err(wait) } else { Ok(next) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_up_to_the_limit_then_one_by_one() {
        let gate = Gate::new(3, Duration::from_secs(3)).unwrap();
        let mut paid = None;
        for _ in 0..3 {
            paid = Some(gate.pass(0, paid).unwrap());
        }
        assert_eq!(gate.pass(0, paid), Err(1_000_000));
        assert_eq!(gate.pass(400_000, paid), Err(600_000));
        assert!(gate.pass(1_000_000, paid).is_ok());
    }

    #[test]
    fn a_clock_set_back_locks_nobody_longer_than_a_window() {
        let gate = Gate::new(1, Duration::from_secs(10)).unwrap();
        assert_eq!(gate.pass(0, Some(86_400_000_000)), Err(10_000_000));
    }

    #[test]
    fn any_limit_is_reached_exactly() {
        for limit in [1, 2, 7, 10, 999, u32::MAX] {
            let gate = Gate::new(limit, Duration::from_secs(1)).unwrap();
            let mut paid = None;
            for _ in 0..limit.min(2000) {
                paid = Some(gate.pass(5, paid).unwrap());
            }
            assert_eq!(gate.pass(5, paid).is_err(), limit <= 2000, "{limit}");
        }
        assert!(Gate::new(0, Duration::from_secs(1)).is_none());
    }
}
