//! A visitor's other cases, for whoever has one of them. Only for visitors somebody vouches for; a reason is asked, and opening them is
//! logged with it.

use proto::intake::{Case, ListContactsRequest};

use super::names::Names;
use super::view::{self, Row};
use crate::web::{Page, Problem, Staff};

/// Why one may look: what the access log has, each with a text `history-<reason>`.
pub const REASONS: [&str; 4] = ["continuity", "follow_up", "safety", "visitor_request"];

/// An earlier case, or another that is open.
pub struct Past {
    pub row: Row,
    pub opened: String,
    /// Whether the caller may read what was said there.
    pub readable: bool,
}

/// None: no reason was given, or the visitor is nobody whom anybody vouches for.
pub async fn past(page: &Page, staff: &Staff, names: &Names, case: &Case, reason: &str) -> Result<Option<Vec<Past>>, Problem> {
    let identified = case.visitor.as_ref().is_some_and(|visitor| visitor.identified);
    if !identified || staff.is_volunteer() || !REASONS.contains(&reason) {
        return Ok(None);
    }
    let request = ListContactsRequest { case_id: case.case_id.clone(), access_reason: reason.to_owned() };
    let cases = staff.calls.cases().list_contacts(request).await?.into_inner().cases;
    let now = staff.calls.now();
    let shown = cases.iter().map(|one| Past {
        row: Row::new(page, names, one, now),
        opened: view::moment(one.opened_at.as_ref()),
        readable: one.worker_id == staff.id || (staff.is_leader() && staff.clinics.contains(&one.clinic_id)),
    });
    Ok(Some(shown.collect()))
}
