//! Who works for an organisation, and how they come in.

use kernel::{Language, Profession};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    pub id: String,
    pub name: String,
    pub clinics: Vec<String>,
    #[serde(default)]
    pub role: Role,
    pub profession: Profession,
    /// Queues this worker answers; empty: all queues of the worker's clinics.
    #[serde(default)]
    pub queues: Vec<String>,
    #[serde(default)]
    pub languages: Vec<Language>,
    /// Points of work at a time; a chat costs 30, a video meeting 100, an e-mail 10.
    #[serde(default = "capacity")]
    pub capacity: u32,
    /// A one-click login in demo mode.
    #[serde(default)]
    pub demo_login: bool,
    /// How sign-in services name this worker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sign_in: Vec<SignInName>,
    /// Where invitations and codes go, and whom a sign-in service may name by address. Empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub email: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    #[default]
    Worker,
    /// Leads the clinics of `clinics`.
    Leader,
    /// Sees only what is assigned to them.
    Volunteer,
}

/// Whom a sign-in service names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInName {
    /// The service's name in the settings of the pages, `[pages.sign_in.NAME]`.
    pub provider: String,
    /// What the service's configured claim says: an HSA-id, an object id.
    pub subject: String,
}

/// Whether staff of an organisation may be invited, and how they come in then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invitations {
    /// Nobody is invited: staff come by a sign-in service.
    #[default]
    Off,
    /// By an invitation, and with codes by e-mail after it.
    Code,
}

/// Something, an @, and a name with a dot; what a mail server thinks of it, it says itself.
pub fn is_address(text: &str) -> bool {
    let fits =
        text.len() <= 254 && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',' | ';' | '"'));
    fits && text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.')
    })
}

fn capacity() -> u32 {
    100
}
