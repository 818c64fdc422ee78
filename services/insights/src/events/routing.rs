//! When a worker first took a case, from routing.

use futures::future::BoxFuture;
use kernel::Result;
use log::{Handler, Unit};
use proto::Event;
use proto::log::Envelope;
use proto::routing::CaseAssigned;

use super::{at, case};
use crate::store::facts;

pub struct Routing;

impl Handler for Routing {
    fn source(&self) -> &'static str {
        "routing"
    }

    fn wants(&self, event: &Envelope) -> bool {
        event.r#type == CaseAssigned::TYPE
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { facts::assigned(unit, case(event)?, at(event)?).await })
    }
}
