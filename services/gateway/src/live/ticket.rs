//! One-use tickets: which stream, and on whose behalf. The token inside is sealed, for Redis is no place for tokens.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use kernel::{Id, Language};
use serde::{Deserialize, Serialize};

use crate::Gateway;
use crate::web::{Form, Problem, StaffToken, Visit, Visitor};

/// A ticket waits so long to be used.
const LIFE: Duration = Duration::from_secs(30);
const PURPOSE: &str = "ticket";

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    Visitor,
    Staff,
}

/// A page asks for a stream.
#[derive(Deserialize)]
pub struct Wanted {
    audience: Audience,
    /// Its address, `/live/offers`.
    stream: String,
    /// Of a conversation.
    #[serde(default)]
    case: String,
}

/// What a ticket is worth.
#[derive(Serialize, Deserialize)]
pub struct Worth {
    pub audience: Audience,
    stream: String,
    pub token: String,
    language: String,
}

impl Worth {
    pub fn language(&self) -> Language {
        Language::from_code(&self.language).unwrap_or(Language::Swedish)
    }
}

#[derive(Serialize)]
pub struct Ticket {
    ticket: String,
}

/// Gives a ticket. Whether the token holds is asked when it is used.
pub async fn issue(
    State(gateway): State<Gateway>,
    visitor: Visitor,
    staff: Result<StaffToken, Problem>,
    axum::Extension(visit): axum::Extension<Visit>,
    Form(wanted): Form<Wanted>,
) -> Result<Json<Ticket>, Problem> {
    let token = match wanted.audience {
        Audience::Visitor => visitor.token(Id::parse("case", &wanted.case)?)?.to_owned(),
        Audience::Staff => staff?.0,
    };
    let worth = Worth { audience: wanted.audience, stream: wanted.stream, token, language: visit.language.code().to_owned() };
    let ticket = auth::Secret::generate()?;
    let sealed = gateway.secret().seal(PURPOSE, &serde_json::to_vec(&worth).map_err(|_| Problem::internal())?)?;
    gateway.ephemeral().put_ticket(&key(&ticket), &sealed, LIFE).await;
    Ok(Json(Ticket { ticket }))
}

/// Takes the ticket for the stream at this address. Errors: used, over, or for another stream.
pub async fn redeem(gateway: &Gateway, ticket: &str, stream: &str) -> Result<Worth, Problem> {
    let sealed = gateway.ephemeral().take_ticket(&key(ticket)).await.ok_or_else(Problem::forbidden)?;
    let worth = gateway.secret().open(PURPOSE, &sealed).and_then(|worth| serde_json::from_slice::<Worth>(&worth).ok());
    worth.filter(|worth| worth.stream == stream).ok_or_else(Problem::forbidden)
}

fn key(ticket: &str) -> String {
    format!("ticket/{ticket}")
}
