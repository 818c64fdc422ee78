//! Reading everything back: what is lost, repeated, reordered or unexpected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use kernel::{Error, Result};
use proto::intake::case_service_client::CaseServiceClient;
use proto::intake::conversation_service_client::ConversationServiceClient;
use proto::intake::{Case, CaseState, ListCasesRequest, ListMessagesRequest, Message};
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::scheduling::{Booking, BookingState, ListBookingsRequest};
use serde::Serialize;

use super::actor::Actors;
use super::ledger::Entry;

/// What does not agree with the acknowledgements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Acknowledged and not there, or not shown on an open screen.
    pub lost: u64,
    /// There more than once.
    pub repeated: u64,
    /// There in another order than acknowledged.
    pub reordered: u64,
    /// There although nobody sent it.
    pub unexpected: u64,
}

impl Findings {
    fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.reordered += other.reordered;
        self.unexpected += other.unexpected;
    }

    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads back cases, messages and bookings through the public API.
pub async fn check(actors: &Arc<Actors>, entries: &BTreeMap<String, Entry>, since: kernel::Time) -> Result<Findings> {
    let mut findings = cases(actors, entries, since).await?;
    let mut checks = futures::stream::iter(entries.iter().enumerate().map(|(number, (case, entry))| one(actors, number, case, entry)))
        .buffer_unordered(16);
    while let Some(found) = checks.next().await {
        findings.add(&found?);
    }
    Ok(findings)
}

