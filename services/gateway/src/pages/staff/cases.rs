//! Lists of cases for a member of staff.

use kernel::Time;
use proto::intake::{Case, CaseState, CaseView, ListCasesRequest, Outcome};
use proto::routing::ListHandoversRequest;

use super::names::Names;
use super::view::{Handover, Row};
use crate::web::{Page, Problem, Staff};

/// Cases of these states, newest first; only those that `worker` has, if one is named.
pub async fn list(staff: &Staff, states: &[CaseState], worker: &str, size: i32) -> Result<Vec<Case>, Problem> {
    let request = ListCasesRequest {
        states: states.iter().map(|state| *state as i32).collect(),
        worker_id: worker.to_owned(),
        page_size: size,
        ..ListCasesRequest::default()
    };
    Ok(staff.calls.cases().list_cases(request).await?.into_inner().cases)
}

/// Open cases that the caller has, the most pressing first.
pub async fn mine(page: &Page, staff: &Staff, names: &Names, now: Time) -> Result<Vec<Row>, Problem> {
    let states = [CaseState::Active, CaseState::WaitingForUs, CaseState::WaitingForVisitor];
    let (cases, handovers) = tokio::try_join!(list(staff, &states, &staff.id, 200), handovers(staff))?;
    let row = |case: &Case| {
        let handover = handovers.iter().find(|one| one.case_id == case.case_id);
        Row::new(page, names, case, now).handed(handover.map(|one| handed(page, names, one)))
    };
    let mut rows: Vec<Row> = cases.iter().map(row).collect();
    rows.sort_by_key(Row::urgency);
    Ok(rows)
}

/// What the caller has asked colleagues to take over; volunteers ask nobody.
async fn handovers(staff: &Staff) -> Result<Vec<proto::routing::Handover>, Problem> {
    if staff.is_volunteer() {
        return Ok(Vec::new());
    }
    Ok(staff.calls.routing().list_handovers(ListHandoversRequest {}).await?.into_inner().handovers)
}

fn handed(page: &Page, names: &Names, one: &proto::routing::Handover) -> Handover {
    let key = if one.turned_down { "handover-turned-down" } else { "handover-asked" };
    let said = page.say(key).with("name", names.worker(&one.to_worker_id)).with("time", page.time(one.at.as_ref()));
    Handover { said: said.to_string(), turned_down: one.turned_down }
}

/// Cases that the caller has closed and that do not stand in the journal yet, the oldest first.
pub async fn undocumented(page: &Page, staff: &Staff, names: &Names, now: Time) -> Result<Vec<Row>, Problem> {
    let request = ListCasesRequest {
        view: CaseView::Undocumented.into(),
        worker_id: staff.id.clone(),
        page_size: 100,
        ..ListCasesRequest::default()
    };
    let cases = staff.calls.cases().list_cases(request).await?.into_inner().cases;
    Ok(cases.iter().map(|case| Row::new(page, names, case, now)).collect())
}

/// Whether a closed case has to go into the journal. Nobody writes down who left unanswered, or practice.
pub fn to_document(case: &Case) -> bool {
    case.documented_at.is_none() && !case.practice && !case.erased && case.outcome() != Outcome::Abandoned
}
