//! Lines of Samtal's own in a conversation, in a visitor's words.

use proto::intake::{SystemCode, SystemLine};

use crate::web::Page;

/// A line as it is shown.
#[derive(Default)]
pub struct Line {
    pub text: String,
    /// Somebody one is guided on to, or a meeting: more than a line.
    pub card: Vec<String>,
    /// A number to call.
    pub phone: String,
    /// With signs of danger: all numbers to call, so that they come with the line to wherever it is shown.
    pub numbers: Vec<String>,
    /// An address on the web; nothing but https.
    pub url: String,
    /// By which it can be told what became of it.
    pub code: String,
    /// What the link is called.
    pub open: String,
    /// What is proposed to the visitor is another thing now.
    pub renews: bool,
}

fn param<'a>(line: &'a SystemLine, name: &str) -> &'a str {
    line.params.get(name).map_or("", String::as_str)
}

/// `Nurse` or `Siv, nurse`.
pub fn who(page: &Page, line: &SystemLine) -> String {
    let profession = match param(line, "profession") {
        "" => "any",
        known => known,
    };
    let profession = page.say(&format!("profession-{profession}"));
    match param(line, "first_name") {
        "" => profession.to_string(),
        name => page.say("who-named").with("name", name).with("profession", profession).to_string(),
    }
}

/// Whom to call, of a line that tells of danger; none of any other.
pub fn numbers(line: &SystemLine) -> Vec<String> {
    if line.code() != SystemCode::RedFlag {
        return Vec::new();
    }
    param(line, "numbers").split(',').filter(|number| !number.is_empty()).map(str::to_owned).collect()
}

/// Who answers since this line, if it says so.
pub fn joined(page: &Page, line: &SystemLine) -> Option<String> {
    matches!(line.code(), SystemCode::Joined | SystemCode::Transferred).then(|| who(page, line))
}

pub fn line(page: &Page, line: &SystemLine) -> Line {
    let says = |key: &str| Line { text: page.say(key).to_string(), ..Line::default() };
    let mine = param(line, "by") == "visitor";
    match line.code() {
        SystemCode::Joined => Line { text: page.say("line-joined").with("who", who(page, line)).to_string(), ..Line::default() },
        SystemCode::Transferred => Line { text: page.say("line-transferred").with("who", who(page, line)).to_string(), ..Line::default() },
        SystemCode::WaitingAgain => says("line-waiting-again"),
        SystemCode::Closed if mine => says("line-closed-me"),
        SystemCode::Closed => says("line-closed"),
        SystemCode::Reopened if mine => says("line-reopened-me"),
        SystemCode::Reopened => says("line-reopened"),
        SystemCode::RedFlag => Line { numbers: numbers(line), ..says("line-red-flag") },
        SystemCode::IdentityRevealed => says("line-identity"),
        SystemCode::Video => {
            let open = page.say("line-video-join").to_string();
            Line { url: https(param(line, "url")), open, card: vec![page.say("line-video-text").to_string()], ..says("line-video") }
        }
        SystemCode::Referral => {
            let parts = ["name", "about", "address"].map(|name| param(line, name).to_owned());
            Line {
                card: parts.into_iter().filter(|part| !part.is_empty()).collect(),
                phone: param(line, "phone").to_owned(),
                url: https(param(line, "url")),
                open: page.say("line-open").to_string(),
                code: param(line, "code").to_owned(),
                ..says("line-referral")
            }
        }
        SystemCode::TransferProposed | SystemCode::TransferEnded => {
            let state = if line.code() == SystemCode::TransferProposed { "proposed" } else { param(line, "state") };
            let text = page.say(&format!("line-transfer-{state}")).with("organisation", param(line, "organisation"));
            Line { text: text.to_string(), renews: true, ..Line::default() }
        }
        SystemCode::TransferReceived => says("line-transfer-received"),
        SystemCode::Unspecified => Line::default(),
    }
}

/// What a description says is an address must be one that can do nothing but be opened.
fn https(url: &str) -> String {
    if url.starts_with("https://") { url.to_owned() } else { String::new() }
}
