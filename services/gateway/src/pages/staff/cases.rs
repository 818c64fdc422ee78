//! Lists of cases for a member of staff.

use kernel::Time;
use proto::intake::{CaseState, ListCasesRequest};

use super::names::Names;
use super::view::Row;
use crate::web::{Page, Problem, Staff};

/// Cases of these states, newest first; only those that `worker` has, if one is named.
pub async fn list(staff: &Staff, states: &[CaseState], worker: &str, size: i32) -> Result<Vec<proto::intake::Case>, Problem> {
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
