//! `/e/<door>/start`: for whom, why, the protocol's questions one at a time, then the first text. Each step is a form; what was
//! said so far travels sealed in the address, so that back and reload work and no history shows it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use kernel::Id;
use proto::intake::{Answer, EntryPoint, ForWhom, OpenCaseRequest, Severity, Visitor as ProtoVisitor};
use proto::triage::{NextQuestionRequest, NextQuestionResponse};
use serde::{Deserialize, Serialize};

use super::chat::Opened;
use super::phrase::Offered;
use super::{entry, words};
use crate::Gateway;
use crate::web::{Form, Page, Problem, Visitor};

const PURPOSE: &str = "before the conversation";
/// Nobody is older.
const OLDEST: u8 = 130;
const LONGEST_SEARCH: usize = 100;

/// What was said so far.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Said {
    /// [`proto::intake::ForWhom`] as a number.
    whom: Option<i32>,
    reason: Option<String>,
    /// In years, of the person whom it concerns; asked where something depends on it.
    age: Option<u8>,
    answers: Vec<(String, String)>,
    /// The words by which one will come back, once they were offered.
    offered: Option<Offered>,
    /// What was sought among the reasons.
    #[serde(default)]
    q: String,
    /// Who said it: an address that stays in a history says nothing once this browser was made to forget.
    #[serde(default)]
    browser: String,
}

impl Said {
    fn seal(&self, page: &Page) -> Result<String, Problem> {
        let said = Self { browser: page.browser().to_owned(), ..self.clone() };
        Ok(page.gateway().secret().seal(PURPOSE, &serde_json::to_vec(&said).map_err(|_| Problem::internal())?)?)
    }

    /// None: it was not said here, or this browser has forgotten it.
    fn open(page: &Page, sealed: &str) -> Option<Self> {
        let said: Self = serde_json::from_slice(&page.gateway().secret().open(PURPOSE, sealed)?).ok()?;
        Some(said).filter(|said| said.browser == page.browser())
    }

    /// The step before, if there is one.
    fn before(&self) -> Option<Self> {
        let mut before = self.clone();
        if before.answers.pop().is_none() && before.age.take().is_none() && before.reason.take().is_none() {
            before.whom.take()?;
        }
        Some(before)
    }

    fn answers(&self) -> Vec<Answer> {
        let wire = |(question, option): &(String, String)| Answer { question_id: question.clone(), option_id: option.clone() };
        self.answers.iter().map(wire).collect()
    }
}

/// What is asked next.
enum Step {
    Whom(Vec<(i32, String)>),
    /// Those that fit the search, with whether there is more than what is shown.
    Reason {
        shown: Vec<(String, String)>,
        q: String,
    },
    /// What was written for an age, and what is wrong with it.
    Age {
        title: String,
        age: String,
        error: String,
    },
    Question(NextQuestionResponse),
    Text {
        text: String,
        error: String,
        request: String,
        /// The words by which one will come back; empty if they come afterwards.
        phrase: String,
        /// The answers tell of danger: whom to call stands above everything.
        danger: bool,
        /// What the protocol advises meanwhile; empty: nothing.
        advice: String,
    },
}

#[derive(Template)]
#[template(path = "visitor/start.html")]
struct Start {
    page: Page,
    door: EntryPoint,
    step: Step,
    /// What was said so far, sealed; and the address of the step before.
    said: String,
    before: String,
    reason: String,
}

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    s: String,
}

pub async fn ask(page: Page, Path(id): Path<String>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let door = entry::door(&page, &id).await?;
    let mut said = match Said::open(&page, &asked.s) {
        Some(said) => said,
        None if asked.s.is_empty() => Said::default(),
        None => return Ok(Redirect::to(&format!("{}/e/{}", page.base(), door.entry_point_id)).into_response()),
    };
    let mut step = next(&page, &door, &said).await?;
    if let Step::Text { phrase, .. } = &mut step {
        if !said.offered.as_ref().is_some_and(|offered| offered.holds(&page, &door)) {
            said.offered = Offered::ask(&page, &door).await;
            if said.offered.is_some() && page.returning() {
                // Into the address, so that a reload shows the same words.
                let to = format!("{}/e/{}/start?s={}", page.base(), door.entry_point_id, said.seal(&page)?);
                return Ok(Redirect::to(&to).into_response());
            }
        }
        *phrase = said.offered.as_ref().map(|offered| offered.phrase.clone()).unwrap_or_default();
    }
    show(&page, door, &said, step)
}

