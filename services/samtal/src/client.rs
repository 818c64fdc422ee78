//! The suite as its own tools see it: by gRPC, with a token.

use std::time::Duration;

use auth::Secret;
use kernel::{Clock, Error, Result};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

use crate::suite::SERVICES;

/// A connection with a token.
pub type Client = InterceptedService<Channel, Bearer>;

/// Adds a token to each call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<tonic::metadata::Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// Connects to `http://HOST:PORT`.
pub async fn connect(address: &str) -> Result<Channel> {
    let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let endpoint = Endpoint::from_shared(address.clone())
        .map_err(|error| Error::invalid("address", format!("{address} is no address such as http://127.0.0.1:8081: {error}")))?
        .connect_timeout(Duration::from_secs(3))
        .tcp_nodelay(true);
    endpoint.connect().await.map_err(|error| Error::unavailable(format!("nothing answers at {address}: {error}; is samtal running?")))
}

/// Calls with `token`; empty: without one.
pub fn with_token(channel: Channel, token: &str) -> Result<Client> {
    let bearer = if token.is_empty() {
        None
    } else {
        Some(format!("Bearer {token}").parse().map_err(|_| Error::invalid("token", "has characters that no token has"))?)
    };
    Ok(InterceptedService::new(channel, Bearer(bearer)))
}

/// An operator's token for the holder of the installation's secret.
pub fn operator_token(secret: &Secret, clock: &Clock) -> String {
    secret.service_token(rpc::authenticate::OPERATOR, clock.now() + Duration::from_secs(3600))
}

/// Connections to every service: one for all, or one for each.
#[derive(Clone, Default)]
pub struct Clients {
    each: std::collections::BTreeMap<String, Client>,
}

impl From<&Client> for Clients {
    fn from(all: &Client) -> Self {
        SERVICES.iter().fold(Self::default(), |clients, service| clients.with(service, all.clone()))
    }
}

impl From<&Self> for Clients {
    fn from(same: &Self) -> Self {
        same.clone()
    }
}

impl Clients {
    pub fn with(mut self, service: &str, client: Client) -> Self {
        self.each.insert(service.to_owned(), client);
        self
    }

    /// The connection to `service`, which must be one of the suite's.
    pub fn of(&self, service: &str) -> Result<Client> {
        self.each.get(service).cloned().ok_or_else(|| Error::invalid("service", format!("must be one of {}", SERVICES.join(", "))))
    }
}
