//! Triage: protocols, questionnaires, severity.

pub mod domain;