fn show(page: &Page, door: EntryPoint, said: &Said, step: Step) -> Result<Response, Problem> {
    let address = format!("{}/e/{}", page.base(), door.entry_point_id);
    let before = match said.before() {
        Some(before) => format!("{address}/start?s={}", before.seal(page)?),
        None => address,
    };
    let reason = door.contact_reasons.iter().find(|one| Some(&one.contact_reason_id) == said.reason.as_ref());
    let reason = reason.map(|reason| reason.name.clone()).unwrap_or_default();
    page.show(&Start { page: page.clone(), step, said: said.seal(page)?, before, reason, door })
}

async fn next(page: &Page, door: &EntryPoint, said: &Said) -> Result<Step, Problem> {
    if said.whom.is_none() {
        // Where one comes for oneself only, nobody is asked.
        if door.for_whom.len() > 1 {
            return Ok(Step::Whom(door.for_whom().map(|whom| (whom as i32, words::for_whom(page, whom))).collect()));
        }
    }
    if said.reason.is_none() && !door.contact_reasons.is_empty() {
        let sought: Vec<String> = said.q.split_whitespace().map(folded).collect();
        let fits = |name: &str| sought.iter().all(|word| folded(name).contains(word));
        let reasons = door.contact_reasons.iter().map(|reason| (reason.contact_reason_id.clone(), reason.name.clone()));
        return Ok(Step::Reason { shown: reasons.filter(|(_, name)| fits(name)).collect(), q: said.q.clone() });
    }
    let request = NextQuestionRequest {
        entry_point_id: door.entry_point_id.clone(),
        contact_reason_id: said.reason.clone().unwrap_or_default(),
        answers: said.answers(),
        age: said.age.map_or(-1, i32::from),
        age_known: said.age.is_some(),
        language: page.language().code().to_owned(),
    };
    // Who asks questions may be away; a person reads the text all the same.
    match page.calls().triage().next_question(request).await.map(tonic::Response::into_inner) {
        Ok(asks) if asks.asks_age && said.age.is_none() => Ok(age(page, said, String::new(), String::new())),
        Ok(question) if !question.done => Ok(Step::Question(question)),
        Ok(done) => text(done.severity() == Severity::Emergency, done.advice),
        Err(status) if status.code() == tonic::Code::Unavailable => text(false, String::new()),
        Err(status) => Err(status.into()),
    }
}

/// How old is who it concerns?
fn age(page: &Page, said: &Said, age: String, error: String) -> Step {
    let title = match said.whom.map(ForWhom::try_from) {
        Some(Ok(ForWhom::Child)) => page.say("start-age-child"),
        Some(Ok(ForWhom::Relative)) => page.say("start-age-relative"),
        _ => page.say("start-age"),
    };
    Step::Age { title: title.to_string(), age, error }
}

/// Whole years, as people write them: `34`, `34 år`.
fn years(written: &str) -> Option<u8> {
    let digits: String = written.trim().chars().take_while(char::is_ascii_digit).collect();
    let rest = written.trim().get(digits.len()..).unwrap_or_default().trim();
    digits.parse().ok().filter(|age| *age <= OLDEST && rest.chars().all(char::is_alphabetic))
}

fn text(danger: bool, advice: String) -> Result<Step, Problem> {
    Ok(Step::Text { text: String::new(), error: String::new(), request: fresh_id()?, phrase: String::new(), danger, advice })
}

/// A random UUID.
pub fn fresh_id() -> Result<String, Problem> {
    Ok(Id::derived(&[auth::Secret::generate()?.as_bytes()]).to_string())
}

