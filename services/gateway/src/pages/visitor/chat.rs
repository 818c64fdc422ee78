//! `/c/<case>`: the conversation. The page says everything by itself; its script only keeps it up to date.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use kernel::Id;
use proto::intake::{Case, CaseMode, CaseState, EntryPoint, HelpNumber, Message, SafetyNotice, SenderKind};
use proto::routing::{GetPositionRequest, GetPositionResponse};
use serde::{Deserialize, Serialize};

use super::after::After;
use super::line::{self, Line};
use super::{entry, start, transfer, words};
use crate::Gateway;
use crate::pages::case;
use crate::services::Calls;
use crate::web::{Page, Problem, Visitor};

const PURPOSE: &str = "just opened";

/// A message as a visitor sees it, in the page and on the stream alike.
#[derive(Template)]
#[template(path = "visitor/message.html")]
struct Bubble<'a> {
    page: &'a Page,
    message: &'a Message,
    mine: bool,
    line: Option<Line>,
}

/// The HTML of a message.
pub fn bubble(page: &Page, message: &Message) -> Result<String, askama::Error> {
    let line = message.system.as_ref().map(|line| line::line(page, line));
    Bubble { page, message, mine: message.sender_kind() == SenderKind::Visitor, line }.render()
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
        Safety { page, numbers: self.numbers.iter().map(one).collect(), told: self.told(page) }.render()
    }

    fn told(&self, page: &Page) -> String {
        let told = match (self.alerted, self.read_at) {
            (true, _) => page.say("safety-alerted"),
            (false, Some(seconds)) => {
                page.say("safety-read-at").with("when", words::when(page, Some(&prost_types::Timestamp { seconds, nanos: 0 })))
            }
            (false, None) => page.say("safety-nobody"),
        };
        told.to_string()
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
    practice: bool,
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
    let known = case::load(&calls, &case.to_string()).await?;
    let door = entry::door(&page, &known.entry_point_id).await?;
    let safety = opened.told.map(|told| told.html(&page)).transpose()?.unwrap_or_default();
    page.show(&Welcome { page: page.clone(), case, phrase: opened.phrase, safety, days: door.retention_days, practice: known.practice })
}

/// How things stand: whose turn it is, and how long it takes.
#[derive(Template)]
#[template(path = "visitor/state.html")]
pub struct Standing {
    /// `waiting`, `left`, `active`, `closed`: what the page's script goes by.
    kind: &'static str,
    title: String,
    text: String,
}

async fn standing(page: &Page, calls: &Calls, case: &Case, door: &EntryPoint, messages: &[Message]) -> Standing {
    let stands = |kind, title: &str, text: String| Standing { kind, title: page.say(title).to_string(), text };
    let plain = |key: &str| page.say(key).to_string();
    match case.state() {
        CaseState::Closed => stands("closed", "state-closed", plain("state-closed-text")),
        CaseState::Active => {
            let who = messages.iter().rev().filter_map(|message| message.system.as_ref()).find_map(|line| line::joined(page, line));
            let title = who.map_or_else(|| plain("state-active"), |who| page.say("line-joined").with("who", who).to_string());
            Standing { kind: "active", title, text: plain("state-active-text") }
        }
        CaseState::WaitingForVisitor => stands("active", "state-your-turn", plain("state-your-turn-text")),
        CaseState::WaitingForUs => {
            let text = match &case.due_at {
                Some(due) => page.say("state-our-turn-by").with("when", words::when(page, Some(due))).to_string(),
                None => plain("state-our-turn-text"),
            };
            stands("active", "state-our-turn", text)
        }
        // Left to be read, without anybody waiting for the answer.
        _ if case.mode() == CaseMode::Asynchronous && door.open => stands("left", "state-left", plain("state-left-text")),
        CaseState::Open | CaseState::Waiting | CaseState::Offered | CaseState::Unspecified => {
            let request = GetPositionRequest { case_id: case.case_id.clone() };
            // Without an answer one simply waits.
            let place = calls.routing().get_position(request).await.map(tonic::Response::into_inner).unwrap_or_default();
            place_of(page, &place, door)
        }
    }
}

