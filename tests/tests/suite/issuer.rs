//! A small sign-in service (OpenID Connect) on loopback: real HTTP, real signatures, and everything that can be wrong with one.

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const CLIENT: &str = "samtal";
pub const SECRET: &str = "a secret / of: the issuer's";

/// What goes wrong with the next sign-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    Nonce,
    Audience,
    Issuer,
    AlgNone,
    Hs256,
    Expired,
    NotYet,
    /// A key that it does not show.
    UnknownKey,
    /// The token's text was changed after it was signed.
    Tampered,
    /// It says no to the code.
    Refuses,
    /// Userinfo speaks of somebody else.
    OtherUserinfo,
}

struct Key {
    id: String,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(id: &str) -> Key {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Key { id: id.to_owned(), pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap() }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature.as_ref()))
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..65])})
    }
}

struct Inner {
    url: String,
    key: Key,
    /// Keys that it shows.
    shown: Vec<Value>,
    fault: Fault,
    claims: Value,
    userinfo: Value,
    /// What each code was given for.
    codes: BTreeMap<String, BTreeMap<String, String>>,
    keys_asked: usize,
    now: i64,
}

#[derive(Clone)]
pub struct Issuer(Arc<Mutex<Inner>>);

impl Issuer {
    /// `now`: the time by which its tokens hold, in seconds.
    pub async fn start(now: i64) -> Issuer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let key = Key::new("first");
        let issuer = Issuer(Arc::new(Mutex::new(Inner {
            url: format!("http://{}", listener.local_addr().unwrap()),
            shown: vec![key.jwk()],
            key,
            fault: Fault::Nothing,
            claims: json!({}),
            userinfo: json!({}),
            codes: BTreeMap::new(),
            keys_asked: 0,
            now,
        })));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        issuer
    }

    pub fn url(&self) -> String {
        self.0.lock().unwrap().url.clone()
    }

    /// Who signs in next: their claims.
    pub fn person(&self, claims: Value) {
        self.0.lock().unwrap().claims = claims;
    }

    pub fn userinfo(&self, claims: Value) {
        self.0.lock().unwrap().userinfo = claims;
    }

    pub fn fault(&self, fault: Fault) {
        self.0.lock().unwrap().fault = fault;
    }

    /// A new key takes the place of the one before, which is shown no more.
    pub fn rotate(&self, id: &str) {
        let mut inner = self.0.lock().unwrap();
        inner.key = Key::new(id);
        inner.shown = vec![inner.key.jwk()];
    }

    pub fn keys_asked(&self) -> usize {
        self.0.lock().unwrap().keys_asked
    }
}

async fn describe(State(issuer): State<Issuer>) -> Response {
    let url = issuer.url();
    let answer = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "end_session_endpoint": format!("{url}/logout"),
    });
    answer.to_string().into_response()
}

async fn keys(State(issuer): State<Issuer>) -> Response {
    let mut inner = issuer.0.lock().unwrap();
    inner.keys_asked += 1;
    json!({"keys": inner.shown}).to_string().into_response()
}

/// Says yes at once, as if the person had already signed in there.
async fn authorize(State(issuer): State<Issuer>, Query(asked): Query<BTreeMap<String, String>>) -> Response {
    assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
    assert_eq!(asked["code_challenge_method"], "S256");
    let mut inner = issuer.0.lock().unwrap();
    let code = format!("code-{}", inner.codes.len());
    let to =
        format!("{}?code={code}&state={}&iss={}", asked["redirect_uri"], asked["state"], inner.url.replace(':', "%3A").replace('/', "%2F"));
    inner.codes.insert(code, asked);
    Redirect::to(&to).into_response()
}

async fn token(State(issuer): State<Issuer>, headers: HeaderMap, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let mut inner = issuer.0.lock().unwrap();
    let secret = "a%20secret%20%2F%20of%3A%20the%20issuer%27s";
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{secret}")));
    let known = headers.get("authorization").is_some_and(|value| value.to_str().unwrap() == expected);
    // A code works once.
    let Some(asked) = inner.codes.remove(&form["code"]).filter(|_| known && inner.fault != Fault::Refuses) else {
        return (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"}).to_string()).into_response();
    };
    let challenge = BASE64.encode(auth::hash(form["code_verifier"].as_bytes()));
    assert_eq!((challenge, &form["redirect_uri"]), (asked["code_challenge"].clone(), &asked["redirect_uri"]));
    let mut claims = json!({"iss": inner.url, "aud": CLIENT, "exp": inner.now + 300, "iat": inner.now, "nonce": asked["nonce"]});
    for (name, value) in inner.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let mut header = json!({"alg": "ES256", "typ": "JWT", "kid": inner.key.id});
    let mut key = None;
    match inner.fault {
        Fault::Nonce => claims["nonce"] = json!("another"),
        Fault::Audience => claims["aud"] = json!("somebody-else"),
        Fault::Issuer => claims["iss"] = json!("https://evil.example"),
        Fault::Expired => claims["exp"] = json!(inner.now - 3600),
        Fault::NotYet => claims["nbf"] = json!(inner.now + 3600),
        Fault::UnknownKey => key = Some(Key::new("hidden")),
        _ => {}
    }
    if let Some(key) = &key {
        header["kid"] = json!(key.id);
    }
    let mut id_token = key.as_ref().unwrap_or(&inner.key).sign(&header, &claims);
    let parts: Vec<String> = id_token.split('.').map(str::to_owned).collect();
    match inner.fault {
        Fault::AlgNone => id_token = format!("{}.{}.", BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#), parts[1]),
        Fault::Hs256 => {
            // Signed with what everybody can know: the public key.
            let signed = format!("{}.{}", BASE64.encode(json!({"alg": "HS256", "kid": inner.key.id}).to_string()), parts[1]);
            let public = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, inner.key.pair.public_key().as_ref());
            id_token = format!("{signed}.{}", BASE64.encode(ring::hmac::sign(&public, signed.as_bytes())));
        }
        Fault::Tampered => {
            claims["sub"] = json!("somebody-else");
            id_token = format!("{}.{}.{}", parts[0], BASE64.encode(claims.to_string()), parts[2]);
        }
        _ => {}
    }
    json!({"access_token": "access", "token_type": "Bearer", "id_token": id_token}).to_string().into_response()
}

async fn userinfo(State(issuer): State<Issuer>, headers: HeaderMap) -> Response {
    assert_eq!(headers["authorization"], "Bearer access");
    let inner = issuer.0.lock().unwrap();
    let mut answer = inner.userinfo.clone();
    answer["sub"] = if inner.fault == Fault::OtherUserinfo { json!("somebody-else") } else { inner.claims["sub"].clone() };
    answer.to_string().into_response()
}