async fn cases(actors: &Arc<Actors>, entries: &BTreeMap<String, Entry>, since: kernel::Time) -> Result<Findings> {
    let mut client = CaseServiceClient::new(actors.integrator("intake", 0)?);
    let (mut found, mut findings, mut page_token) = (BTreeSet::new(), Findings::default(), String::new());
    loop {
        let request = ListCasesRequest { page_size: 200, page_token, ..ListCasesRequest::default() };
        let page = client.list_cases(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
        for case in page.cases {
            // A running suite may hold cases of an earlier simulation.
            if super::ledger::time(case.opened_at.as_ref()) < since {
                continue;
            }
            match entries.get(&case.case_id) {
                Some(entry) => findings.add(&facts(entry, &case)),
                None => findings.unexpected += 1,
            }
            findings.repeated += u64::from(!found.insert(case.case_id));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    findings.lost += entries.keys().filter(|case| !found.contains(*case)).count() as u64;
    Ok(findings)
}

async fn one(actors: &Arc<Actors>, number: usize, case: &str, entry: &Entry) -> Result<Findings> {
    let mut client = ConversationServiceClient::new(actors.integrator("intake", number)?);
    let mut messages: Vec<Message> = Vec::new();
    loop {
        let after_seq = messages.last().map_or(0, |last| last.seq);
        let request = ListMessagesRequest { case_id: case.to_owned(), after_seq, page_size: 500 };
        let page = client.list_messages(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
        let done = page.messages.is_empty();
        messages.extend(page.messages);
        if done || messages.last().map_or(0, |last| last.seq) >= page.last_seq {
            break;
        }
    }
    let mut findings = compare(entry, &messages);
    if let Some(booking) = &entry.booking {
        let mut client = SchedulingServiceClient::new(actors.integrator("scheduling", number)?);
        let request = ListBookingsRequest { case_id: case.to_owned() };
        let bookings = client.list_bookings(request).await.map_err(|status| rpc::status::error(&status))?.into_inner().bookings;
        let held = bookings.iter().filter(|one| one.booking_id == *booking && one.state == i32::from(BookingState::Confirmed)).count();
        findings.lost += u64::from(held == 0);
        findings.repeated += u64::from(held > 1);
        let others = |one: &&Booking| one.booking_id != *booking && one.state == i32::from(BookingState::Confirmed);
        findings.unexpected += bookings.iter().filter(others).count() as u64;
    }
    Ok(findings)
}

/// How a case as read back ended, against what was acknowledged. Pure.
fn facts(entry: &Entry, case: &Case) -> Findings {
    let mut findings = Findings::default();
    let is_closed = case.state() == CaseState::Closed;
    findings.lost += u64::from(entry.closed && !(is_closed && case.outcome == entry.outcome));
    findings.unexpected += u64::from(is_closed && !entry.closed);
    findings.lost += u64::from(entry.rating != 0 && case.rating != entry.rating);
    findings.unexpected += u64::from(entry.rating == 0 && case.rating != 0);
    findings
}

/// A conversation as read back, against what was acknowledged and what an open screen showed. Pure.
fn compare(entry: &Entry, messages: &[Message]) -> Findings {
    let mut findings = Findings::default();
    let mut seen = BTreeSet::new();
    let stored: BTreeMap<i64, (&str, &str)> =
        messages.iter().map(|message| (message.seq, (message.client_id.as_str(), message.text.as_str()))).collect();
    for (expected, message) in (1..).zip(messages) {
        findings.repeated += u64::from(!seen.insert(message.client_id.as_str()));
        // Dense and in order: a hole in the numbers is a message that is gone.
        findings.reordered += u64::from(message.seq != expected);
        // Samtal's own lines are nobody's sending.
        findings.unexpected += u64::from(message.system.is_none() && !entry.tried.contains(&message.client_id));
    }
    for (seq, (client_id, text)) in &entry.messages {
        match stored.get(seq) {
            Some((id, body)) if id == client_id && body == text => {}
            _ if seen.contains(client_id.as_str()) => findings.reordered += 1,
            _ => findings.lost += 1,
        }
    }
    // A screen begins with the first message, then shows each once and in order.
    if !entry.seen.is_empty() {
        let distinct: BTreeSet<i64> = entry.seen.iter().copied().collect();
        findings.repeated += (entry.seen.len() - distinct.len()) as u64;
        findings.reordered += entry.seen.windows(2).filter(|pair| matches!(pair, [a, b] if b < a)).count() as u64;
        findings.lost += entry.messages.keys().filter(|seq| !distinct.contains(seq)).count() as u64;
    }
    findings
}

/// Kept so that an empty answer is an error rather than a clean bill.
pub fn not_empty(entries: &BTreeMap<String, Entry>) -> Result<()> {
    if entries.is_empty() { Err(Error::internal("the simulation opened no case")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: i64, client_id: &str) -> Message {
        Message { seq, client_id: client_id.into(), text: "t".into(), ..Message::default() }
    }

    fn entry(acknowledged: &[(i64, &str)]) -> Entry {
        Entry {
            messages: acknowledged.iter().map(|(seq, id)| (*seq, ((*id).to_owned(), "t".to_owned()))).collect(),
            tried: acknowledged.iter().map(|(_, id)| (*id).to_owned()).collect(),
            ..Entry::default()
        }
    }

    #[test]
    fn an_end_that_is_not_the_acknowledged_one_is_found() {
        let closed = Entry { closed: true, outcome: 2, rating: 4, ..Entry::default() };
        let case = |state: CaseState, outcome, rating| Case { state: state.into(), outcome, rating, ..Case::default() };
        assert!(facts(&closed, &case(CaseState::Closed, 2, 4)).is_clean());
        for other in [case(CaseState::Active, 2, 4), case(CaseState::Closed, 3, 4), case(CaseState::Closed, 2, 0)] {
            assert_eq!(facts(&closed, &other).lost, 1, "{other:?}");
        }
        assert_eq!(facts(&Entry::default(), &case(CaseState::Closed, 2, 5)).unexpected, 2);
    }

    #[test]
    fn each_kind_of_damage_is_found() {
        let clean = entry(&[(1, "a"), (2, "b")]);
        assert!(compare(&clean, &[message(1, "a"), message(2, "b")]).is_clean());
        assert_eq!(compare(&clean, &[message(1, "a")]).lost, 1);
        assert!(compare(&clean, &[message(1, "a"), message(2, "b"), message(3, "b")]).repeated > 0);
        assert!(compare(&clean, &[message(1, "b"), message(2, "a")]).reordered > 0);
        assert!(compare(&clean, &[message(1, "a"), message(2, "b"), message(3, "x")]).unexpected > 0);
        let screen = |seen: &[i64]| Entry { seen: seen.to_vec(), ..clean.clone() };
        let stored = [message(1, "a"), message(2, "b")];
        assert_eq!(compare(&screen(&[1]), &stored).lost, 1);
        assert_eq!(compare(&screen(&[1, 2, 2]), &stored).repeated, 1);
        assert_eq!(compare(&screen(&[2, 1]), &stored).reordered, 1);
    }
}
