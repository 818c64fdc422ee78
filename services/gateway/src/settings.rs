//! Settings of the pages.

use std::collections::BTreeMap;

use kernel::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::sign_in::settings::Provider;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where browsers find the pages, `https://chat.example.org`; empty: by plain http, on loopback only.
    pub public_url: String,
    /// Sites that may frame the widget, `https://www.example.org`; empty: none.
    pub frame_ancestors: Vec<String>,
    /// Reverse proxies of ours in front of the pages, each of which appends to `X-Forwarded-For`.
    pub proxies: usize,
    /// Where the button that leaves at once leads: a page that anybody might be looking at.
    pub leave_to: String,
    /// Sign-in services for staff, by a name of yours; empty: none.
    #[serde(default)]
    pub sign_in: BTreeMap<String, Provider>,
    /// Whether mail leaves this installation; set by the process, not by `[pages]`.
    #[serde(skip)]
    pub mail: bool,
    /// Whether text messages do; set by the process, not by `[pages]`.
    #[serde(skip)]
    pub sms: bool,
    /// Logins that everybody knows; set by the process, not by `[pages]`.
    #[serde(skip)]
    pub demo: bool,
}

/// A weather forecast.
const NEUTRAL: &str = "https://www.yr.no/";

impl Settings {
    pub fn leave_to(&self) -> &str {
        if self.leave_to.is_empty() { NEUTRAL } else { &self.leave_to }
    }

    /// Errors: what is no origin.
    pub fn check(&self) -> Result<()> {
        if !self.public_url.is_empty() && !is_origin(&self.public_url) {
            return Err(Error::invalid("pages.public_url", "must be an address such as https://chat.example.org, without a path"));
        }
        if !self.leave_to.is_empty() && !self.leave_to.starts_with("https://") {
            return Err(Error::invalid("pages.leave_to", "must be an address such as https://www.yr.no/"));
        }
        for (name, provider) in &self.sign_in {
            provider.check(name, &self.public_url)?;
        }
        // A site that is tried out on this machine may frame it too.
        match self.frame_ancestors.iter().find(|one| !is_origin(one) && !is_loopback(one)) {
            Some(one) => {
                Err(Error::invalid("pages.frame_ancestors", format!("{one} is no address such as https://www.example.org, without a path")))
            }
            None => Ok(()),
        }
    }
}

/// `https://host` or `https://host:port`, nothing more: it goes into a header, and is compared with what browsers send.
fn is_origin(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|host| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':'))
    })
}

fn is_loopback(text: &str) -> bool {
    ["http://localhost:", "http://127.0.0.1:"]
        .iter()
        .any(|start| text.strip_prefix(start).is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_are_taken() {
        let check = |url: &str, framer: &str| {
            Settings { public_url: url.into(), frame_ancestors: vec![framer.into()], ..Settings::default() }
                .check()
                .map_err(|error| error.message)
        };
        check("https://chat.example.org", "https://www.example.org:8443").unwrap();
        check("", "http://127.0.0.1:8090").unwrap();
        for wrong in ["http://chat.example.org", "https://chat.example.org/", "chat.example.org", "https://", "https://a; script-src *"] {
            assert!(check(wrong, "https://a").unwrap_err().contains("public_url"), "{wrong}");
            assert!(check("", wrong).unwrap_err().contains("frame_ancestors"), "{wrong}");
        }
    }
}
