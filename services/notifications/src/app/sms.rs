//! Text messages, by whatever provider answers a small JSON request:
//!
//! ```text
//! POST <the address in `sms`>
//! idempotency-key: 018f4e7a-…            the same on every try of one message
//! {"id": "018f4e7a-…", "to": "+46701234567", "text": "…"}
//! ```
//!
//! 2xx is taken, and so is 409, which says that this key was seen before; 408, 425, 429 and 5xx are tried again; anything else is a
//! refusal for good, a redirect too. What a provider offers beyond that takes an adapter of a few lines in front of it.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use kernel::{Error, Id, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::domain::delivery::Outcome;

/// Where messages are handed over. Cheap to clone.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    host: String,
    port: u16,
    /// What the request asks for.
    path: String,
    host_header: HeaderValue,
    authorization: Option<HeaderValue>,
    /// None: by plain http, to this very machine.
    tls: Option<TlsConnector>,
}

impl Provider {
    /// `https+json://USER:PASSWORD@HOST/PATH`; `http+json://` to this machine only, for an adapter that runs beside.
    pub fn new(url: &str) -> Result<Self> {
        let wrong = |why: &str| Error::invalid("sms", format!("is no address such as https+json://USER:PASSWORD@HOST/PATH: {why}"));
        let (scheme, rest) = url.split_once("+json://").ok_or_else(|| wrong("it begins otherwise"))?;
        let uri: Uri = format!("{scheme}://{rest}").parse().map_err(|_| wrong("it cannot be read"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => Some(connector()?),
            Some(scheme) if *scheme == Scheme::HTTP && here => None,
            Some(scheme) if *scheme == Scheme::HTTP => return Err(wrong("http leads to this machine only")),
            _ => return Err(wrong("it is neither https nor http")),
        };
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let host_header = authority.as_str().rsplit('@').next().unwrap_or_default();
        Ok(Self(Arc::new(Inner {
            port,
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            host_header: HeaderValue::try_from(host_header).map_err(|_| wrong("its host is none"))?,
            authorization: basic(authority).map_err(|_| wrong("user and password cannot be sent"))?,
            host,
            tls,
        })))
    }

    /// Hands one message over. What goes wrong is not told: an answer may quote the number.
    pub async fn send(&self, id: Id, to: &str, text: &str) -> Outcome {
        match self.attempt(id, to, text).await {
            Ok(status) => verdict(status),
            Err(_) => Outcome::Later,
        }
    }

    async fn attempt(&self, id: Id, to: &str, text: &str) -> std::io::Result<StatusCode> {
        let provider = &self.0;
        // Resolved once: what was looked at is what is connected to.
        let addresses = tokio::net::lookup_host((provider.host.as_str(), provider.port)).await?;
        let allowed: Vec<SocketAddr> = addresses.filter(|address| is_allowed(address.ip(), provider.tls.is_some())).collect();
        let stream = TcpStream::connect(allowed.as_slice()).await?;
        stream.set_nodelay(true)?;
        let body = serde_json::json!({ "id": id.to_string(), "to": to, "text": text }).to_string();
        let mut request = Request::post(&provider.path)
            .header(header::HOST, &provider.host_header)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", id.to_string());
        if let Some(authorization) = &provider.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(std::io::Error::other)?;
        match &provider.tls {
            None => exchange(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(provider.host.clone()).map_err(std::io::Error::other)?;
                exchange(tls.connect(name, stream).await?, request).await
            }
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> std::io::Result<StatusCode>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    let mut answer = pin!(async { sender.send_request(request).await.map(|answer| answer.status()).map_err(std::io::Error::other) });
    tokio::select! {
        answer = &mut answer => answer,
        // A provider that closes the line at once may have answered all the same.
        _ = connection => answer.await,
    }
}

fn verdict(status: StatusCode) -> Outcome {
    match status.as_u16() {
        200..=299 | 409 => Outcome::Accepted,
        408 | 425 | 429 | 500..=599 => Outcome::Later,
        _ => Outcome::Refused,
    }
}

/// An address of the region's own network is one that its operator may choose; what only a machine itself or its host answers to is
/// none that a name on the net may lead to.
fn is_allowed(address: IpAddr, tls: bool) -> bool {
    let odd = match address.to_canonical() {
        IpAddr::V4(address) => address.is_unspecified() || address.is_link_local() || address.is_multicast() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unspecified() || address.is_unicast_link_local() || address.is_multicast(),
    };
    !odd && (tls || address.is_loopback())
}

fn basic(authority: &Authority) -> std::result::Result<Option<HeaderValue>, header::InvalidHeaderValue> {
    let Some((credentials, _)) = authority.as_str().rsplit_once('@') else { return Ok(None) };
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(credentials)))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn connector() -> Result<TlsConnector> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_providers_are_read_or_refused_by_name() {
        for good in
            ["https+json://u:p@sms.example.org/v1/send", "https+json://10.0.0.1:8443", "http+json://127.0.0.1:9/x", "http+json://[::1]:9"]
        {
            assert!(Provider::new(good).is_ok(), "{good}");
        }
        for bad in ["https://sms.example.org", "http+json://sms.example.org", "ftp+json://127.0.0.1", "https+json://", "sms"] {
            assert_eq!(Provider::new(bad).err().unwrap().violations[0].field, "sms", "{bad}");
        }
    }

    #[test]
    fn only_what_may_help_is_repeated() {
        for (status, outcome) in [(202, Outcome::Accepted), (409, Outcome::Accepted), (429, Outcome::Later), (503, Outcome::Later)] {
            assert_eq!(verdict(StatusCode::from_u16(status).unwrap()), outcome, "{status}");
        }
        for status in [301, 307, 400, 401, 403, 404, 422] {
            assert_eq!(verdict(StatusCode::from_u16(status).unwrap()), Outcome::Refused, "{status}");
        }
    }

    #[test]
    fn a_name_leads_to_no_address_that_only_a_machine_itself_answers_to() {
        let allowed = |address: &str, tls| is_allowed(address.parse().unwrap(), tls);
        for one in ["192.0.2.7", "10.1.2.3", "2001:db8::1"] {
            assert!(allowed(one, true) && !allowed(one, false), "{one}");
        }
        for never in ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255"] {
            assert!(!allowed(never, true), "{never}");
        }
        assert!(allowed("127.0.0.1", false) && allowed("::1", false));
    }
}
