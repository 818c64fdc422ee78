//! What came out.

use std::fmt::Write as _;

use serde::Serialize;

use super::check::Findings;
use super::figures::Figures;

/// The outcome of a run; as JSON with `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub seed: u64,
    pub clinics: usize,
    #[serde(flatten)]
    pub figures: Figures,
    #[serde(flatten)]
    pub findings: Findings,
    /// Where the suite's own figures differ from the count.
    pub differences: Vec<String>,
    pub calls: u64,
    pub retries: u64,
    pub seconds: f64,
}

impl Outcome {
    /// Whether nothing was lost, repeated, reordered, unexpected or counted differently.
    pub fn is_clean(&self) -> bool {
        self.findings.is_clean() && self.differences.is_empty()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let f = &self.figures;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{} cases in {} clinics, {} contact reasons", f.cases, self.clinics, f.unique_contact_reasons);
        for (from, cases) in &f.age_bands {
            let band = if *from < 0 { "unknown".to_owned() } else { format!("{from}-{}", from + 9) };
            let bar = "#".repeat((cases * 60 / f.cases.max(1)) as usize);
            let _ = writeln!(text, "  age {band:>8} {cases:>5} {bar}");
        }
        let _ = writeln!(text, "rating {:.2} of 5, by {:.0}% of those who were answered", f.mean_rating, f.response_rate * 100.0);
        let _ = writeln!(
            text,
            "{} answered after {:.0} s on average (nine of ten within {:.0} s), {} gave up waiting",
            f.answered, f.mean_wait_seconds, f.p90_wait_seconds, f.abandoned
        );
        let _ = writeln!(text, "{} messages, {} visits booked", f.messages, f.bookings);
        let _ = writeln!(
            text,
            "read back: {} lost, {} repeated, {} reordered, {} unexpected",
            self.findings.lost, self.findings.repeated, self.findings.reordered, self.findings.unexpected
        );
        if self.differences.is_empty() {
            let _ = writeln!(text, "the suite's own figures equal the count");
        }
        for difference in &self.differences {
            let _ = writeln!(text, "counted differently: {difference}");
        }
        let _ = write!(
            text,
            "{} calls, {} repeated for want of an answer, {:.1} s, seed {}",
            self.calls, self.retries, self.seconds, self.seed
        );
        text
    }
}
