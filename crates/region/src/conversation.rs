//! What the description says of conversations: how staff are shown, texts that are sent often, where to guide people on to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Texts;

/// What visitors are told of the worker who answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffShown {
    /// `Siv, nurse`
    #[default]
    FirstName,
    /// `a nurse`
    Profession,
}

/// A text that workers send often. `{visitor}`, `{worker}` and `{clinic}` stand for names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CannedReply {
    pub id: String,
    /// Only for this clinic; left out: for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clinic: Option<String>,
    /// What a worker picks it by.
    pub title: Texts,
    pub text: Texts,
}

/// Somebody to guide visitors on to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralTarget {
    pub id: String,
    pub kind: ReferralKind,
    pub name: Texts,
    /// What one gets there, for the visitor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub about: Texts,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferralKind {
    /// A programme of the organisation's own.
    Programme,
    /// Another clinic.
    Clinic,
    /// Somebody outside.
    External,
}

/// Something to choose, with its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub id: String,
    pub name: Texts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonNumbers {
    /// Those of people; published test numbers are refused.
    #[default]
    Real,
    /// Published test numbers only, so that nobody's own ends up in a demonstration.
    Test,
}

/// What may be sent along with messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachments {
    #[serde(default = "yes")]
    pub allowed: bool,
    /// Largest file.
    #[serde(default = "attachment_mib")]
    pub max_mib: u32,
}

impl Default for Attachments {
    fn default() -> Self {
        Self { allowed: true, max_mib: attachment_mib() }
    }
}

/// For whom somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForWhom {
    #[serde(rename = "self")]
    Oneself,
    Child,
    Relative,
}

impl std::fmt::Display for ForWhom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Oneself => "self",
            Self::Child => "child",
            Self::Relative => "relative",
        })
    }
}

fn yes() -> bool {
    true
}

fn attachment_mib() -> u32 {
    10
}
