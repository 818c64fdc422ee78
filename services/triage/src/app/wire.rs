//! A case's triage as messages.

use proto::{intake, triage};

use crate::store::Triaged;

/// As callers see it.
pub fn message(triaged: &Triaged) -> triage::Triage {
    triage::Triage {
        case_id: triaged.case.to_string(),
        severity: intake::Severity::from(triaged.severity).into(),
        profession: triaged.profession.code().to_owned(),
        queue_id: triaged.rule_queue.clone(),
        protocol_id: triaged.protocol.clone(),
        protocol_version: triaged.protocol_version,
        rule_ids: triaged.rules.clone(),
        red_flags: triaged.red_flags.clone(),
        set_by_worker_id: triaged.set_by.clone(),
        set_reason: triaged.set_reason.clone(),
        triaged_at: Some(proto::timestamp(triaged.triaged_at)),
        untriaged: triaged.untriaged,
    }
}

/// As other services learn it.
pub fn event(triaged: &Triaged, lowered_by_worker: bool) -> triage::CaseTriaged {
    triage::CaseTriaged {
        severity: intake::Severity::from(triaged.severity).into(),
        profession: triaged.profession.code().to_owned(),
        queue_id: triaged.queue.clone(),
        protocol_id: triaged.protocol.clone(),
        protocol_version: triaged.protocol_version,
        rule_ids: triaged.rules.clone(),
        lowered_by_worker,
    }
}
