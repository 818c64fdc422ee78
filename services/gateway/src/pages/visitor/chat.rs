//! `/c/<case>`: the conversation. The page says everything by itself; its script only keeps it up to date.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use kernel::Id;
use proto::intake::{Case, CaseState, EntryPoint, GetCaseRequest, HelpNumber, ListMessagesRequest, Message, SafetyNotice, SenderKind};
use proto::routing::GetPositionRequest;
use serde::{Deserialize, Serialize};

use super::after::After;
use super::{entry, start, words};
use crate::Gateway;
use crate::services::Calls;
use crate::web::{Page, Problem, Visitor};

const PURPOSE: &str = "just opened";
/// Messages that a page shows; earlier ones on request.
const SHOWN: i64 = 200;

/// A message as a visitor sees it, in the page and on the stream alike.
#[derive(Template)]
#[template(path = "visitor/message.html")]
struct Bubble<'a> {
    page: &'a Page,
    message: &'a Message,
    mine: bool,
}

/// The HTML of a message.
pub fn bubble(page: &Page, message: &Message) -> Result<String, askama::Error> {
    Bubble { page, message, mine: message.sender_kind() == SenderKind::Visitor }.render()
}

/// What one is told with signs of danger.
#[derive(Clone, Serialize, Deserialize)]
pub struct Told {
    numbers: Vec<(String, String)>,
    alerted: bool,
    /// Unix seconds.
    read_at: Option<i64>,
}

impl Told {
    pub fn new(notice: &SafetyNotice) -> Self {
        let mut numbers: Vec<(String, String)> = Vec::new();
        for one in notice.red_flags.iter().flat_map(|flag| &flag.numbers) {
            if !numbers.iter().any(|(number, _)| *number == one.number) {
                numbers.push((one.number.clone(), one.label.clone()));
            }
        }
        Self { numbers, alerted: notice.person_alerted, read_at: notice.read_by_person_at.map(|at| at.seconds) }
    }

    pub fn html(&self, page: &Page) -> Result<String, askama::Error> {
        let one =
            |(number, label): &(String, String)| HelpNumber { number: number.clone(), label: label.clone(), checked_on: String::new() };
        let told = match (self.alerted, self.read_at) {
            (true, _) => page.say("safety-alerted"),
            (false, Some(seconds)) => {
                page.say("safety-read-at").with("when", words::when(page, Some(&prost_types::Timestamp { seconds, nanos: 0 })))
            }
            (false, None) => page.say("safety-nobody"),
        };
        Safety { page, numbers: self.numbers.iter().map(one).collect(), told: told.to_string() }.render()
    }
}

#[derive(Template)]
#[template(path = "visitor/safety.html")]
struct Safety<'a> {
    page: &'a Page,
    numbers: Vec<HelpNumber>,
    told: String,
}

/// What only the answer to the opening says, on its way to the next page. Sealed, and shown to whoever has the case.
#[derive(Serialize, Deserialize)]
pub struct Opened {
    case: String,
    phrase: String,
    told: Option<Told>,
}

impl Opened {
    pub fn new(case: Id, phrase: String, safety: Option<SafetyNotice>) -> Self {
        Self { case: case.to_string(), phrase, told: safety.as_ref().map(Told::new) }
    }

    pub fn seal(&self, gateway: &Gateway) -> Result<String, Problem> {
        Ok(gateway.secret().seal(PURPOSE, &serde_json::to_vec(self).map_err(|_| Problem::internal())?)?)
    }
}

#[derive(Template)]
#[template(path = "visitor/welcome.html")]
struct Welcome {
    page: Page,
    case: Id,
    phrase: String,
    safety: String,
    days: u32,
}

#[derive(Deserialize)]
pub struct Sealed {
    #[serde(default)]
    s: String,
}

/// Right after the opening: the words by which one comes back.
pub async fn welcome(
    State(gateway): State<Gateway>,
    page: Page,
    visitor: Visitor,
    Path(case): Path<Id>,
    Query(sealed): Query<Sealed>,
) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let opened = gateway.secret().open(PURPOSE, &sealed.s).and_then(|opened| serde_json::from_slice::<Opened>(&opened).ok());
    let Some(opened) = opened.filter(|opened| opened.case == case.to_string()) else {
        return Ok(Redirect::to(&format!("{}/c/{case}", page.base())).into_response());
    };
    let door = entry::door(&page, &load(&calls, case).await?.entry_point_id).await?;
    let safety = opened.told.map(|told| told.html(&page)).transpose()?.unwrap_or_default();
    page.show(&Welcome { page: page.clone(), case, phrase: opened.phrase, safety, days: door.retention_days })
}

pub async fn load(calls: &Calls, case: Id) -> Result<Case, Problem> {
    let request = GetCaseRequest { case_id: case.to_string() };
    calls.cases().get_case(request).await?.into_inner().case.ok_or_else(Problem::not_found)
}

/// How things stand: whose turn it is, and how long it takes.
#[derive(Template)]
#[template(path = "visitor/state.html")]
pub struct Standing {
    /// `waiting`, `active`, `closed`: what the page's script goes by.
    kind: &'static str,
    title: String,
    text: String,
}

