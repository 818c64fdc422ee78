//! Routing's decisions: who has the case, and so who may see it.

use futures::future::BoxFuture;
use kernel::{Id, Result};
use log::{Handler, Unit};
use proto::Event;
use proto::log::Envelope;
use proto::routing::{CaseAssigned, CaseOffered, CaseQueued, CaseReleased, OfferEnded};

use super::{at, broken};
use crate::app::App;
use crate::domain::case::Command;

pub struct Routing {
    pub app: App,
}

impl Handler for Routing {
    fn source(&self) -> &'static str {
        "routing"
    }

    fn wants(&self, event: &Envelope) -> bool {
        [CaseQueued::TYPE, CaseOffered::TYPE, OfferEnded::TYPE, CaseAssigned::TYPE, CaseReleased::TYPE].contains(&event.r#type.as_str())
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if event.erased {
                return Ok(());
            }
            let command = if event.r#type == CaseQueued::TYPE {
                Command::Queued
            } else if event.r#type == CaseOffered::TYPE {
                Command::Offered
            } else if event.r#type == OfferEnded::TYPE {
                Command::OfferEnded
            } else if let Some(assigned) = event.event::<CaseAssigned>().map_err(broken)? {
                Command::Assigned(assigned.worker_id)
            } else {
                Command::Released
            };
            let case = Id::parse("key", &event.key)?;
            self.app.projected(unit, case, Some(&event.clinic_id), &command, at(event)?).await
        })
    }
}
