//! Where the bus is, and as whom we come to it.

use std::path::PathBuf;

use async_nats::{ConnectOptions, ServerAddr};
use kernel::{Error, Result};
use percent_encoding::percent_decode_str;

#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `local:`, or `nats://[USER:PASSWORD@]HOST:PORT`; `tls://` insists on TLS. Several servers of one cluster with commas in between.
    pub url: String,
    /// A PEM file with certificate authorities to trust beside the system's; empty: none.
    pub ca: String,
    /// Servers that keep a copy of the stream: 1, 3 or 5; 0: three in a cluster of at least three servers, else one.
    pub replicas: usize,
    /// Which installation's batches these are: others may share the servers by mistake, and theirs are nobody's here. It
    /// follows from the installation's secret and tells nothing of it.
    pub installation: String,
}

impl From<&str> for Settings {
    fn from(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }
}

impl From<&String> for Settings {
    fn from(url: &String) -> Self {
        Self::from(url.as_str())
    }
}

impl Settings {
    /// The servers' addresses, and how to sign in to them. Errors show neither user nor password.
    pub(crate) fn connection(&self) -> Result<(Vec<ServerAddr>, ConnectOptions)> {
        if !matches!(self.replicas, 0 | 1 | 3 | 5) {
            return Err(Error::invalid("bus_replicas", "must be 0, 1, 3 or 5"));
        }
        let address = |text: &str| {
            let parsed = text.trim().parse::<ServerAddr>();
            parsed.map_err(|_| Error::invalid("bus", "must be nats://HOST:PORT, nats://USER:PASSWORD@HOST:PORT, or several with commas"))
        };
        let servers = self.url.split(',').map(address).collect::<Result<Vec<_>>>()?;
        let mut options = ConnectOptions::new();
        // The client takes user and password for all servers, not from their addresses.
        if let Some((user, password)) = servers.iter().find_map(|server| Some((server.username()?, server.password()?))) {
            options = options.user_and_password(decoded(user)?, decoded(password)?);
        }
        if !self.ca.is_empty() {
            let ca = PathBuf::from(&self.ca);
            if !ca.is_file() {
                return Err(Error::invalid("bus_ca", format!("{} is not a file", self.ca)));
            }
            options = options.add_root_certificates(ca);
        }
        Ok((servers, options))
    }
}

fn decoded(part: &str) -> Result<String> {
    let text = percent_decode_str(part).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| Error::invalid("bus", "holds a user or a password that is not UTF-8"))
}
