//! What others' events mean here.
//!
//! Both consumers begin with the oldest event, because a case that was opened before the first start, or in its first
//! moments, must be known too; but nobody is told of what happened before the first start. To begin at the head would
//! lose whatever comes between the source's first commit and this service's first look at it.

use futures::future::BoxFuture;
use kernel::{Code, Error, Id, Result, Time};
use log::{Handler, Scope, Unit};
use proto::intake::SenderKind;
use proto::log::Envelope;
use proto::{Event, intake, routing};
use runtime::{RegionStore, case_facts};

use crate::app::sender::Open;
use crate::app::{away, way_in};
use crate::store::notifications::RecipientKind;

fn broken(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("an event's payload cannot be read: {error}"))
}

/// Whether `event` happened before this service first started.
fn is_history(event: &Envelope, first_start: Time) -> bool {
    matches!(proto::from_timestamp("occurred_at", event.occurred_at.as_ref()), Ok(Some(at)) if at < first_start)
}

/// Intake's events.
pub struct Intake {
    pub region: RegionStore,
    /// By which ways messages can leave.
    pub open: Open,
    pub first_start: Time,
}

impl Handler for Intake {
    fn source(&self) -> &'static str {
        "intake"
    }

    fn wants(&self, event: &Envelope) -> bool {
        case_facts::wants(&event.r#type)
            || [intake::VisitorReturned::TYPE, intake::TransferProposed::TYPE, intake::AccessMailDue::TYPE].contains(&event.r#type.as_str())
            || matters(event)
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            case_facts::apply(unit, event).await?;
            let case = Id::parse("key", &event.key)?;
            if event.erased || event.r#type == intake::CaseErased::TYPE {
                return away::erase(unit, case).await;
            }
            if event.r#type == intake::VisitorReturned::TYPE {
                return away::visitor_back(unit, case).await;
            }
            if is_history(event, self.first_start) {
                return Ok(());
            }
            if let Some(due) = event.event::<intake::AccessMailDue>().map_err(broken)? {
                return way_in::due(unit, Id::parse("mail_id", &due.mail_id)?, &event.organisation_id, self.open).await;
            }
            if let Some(proposed) = event.event::<intake::TransferProposed>().map_err(broken)? {
                return if proposed.visitor_away { self.waits(unit, case).await } else { Ok(()) };
            }
            match event.event::<intake::MessagePosted>().map_err(broken)? {
                Some(posted) => self.posted(unit, case, &posted).await,
                None => Ok(()),
            }
        })
    }
}

/// Whether somebody away is to hear of a message, or need hear no more. A tombstone and what cannot be read count.
fn matters(event: &Envelope) -> bool {
    event.r#type == intake::MessagePosted::TYPE
        && (event.erased
            || event
                .event::<intake::MessagePosted>()
                .map_or(true, |posted| posted.is_some_and(|posted| posted.sender_kind() == SenderKind::Visitor || posted.visitor_away)))
}

impl Intake {
    async fn posted(&self, unit: &mut Unit<'_>, case: Id, posted: &intake::MessagePosted) -> Result<()> {
        match posted.sender_kind() {
            SenderKind::Visitor => away::visitor_back(unit, case).await,
            SenderKind::Worker if posted.visitor_away => self.waits(unit, case).await,
            _ => Ok(()),
        }
    }

    /// Something waits for a visitor who is away.
    async fn waits(&self, unit: &mut Unit<'_>, case: Id) -> Result<()> {
        match case_facts::lock(unit, case).await {
            // An erased case has no visitor any more.
            Ok(facts) if facts.visitor.is_empty() => Ok(()),
            Ok(facts) => away::answer_waits(unit, &self.region.get(), &facts, self.open).await,
            // Unknown cases have nobody to tell: theirs is a tombstone that came late.
            Err(error) if error.code == Code::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Routing's events.
pub struct Routing {
    pub first_start: Time,
}

impl Handler for Routing {
    fn source(&self) -> &'static str {
        "routing"
    }

    fn wants(&self, event: &Envelope) -> bool {
        case_facts::wants(&event.r#type) || event.r#type == routing::CaseOffered::TYPE
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            case_facts::apply(unit, event).await?;
            let offered = event.event::<routing::CaseOffered>().map_err(broken)?;
            let Some(offered) = offered.filter(|_| !event.erased && !is_history(event, self.first_start)) else { return Ok(()) };
            let scope = Scope { organisation: event.organisation_id.clone(), clinic: event.clinic_id.clone(), practice: event.practice };
            let case = Id::parse("key", &event.key)?;
            away::in_app(unit, case, &scope, RecipientKind::Worker, &offered.worker_id, "offer").await
        })
    }
}
