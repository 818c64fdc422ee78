//! `/leader/c/<case>`: why this clinic, this person, this wait; and what to do with a case that is stuck.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use kernel::{Id, Profession};
use proto::intake::{AuditEntry, Case, CaseState, ListAuditRequest, Severity};
use proto::routing::{Decision, ExplainRequest, ListPresenceRequest, NamedWorker};

use super::only_leaders;
use crate::pages::case;
use crate::pages::staff::names::Names;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view::{self, Row};
use crate::web::{Page, Problem, Staff};

/// What routing decides, and why it looked at each worker as it did: the texts are `decision-<kind>` and `verdict-<code>`.
pub const DECISIONS: [&str; 13] = [
    "queued",
    "offered",
    "accepted",
    "declined",
    "timed_out",
    "claimed",
    "released",
    "transferred",
    "alerted",
    "closed",
    "rescinded",
    "severity",
    "kept",
];
/// Why: the texts are `why-<code>`. Routing's own sentence stands for a code that is new to these pages.
pub const WHYS: [&str; 36] = [
    "offered_again",
    "offered_anew",
    "emergency_offered",
    "emergency_offered_anew",
    "offered",
    "all_turned_down",
    "all_asked",
    "from_opening",
    "nobody_now",
    "severity_by_triage",
    "severity_by_danger",
    "danger",
    "danger_ahead",
    "waits",
    "worker_gone",
    "went_elsewhere",
    "turned_down",
    "timed_out",
    "presence_ran_out",
    "other_queue",
    "triage_late",
    "leader_took",
    "worker_took",
    "worker_took_emergency",
    "worker_removed",
    "accepted",
    "gave_back",
    "leader_gave_back",
    "handed_over",
    "leader_sent",
    "shift_ends",
    "opener_keeps",
    "back_to_worker",
    "opened_again",
    "visitor_left",
    "closed",
];
pub const VERDICTS: [&str; 10] = [
    "OTHER_QUEUE",
    "OTHER_PROFESSION",
    "OTHER_LANGUAGE",
    "ABSENT",
    "PRACTISING",
    "NOT_PRACTISING",
    "NO_ROOM",
    "EMERGENCY_FIRST",
    "EXCLUDED",
    "ELIGIBLE",
];

#[derive(Template)]
#[template(path = "leader/explain.html")]
struct Explained {
    page: Page,
    staff: Staff,
    row: Row,
    case: Case,
    names: Names,
    decisions: Vec<Decision>,
    accesses: Vec<AuditEntry>,
    colleagues: Vec<NamedWorker>,
    /// Other queues of the leader's clinics: id and name.
    queues: Vec<(String, String)>,
    notice: Option<Notice>,
}

impl Explained {
    fn held(&self) -> bool {
        !self.case.worker_id.is_empty() && self.case.state() != CaseState::Closed
    }

    fn waits(&self) -> bool {
        matches!(self.case.state(), CaseState::Waiting | CaseState::Offered)
    }

    /// Whether it is the leader's own already.
    fn own(&self) -> bool {
        self.case.worker_id == self.staff.id
    }

    fn when(&self, decision: &Decision) -> String {
        view::moment(decision.at.as_ref())
    }

    fn accessed(&self, entry: &AuditEntry) -> String {
        view::moment(entry.at.as_ref())
    }

    /// A kind of decision in words; one that is new to these pages by its code.
    fn kind(&self, kind: &str) -> String {
        if !DECISIONS.contains(&kind) {
            return kind.to_owned();
        }
        self.page.say(&format!("decision-{}", kind.replace('_', "-"))).to_string()
    }

    /// Why it was decided, in the reader's language.
    fn why(&self, decision: &Decision) -> Option<String> {
        let code = WHYS.into_iter().find(|code| *code == decision.why_code)?;
        let mut say = self.page.say(&format!("why-{}", code.replace('_', "-")));
        for (name, param) in ["a", "b", "c", "d"].into_iter().zip(&decision.why_params) {
            say = say.with(name, self.param(code, param));
        }
        Some(say.to_string())
    }

    /// A severity, a profession or workers in words; anything else as it is.
    fn param(&self, code: &str, param: &str) -> String {
        if code == "danger" {
            return param.split(", ").map(|worker| self.names.worker(worker)).collect::<Vec<_>>().join(", ");
        }
        if let Some(severity) = Severity::from_str_name(&format!("SEVERITY_{}", param.to_ascii_uppercase())) {
            return view::severity(&self.page, severity).to_string();
        }
        if Profession::ALL.iter().any(|one| one.code() == param) {
            return self.page.say(&format!("profession-{param}")).to_string();
        }
        param.to_owned()
    }

    fn verdict(&self, code: &str) -> String {
        if !VERDICTS.contains(&code) {
            return code.to_owned();
        }
        self.page.say(&format!("verdict-{}", code.to_ascii_lowercase().replace('_', "-"))).to_string()
    }

    fn queue(&self, id: &str) -> String {
        self.names.queue(&self.page, id)
    }
}

pub async fn show(page: Page, staff: Staff, Path(case): Path<Id>, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let id = case.to_string();
    let now = staff.calls.now();
    let case = case::load(&staff.calls, &id).await?;
    let names = Names::load(&page, &staff).await?;
    let (mut routing, mut presence, mut cases) = (staff.calls.routing(), staff.calls.routing(), staff.calls.cases());
    let (explained, present, audit) = tokio::try_join!(
        routing.explain(ExplainRequest { case_id: id.clone() }),
        presence.list_presence(ListPresenceRequest::default()),
        cases.list_audit(ListAuditRequest { case_id: id.clone(), page_size: 200, page_token: String::new() }),
    )?;
    let present = present.into_inner().presences;
    let is_there = |worker: &NamedWorker| present.iter().any(|one| one.present && one.worker_id == worker.worker_id);
    let others = names.workers().filter(|one| one.worker_id != case.worker_id && one.clinic_ids.contains(&case.clinic_id));
    let colleagues = others.filter(|one| is_there(one)).cloned().collect();
    let decisions = explained.into_inner().decisions;
    let now_in = decisions.iter().rev().map(|one| one.queue_id.as_str()).find(|queue| !queue.is_empty()).unwrap_or_default();
    let others = names.queues_of(&staff).into_iter().filter(|one| one.queue_id != now_in);
    let queues = others.map(|one| (one.queue_id.clone(), names.queue(&page, &one.queue_id))).collect();
    let explained = Explained {
        notice: said.notice(&page),
        queues,
        row: Row::new(&page, &names, &case, now),
        decisions,
        accesses: audit.into_inner().entries,
        colleagues,
        page: page.clone(),
        staff,
        case,
        names,
    };
    page.show(&explained)
}
