//! What the last form led to, said on the next page: `?said=too-late`. Codes only, so that no address can put words into our mouth.

use serde::Deserialize;

use crate::web::Page;

/// Codes, each with how its notice looks; the texts are `said-<code>`.
pub const SAID: &[(&str, &str)] = &[
    ("too-late", "warning"),
    ("closed-already", "warning"),
    ("not-yours", "warning"),
    ("empty", "warning"),
    ("note-empty", "warning"),
    ("lower-needs-reason", "warning"),
    ("due-unreadable", "warning"),
    ("due-passed", "warning"),
    ("outcome-missing", "warning"),
    ("slot-taken", "warning"),
    ("file-too-large", "warning"),
    ("file-kind-refused", "warning"),
    ("file-disguised", "warning"),
    ("file-damaged", "warning"),
    ("file-none-taken", "warning"),
    ("file-case-closed", "warning"),
    ("file-empty", "warning"),
    ("file-later", "warning"),
    ("pass-on-over", "warning"),
    ("pass-on-proposed", "good"),
    ("pass-on-waits", "warning"),
    ("pass-on-withdrawn", "good"),
    ("video-ready", "good"),
    ("goal-missing", "warning"),
    ("queue-missing", "warning"),
    ("none-chosen", "warning"),
    ("open-still", "warning"),
    ("rescue-reason", "warning"),
    ("rescue-late", "warning"),
    ("item-changed", "warning"),
    ("item-refused", "warning"),
    ("step-late", "warning"),
    ("invite-address", "warning"),
    ("invite-no-pages", "warning"),
    ("invite-too-many", "warning"),
    ("region-moved", "warning"),
    ("region-cut-short", "warning"),
    ("sent-on", "good"),
    ("item-saved", "good"),
    ("item-gone", "good"),
    ("item-reverted", "good"),
    ("invited", "good"),
    ("invitation-withdrawn", "good"),
    ("access-removed", "good"),
    ("closing-set", "good"),
    ("step-set", "good"),
    ("region-applied", "good"),
    ("severity-set", "good"),
    ("noted", "good"),
    ("mode-set", "good"),
    ("offered-on", "good"),
    ("handed-on", "good"),
    ("left", "good"),
    ("referred", "good"),
    ("documented", "good"),
    ("released", "good"),
    ("reopened", "good"),
    ("booked", "good"),
    ("booking-cancelled", "good"),
];

#[derive(Deserialize)]
pub struct Said {
    #[serde(default)]
    said: String,
}

/// A notice, at the top of the page.
pub struct Notice {
    pub text: String,
    pub kind: &'static str,
}

impl Said {
    /// The same for a page that is shown right away.
    pub fn code(said: &str) -> Self {
        Self { said: said.to_owned() }
    }

    pub fn notice(&self, page: &Page) -> Option<Notice> {
        let (code, kind) = SAID.iter().find(|(code, _)| *code == self.said)?;
        Some(Notice { text: page.say(&format!("said-{code}")).to_string(), kind })
    }
}