#[derive(Deserialize)]
pub struct Given {
    #[serde(default)]
    s: String,
    whom: Option<i32>,
    reason: Option<String>,
    question: Option<String>,
    option: Option<String>,
    age: Option<String>,
    q: Option<String>,
    text: Option<String>,
    #[serde(default)]
    found_us: String,
    #[serde(default)]
    request: String,
}

pub async fn answer(
    State(gateway): State<Gateway>,
    page: Page,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(given): Form<Given>,
) -> Result<Response, Problem> {
    let mut said = Said::open(&page, &given.s).unwrap_or_default();
    if let Some(text) = given.text {
        return open(&gateway, page, visitor, &id, said, text, (given.request, given.found_us)).await;
    }
    if let Some(written) = given.age {
        let Some(known) = years(&written) else {
            let door = entry::door(&page, &id).await?;
            let step = age(&page, &said, written, page.say("start-age-wrong").to_string());
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, show(&page, door, &said, step)?).into_response());
        };
        said.age = Some(known);
    }
    said.whom = given.whom.or(said.whom);
    said.reason = given.reason.or(said.reason);
    said.q = given.q.unwrap_or_default().chars().take(LONGEST_SEARCH).collect();
    if let (Some(question), Some(option)) = (given.question, given.option) {
        said.answers.retain(|(one, _)| *one != question);
        said.answers.push((question, option));
    }
    let id = entry::door(&page, &id).await?.entry_point_id;
    Ok(Redirect::to(&format!("{}/e/{id}/start?s={}", page.base(), said.seal(&page)?)).into_response())
}

async fn open(
    gateway: &Gateway,
    page: Page,
    mut visitor: Visitor,
    id: &str,
    said: Said,
    written: String,
    (request, found_us_id): (String, String),
) -> Result<Response, Problem> {
    let door = entry::door(&page, id).await?;
    let calls = page.calls();
    let written = written.replace("\r\n", "\n");
    let offered = said.offered.clone().filter(|offered| offered.holds(&page, &door));
    let mut wanted = OpenCaseRequest {
        request_id: request,
        entry_point_id: door.entry_point_id.clone(),
        contact_reason_id: said.reason.clone().unwrap_or_default(),
        text: written.clone(),
        for_whom: said.whom.unwrap_or_default(),
        answers: said.answers(),
        visitor: said.age.map(|age| born(&page, age)),
        language: words::answered_in(&page, &door.languages),
        // The page has said whether it is open; if it closed just now, what was written is not lost.
        leave_message: true,
        found_us_id,
        return_ticket: offered.as_ref().map(|offered| offered.ticket.clone()).unwrap_or_default(),
        practice_key: page.practises(&door.entry_point_id).unwrap_or_default().to_owned(),
        ..OpenCaseRequest::default()
    };
    let mut known = offered.is_some();
    let request = wanted.request_id.clone();
    let mut opened = calls.cases().open_case(wanted.clone()).await;
    if let (Err(status), Some(offered)) = (&opened, &offered) {
        // Sent before, though the answer got lost; or somebody went back to this page: it goes on in that conversation.
        if is_open_already(status)
            && let Some((case, token)) = offered.back(&calls, &request, &written).await
        {
            visitor.add(case, &token);
            let mut response = page.then(&format!("{}/c/{case}#latest", page.base()), &calls);
            visitor.keep(&mut response);
            return Ok(response);
        }
        if is_open_already(status) || rpc::status::reason(status).as_deref() == Some("RETURN_TICKET_EXPIRED") {
            // The message matters more than the words: new ones come with the answer.
            known = false;
            wanted.return_ticket = String::new();
            wanted.request_id = fresh_id()?;
            opened = calls.cases().open_case(wanted).await;
        }
    }
    match opened {
        Ok(opened) => {
            let opened = opened.into_inner();
            let case = opened.case.ok_or_else(Problem::internal)?;
            let case = Id::parse("case_id", &case.case_id)?;
            visitor.add(case, &opened.visitor_token);
            let to = if known && opened.safety.is_none() {
                String::new()
            } else {
                format!("/welcome?s={}", Opened::new(case, opened.return_phrase, opened.safety).seal(gateway)?)
            };
            let mut response = page.then(&format!("{}/c/{case}{to}", page.base()), &calls);
            visitor.keep(&mut response);
            Ok(response)
        }
        Err(status) if rpc::status::reason(&status).as_deref() == Some("PRACTICE_KEY_OVER") => Err(Problem::practice_over()),
        // What was written stays where it was written.
        Err(status) => {
            let wrong = status.code() == tonic::Code::InvalidArgument;
            let error = match status.code() {
                tonic::Code::InvalidArgument if written.trim().is_empty() => page.say("start-text-empty"),
                tonic::Code::InvalidArgument => page.say("start-text-wrong"),
                tonic::Code::FailedPrecondition | tonic::Code::NotFound | tonic::Code::PermissionDenied => return Err(status.into()),
                _ => page.say("start-text-busy"),
            };
            // The same id again: if it was taken after all, it is taken once.
            let mut step = match next(&page, &door, &said).await {
                Ok(step @ Step::Text { .. }) => step,
                _ => text(false, String::new())?,
            };
            if let Step::Text { text, error: wrong, request: same, phrase, .. } = &mut step {
                (*text, *wrong, *same) = (written, error.to_string(), request);
                if let Some(offered) = said.offered.as_ref().filter(|_| known) {
                    phrase.clone_from(&offered.phrase);
                }
            }
            let code = if wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::SERVICE_UNAVAILABLE };
            Ok((code, show(&page, door, &said, step)?).into_response())
        }
    }
}

