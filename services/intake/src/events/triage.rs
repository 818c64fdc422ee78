//! Triage's severity, shown on the case.

use futures::future::BoxFuture;
use kernel::{Id, Result};
use log::{Handler, Unit};
use proto::log::Envelope;
use proto::triage::CaseTriaged;
use proto::{Event, intake};

use super::{at, broken};
use crate::app::App;
use crate::domain::case::Command;

pub struct Triage {
    pub app: App,
}

impl Handler for Triage {
    fn source(&self) -> &'static str {
        "triage"
    }

    fn wants(&self, event: &Envelope) -> bool {
        event.r#type == CaseTriaged::TYPE
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let Some(triaged) = event.event::<CaseTriaged>().map_err(broken)? else { return Ok(()) };
            let Some(severity) = intake::Severity::try_from(triaged.severity).unwrap_or_default().known() else { return Ok(()) };
            let case = Id::parse("key", &event.key)?;
            self.app.projected(unit, case, None, &Command::Triaged { severity }, at(event)?).await
        })
    }
}
