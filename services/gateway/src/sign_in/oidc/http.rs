//! The pages' own calls to a sign-in service: short, small, never redirected, and only to those whose certificate is trusted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kernel::{Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// A person waits for each call.
const PATIENCE: Duration = Duration::from_secs(8);
/// Bytes of an answer: more than any keys or claims take.
const LIMIT: usize = 512 * 1024;

/// Why a call to the service gave nothing, in words that hold nothing of what was said.
pub type Failed = &'static str;

#[derive(Clone)]
pub struct Http(Client<HttpsConnector<HttpConnector>, Body>);

impl Http {
    /// `ca_file`: certificates to trust instead of the public ones; empty: those.
    pub fn new(ca_file: &str) -> Result<Self> {
        let wrong = |why: String| Error::invalid("pages.sign_in.ca_file", why);
        let mut roots = RootCertStore::empty();
        if ca_file.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        } else {
            let read =
                CertificateDer::pem_file_iter(Path::new(ca_file)).map_err(|error| wrong(format!("{ca_file} cannot be read: {error}")))?;
            for certificate in read {
                let certificate = certificate.map_err(|error| wrong(format!("{ca_file} is not PEM: {error}")))?;
                roots.add(certificate).map_err(|error| wrong(format!("{ca_file} holds a certificate that cannot be used: {error}")))?;
            }
            if roots.is_empty() {
                return Err(wrong(format!("{ca_file} holds no certificate")));
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal(format!("no TLS: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Which addresses may go without TLS, is decided before they are asked.
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    pub async fn get(&self, address: &str, bearer: Option<&str>) -> std::result::Result<Vec<u8>, Failed> {
        let mut request = Request::builder().method(Method::GET).uri(address).header(header::ACCEPT, "application/json");
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        self.send(request.body(Body::empty()).map_err(|_| "an address that is none")?).await
    }

    /// `basic`: user and password, already encoded as a form asks for.
    pub async fn post(&self, address: &str, form: String, basic: Option<String>) -> std::result::Result<Vec<u8>, Failed> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(address)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(basic) = basic {
            request = request.header(header::AUTHORIZATION, format!("Basic {basic}"));
        }
        self.send(request.body(Body::from(form)).map_err(|_| "an address that is none")?).await
    }

    async fn send(&self, request: Request<Body>) -> std::result::Result<Vec<u8>, Failed> {
        let asked = async {
            let answer = self.0.request(request).await.map_err(|_| "it does not answer, or its certificate is not trusted")?;
            match answer.status() {
                StatusCode::OK => {}
                status if status.is_client_error() => return Err("it refused what we sent"),
                _ => return Err("it answered something else than OK"),
            }
            let bytes = to_bytes(Body::new(answer.into_body()), LIMIT).await.map_err(|_| "its answer was cut off or too long")?;
            Ok(bytes.to_vec())
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err("it took too long"))
    }
}
