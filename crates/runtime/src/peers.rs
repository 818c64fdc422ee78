//! The other services, by gRPC.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use auth::{Principal, Role, Secret};
use futures::future::BoxFuture;
use kernel::{Clock, Error, Result};
use proto::access::access_service_client::AccessServiceClient;
use proto::access::{IntrospectRequest, PrincipalKind};
use rpc::Authenticator;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

/// A channel to another service that says who we are.
pub type Peer = InterceptedService<Channel, Introduce>;

/// How long a service's own token holds; one is made for each call. Pages have no database whose time they could follow: a
/// machine whose clock is ten minutes behind must shut nobody out.
const TOKEN_LIFE: Duration = Duration::from_secs(1_800);
/// No call to a peer takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where the other services answer.
#[derive(Clone)]
pub struct Peers {
    channels: BTreeMap<String, Channel>,
    /// Those that are served by this process.
    here: BTreeSet<String>,
    secret: Secret,
    clock: Clock,
    authenticator: Authenticator,
}

impl Peers {
    /// `addresses`: service name to `http://HOST:PORT`. Nothing is connected yet.
    pub fn new(addresses: &BTreeMap<String, String>, secret: Secret, clock: Clock) -> Result<Self> {
        let mut channels = BTreeMap::new();
        for (name, address) in addresses {
            let endpoint = Endpoint::from_shared(address.clone())
                .map_err(|error| Error::invalid(format!("peers.{name}"), format!("is not an address such as http://intake:8081: {error}")))?
                .connect_timeout(Duration::from_secs(3))
                .timeout(DEADLINE)
                .tcp_nodelay(true)
                .http2_keep_alive_interval(Duration::from_secs(20))
                .keep_alive_while_idle(true);
            channels.insert(name.clone(), endpoint.connect_lazy());
        }
        let introduce = Introduce { me: "gate", secret: secret.clone(), clock: clock.clone() };
        let intake = channels.get("intake").map(|channel| InterceptedService::new(channel.clone(), introduce));
        let authenticator = Authenticator::new(secret.clone(), clock.clone(), Arc::new(move |hash| introspect(intake.clone(), hash)));
        Ok(Self { channels, here: BTreeSet::new(), secret, clock, authenticator })
    }

    /// Says which of them this process itself serves: they are sure to answer in the end.
    pub fn with_here(mut self, services: &[&str]) -> Self {
        self.here = services.iter().map(|service| (*service).to_owned()).collect();
        self
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.channels.keys().map(String::as_str)
    }

    pub fn is_here(&self, service: &str) -> bool {
        self.here.contains(service)
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Tells who bears a token: intake keeps them.
    pub fn authenticator(&self) -> Authenticator {
        self.authenticator.clone()
    }

    /// The channel to `service` without a word about who calls, for callers that bring somebody's token.
    pub fn plain(&self, service: &str) -> Result<Channel> {
        self.channels
            .get(service)
            .cloned()
            .ok_or_else(|| Error::invalid(format!("peers.{service}"), "is not set; say where that service answers"))
    }

    /// A token by which `me` says who it is; it holds for minutes.
    pub fn token(&self, me: &str) -> String {
        self.secret.service_token(me, self.clock.now() + TOKEN_LIFE)
    }

    /// The channel to `service`, on behalf of `me`.
    pub fn channel(&self, me: &'static str, service: &str) -> Result<Peer> {
        Ok(InterceptedService::new(self.plain(service)?, Introduce { me, secret: self.secret.clone(), clock: self.clock.clone() }))
    }
}

/// Asks intake who bears the token with this hash.
fn introspect(intake: Option<Peer>, token_hash: Vec<u8>) -> BoxFuture<'static, Result<Option<Principal>>> {
    Box::pin(async move {
        let peer = intake.ok_or_else(|| Error::invalid("peers.intake", "is not set; intake knows who bears a token"))?;
        let answer = AccessServiceClient::new(peer)
            .introspect(IntrospectRequest { token_hash })
            .await
            .map_err(|status| rpc::status::error(&status))?;
        Ok(answer.into_inner().principal.and_then(|principal| {
            let role = match PrincipalKind::try_from(principal.kind).ok()? {
                PrincipalKind::Unspecified => return None,
                PrincipalKind::Visitor => Role::Visitor,
                PrincipalKind::Worker => Role::Worker,
                PrincipalKind::Volunteer => Role::Volunteer,
                PrincipalKind::Leader => Role::Leader,
                PrincipalKind::Integrator => Role::Integrator,
                PrincipalKind::Operator => Role::Operator,
            };
            Some(Principal { role, id: principal.id, organisation: principal.organisation_id, clinics: principal.clinic_ids })
        }))
    })
}

/// Adds the service's own token to each call.
#[derive(Clone)]
pub struct Introduce {
    me: &'static str,
    secret: Secret,
    clock: Clock,
}

impl Interceptor for Introduce {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        let token = self.secret.service_token(self.me, self.clock.now() + TOKEN_LIFE);
        let value: MetadataValue<_> = format!("Bearer {token}").parse().map_err(|_| tonic::Status::internal("a token is no header"))?;
        request.metadata_mut().insert("authorization", value);
        if let Ok(value) = telemetry::traceparent().parse::<MetadataValue<_>>()
            && !value.is_empty()
        {
            request.metadata_mut().insert("traceparent", value);
        }
        Ok(request)
    }
}
