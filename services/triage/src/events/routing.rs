//! Who has a case, from routing.

use futures::future::BoxFuture;
use kernel::Result;
use log::{Handler, Unit};
use proto::log::Envelope;
use runtime::case_facts;

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
