//! What others' events mean here: whose a case is, and that a closed case needs no holds.

use futures::future::BoxFuture;
use kernel::{Id, Result};
use log::{Handler, Unit};
use proto::log::Envelope;
use proto::{Event, intake};
use runtime::case_facts;

use crate::app::change;
use crate::store::bookings;

/// Intake's events.
pub struct Intake;

impl Handler for Intake {
    fn source(&self) -> &'static str {
        "intake"
    }

    fn wants(&self, event: &Envelope) -> bool {
        case_facts::wants(&event.r#type)
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            case_facts::apply(unit, event).await?;
            // Any tombstone says that the case is erased, also to a consumer that comes late.
            let erased = event.erased || event.r#type == intake::CaseErased::TYPE;
            let case = Id::parse("key", &event.key)?;
            if erased || event.r#type == intake::CaseClosed::TYPE {
                change::release_holds(unit, case).await?;
            }
            if erased {
                bookings::erase_refs(unit.tx, case).await?;
                // Answers that were kept hold the reference too.
                unit.erase_key(case).await?;
            }
            Ok(())
        })
    }
}

/// Routing's events.
pub struct Routing;

impl Handler for Routing {
    fn source(&self) -> &'static str {
        "routing"
    }

    fn wants(&self, event: &Envelope) -> bool {
        case_facts::wants(&event.r#type)
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(case_facts::apply(unit, event))
    }
}
