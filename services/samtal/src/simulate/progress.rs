//! How far the simulation is: a bar on a terminal, plain lines otherwise, nothing with `--json`.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use kernel::Time;

pub struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    total: usize,
    told: AtomicUsize,
}

impl Progress {
    pub fn new(total: usize, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && !quiet).then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} cases {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total as u64).with_style(style)
        });
        Self { bar, lines: !terminal && !quiet, total, told: AtomicUsize::new(0) }
    }

    pub fn at(&self, over: usize, now: Time) {
        let date = || jiff::Timestamp::from_microsecond(now.micros()).map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        if let Some(bar) = &self.bar {
            bar.set_position(over as u64);
            bar.set_message(date());
        } else if self.lines {
            // A line for every tenth.
            let tenth = over * 10 / self.total.max(1);
            if tenth > self.told.fetch_max(tenth, Ordering::Relaxed) {
                eprintln!("{over} of {} cases, {}", self.total, date());
            }
        }
    }

    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
