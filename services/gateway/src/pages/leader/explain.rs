//! `/leader/c/<case>`: why this clinic, this person, this wait; and what to do with a case that is stuck.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use kernel::Id;
use proto::intake::{AuditEntry, Case, CaseState, ListAuditRequest};
use proto::routing::{Decision, ExplainRequest, ListPresenceRequest, NamedWorker};

use super::only_leaders;
use crate::pages::case;
use crate::pages::staff::names::Names;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view::{self, Row};
use crate::web::{Page, Problem, Staff};

/// What routing decides, and why it looked at each worker as it did: the texts are `decision-<kind>` and `verdict-<code>`.
pub const DECISIONS: [&str; 10] =
    ["queued", "offered", "accepted", "declined", "timed_out", "claimed", "released", "transferred", "alerted", "closed"];
pub const VERDICTS: [&str; 9] =
    ["OTHER_QUEUE", "OTHER_PROFESSION", "OTHER_LANGUAGE", "ABSENT", "PRACTISING", "NOT_PRACTISING", "NO_ROOM", "EXCLUDED", "ELIGIBLE"];

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
