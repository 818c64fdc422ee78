//! The layer in front of every handler: deadline, token, role, position token. What passes carries a [`Caller`].

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use auth::{Principal, policy};
use futures::future::BoxFuture;
use kernel::error::Code;
use kernel::{Error, Result};
use log::Log;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::authenticate::Authenticator;
use crate::caller::{Caller, denied};
use crate::position::Reached;
use crate::refusal::meant;
use crate::status::status;
use crate::watch::Watch;
use crate::whence::{self, Whence};

/// A call without a deadline gets this one, and so does each frame of a stream.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// Nobody gets a longer one; for a stream it limits only the way to its first answer.
pub const MAX_DEADLINE: Duration = Duration::from_secs(120);
/// Services that answer without a token: they say nothing about anybody.
const OPEN: [&str; 3] = ["grpc.health.v1.Health/", "grpc.reflection.v1.ServerReflection/", "grpc.reflection.v1alpha.ServerReflection/"];

/// Makes the gate. Cheap to clone.
#[derive(Clone)]
pub struct GateLayer {
    authenticator: Authenticator,
    /// By service name, for position tokens.
    logs: Arc<HashMap<&'static str, Log>>,
    watch: Watch,
}

impl GateLayer {
    pub fn new(authenticator: Authenticator, logs: HashMap<&'static str, Log>) -> Self {
        Self { authenticator, logs: Arc::new(logs), watch: Watch::new() }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { inner, gate: self.clone() }
    }
}

#[derive(Clone)]
pub struct Gate<S> {
    inner: S,
    gate: GateLayer,
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // The clone that is ready does the work; the other waits for its own turn.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let gate = self.gate.clone();
        let seen = gate.watch.arrived(request.uri().path());
        Box::pin(async move {
            let span = span_of(&request);
            telemetry::continue_trace(&span, request.headers());
            async move {
                let mut request = request;
                let limit = deadline(request.headers());
                let served = async {
                    match gate.enter(&mut request).await {
                        Ok(()) => inner.call(request).await.map(|response| gate.leave(refusal(response))),
                        Err(error) => Ok(status(error).into_http()),
                    }
                };
                let answer = match tokio::time::timeout(limit, served).await {
                    Ok(answer) => answer,
                    Err(_) => Ok(status(overdue()).into_http()),
                };
                answer.map(|answer| seen.answered(answer))
            }
            .instrument(span)
            .await
        })
    }
}

impl GateLayer {
    /// Lets the request in, with its caller, or says why not.
    async fn enter(&self, request: &mut http::Request<Body>) -> Result<()> {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        if OPEN.iter().any(|open| path.starts_with(open)) {
            return Ok(());
        }
        // What is in no table is no RPC of ours; the router answers UNIMPLEMENTED to it.
        let Some((rpc, _)) = policy::POLICY.iter().find(|(rpc, _)| *rpc == path) else { return Ok(()) };
        let headers = request.headers();
        let (authorization, after) = (header(headers, "authorization"), header(headers, crate::position::ASK));
        let visitor_address = header(headers, whence::VISITOR_ADDRESS);
        let (mut principal, mut token_hash) = match authorization.as_str() {
            "" => (Principal::anonymous(), Vec::new()),
            value => {
                let token = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")).ok_or_else(|| {
                    Error::new(Code::Unauthenticated, "TOKEN_INVALID", "the authorization metadata must read `Bearer TOKEN`")
                })?;
                (self.authenticator.bearer(token).await?, crate::authenticate::kept_hash(token))
            }
        };
        let mut address = whence::peer(request.extensions());
        if principal.role == auth::Role::Service && principal.id == whence::GATEWAY && !visitor_address.is_empty() {
            // The gateway says for whom it calls: somebody without a token, at that address. From others it means nothing.
            address = Some(whence::parse(&visitor_address)?);
            (principal, token_hash) = (Principal::anonymous(), Vec::new());
        }
        if policy::reach(&principal, rpc).is_none() {
            return Err(match principal.role {
                auth::Role::Anonymous => {
                    Error::new(Code::Unauthenticated, "TOKEN_MISSING", "send the metadata `authorization: Bearer TOKEN`")
                }
                _ => denied(),
            });
        }
        if !after.is_empty() {
            let service = path.split('.').nth(1).unwrap_or_default();
            // Access and the log's own RPCs have no projection of their own.
            if let Some(log) = self.logs.get(service) {
                crate::position::wait(log, self.authenticator.secret(), &after).await?;
            }
        }
        request.extensions_mut().insert(Whence::of(self.authenticator.secret(), address));
        request.extensions_mut().insert(Caller { principal, rpc, traceparent: telemetry::traceparent(), token_hash });
        Ok(())
    }

    /// Tells the caller how far the log has come, if the handler has said so.
    fn leave(&self, mut response: http::Response<Body>) -> http::Response<Body> {
        let token = response.extensions().get::<Reached>().map(|reached| reached.token(self.authenticator.secret()));
        match token.map(|token| token.map(http::HeaderValue::try_from)) {
            Some(Ok(Ok(token))) => {
                response.headers_mut().insert(crate::position::ANSWER, token);
            }
            // What was done is done; the caller only cannot wait for it elsewhere.
            Some(Ok(Err(_)) | Err(_)) => tracing::warn!("an answer went without its position token"),
            None => {}
        }
        response
    }
}

