//! Lists of cases for a member of staff.

use kernel::Time;
use proto::intake::{Case, CaseState, CaseView, ListCasesRequest, Outcome};

use super::names::Names;
use super::view::Row;
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
    let cases = list(staff, &states, &staff.id, 200).await?;
    let mut rows: Vec<Row> = cases.iter().map(|case| Row::new(page, names, case, now)).collect();
    rows.sort_by_key(Row::urgency);
    Ok(rows)
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
