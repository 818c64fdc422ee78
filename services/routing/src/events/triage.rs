//! Triage's verdicts. They may come before intake's event about the same case: then they are kept until that comes.

use futures::future::BoxFuture;
use kernel::{Profession, Result};
use log::{Handler, Unit};
use proto::Event;
use proto::log::Envelope;
use proto::triage::CaseTriaged;

use super::{broken, case_of};
use crate::app::Desks;
use crate::store::verdicts::{self, Verdict};

pub struct Triage(pub Desks);

impl Handler for Triage {
    fn source(&self) -> &'static str {
        "triage"
    }

    fn wants(&self, event: &Envelope) -> bool {
        event.r#type == CaseTriaged::TYPE
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            // A tombstone says nothing any more.
            if event.erased {
                return Ok(());
            }
            let Some(triaged) = event.event::<CaseTriaged>().map_err(broken)? else { return Ok(()) };
            // A severity that is not said tells us nothing; the deadline makes the case URGENT.
            let Some(severity) = triaged.severity().known() else { return Ok(()) };
            let verdict = Verdict {
                severity,
                profession: Profession::from_code(&triaged.profession).unwrap_or(Profession::Any),
                queue: triaged.queue_id.clone(),
                lowered: triaged.lowered_by_worker,
            };
            let case = case_of(event)?;
            let mut desk = self.0.open(unit);
            match desk.case(case).await? {
                Some(mut row) => desk.triaged(&mut row, &verdict).await?,
                None => {
                    verdicts::keep(desk.unit.tx, &event.organisation_id, case, &verdict).await?;
                    // The opening may have been committed while we waited to keep it.
                    if let Some(mut row) = desk.case(case).await?
                        && let Some(verdict) = verdicts::take(desk.unit.tx, case).await?
                    {
                        desk.triaged(&mut row, &verdict).await?;
                    }
                }
            }
            desk.settle().await
        })
    }
}