/// How a case stands that waits.
pub fn place_of(page: &Page, place: &GetPositionResponse, door: &EntryPoint) -> Standing {
    let plain = |key: &str| page.say(key).to_string();
    if !door.open {
        let when = words::when(page, door.next_opening_at.as_ref());
        let text = if when.is_empty() { plain("state-shut-text") } else { page.say("state-shut-until").with("when", when).to_string() };
        return Standing { kind: "waiting", title: plain("state-shut"), text };
    }
    if door.expected_wait.is_some_and(|wait| !wait.staffed) {
        // Nobody is put into an empty waiting room.
        return Standing { kind: "waiting", title: plain("state-unstaffed"), text: plain("state-unstaffed-text") };
    }
    let wait = if place.wait_known {
        let minutes = |seconds: u32| seconds.div_ceil(60).max(1);
        words::wait(page, "state-wait", minutes(place.min_wait_seconds), minutes(place.max_wait_seconds))
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

#[derive(Template)]
#[template(path = "visitor/chat.html")]
struct Chat {
    page: Page,
    door: EntryPoint,
    practice: bool,
    id: Id,
    standing: Standing,
    /// HTML, each made by [`bubble`].
    bubbles: Vec<String>,
    /// Where messages that are not shown begin; 0: all are shown.
    earlier: i64,
    last_seq: i64,
    safety: String,
    /// Whom to call while there are signs of danger; none: there are none.
    numbers: Vec<HelpNumber>,
    /// A text that could not be sent, and why.
    draft: String,
    error: String,
    client_id: String,
    after: After,
    /// HTML of what is proposed to the visitor; may be empty.
    transfer: String,
    done: String,
    wrong: String,
    field: String,
    typed: String,
}

impl Chat {
    fn closed(&self) -> bool {
        self.standing.kind == "closed"
    }

    /// The door in whose queue one stands; empty: in none.
    fn queue(&self) -> &str {
        if self.standing.kind == "waiting" { &self.door.entry_point_id } else { "" }
    }
}

#[derive(Default, Deserialize)]
pub struct From {
    /// Show messages after this one.
    from: Option<i64>,
    /// A form beside the conversation that was taken, or that was not filled in right.
    #[serde(default)]
    done: String,
    #[serde(default)]
    wrong: String,
    /// What stood in that form: which part of one's identity, and the text. Never from an address.
    #[serde(skip)]
    field: String,
    #[serde(skip)]
    typed: String,
}

impl From {
    pub fn wrong(form: &str, field: &str, typed: &str) -> Self {
        Self { wrong: form.to_owned(), field: field.to_owned(), typed: typed.to_owned(), ..Self::default() }
    }
}

pub async fn chat(page: Page, visitor: Visitor, Path(case): Path<Id>, Query(from): Query<From>) -> Result<Response, Problem> {
    shown(&page, &visitor, case, from, String::new(), String::new()).await
}

/// The page, with a text that was not sent and why, if there is one.
pub async fn shown(page: &Page, visitor: &Visitor, id: Id, asked: From, draft: String, error: String) -> Result<Response, Problem> {
    let calls = visitor.calls(id)?;
    let case = case::load(&calls, &id.to_string()).await?;
    let door = entry::door(page, &case.entry_point_id).await?;
    let from = asked.from.unwrap_or((case.last_seq - case::SHOWN).max(0)).max(0);
    let messages = case::messages(&calls, &case.case_id, from).await?;
    let bubbles = messages.iter().map(|message| bubble(page, message)).collect::<Result<_, _>>()?;
    let standing = standing(page, &calls, &case, &door, &messages).await;
    let danger = danger(page, &door, &case, &messages);
    let after = After::load(page, &calls, &case, &door).await;
    page.show(&Chat {
        page: page.clone(),
        id,
        standing,
        bubbles,
        earlier: from,
        last_seq: messages.last().map_or(from, |message| message.seq),
        safety: danger.as_ref().map(Template::render).transpose()?.unwrap_or_default(),
        numbers: danger.map(|danger| danger.numbers).unwrap_or_default(),
        draft,
        error,
        client_id: start::fresh_id()?,
        transfer: transfer::section(page, &calls, id, &messages).await?,
        after,
        done: asked.done,
        wrong: asked.wrong,
        field: asked.field,
        typed: asked.typed,
        practice: case.practice,
        door,
    })
}

/// The notice that stands above everything while the conversation has signs of danger.
fn danger<'a>(page: &'a Page, door: &EntryPoint, case: &Case, messages: &[Message]) -> Option<Safety<'a>> {
    if case.state() == CaseState::Closed {
        return None;
    }
    let last = messages.iter().rev().filter_map(|message| message.system.as_ref()).map(line::numbers).find(|numbers| !numbers.is_empty());
    let numbers: Vec<HelpNumber> = match last {
        Some(numbers) => {
            let label =
                |number: &str| door.numbers.iter().find(|one| one.number == number).map(|one| one.label.clone()).unwrap_or_default();
            let one = |number: String| HelpNumber { label: label(&number), number, checked_on: String::new() };
            numbers.into_iter().map(one).collect()
        }
        // What told of it lies further back than the page shows.
        None if !case.red_flags.is_empty() => door.numbers.clone(),
        None => return None,
    };
    // Somebody who has the case reads it; else one is told when a person will.
    let alerted = !case.worker_id.is_empty();
    let read_at = door.next_opening_at.filter(|_| !door.open).map(|at| at.seconds);
    let told = match (alerted, read_at, door.open) {
        (false, None, true) => page.say("safety-waits").to_string(),
        _ => Told { numbers: Vec::new(), alerted, read_at }.told(page),
    };
    Some(Safety { page, numbers, told })
}

