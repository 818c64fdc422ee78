mod bad_input;
mod differences;
mod drifts;
mod examples;
mod findings;
mod written;

use crate::{Document, Finding, parse};

pub const DEMO: &str = include_str!("../../../../docs/examples/demo.yaml");
pub const HALLAND: &str = include_str!("../../../../docs/examples/halland.yaml");

/// An example as a document; a finding is shown as a person would see it.
pub fn read(file: &str, text: &str) -> Document {
    parse(file, text).unwrap_or_else(|findings| panic!("{}", shown(&findings)))
}

pub fn shown(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}

/// All that is wrong with a text, whether it was found while reading or while checking.
pub fn all_findings(text: &str) -> Vec<Finding> {
    parse("x.yaml", text).map_or_else(|findings| findings, |document| document.check())
}
