//! Cases and messages, from intake.

use std::borrow::Cow;

use futures::future::BoxFuture;
use kernel::{Error, Result};
use log::{Handler, Unit};
use proto::Event;
use proto::intake::{CaseErased, CaseOpened, MessagePosted};
use proto::log::Envelope;
use runtime::{RegionStore, case_facts};

use crate::app;

pub struct Intake {
    pub region: RegionStore,
}

impl Handler for Intake {
    fn source(&self) -> &'static str {
        "intake"
    }

    fn wants(&self, event: &Envelope) -> bool {
        // Most messages say nothing that triage acts on; a transaction for each would be most of its work.
        case_facts::wants(&event.r#type) || has_red_flags(event)
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let event = readable(event);
            case_facts::apply(unit, &event).await?;
            if event.r#type == CaseErased::TYPE {
                app::erase::take(unit, &event).await
            } else if event.erased {
                // A tombstone: its case is erased, so that nobody waits.
                Ok(())
            } else if let Some(opened) = event.event::<CaseOpened>().map_err(broken)? {
                app::open::take(unit, &self.region.get(), &event, &opened).await
            } else if let Some(posted) = event.event::<MessagePosted>().map_err(broken)?.filter(|posted| !posted.red_flags.is_empty()) {
                app::raise::take(unit, &event, &posted).await
            } else {
                Ok(())
            }
        })
    }
}

/// One that cannot be read counts: it must come up, not pass by.
fn has_red_flags(event: &Envelope) -> bool {
    !event.erased
        && event.r#type == MessagePosted::TYPE
        && event.event::<MessagePosted>().map_or(true, |posted| posted.is_some_and(|posted| !posted.red_flags.is_empty()))
}

/// A case whose opening cannot be read is taken as one that said nothing: somebody waits behind it, so it goes to a person
/// untriaged rather than to the dead letters.
fn readable(event: &Envelope) -> Cow<'_, Envelope> {
    match event.event::<CaseOpened>() {
        Ok(_) => Cow::Borrowed(event),
        Err(error) => {
            tracing::error!(case = event.key, event = event.event_id, %error, "a case's opening cannot be read; it goes to a person as urgent");
            let nothing = CaseOpened { age: -1, age_band: -1, ..CaseOpened::default() };
            Cow::Owned(Envelope { payload: prost::Message::encode_to_vec(&nothing), ..event.clone() })
        }
    }
}

fn broken(error: prost::DecodeError) -> Error {
    Error::internal(format!("an event's payload cannot be read: {error}"))
}