/// The same for a screen that was open before there were signs of danger; empty if there are none.
pub async fn safety_of(page: &Page, calls: &Calls, id: Id) -> Result<String, Problem> {
    let case = case::load(calls, &id.to_string()).await?;
    let door = entry::door(page, &case.entry_point_id).await?;
    let messages = case::messages(calls, &case.case_id, (case.last_seq - case::SHOWN).max(0)).await?;
    Ok(danger(page, &door, &case, &messages).map(|danger| danger.render()).transpose()?.unwrap_or_default())
}

pub async fn safety(page: Page, visitor: Visitor, Path(id): Path<Id>) -> Result<Response, Problem> {
    let calls = visitor.calls(id)?;
    Ok(Html(safety_of(&page, &calls, id).await?).into_response())
}

/// What the page's script knows.
#[derive(Deserialize)]
pub struct Asked {
    /// The door, if it still stands in its queue as far as the page knows.
    #[serde(default)]
    waits: String,
}

/// How things stand, for the page's script.
pub async fn state(page: Page, visitor: Visitor, Path(id): Path<Id>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let calls = visitor.calls(id)?;
    // Whoever waits asks again and again: their place alone is no look at the case, and leaves no row in its log.
    if !asked.waits.is_empty() {
        let place = calls.routing().get_position(GetPositionRequest { case_id: id.to_string() }).await.map(tonic::Response::into_inner);
        if let Some(place) = place.ok().filter(|place| place.waiting) {
            let door = entry::door(&page, &asked.waits).await?;
            return page.show(&place_of(&page, &place, &door));
        }
    }
    let case = case::load(&calls, &id.to_string()).await?;
    let door = entry::door(&page, &case.entry_point_id).await?;
    let messages = case::messages(&calls, &case.case_id, (case.last_seq - case::SHOWN).max(0)).await?;
    page.show(&standing(&page, &calls, &case, &door, &messages).await)
}
