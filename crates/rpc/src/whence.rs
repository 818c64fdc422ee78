//! Where a caller without a name comes from, for limits and nothing else: a keyed hash of the address's prefix. No address is kept,
//! logged or told.

use std::net::{IpAddr, Ipv6Addr};

use auth::Secret;
use kernel::{Error, Result};
use tonic::transport::server::TcpConnectInfo;

/// Request metadata by which the gateway says for whom it calls; its own address is every visitor's.
pub const VISITOR_ADDRESS: &str = "samtal-visitor-address";
/// The service that is believed.
pub(crate) const GATEWAY: &str = "gateway";

/// Where a call comes from; in every request that has passed the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whence(String);

impl Whence {
    /// Nobody knows where: all of those are one.
    pub fn of(secret: &Secret, address: Option<IpAddr>) -> Self {
        Self(secret.token("visitor address", &[&address.map(prefix).unwrap_or_default()]))
    }

    /// Distinguishes callers; says nothing about them without the installation's secret.
    pub fn key(&self) -> &str {
        &self.0
    }
}

/// Where a request comes from.
pub fn whence<T>(request: &tonic::Request<T>) -> Result<Whence> {
    request.extensions().get::<Whence>().cloned().ok_or_else(|| Error::internal("a request has passed no gate"))
}

/// The other end of the connection.
pub(crate) fn peer(extensions: &http::Extensions) -> Option<IpAddr> {
    extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr).map(|address| address.ip())
}

pub(crate) fn parse(address: &str) -> Result<IpAddr> {
    address.parse().map_err(|_| Error::invalid(VISITOR_ADDRESS, "must be the visitor's IP address, without port or brackets"))
}

/// What one subscriber has: an IPv4 address, or the /56 of an IPv6 address, in which there are addresses for everybody.
fn prefix(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !((1 << 72) - 1)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_is_one_caller_and_no_address_can_be_read() {
        let secret = Secret::new(&[7; 32]).unwrap();
        let of = |address: &str| Whence::of(&secret, Some(parse(address).unwrap()));
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
        assert_eq!(of("2001:db8:1:ff01::1"), of("2001:db8:1:ff02:3:4:5:6"));
        assert_ne!(of("2001:db8:1:ff01::1"), of("2001:db8:1:fe01::1"));
        assert!(!format!("{:?}", of("192.0.2.7")).contains("192"));
        assert_ne!(of("192.0.2.7"), Whence::of(&Secret::new(&[8; 32]).unwrap(), Some(parse("192.0.2.7").unwrap())));
        for nonsense in ["", "192.0.2.7:80", "[::1]", "localhost", "192.0.2"] {
            assert_eq!(parse(nonsense).unwrap_err().violations[0].field, VISITOR_ADDRESS);
        }
    }
}
