//! A new case is triaged. It is never lost: what cannot be judged goes to a person as URGENT.

use kernel::{Id, Result};
use log::Unit;
use proto::intake::CaseOpened;
use proto::log::Envelope;
use region::Region;

use super::{add_flags, scope, severities, wire};
use crate::domain::assess::{Matter, assess};
use crate::domain::questionnaire::Answer;
use crate::store::{self, Triaged};

pub async fn take(unit: &mut Unit<'_>, region: &Region, event: &Envelope, opened: &CaseOpened) -> Result<()> {
    let case = Id::parse("key", &event.key)?;
    // A raise may have come before it, if the first event was given up as a dead letter and is now replayed.
    if store::lock(unit, case).await?.is_some() {
        return Ok(());
    }
    let answers: Vec<Answer> = opened.answers.iter().map(|answer| Answer::new(&answer.question_id, &answer.option_id)).collect();
    let assessed = assess(
        region,
        &Matter {
            organisation: &event.organisation_id,
            entry_point: &opened.entry_point_id,
            reason: &opened.contact_reason_id,
            answers: &answers,
            age: u8::try_from(opened.age).ok(),
            red_flags: &severities(&opened.red_flags),
        },
    );
    if assessed.untriaged {
        tracing::warn!(%case, entry_point = opened.entry_point_id, "a case could not be triaged and goes to a person as urgent; is the region applied here?");
    }
    let mut red_flags = Vec::new();
    add_flags(&mut red_flags, &opened.red_flags);
    let triaged = Triaged {
        case,
        severity: assessed.severity,
        profession: assessed.profession,
        rule_queue: assessed.rule_queue,
        queue: assessed.queue,
        protocol: assessed.protocol,
        protocol_version: assessed.protocol_version,
        rules: assessed.rules,
        red_flags,
        set_by: String::new(),
        set_reason: String::new(),
        triaged_at: unit.now,
        untriaged: assessed.untriaged,
    };
    store::put(unit, &triaged).await?;
    unit.emit(case, &scope(event), &wire::event(&triaged, false))
}
