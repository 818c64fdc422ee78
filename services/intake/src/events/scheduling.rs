//! Times that are held, booked or given up for a case: open screens look at them anew. Nothing of it is kept here.

use std::time::Duration;

use futures::future::BoxFuture;
use kernel::{Id, Result};
use log::{Handler, Unit};
use proto::Event;
use proto::log::Envelope;
use proto::scheduling::{BookingCancelled, BookingConfirmed, SlotHeld};

use super::at;
use crate::app::{App, live};
use crate::store::cases;

/// After this long no screen waits to hear of it: each has been loaded since, or asks when it comes back.
const NEWS: Duration = Duration::from_secs(300);

pub struct Scheduling {
    pub app: App,
}

impl Handler for Scheduling {
    fn source(&self) -> &'static str {
        "scheduling"
    }

    fn wants(&self, event: &Envelope) -> bool {
        [SlotHeld::TYPE, BookingConfirmed::TYPE, BookingCancelled::TYPE].contains(&event.r#type.as_str())
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if event.erased || at(event)? + NEWS < unit.now {
                return Ok(());
            }
            let case = Id::parse("key", &event.key)?;
            if let Some(case) = cases::lock(unit, case).await? {
                live::case(unit, &self.app.node, case.to_proto());
            }
            Ok(())
        })
    }
}