async fn standing(page: &Page, calls: &Calls, case: &Case, door: &EntryPoint) -> Standing {
    let say = |kind, title: &str, text: String| Standing { kind, title: page.say(title).to_string(), text };
    let plain = |key: &str| page.say(key).to_string();
    match case.state() {
        CaseState::Closed => say("closed", "state-closed", plain("state-closed-text")),
        CaseState::Active => say("active", "state-active", plain("state-active-text")),
        CaseState::WaitingForVisitor => say("active", "state-your-turn", plain("state-your-turn-text")),
        CaseState::WaitingForUs => {
            let text = match &case.due_at {
                Some(due) => page.say("state-our-turn-by").with("when", words::when(page, Some(due))).to_string(),
                None => plain("state-our-turn-text"),
            };
            say("active", "state-our-turn", text)
        }
        CaseState::Open | CaseState::Waiting | CaseState::Offered | CaseState::Unspecified => {
            if !door.open {
                let when = words::when(page, door.next_opening_at.as_ref());
                let text =
                    if when.is_empty() { plain("state-shut-text") } else { page.say("state-shut-until").with("when", when).to_string() };
                return say("waiting", "state-shut", text);
            }
            let request = GetPositionRequest { case_id: case.case_id.clone() };
            // Without an answer one simply waits.
            let place = calls.routing().get_position(request).await.map(tonic::Response::into_inner).unwrap_or_default();
            let wait = if place.wait_known {
                let minutes = |seconds: u32| seconds.div_ceil(60).max(1);
                page.say("state-wait").with("from", minutes(place.min_wait_seconds)).with("to", minutes(place.max_wait_seconds)).to_string()
            } else {
                plain("state-wait-unknown")
            };
            let title = match place.position {
                0 => plain("state-waiting"),
                1 => plain("state-next"),
                position => page.say("state-position").with("n", position).to_string(),
            };
            Standing { kind: "waiting", title, text: wait }
        }
    }
}

#[derive(Template)]
#[template(path = "visitor/chat.html")]
struct Chat {
    page: Page,
    door: EntryPoint,
    id: Id,
    standing: Standing,
    /// HTML, each made by [`bubble`].
    bubbles: Vec<String>,
    /// Where messages that are not shown begin; 0: all are shown.
    earlier: i64,
    last_seq: i64,
    safety: String,
    /// A text that could not be sent, and why.
    draft: String,
    error: String,
    client_id: String,
    after: After,
}

impl Chat {
    fn closed(&self) -> bool {
        self.standing.kind == "closed"
    }
}

#[derive(Deserialize)]
pub struct From {
    /// Show messages after this one.
    from: Option<i64>,
}

pub async fn chat(page: Page, visitor: Visitor, Path(case): Path<Id>, Query(from): Query<From>) -> Result<Response, Problem> {
    shown(&page, &visitor, case, from.from, String::new(), String::new()).await
}

/// The page, with a text that was not sent and why, if there is one.
pub async fn shown(page: &Page, visitor: &Visitor, id: Id, from: Option<i64>, draft: String, error: String) -> Result<Response, Problem> {
    let calls = visitor.calls(id)?;
    let case = load(&calls, id).await?;
    let door = entry::door(page, &case.entry_point_id).await?;
    let from = from.unwrap_or((case.last_seq - SHOWN).max(0)).max(0);
    let messages = messages(&calls, id, from).await?;
    let bubbles = messages.iter().map(|message| bubble(page, message)).collect::<Result<_, _>>()?;
    let standing = standing(page, &calls, &case, &door).await;
    let after = After::load(page, &calls, &case, &door).await;
    page.show(&Chat {
        page: page.clone(),
        id,
        standing,
        bubbles,
        earlier: from,
        last_seq: messages.last().map_or(from, |message| message.seq),
        safety: safety(page, &door, &messages)?,
        draft,
        error,
        client_id: start::fresh_id()?,
        after,
        door,
    })
}

/// All messages after `from`.
async fn messages(calls: &Calls, case: Id, from: i64) -> Result<Vec<Message>, Problem> {
    let (mut all, mut after): (Vec<Message>, i64) = (Vec::new(), from);
    loop {
        let request = ListMessagesRequest { case_id: case.to_string(), after_seq: after, page_size: 500 };
        let page = calls.conversations().list_messages(request).await?.into_inner();
        all.extend(page.messages);
        let Some(last) = all.last().map(|message| message.seq).filter(|last| *last > after && *last < page.last_seq) else {
            return Ok(all);
        };
        after = last;
    }
}

/// The notice that stands above everything while the conversation has signs of danger.
fn safety(_page: &Page, _door: &EntryPoint, _messages: &[Message]) -> Result<String, Problem> {
    Ok(String::new())
}

/// How things stand, for the page's script.
pub async fn state(page: Page, visitor: Visitor, Path(case): Path<Id>) -> Result<Response, Problem> {
    let calls = visitor.calls(case)?;
    let case = load(&calls, case).await?;
    let door = entry::door(&page, &case.entry_point_id).await?;
    page.show(&standing(&page, &calls, &case, &door).await)
}
