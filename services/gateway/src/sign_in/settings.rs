//! Sign-in services (OpenID Connect) as the settings name them, `[pages.sign_in.NAME]`.

use std::collections::BTreeMap;
use std::fmt;

use kernel::{Error, Result};
use serde::{Deserialize, Serialize};

/// Names of ways in that are no sign-in service.
const TAKEN: [&str; 4] = ["demo", "passkey", "code", "invitation"];

/// One sign-in service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// On the button: `SITHS`.
    pub label: String,
    /// Its issuer, letter for letter as it calls itself.
    pub issuer: String,
    pub client_id: String,
    #[serde(default)]
    pub client_secret: Hidden,
    /// A file that holds the secret, instead of `client_secret`.
    #[serde(default)]
    pub client_secret_file: String,
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// What else goes along when somebody is sent there: `{ acr_values = "…", prompt = "login" }`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Certificates (PEM) of those who may vouch for its address, instead of those that browsers trust.
    #[serde(default)]
    pub ca_file: String,
    /// Signatures that are accepted.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// By how much its clock may differ from ours.
    #[serde(default = "skew")]
    pub clock_skew_seconds: u32,
    /// Whether claims are asked for at its userinfo address too.
    #[serde(default)]
    pub userinfo: bool,
    /// The claim that names the person as the region's description does: `sub`, `employeeHsaId`, `oid`. One that begins with `/` is a path
    /// into the claims (JSON pointer).
    #[serde(default = "subject")]
    pub subject: String,
    /// Whether a verified `email` finds the worker who has that address in the description.
    #[serde(default)]
    pub by_email: bool,
    /// The organisations whose staff come this way; empty: any.
    #[serde(default)]
    pub organisations: Vec<String>,
    /// A claim that says for which organisation somebody comes.
    #[serde(default)]
    pub organisation: Option<ByClaim>,
    /// Who may lead in a session, of those whom the description calls leaders; absent: all of them.
    #[serde(default)]
    pub leader: Option<Rule>,
    /// Who runs the installation; absent: nobody who comes this way.
    #[serde(default)]
    pub operator: Option<Rule>,
}

/// Holds if the claim has one of the values.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub claim: String,
    pub values: Vec<String>,
}

/// From a claim's value to an organisation's id.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByClaim {
    pub claim: String,
    pub values: BTreeMap<String, String>,
}

/// Asymmetric ones only: with a shared secret, whoever can check a token can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// A text that is never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

impl Provider {
    /// Errors: what cannot be used, by the setting's name.
    pub fn check(&self, name: &str, public_url: &str) -> Result<()> {
        let wrong = |setting: &str, message: &str| Err(Error::invalid(format!("pages.sign_in.{name}.{setting}"), message));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) || TAKEN.contains(&name) {
            return wrong("", "must be named by a-z 0-9 -, and not demo, passkey, code or invitation");
        }
        if !is_trusted(&self.issuer, &self.issuer) {
            return wrong("issuer", "must be an https:// address, as the service writes it itself");
        }
        if public_url.is_empty() && !is_loopback(&self.issuer) {
            return wrong("issuer", "needs pages.public_url: the service must know where to send people back to");
        }
        if self.label.trim().is_empty() {
            return wrong("label", "is empty; it stands on the button");
        }
        if self.client_id.is_empty() {
            return wrong("client_id", "is empty; the service gave it to you");
        }
        if !self.client_secret.0.is_empty() && !self.client_secret_file.is_empty() {
            return wrong("client_secret_file", "stands beside client_secret; keep one of the two");
        }
        if !self.scopes.iter().any(|scope| scope == "openid") {
            return wrong("scopes", "must hold openid");
        }
        if self.algorithms.is_empty() {
            return wrong("algorithms", "is empty; name at least one");
        }
        if self.clock_skew_seconds > 600 {
            return wrong("clock_skew_seconds", "must be at most 600");
        }
        if self.subject.is_empty() {
            return wrong("subject", "is empty; name the claim that says who somebody is");
        }
        Ok(())
    }
}

/// Whether an address of the service whose issuer is `issuer` may be used: by https; on this machine, for trying out, also without.
pub fn is_trusted(address: &str, issuer: &str) -> bool {
    let https = address.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    https || (is_loopback(address) && is_loopback(issuer))
}

fn is_loopback(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn scopes() -> Vec<String> {
    ["openid", "profile"].map(str::to_owned).to_vec()
}

fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256]
}

const fn skew() -> u32 {
    60
}

fn subject() -> String {
    "sub".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Provider {
        let json = r#"{"label": "SITHS", "issuer": "https://idp.example", "client_id": "samtal", "client_secret": "hush-hush"}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_provider_that_cannot_work_is_refused_by_its_setting() {
        let told = |change: &dyn Fn(&mut Provider), url: &str| {
            let mut provider = provider();
            change(&mut provider);
            provider.check("siths", url).map_err(|error| error.violations[0].field.clone())
        };
        let url = "https://chat.example";
        told(&|_| {}, url).unwrap();
        assert!(told(&|_| {}, "").unwrap_err().ends_with("siths.issuer"));
        for issuer in ["http://idp.example", "https://", "idp.example", "http://127.0.0.1.evil.example"] {
            assert!(told(&|one| one.issuer = issuer.into(), url).unwrap_err().ends_with("issuer"), "{issuer}");
        }
        assert!(told(&|one| one.client_secret_file = "f".into(), url).unwrap_err().ends_with("client_secret_file"));
        assert!(told(&|one| one.scopes.clear(), url).unwrap_err().ends_with("scopes"));
        assert!(told(&|one| one.algorithms.clear(), url).unwrap_err().ends_with("algorithms"));
        assert!(provider().check("demo", url).is_err() && provider().check("A b", url).is_err());
        let symmetric = r#"{"label": "x", "issuer": "https://x", "client_id": "x", "algorithms": ["HS256"]}"#;
        assert!(serde_json::from_str::<Provider>(symmetric).is_err());
    }

    #[test]
    fn the_secret_is_never_printed() {
        assert!(!format!("{:?}", provider()).contains("hush"));
    }

    #[test]
    fn only_a_provider_on_this_machine_is_asked_without_tls() {
        assert!(is_trusted("https://a/token", "https://b"));
        assert!(is_trusted("http://127.0.0.1:4000/token", "http://localhost:4000"));
        for address in ["http://127.0.0.1/token", "http://idp.example/token", "file:///etc/passwd", "https:///x"] {
            assert!(!is_trusted(address, "https://idp.example"), "{address}");
        }
    }
}
