//! Named places where a test may kill the process. Compiled out of release builds.

/// Every failpoint there is. A test goes through the whole list, so a new place is tested from its first day.
pub const ALL: &[&str] = &[
    "unit.before_begin",
    "unit.before_heads",
    "unit.before_commit",
    "unit.after_commit",
    "relay.before_publish",
    "relay.after_publish",
    "consumer.before_apply",
    "consumer.before_commit",
    "consumer.after_commit",
    "timer.before_commit",
    "timer.after_commit",
];

/// Which failpoint is armed in this process, set once at the start.
#[cfg(debug_assertions)]
static ARMED: std::sync::OnceLock<(String, std::sync::atomic::AtomicI64)> = std::sync::OnceLock::new();

/// Arms the failpoint `name` to kill the process at its `nth` passing (from 1). Unknown names are refused.
#[cfg(debug_assertions)]
pub fn arm(name: &str, nth: i64) -> Result<(), String> {
    if !ALL.contains(&name) {
        return Err(format!("there is no failpoint {name}; there are: {}", ALL.join(", ")));
    }
    ARMED.set((name.to_owned(), std::sync::atomic::AtomicI64::new(nth))).map_err(|_| "a failpoint is armed already".to_owned())
}

/// Passes the place `name`; the process dies here as by kill -9 if it is the armed one and its turn has come.
#[inline]
pub fn pass(name: &'static str) {
    #[cfg(debug_assertions)]
    if let Some((armed, left)) = ARMED.get()
        && armed == name
        && left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1
    {
        // Nothing is unwound, flushed or closed, as in a power cut.
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
