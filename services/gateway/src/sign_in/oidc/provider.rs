//! One sign-in service at run time: what it says of itself, its keys, and how a code becomes claims.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use kernel::{Clock, Error, Result};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::claims::Claims;
use super::http::{Failed, Http};
use super::token;
use crate::sign_in::settings::{Hidden, Provider as Settings, is_trusted};

/// How long what a service says of itself is believed.
const BELIEVED: Duration = Duration::from_secs(3600);

pub struct Provider {
    pub name: String,
    pub settings: Settings,
    secret: Hidden,
    http: Http,
    clock: Clock,
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    metadata: Metadata,
    keys: JwkSet,
    since: Instant,
}

/// What we need of what it says of itself (OpenID Connect Discovery).
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    issuer: String,
    pub authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    pub end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: String,
}

/// A code that came back, with what we kept when we sent the person there.
pub struct Code<'a> {
    pub code: &'a str,
    pub verifier: &'a str,
    pub nonce: &'a str,
    pub redirect_uri: &'a str,
}

/// Somebody as the service knows them.
pub struct Proved {
    pub claims: Claims,
    /// The token that said so: the service wants to see it again when the person signs out.
    pub id_token: String,
}

impl Provider {
    /// Nothing is asked yet. Errors: settings that cannot be used, a file that cannot be read.
    pub fn new(name: &str, settings: &Settings, clock: Clock) -> Result<Self> {
        let secret = match settings.client_secret_file.as_str() {
            "" => settings.client_secret.clone(),
            file => {
                let read = std::fs::read_to_string(file);
                let read = read.map_err(|error| {
                    Error::invalid(format!("pages.sign_in.{name}.client_secret_file"), format!("{file} cannot be read: {error}"))
                })?;
                Hidden(read.trim().to_owned())
            }
        };
        let http = Http::new(&settings.ca_file)?;
        Ok(Self { name: name.to_owned(), settings: settings.clone(), secret, http, clock, known: Mutex::new(None) })
    }

    pub async fn metadata(&self) -> std::result::Result<Metadata, Failed> {
        Ok(self.known(false).await?.metadata)
    }

    /// `again`: its keys are not the ones we know.
    async fn known(&self, again: bool) -> std::result::Result<Known, Failed> {
        let mut known = self.known.lock().await;
        if let (Some(one), false) = (&*known, again)
            && one.since.elapsed() < BELIEVED
        {
            return Ok(one.clone());
        }
        match self.ask().await {
            Ok(fresh) => Ok(known.insert(fresh).clone()),
            // What it said an hour ago may well hold; keys that are looked for anew must be new.
            Err(_) if !again && known.is_some() => known.clone().ok_or("it says nothing of itself"),
            Err(failed) => Err(failed),
        }
    }

    async fn ask(&self) -> std::result::Result<Known, Failed> {
        let issuer = &self.settings.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata =
            serde_json::from_slice(&self.http.get(&address, None).await?).map_err(|_| "what it says of itself cannot be read")?;
        if metadata.issuer != *issuer {
            return Err("it calls itself something else than the settings do");
        }
        let optional = [&metadata.userinfo_endpoint, &metadata.end_session_endpoint].into_iter().filter_map(Option::as_ref);
        let all = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri].into_iter().chain(optional);
        if !all.into_iter().all(|address| is_trusted(address, issuer)) {
            return Err("it names an address without https");
        }
        let keys = serde_json::from_slice(&self.http.get(&metadata.jwks_uri, None).await?).map_err(|_| "its keys cannot be read")?;
        Ok(Known { metadata, keys, since: Instant::now() })
    }

    /// Turns a code into what the service says of the person; all of it checked.
    pub async fn prove(&self, code: &Code<'_>) -> std::result::Result<Proved, Failed> {
        let known = self.known(false).await?;
        let tokens = self.exchange(&known.metadata, code).await?;
        let expected = token::Expected { settings: &self.settings, nonce: code.nonce, now: self.clock.now().secs() };
        let claims = match token::check(&tokens.id_token, &known.keys, &expected) {
            // It may have changed its keys since we asked.
            Err(token::Fault::UnknownKey) => token::check(&tokens.id_token, &self.known(true).await?.keys, &expected),
            checked => checked,
        };
        let mut claims = claims.map_err(token::Fault::text)?;
        if self.settings.userinfo {
            let address = known.metadata.userinfo_endpoint.as_deref().ok_or("it has no userinfo address")?;
            let more: Claims = serde_json::from_slice(&self.http.get(address, Some(&tokens.access_token)).await?)
                .map_err(|_| "its userinfo cannot be read")?;
            if more.get("sub") != claims.get("sub") {
                return Err("its userinfo speaks of somebody else");
            }
            // What is signed goes before what is not.
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(Proved { claims, id_token: tokens.id_token })
    }

    async fn exchange(&self, metadata: &Metadata, code: &Code<'_>) -> std::result::Result<Tokens, Failed> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.code),
            ("redirect_uri", code.redirect_uri),
            ("code_verifier", code.verifier),
        ];
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        // Without a word about it, it is Basic (the standard's default).
        let basic = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        let mut header = None;
        if !self.secret.0.is_empty() && basic {
            header = Some(STANDARD.encode(format!("{}:{}", encode(&self.settings.client_id), encode(&self.secret.0))));
        } else {
            form.push(("client_id", &self.settings.client_id));
            if !self.secret.0.is_empty() {
                form.push(("client_secret", &self.secret.0));
            }
        }
        let answer = self.http.post(&metadata.token_endpoint, query(&form), header).await?;
        serde_json::from_slice(&answer).map_err(|_| "its tokens cannot be read")
    }

    /// Where the browser is sent, to come back to `redirect_uri` with a code.
    pub fn address(&self, metadata: &Metadata, begun: &Begun, redirect_uri: &str, language: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(auth::hash(begun.verifier.as_bytes()));
        let scope = self.settings.scopes.join(" ");
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", &scope),
            ("state", &begun.state),
            ("nonce", &begun.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("ui_locales", language),
        ];
        pairs.extend(self.settings.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        with_query(&metadata.authorization_endpoint, &pairs)
    }

    /// Where the browser is sent to be signed out there too; None: the service offers no such thing.
    pub fn leave(&self, metadata: &Metadata, id_token: &str, back_to: &str) -> Option<String> {
        let address = metadata.end_session_endpoint.as_ref()?;
        let mut pairs = vec![("client_id", self.settings.client_id.as_str()), ("post_logout_redirect_uri", back_to)];
        if !id_token.is_empty() {
            pairs.push(("id_token_hint", id_token));
        }
        Some(with_query(address, &pairs))
    }

    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }
}

/// What we remember while somebody is away at the service.
#[derive(Clone, Debug, serde::Serialize, Deserialize)]
pub struct Begun {
    pub provider: String,
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    /// Where they wanted to.
    pub to: String,
}

fn with_query(address: &str, pairs: &[(&str, &str)]) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{}", query(pairs))
}

fn query(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// Percent-encoding of all but the letters that never need it.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
