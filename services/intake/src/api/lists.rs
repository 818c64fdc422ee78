//! Lists with pages: cases, and who has read or changed a case.

use auth::Reach;
use kernel::error::Violations;
use kernel::{Error, Id, Result, Time};
use proto::intake::{
    AuditEntry, CaseState, CaseView, ListAuditRequest, ListAuditResponse, ListCasesRequest, ListCasesResponse, ListContactsRequest,
    ListContactsResponse,
};
use rpc::Caller;
use runtime::Node;
use store::args;

use crate::app::{App, change};
use crate::store::cases::{self, Stored};
use crate::store::worklists::{self, After, Filter, View};

const DEFAULT_PAGE: i32 = 50;
const MAX_PAGE: i32 = 200;
const MAX_ID: usize = 64;
const MAX_REF: usize = 128;

pub fn page_size(size: i32) -> Result<i64> {
    match size {
        0 => Ok(i64::from(DEFAULT_PAGE)),
        1..=MAX_PAGE => Ok(i64::from(size)),
        _ => Err(Error::invalid("page_size", format!("must be 1 to {MAX_PAGE}"))),
    }
}

/// Page tokens are sealed: a caller cannot make one that looks elsewhere.
pub fn seal(app: &App, content: &str) -> Result<String> {
    app.node.platform.secret.seal("page", content.as_bytes())
}

pub fn unseal(app: &App, token: &str) -> Result<Option<String>> {
    if token.is_empty() {
        return Ok(None);
    }
    let content = app.node.platform.secret.open("page", token).and_then(|bytes| String::from_utf8(bytes).ok());
    content.map(Some).ok_or_else(|| Error::invalid("page_token", "is not one that an earlier page gave; begin without one"))
}

pub async fn cases(app: &App, caller: &Caller, request: ListCasesRequest) -> Result<ListCasesResponse> {
    let limit = page_size(request.page_size)?;
    let mut violations = Violations::default();
    violations.optional_text("clinic_id", &request.clinic_id, MAX_ID);
    violations.optional_text("worker_id", &request.worker_id, MAX_ID);
    violations.optional_text("external_ref", &request.external_ref, MAX_REF);
    violations.done()?;
    if request.states.iter().any(|state| CaseState::try_from(*state).is_err()) {
        return Err(Error::invalid("states", "hold an unknown state"));
    }
    let view = CaseView::try_from(request.view).map_err(|_| Error::invalid("view", "is unknown"))?;
    let mut filter = Filter { organisation: caller.principal.organisation.clone(), states: request.states.clone(), ..Filter::default() };
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (filter.worker, filter.external_ref) = (given(&request.worker_id), given(&request.external_ref));
    match caller.reach()? {
        Reach::Held => filter.worker = Some(caller.principal.id.clone()),
        Reach::Clinic => filter.clinics = Some(caller.principal.clinics.clone()),
        Reach::Organisation => {}
        Reach::Own | Reach::Region => return Err(Error::internal("the policy gives a list a reach that it cannot have")),
    }
    if let Some(clinic) = given(&request.clinic_id) {
        let known = app.node.region.get().clinic(&clinic).is_some_and(|(owner, _)| owner.id == caller.principal.organisation);
        if !known {
            return Err(Error::not_found("clinic"));
        }
        let mine = filter.clinics.as_ref().is_none_or(|clinics| clinics.contains(&clinic));
        filter.clinics = Some(if mine { vec![clinic] } else { Vec::new() });
    }
    filter.view = match view {
        CaseView::Unspecified => View::All,
        CaseView::Mine => View::Mine,
        CaseView::Undocumented => View::Undocumented,
        CaseView::WaitingForUs => View::WaitingForUs,
        CaseView::Closed => View::Closed,
    };
    if view == CaseView::Mine {
        filter.worker = Some(caller.principal.id.clone());
    }
    filter.after = unseal(app, &request.page_token)?.and_then(|content| place(&content)).unwrap_or_default();
    let mut found = worklists::list(&app.node.of(caller), &filter, limit + 1).await?;
    let more = found.len() as i64 > limit;
    found.truncate(limit as usize);
    let next_page_token = match found.last().filter(|_| more) {
        Some(last) if filter.view == View::All => seal(app, &format!("{}/{}", last.opened_at.micros(), last.id))?,
        Some(_) => match filter.after {
            After::Count(before) => seal(app, &format!("{}", before + limit))?,
            _ => seal(app, &format!("{limit}"))?,
        },
        None => String::new(),
    };
    log_list(app, caller, caller.rpc.to_owned(), &found).await?;
    Ok(ListCasesResponse { cases: found.iter().map(cases::Stored::to_proto).collect(), next_page_token })
}

