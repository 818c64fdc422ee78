//! From a token to a principal: services' own tokens by their signature, all others by asking who keeps them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use auth::{Principal, Secret, token_hash};
use futures::future::BoxFuture;
use kernel::error::Code;
use kernel::{Clock, Error, Result};

use crate::Caller;

/// Who keeps the tokens: intake's own table, or intake by gRPC. Answers None for an unknown, ended or revoked token.
pub type Introspect = Arc<dyn Fn(Vec<u8>) -> BoxFuture<'static, Result<Option<Principal>>> + Send + Sync>;

/// The name under which the command line signs its own token.
pub const OPERATOR: &str = "operator";

/// How long an answer is believed: a revoked token ends everywhere within this and the check of streams.
const BELIEVED: Duration = Duration::from_secs(2);
/// How often a stream's token is asked about again. With [`BELIEVED`], a revoked one ends its streams within 5 s.
const AGAIN: Duration = Duration::from_millis(2500);
/// Answers that are kept; beyond it all are forgotten and asked for anew.
const MAX_KEPT: usize = 50_000;

/// How a token begins that a service has signed for itself.
const SIGNED: &str = "service.";

/// The hash under which a token is kept; empty for one that is checked by its signature and kept nowhere.
pub(crate) fn kept_hash(token: &str) -> Vec<u8> {
    if token.starts_with(SIGNED) { Vec::new() } else { token_hash(token) }
}

/// Turns tokens into principals. Cheap to clone.
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

/// Answers by the token's hash, with when they were given.
type Kept = HashMap<Vec<u8>, (Instant, Option<Principal>)>;

struct Inner {
    secret: Secret,
    clock: Clock,
    introspect: Introspect,
    kept: Mutex<Kept>,
}

impl Authenticator {
    pub fn new(secret: Secret, clock: Clock, introspect: Introspect) -> Self {
        Self(Arc::new(Inner { secret, clock, introspect, kept: Mutex::default() }))
    }

    /// The bearer of `token`; an error if it says nothing any more.
    pub async fn bearer(&self, token: &str) -> Result<Principal> {
        if token.starts_with(SIGNED) {
            let service = self.0.secret.check_service_token(token, self.0.clock.now());
            let service = service.ok_or_else(unauthenticated)?;
            // Whoever knows the installation's secret runs it; the command line introduces itself so.
            return Ok(if service == OPERATOR { Principal::operator() } else { Principal::service(&service) });
        }
        self.holder(token_hash(token)).await
    }

    /// The bearer of the token with this hash.
    pub async fn holder(&self, hash: Vec<u8>) -> Result<Principal> {
        let kept = {
            let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&hash).filter(|(since, _)| since.elapsed() < BELIEVED).map(|(_, principal)| principal.clone())
        };
        let principal = match kept {
            Some(principal) => principal,
            None => {
                let found = (self.0.introspect)(hash.clone()).await?;
                let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= MAX_KEPT {
                    kept.clear();
                }
                // Only who exists is believed: a token may be made right after it was asked for.
                if found.is_some() {
                    kept.insert(hash, (Instant::now(), found.clone()));
                }
                found
            }
        };
        principal.ok_or_else(unauthenticated)
    }

    /// For streams: returns once the caller's token says nothing any more, with the error to end the stream with. Not being able
    /// to ask is no reason to cut somebody off. A service's own token was checked by its signature.
    pub async fn ended(&self, caller: &Caller) -> Error {
        if caller.token_hash.is_empty() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(AGAIN).await;
            match self.holder(caller.token_hash.clone()).await {
                Err(error) if !error.is_transient() => return error,
                _ => {}
            }
        }
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0.secret
    }
}

fn unauthenticated() -> Error {
    Error::new(Code::Unauthenticated, "TOKEN_INVALID", "the token is unknown, ended or revoked; sign in again")
}
