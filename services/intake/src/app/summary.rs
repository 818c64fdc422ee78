//! What the journal needs to know of a case, put together from intake's own tables and what triage and scheduling say.

use kernel::{Error, Id, Language, Result};
use log::Receipt;
use proto::intake::{AnsweredQuestion, Case, CaseDocumented, ExportCaseResponse, Severity, Summary, SummaryBooking};
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::scheduling::{Booking, BookingState, ListBookingsRequest};
use proto::triage::triage_service_client::TriageServiceClient;
use proto::triage::{GetTriageRequest, Triage};
use region::Organisation;
use rpc::Caller;

use crate::app::{App, change, live, retention};
use crate::domain::language;
use crate::domain::terms::State;
use crate::store::cases::{self, Stored};
use crate::store::messages;

impl App {
    /// A case as those see it who ask for this very one: leaders and the visitor read what was written with the rating.
    pub fn show(&self, caller: &Caller, case: &Stored) -> Case {
        let mut shown = case.to_proto();
        if !caller.role().is_staff() || caller.role() == auth::Role::Leader {
            shown.rating_text.clone_from(&case.rating_text);
        }
        shown.reopen_until = retention::reopen_until(self, case).map(proto::timestamp);
        shown
    }

    pub async fn summary(&self, caller: &Caller, id: Id, language: &str) -> Result<Summary> {
        let case = self.read(caller, id).await?;
        let region = self.node.region.get();
        let organisation = region.organisation(&case.organisation).ok_or_else(|| Error::not_found("case"))?;
        let language = language::named(language)?.unwrap_or_else(|| organisation.default_language());
        let (triage, bookings) = tokio::join!(self.triage_of(id), self.bookings_of(id));
        let incomplete = triage.is_err() || bookings.is_err();
        let triage = triage.unwrap_or_default();
        let (visitor_messages, worker_messages) = messages::counts(&self.node.of(caller), id).await?;
        let mut because = triage.rule_ids.clone();
        because.extend(triage.red_flags.iter().map(|category| format!("red_flag:{category}")));
        if !triage.set_by_worker_id.is_empty() {
            because.push(format!("worker:{}", triage.set_by_worker_id));
        }
        Ok(Summary {
            contact_reason: organisation
                .reason(&case.reason)
                .map(|reason| organisation.text(&reason.name, language).to_owned())
                .unwrap_or_default(),
            answers: answers(organisation, &case, language),
            severity: case.life.severity.map_or(Severity::Unspecified, Into::into).into(),
            severity_because: because,
            severity_reason: triage.set_reason.clone(),
            advice: advice(organisation, &triage, language),
            visitor_messages,
            worker_messages,
            bookings: bookings.unwrap_or_default().iter().filter_map(booking).collect(),
            incomplete,
            case: Some(self.show(caller, &case)),
        })
    }

    async fn triage_of(&self, id: Id) -> Result<Triage> {
        let mut client = TriageServiceClient::new(self.node.peer("triage")?);
        let answer = client.get_triage(GetTriageRequest { case_id: id.to_string() }).await;
        answer.map(|answer| answer.into_inner().triage.unwrap_or_default()).map_err(|status| rpc::status::error(&status))
    }

    async fn bookings_of(&self, id: Id) -> Result<Vec<Booking>> {
        let mut client = SchedulingServiceClient::new(self.node.peer("scheduling")?);
        let answer = client.list_bookings(ListBookingsRequest { case_id: id.to_string() }).await;
        answer.map(|answer| answer.into_inner().bookings).map_err(|status| rpc::status::error(&status))
    }

    /// A worker, or a journal system, has taken the case over into the journal. Saying so again changes nothing.
    pub async fn document(&self, caller: Caller, request_id: &str, request: &impl prost::Message, id: Id) -> Result<(Case, Receipt)> {
        let once = caller.once(request_id, request)?;
        let app = self.clone();
        self.node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller, once) = (app.clone(), caller.clone(), once.clone());
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<Case>(&once).await? {
                        return Ok(earlier);
                    }
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    if case.life.state != State::Closed {
                        return Err(Error::precondition("CASE_NOT_CLOSED", "a case is documented once it is closed"));
                    }
                    unit.audit(id, &case.scope());
                    if case.documented_at.is_none() {
                        case.documented_at = Some(unit.now);
                        case.documented_by.clone_from(&caller.principal.id);
                        unit.emit(id, &case.scope(), &CaseDocumented { worker_id: caller.principal.id.clone() })?;
                        cases::update(unit, &case).await?;
                        live::case(unit, &app.node, case.to_proto());
                    }
                    let answer = case.to_proto();
                    unit.remember_answer(&once, &Id::to_string(&id), &answer).await?;
                    Ok(answer)
                })
            })
            .await
    }

    /// The visitor's own case as a document. It is whole or not at all.
    pub async fn export(&self, caller: &Caller, id: Id) -> Result<ExportCaseResponse> {
        let case = self.read(caller, id).await?;
        let bookings = self.bookings_of(id).await?;
        let messages = messages::after(&self.node.of(caller), id, 0, i64::from(i32::MAX)).await?;
        let document = super::document::of(&self.show(caller, &case), &messages, &bookings);
        let document_json = serde_json::to_string_pretty(&document).map_err(|error| Error::internal(error.to_string()))?;
        Ok(ExportCaseResponse { document_json, file_name: "samtal-case.json".to_owned() })
    }
}

fn answers(organisation: &Organisation, case: &Stored, language: Language) -> Vec<AnsweredQuestion> {
    let protocol = organisation.entry_point(&case.entry_point).and_then(|door| organisation.protocol(door.protocol.as_deref()?));
    let texts = |question: &str, option: &str| {
        let question = protocol?.questions.iter().find(|one| one.id == question)?;
        let option = question.options.iter().find(|one| one.id == option)?;
        Some((organisation.text(&question.text, language).to_owned(), organisation.text(&option.text, language).to_owned()))
    };
    let answered = case.answers.iter().map(|(question_id, option)| {
        // A newer protocol may not have the question any more; its ids still tell.
        let (question, answer) = texts(question_id, option).unwrap_or_else(|| (question_id.clone(), option.clone()));
        AnsweredQuestion { question_id: question_id.clone(), question, answer }
    });
    answered.collect()
}

/// What the rules that held tell the visitor to do.
fn advice(organisation: &Organisation, triage: &Triage, language: Language) -> Vec<String> {
    let protocol = organisation.protocol(&triage.protocol_id).filter(|protocol| protocol.version == triage.protocol_version);
    let rules = protocol.into_iter().flat_map(|protocol| &protocol.rules).filter(|rule| triage.rule_ids.contains(&rule.id));
    rules.filter(|rule| !rule.advice.is_empty()).map(|rule| organisation.text(&rule.advice, language).to_owned()).collect()
}

fn booking(booking: &Booking) -> Option<SummaryBooking> {
    let slot = booking.slot.as_ref().filter(|_| booking.state() == BookingState::Confirmed)?;
    Some(SummaryBooking {
        booking_id: booking.booking_id.clone(),
        starts_at: slot.time.and_then(|time| time.from),
        channel: slot.channel,
        resource_id: slot.resource_id.clone(),
    })
}
