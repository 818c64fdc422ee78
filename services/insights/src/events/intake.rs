//! Cases, messages, closing and rating, from intake.

use futures::future::BoxFuture;
use kernel::{Channel, Id, Result, Time};
use log::{Handler, Unit};
use proto::Event;
use proto::intake::{
    CaseClosed, CaseErased, CaseOpened, CaseRated, CaseReferred, CaseReopened, MessagePosted, Outcome, ReferralOutcome, ReferralReported,
};
use proto::log::Envelope;

use super::{at, case, payload};
use crate::domain::figures::age_band;
use crate::store::facts;

pub struct Intake;

impl Handler for Intake {
    fn source(&self) -> &'static str {
        "intake"
    }

    fn wants(&self, event: &Envelope) -> bool {
        [
            CaseOpened::TYPE,
            MessagePosted::TYPE,
            CaseClosed::TYPE,
            CaseReopened::TYPE,
            CaseRated::TYPE,
            CaseErased::TYPE,
            CaseReferred::TYPE,
            ReferralReported::TYPE,
        ]
        .contains(&event.r#type.as_str())
    }

    fn apply<'a>(&'a self, unit: &'a mut Unit<'_>, event: &'a Envelope) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let case = case(event)?;
            match event.r#type.as_str() {
                CaseOpened::TYPE => opened(unit, event).await,
                MessagePosted::TYPE => facts::message(unit, case).await,
                CaseClosed::TYPE => {
                    let abandoned = payload::<CaseClosed>(event)?.is_some_and(|closed| closed.outcome() == Outcome::Abandoned);
                    facts::state(unit, case, event.key_seq, Some(at(event)?), abandoned).await
                }
                CaseReopened::TYPE => facts::state(unit, case, event.key_seq, None, false).await,
                CaseRated::TYPE => match payload::<CaseRated>(event)? {
                    Some(rated) => facts::rated(unit, case, event.key_seq, i64::from(rated.rating)).await,
                    None => Ok(()),
                },
                CaseReferred::TYPE => {
                    // An erased one still counts, though nobody can tell any more which it was.
                    let referral = payload::<CaseReferred>(event)?.map_or_else(|| event.event_id.clone(), |referred| referred.referral_id);
                    facts::referred(unit, Id::parse("referral_id", &referral)?, case).await
                }
                // Its key is the referral, which outlives the case.
                ReferralReported::TYPE => {
                    let told = payload::<ReferralReported>(event)?.map(|told| told.outcome());
                    facts::reported(unit, case, event.key_seq, told == Some(ReferralOutcome::Arrived)).await
                }
                CaseErased::TYPE => facts::erased(unit, case).await,
                _ => Ok(()),
            }
        })
    }
}

async fn opened(unit: &mut Unit<'_>, event: &Envelope) -> Result<()> {
    let at = at(event)?;
    // An erased opening still tells whose case it was and when.
    let opened = payload::<CaseOpened>(event)?.unwrap_or(CaseOpened { age_band: -1, ..CaseOpened::default() });
    // Nobody is there to answer a message that was left while the clinic was closed: its wait counts from the opening.
    let opens_at = proto::from_timestamp("opens_at", opened.opens_at.as_ref())?.filter(|_| opened.left_message);
    let wait_from = match opens_at {
        // A worker who opens a case and keeps it lets nobody wait.
        _ if opened.keep => Time::MAX,
        Some(opens_at) => opens_at.max(at),
        None => at,
    };
    facts::opened(
        unit,
        &facts::Opened {
            case: case(event)?,
            organisation: &event.organisation_id,
            clinic: &event.clinic_id,
            entry_point: &opened.entry_point_id,
            reason: &opened.contact_reason_id,
            age_band: age_band(i64::from(opened.age_band)),
            channel: opened.channel().known().unwrap_or(Channel::Chat).code(),
            practice: event.practice,
            at,
            wait_from,
        },
    )
    .await
}