/// The services count an age from a year of birth: the one by which somebody is this old now.
fn born(page: &Page, age: u8) -> ProtoVisitor {
    let now = page.gateway().services().clock().now();
    let year = jiff::Timestamp::from_second(now.secs()).map_or(0, |now| i32::from(now.to_zoned(jiff::tz::TimeZone::UTC).year()));
    ProtoVisitor { birth_year: year - i32::from(age), ..ProtoVisitor::default() }
}

/// Whether a case was opened with these words or this form before.
fn is_open_already(status: &tonic::Status) -> bool {
    status.code() == tonic::Code::AlreadyExists || rpc::status::reason(status).as_deref() == Some("RETURN_TICKET_USED")
}

/// Small letters, without what stands on or in them.
pub fn folded(text: &str) -> String {
    let fold = |c: char| match c {
        'å' | 'ä' | 'æ' | 'á' | 'à' => 'a',
        'ö' | 'ø' | 'ó' | 'ò' => 'o',
        'é' | 'è' | 'ê' => 'e',
        'ü' => 'u',
        other => other,
    };
    text.chars().flat_map(char::to_lowercase).map(fold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_back_the_way_one_came() {
        let answers = vec![("danger".into(), "no".into())];
        let said = Said { whom: Some(1), reason: Some("cold".into()), age: Some(3), answers, ..Said::default() };
        let age = said.before().unwrap();
        assert!(age.answers.is_empty() && age.age.is_some());
        let reason = age.before().unwrap();
        assert!(reason.age.is_none() && reason.reason.is_some());
        let whom = reason.before().unwrap();
        assert!(whom.reason.is_none() && whom.whom.is_some());
        assert!(whom.before().unwrap().before().is_none());
    }

    #[test]
    fn an_age_is_whole_years() {
        for (written, age) in [("0", Some(0)), (" 34 år ", Some(34)), ("130", Some(130))] {
            assert_eq!(years(written), age, "{written}");
        }
        for nonsense in ["", "år", "131", "1990", "-3", "3 000", "<b>3</b>", "3.5"] {
            assert_eq!(years(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn searches_find_whatever_the_letters_wear() {
        assert!(folded("Förkylning och HALSONT").contains(&folded("forkyl")));
        assert!(folded("Tromsø").contains(&folded("TROMSÖ")));
    }
}