/// Other cases of an identified visitor. Why they were opened stands in the access log with each of them.
pub async fn contacts(app: &App, caller: &Caller, request: ListContactsRequest) -> Result<ListContactsResponse> {
    const REASONS: [&str; 4] = ["continuity", "safety", "follow_up", "visitor_request"];
    const MOST: i64 = 100;
    let mut violations = Violations::default();
    let id = violations.id("case_id", &request.case_id);
    let reason = request.access_reason.as_str();
    violations.check(REASONS.contains(&reason), "access_reason", "must be continuity, safety, follow_up or visitor_request");
    violations.done()?;
    let case = cases::load(&app.node.of(caller), id).await?;
    change::check(caller, caller.rpc, &case)?;
    // An anonymous visitor's cases are nobody's history, even if one of them holds a name.
    let found = if case.person.identified {
        let filter = Filter { organisation: case.organisation.clone(), other_of: Some((case.visitor, id)), ..Filter::default() };
        worklists::list(&app.node.of(caller), &filter, MOST).await?
    } else {
        Vec::new()
    };
    let read: Vec<Stored> = std::iter::once(case).chain(found).collect();
    log_list(app, caller, format!("{} ({reason})", caller.rpc), &read).await?;
    Ok(ListContactsResponse { cases: read.iter().skip(1).map(Stored::to_proto).collect() })
}

/// Where a page goes on, as an earlier one said.
fn place(content: &str) -> Option<After> {
    match content.split_once('/') {
        Some((time, id)) => Some(After::Case(Time::from_micros(time.parse().ok()?), id.parse().ok()?)),
        None => Some(After::Count(content.parse().ok()?)),
    }
}

/// A list is an access to each case in it; the list itself stands under the organisation, also if it is empty.
async fn log_list(app: &App, caller: &Caller, action: String, found: &[Stored]) -> Result<()> {
    let mut shown = vec![Node::many(caller)];
    shown.extend(found.iter().map(|case| (case.id, case.scope())));
    app.node.log_read_as(caller, action, shown).await
}

pub async fn audit(app: &App, caller: &Caller, request: ListAuditRequest) -> Result<ListAuditResponse> {
    let id = Id::parse("case_id", &request.case_id)?;
    let limit = page_size(request.page_size)?;
    let case = cases::load(&app.node.of(caller), id).await?;
    change::check(caller, caller.rpc, &case)?;
    let after = match unseal(app, &request.page_token)? {
        None => 0,
        Some(content) => content.parse::<i64>().map_err(|_| Error::invalid("page_token", "is not one of this list"))?,
    };
    app.node.log_read(caller, vec![(id, case.scope())]).await?;
    let rows = app
        .node
        .of(caller)
        .rows(
            "SELECT position, at, principal_kind, principal_id, action, clinic FROM audit_log WHERE key = $1 AND position > $2 ORDER BY position LIMIT $3",
            args![id.to_string(), after, limit + 1],
        )
        .await?;
    let mut entries = Vec::with_capacity(rows.len());
    let mut last = 0;
    for row in rows.iter().take(limit as usize) {
        last = row.int(0)?;
        entries.push(AuditEntry {
            at: Some(proto::timestamp(row.time(1)?)),
            principal_kind: row.text(2)?,
            principal_id: row.text(3)?,
            action: row.text(4)?,
            clinic_id: row.text(5)?,
        });
    }
    let next_page_token = if rows.len() as i64 > limit { seal(app, &last.to_string())? } else { String::new() };
    Ok(ListAuditResponse { entries, next_page_token })
}
