//! What others' events mean here. Both consumers begin with what happens from now on: history is never mailed.

use futures::future::BoxFuture;
use kernel::{Code, Error, Id, Result};
use log::{Handler, Scope, Unit};
use proto::intake::SenderKind;
use proto::log::Envelope;
use proto::{Event, intake, routing};
use runtime::{RegionStore, case_facts};

use crate::app::away;
use crate::store::notifications::RecipientKind;

fn broken(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("an event's payload cannot be read: {error}"))
}

/// Intake's events.
pub struct Intake {
    pub region: RegionStore,
    /// Whether there is a mail server.
    pub email: bool,
}

impl Handler for Intake {
    fn source(&self) -> &'static str {
        "intake"
    }

    fn wants(&self, event_type: &str) -> bool {
        case_facts::wants(event_type) || event_type == intake::MessagePosted::TYPE || event_type == intake::VisitorReturned::TYPE
    }

    fn starts_at_head(&self) -> bool {
        true
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
            match event.event::<intake::MessagePosted>().map_err(broken)? {
                Some(posted) => self.posted(unit, case, &posted).await,
                None => Ok(()),
            }
        })
    }
}

impl Intake {
    async fn posted(&self, unit: &mut Unit<'_>, case: Id, posted: &intake::MessagePosted) -> Result<()> {
        match posted.sender_kind() {
            SenderKind::Visitor => away::visitor_back(unit, case).await,
            SenderKind::Worker if posted.visitor_away => match case_facts::lock(unit, case).await {
                // An erased case has no visitor any more.
                Ok(facts) if facts.visitor.is_empty() => Ok(()),
                Ok(facts) => away::answer_waits(unit, &self.region.get(), &facts, self.email).await,
                // Opened before this service first began to listen.
                Err(error) if error.code == Code::NotFound => Ok(()),
                Err(error) => Err(error),
            },
            _ => Ok(()),
        }
    }
}

/// Routing's events.
pub struct Routing;

impl Handler for Routing {
    fn source(&self) -> &'static str {
        "routing"
    }

    fn wants(&self, event_type: &str) -> bool {
        case_facts::wants(event_type) || event_type == routing::CaseOffered::TYPE
    }

    fn starts_at_head(&self) -> bool {
        true
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            case_facts::apply(unit, event).await?;
            let Some(offered) = event.event::<routing::CaseOffered>().map_err(broken)?.filter(|_| !event.erased) else { return Ok(()) };
            let scope = Scope { organisation: event.organisation_id.clone(), clinic: event.clinic_id.clone(), practice: event.practice };
            let case = Id::parse("key", &event.key)?;
            away::in_app(unit, case, &scope, RecipientKind::Worker, &offered.worker_id, "offer").await
        })
    }
}