/// Owned, since a request's body may not be looked at from two threads while we wait.
fn header(headers: &http::HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// A refusal of tonic's own, in our words.
fn refusal(response: http::Response<Body>) -> http::Response<Body> {
    let said = response.headers().contains_key("grpc-status").then(|| tonic::Status::from_header_map(response.headers()));
    said.flatten().and_then(|said| meant(&said)).map_or(response, |error| status(error).into_http())
}

/// What a call is told, or a frame, that took longer than it may.
pub fn overdue() -> Error {
    Error::new(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        "the call's deadline has passed; whether it took effect is unknown, so repeat it with the same request_id or client_id",
    )
}

/// `grpc-timeout`: up to eight digits and a unit.
fn deadline(headers: &http::HeaderMap) -> Duration {
    let text = headers.get("grpc-timeout").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((digits, unit)) = text.split_at_checked(text.len().saturating_sub(1)) else { return DEFAULT_DEADLINE };
    let Ok(number) = digits.parse::<u64>() else { return DEFAULT_DEADLINE };
    let limit = match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => DEFAULT_DEADLINE,
    };
    limit.min(MAX_DEADLINE)
}

fn span_of(request: &http::Request<Body>) -> tracing::Span {
    let path = request.uri().path().trim_start_matches('/');
    tracing::info_span!("rpc", otel.name = %path, otel.kind = "server", rpc.system = "grpc", rpc.method = %path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_in_every_unit_and_capped() {
        let read = |text: &'static str| {
            deadline(&[(http::HeaderName::from_static("grpc-timeout"), http::HeaderValue::from_static(text))].into_iter().collect())
        };
        assert_eq!(read("250m"), Duration::from_millis(250));
        assert_eq!(read("3S"), Duration::from_secs(3));
        assert_eq!(read("99999999H"), MAX_DEADLINE);
        for nonsense in ["", "x", "5", "5x", "-1S"] {
            assert_eq!(read(nonsense), DEFAULT_DEADLINE, "{nonsense}");
        }
    }

    #[test]
    fn every_rpc_of_the_contracts_is_in_the_policy_and_nothing_else_is() {
        let files = <prost_types::FileDescriptorSet as prost::Message>::decode(proto::DESCRIPTORS).unwrap();
        let mut rpcs: Vec<String> = Vec::new();
        for file in &files.file {
            for service in &file.service {
                for method in &service.method {
                    rpcs.push(format!("{}.{}/{}", file.package(), service.name(), method.name()));
                }
            }
        }
        rpcs.sort();
        let mut table: Vec<String> = policy::POLICY.iter().map(|(rpc, _)| (*rpc).to_owned()).collect();
        table.sort();
        assert_eq!(rpcs, table);
    }
}
