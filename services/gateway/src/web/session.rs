//! Who is at the browser. Tokens live in cookies and nowhere else; whether they hold, the services say.

use auth::Role;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use kernel::{Id, Time};
use proto::access::{KeepSessionRequest, PrincipalKind, RevokeTokenRequest};

use crate::Gateway;
use crate::services::Calls;
use crate::web::cookies::{Cookie, Jar};
use crate::web::{Problem, Visit};

/// Seconds of staff's cookie: no session lasts longer.
const STAFF_LIFE: i64 = 12 * 3600;
/// Seconds of a visitor's cookie: as long as their token.
const VISITOR_LIFE: i64 = 30 * 86_400;
/// Cases that one browser's visitor may have; the oldest makes room.
const MAX_CASES: usize = 8;

/// On a request that a page makes by itself, while nobody may be there: it keeps no session from becoming idle.
const BACKGROUND: &str = "x-samtal-background";

/// A member of staff who is at the screen: asking for a page keeps the session from becoming idle.
#[derive(Clone)]
pub struct Staff {
    /// With their own token.
    pub calls: Calls,
    pub id: String,
    /// Empty if the region has no name for them.
    pub name: String,
    pub organisation: String,
    pub clinics: Vec<String>,
    pub kind: PrincipalKind,
    token_id: String,
    /// When the session ends, whatever they do.
    pub expires_at: Option<Time>,
    /// When it ends unless they do something.
    pub idle_at: Option<Time>,
}

impl Staff {
    pub fn is_leader(&self) -> bool {
        self.kind == PrincipalKind::Leader
    }

    /// Who runs the region has no organisation, and pages of their own.
    pub fn is_operator(&self) -> bool {
        self.kind == PrincipalKind::Operator
    }

    /// Volunteers see only what is theirs.
    pub fn is_volunteer(&self) -> bool {
        self.kind == PrincipalKind::Volunteer
    }

    /// Who they are, while their session runs on towards its end.
    async fn unkept(gateway: &Gateway, token: &str, calls: Calls) -> Result<Self, Problem> {
        let principal = gateway.services().bearer(token).await?;
        let kind = match principal.role {
            Role::Worker => PrincipalKind::Worker,
            Role::Volunteer => PrincipalKind::Volunteer,
            Role::Leader => PrincipalKind::Leader,
            Role::Operator => PrincipalKind::Operator,
            _ => return Err(Problem::signed_out()),
        };
        Ok(Self {
            calls,
            id: principal.id,
            name: String::new(),
            organisation: principal.organisation,
            clinics: principal.clinics,
            kind,
            token_id: String::new(),
            expires_at: None,
            idle_at: None,
        })
    }

    /// Ends the session everywhere: the token is nothing any more.
    pub async fn end(&self) -> Result<(), Problem> {
        let request = RevokeTokenRequest { request_id: String::new(), token_id: self.token_id.clone() };
        self.calls.access().revoke_token(request).await?;
        Ok(())
    }
}

impl FromRequestParts<Gateway> for Staff {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let StaffToken(token) = StaffToken::from_request_parts(parts, gateway).await?;
        let after = parts.extensions.get::<Visit>().and_then(|visit| visit.after.clone());
        let calls = gateway.services().with(&token, after.as_deref());
        if parts.headers.contains_key(BACKGROUND) {
            return Self::unkept(gateway, &token, calls).await;
        }
        let answer = calls.access().keep_session(KeepSessionRequest {}).await;
        let kept = answer.map_err(|status| match status.code() {
            // A token of somebody who is no staff is no session of staff.
            tonic::Code::PermissionDenied => Problem::signed_out(),
            _ => Problem::from(status),
        })?;
        let kept = kept.into_inner();
        let principal = kept.principal.ok_or_else(Problem::signed_out)?;
        let time = |field: &str, stamp: Option<&_>| proto::from_timestamp(field, stamp);
        Ok(Self {
            calls,
            kind: principal.kind(),
            id: principal.id,
            name: kept.display_name,
            organisation: principal.organisation_id,
            clinics: principal.clinic_ids,
            token_id: kept.token_id,
            expires_at: time("expires_at", kept.expires_at.as_ref())?,
            idle_at: time("idle_at", kept.idle_at.as_ref())?,
        })
    }
}

/// A staff member's token as the cookie has it, unasked: for what runs in the background and must not keep a session.
pub struct StaffToken(pub String);

impl FromRequestParts<Gateway> for StaffToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        gateway.jar(parts.uri.path()).read(&parts.headers, Cookie::Staff).map(Self).ok_or_else(Problem::signed_out)
    }
}

/// Gives the browser a staff member's token, or, with an empty one, takes it away.
pub fn set_staff(gateway: &Gateway, response: &mut Response, token: &str) {
    let life = if token.is_empty() { 0 } else { STAFF_LIFE };
    set(response, gateway.jar("").write(Cookie::Staff, token, life));
}

/// The cases that this browser's visitor has, newest first. Nobody has asked yet whether the tokens hold.
#[derive(Clone)]
pub struct Visitor {
    gateway: Gateway,
    jar: Jar,
    cases: Vec<(Id, String)>,
    after: Option<String>,
}

impl Visitor {
    fn read(gateway: &Gateway, jar: Jar, headers: &HeaderMap, after: Option<String>) -> Self {
        let value = jar.read(headers, Cookie::Visitor).unwrap_or_default();
        let one = |pair: &str| {
            let (case, token) = pair.split_once('~')?;
            Some((Id::parse("case_id", case).ok()?, token.to_owned()))
        };
        Self { gateway: gateway.clone(), jar, cases: value.split('.').filter_map(one).take(MAX_CASES).collect(), after }
    }

    pub fn cases(&self) -> impl Iterator<Item = Id> {
        self.cases.iter().map(|(case, _)| *case)
    }

    /// The token for this case; one that is not this visitor's does not exist.
    pub fn token(&self, case: Id) -> Result<&str, Problem> {
        self.cases.iter().find(|(one, _)| *one == case).map(|(_, token)| token.as_str()).ok_or_else(Problem::not_found)
    }

    /// Calls about this case.
    pub fn calls(&self, case: Id) -> Result<Calls, Problem> {
        Ok(self.gateway.services().with(self.token(case)?, self.after.as_deref()))
    }

    /// Adds a case that was just opened or found again.
    pub fn add(&mut self, case: Id, token: &str) {
        self.forget(case);
        self.cases.insert(0, (case, token.to_owned()));
        self.cases.truncate(MAX_CASES);
    }

    /// This browser does not have the case any more.
    pub fn forget(&mut self, case: Id) {
        self.cases.retain(|(one, _)| *one != case);
    }

    /// Gives the browser what it has now.
    pub fn keep(&self, response: &mut Response) {
        let value: Vec<String> = self.cases.iter().map(|(case, token)| format!("{case}~{token}")).collect();
        let life = if value.is_empty() { 0 } else { VISITOR_LIFE };
        set(response, self.jar.write(Cookie::Visitor, &value.join("."), life));
    }
}

impl FromRequestParts<Gateway> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let visit = parts.extensions.get::<Visit>().ok_or_else(Problem::internal)?;
        Ok(Self::read(gateway, gateway.jar(&visit.path), &parts.headers, visit.after.clone()))
    }
}

pub fn set(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
