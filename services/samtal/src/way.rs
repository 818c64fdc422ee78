//! `samtal case`: a case's way through the services, from their logs, without its content.

use kernel::{Error, Id, Result, Time};
use proto::log::event_log_service_client::EventLogServiceClient;
use proto::log::{ActorKind, Cursor, DeadLetter, Envelope, ListCursorsRequest, TraceCaseRequest};
use tonic::Code;

use crate::client::Clients;
use crate::suite::SERVICES;

/// What became of an event in a service that consumes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Taken,
    /// Its turn has not come.
    Waits,
    /// It is set aside as dead.
    Dead,
    /// It is parked behind a dead one.
    Parked,
}

/// One event of the case.
#[derive(Clone, Debug)]
pub struct Step {
    pub at: Option<Time>,
    pub service: &'static str,
    pub shard: u32,
    pub event: Envelope,
    pub outcomes: Vec<(String, Outcome)>,
}

/// The case's steps in the order of their time, and which services could not be asked, and why.
#[derive(Clone, Debug, Default)]
pub struct Way {
    pub steps: Vec<Step>,
    pub silent: Vec<(&'static str, String)>,
}

/// Asks every service. One that does not answer leaves a gap, which is told.
pub async fn way(clients: impl Into<Clients>, case: &str) -> Result<Way> {
    let (clients, case) = (clients.into(), Id::parse("case", case)?);
    let (mut way, mut cursors, mut letters) = (Way::default(), Vec::new(), Vec::new());
    for service in SERVICES {
        match ask(&clients, service, case).await {
            Ok(told) => {
                way.steps.extend(told.steps);
                cursors.extend(told.cursors);
                letters.extend(told.letters);
            }
            Err(error) => way.silent.push((service, error.message)),
        }
    }
    for step in &mut way.steps {
        step.outcomes = outcomes(step, &cursors, &letters);
    }
    way.steps.sort_by(|one, other| (one.at, one.service, one.event.key_seq).cmp(&(other.at, other.service, other.event.key_seq)));
    if way.steps.is_empty() && way.silent.is_empty() {
        return Err(Error::not_found("case"));
    }
    Ok(way)
}

#[derive(Default)]
struct Told {
    steps: Vec<Step>,
    cursors: Vec<Cursor>,
    letters: Vec<DeadLetter>,
}

async fn ask(clients: &Clients, service: &'static str, case: Id) -> Result<Told> {
    let mut log = EventLogServiceClient::new(clients.of(service)?).max_decoding_message_size(runtime::MAX_RESPONSE);
    let failed = |status: tonic::Status| rpc::status::error(&status);
    let mut told = Told::default();
    let mut after_seq = 0;
    loop {
        let request = TraceCaseRequest { service: service.to_owned(), case_id: case.to_string(), after_seq };
        let answer = match log.trace_case(request).await {
            Ok(answer) => answer.into_inner(),
            // This service knows nothing of the case, or has told all.
            Err(status) if status.code() == Code::NotFound => break,
            Err(status) => return Err(failed(status)),
        };
        told.letters = answer.set_aside;
        let Some(last) = answer.events.last().map(|event| event.key_seq) else { break };
        after_seq = last;
        let full = answer.events.len() as i64 >= log::trace::MAX_EVENTS;
        let shard = answer.shard;
        told.steps.extend(answer.events.into_iter().map(|event| {
            let at = proto::from_timestamp("occurred_at", event.occurred_at.as_ref()).ok().flatten();
            Step { at, service, shard, event, outcomes: Vec::new() }
        }));
        if !full {
            break;
        }
    }
    // Asked after the events, so that none of them seems to wait that was taken meanwhile.
    told.cursors = log.list_cursors(ListCursorsRequest { service: service.to_owned() }).await.map_err(failed)?.into_inner().cursors;
    Ok(told)
}

fn outcomes(step: &Step, cursors: &[Cursor], letters: &[DeadLetter]) -> Vec<(String, Outcome)> {
    let consumers = cursors.iter().filter(|cursor| cursor.source == step.service && cursor.shard == step.shard);
    consumers
        .map(|cursor| {
            let is_it = |letter: &&DeadLetter| {
                letter.consumer == cursor.consumer && letter.event.as_ref().is_some_and(|event| event.event_id == step.event.event_id)
            };
            let outcome = match letters.iter().find(is_it) {
                Some(letter) if letter.reason.is_empty() => Outcome::Parked,
                Some(_) => Outcome::Dead,
                None if step.event.position <= cursor.position => Outcome::Taken,
                None => Outcome::Waits,
            };
            (cursor.consumer.clone(), outcome)
        })
        .collect()
}

impl Step {
    /// The id of the trace in which it was committed; empty if none was kept.
    pub fn trace_id(&self) -> &str {
        self.event.traceparent.split('-').nth(1).unwrap_or_default()
    }

    /// One line: time, service, shard and position, event, who, trace, and what became of it.
    pub fn line(&self) -> String {
        let at =
            self.at.and_then(|at| jiff::Timestamp::from_microsecond(at.micros()).ok()).map(|at| format!("{at:.6}")).unwrap_or_default();
        let kind = self.event.r#type.rsplit('.').next().unwrap_or_default();
        let by = match self.event.actor_kind() {
            ActorKind::Visitor => "visitor",
            ActorKind::Worker => "staff",
            ActorKind::Integrator => "integrator",
            ActorKind::System => "system",
            ActorKind::Unspecified => "-",
        };
        let trace = if self.trace_id().is_empty() { "-" } else { self.trace_id() };
        let place = format!("{}/{}", self.shard, self.event.position);
        format!("{at:<27}  {:<13}  {place:<10}  {kind:<22}  {by:<10}  {trace:<32}  {}", self.service, self.fate())
    }

    fn fate(&self) -> String {
        let of = |wanted: Outcome| {
            let names: Vec<&str> = self.outcomes.iter().filter(|(_, one)| *one == wanted).map(|(name, _)| name.as_str()).collect();
            names.join(", ")
        };
        let told =
            [("taken by", Outcome::Taken), ("waits for", Outcome::Waits), ("dead in", Outcome::Dead), ("parked in", Outcome::Parked)];
        let parts: Vec<String> = told
            .into_iter()
            .map(|(what, outcome)| (what, of(outcome)))
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what} {names}"))
            .collect();
        if parts.is_empty() { "nobody consumes it".to_owned() } else { parts.join("; ") }
    }
}
