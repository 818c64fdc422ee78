//! The other services, by gRPC.

use std::collections::BTreeMap;
use std::time::Duration;

use auth::Secret;
use kernel::{Clock, Error, Result};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

/// A channel to another service that says who we are.
pub type Peer = InterceptedService<Channel, Introduce>;

/// How long a service's own token holds; one is made for each call.
const TOKEN_LIFE: Duration = Duration::from_secs(300);
/// No call to a peer takes longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Where the other services answer. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    channels: BTreeMap<String, Channel>,
    secret: Secret,
    clock: Clock,
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
        Ok(Self { channels, secret, clock })
    }

    /// The channel to `service`, on behalf of `me`.
    pub fn channel(&self, me: &'static str, service: &str) -> Result<Peer> {
        let channel = self
            .channels
            .get(service)
            .cloned()
            .ok_or_else(|| Error::invalid(format!("peers.{service}"), "is not set; say where that service answers"))?;
        Ok(InterceptedService::new(channel, Introduce { me, secret: self.secret.clone(), clock: self.clock.clone() }))
    }
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
        Ok(request)
    }
}
