//! Lists of cases, and the order of each.

use kernel::{Id, Result, Time};
use store::{Args, Scoped, args};

use super::cases::{COLUMNS, Stored, read};
use crate::domain::terms::{Outcome, State};

/// What a list may hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub organisation: String,
    /// Only these; None: all.
    pub clinics: Option<Vec<String>>,
    pub worker: Option<String>,
    pub external_ref: Option<String>,
    pub states: Vec<i32>,
    pub view: View,
    /// Only this visitor's, but not this case.
    pub other_of: Option<(Id, Id)>,
    pub after: After,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, Default)]
pub enum After {
    #[default]
    Start,
    /// Cases older than this one; for the view of all.
    Case(Time, Id),
    /// So many cases later: the order of a worklist changes as it is worked on, and no case could mark a place in it.
    Count(i64),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    All,
    Mine,
    Undocumented,
    WaitingForUs,
    Closed,
}

impl View {
    /// What is in it, beyond the filter. The numbers are the contracts' own.
    fn holds(self) -> String {
        let closed = State::Closed.to_wire();
        match self {
            Self::All => String::new(),
            Self::Mine => format!(" AND c.state <> {closed}"),
            Self::Undocumented => format!(
                " AND c.state = {closed} AND c.documented_at IS NULL AND NOT c.practice AND NOT c.erased AND c.outcome <> {}",
                Outcome::Abandoned.to_wire()
            ),
            Self::WaitingForUs => format!(" AND c.state = {}", State::WaitingForUs.to_wire()),
            Self::Closed => format!(" AND c.state = {closed}"),
        }
    }

    fn order(self) -> String {
        match self {
            Self::All => "c.opened_at DESC, c.case_id DESC".to_owned(),
            Self::Mine => format!(
                "CASE WHEN c.state = {} THEN 0 ELSE 1 END, {DUE}, CASE c.severity WHEN 'emergency' THEN 0 WHEN 'urgent' THEN 1 \
                 WHEN 'soon' THEN 2 WHEN 'admin' THEN 4 ELSE 3 END, c.opened_at, c.case_id",
                State::WaitingForUs.to_wire()
            ),
            Self::Undocumented => "c.closed_at, c.case_id".to_owned(),
            Self::WaitingForUs => format!("{DUE}, c.opened_at, c.case_id"),
            Self::Closed => "c.closed_at DESC, c.case_id DESC".to_owned(),
        }
    }
}

/// The soonest due first, those that are never due last; said so that both engines agree on NULL.
const DUE: &str = "CASE WHEN c.due_at IS NULL THEN 1 ELSE 0 END, c.due_at";

pub async fn list(db: &Scoped, filter: &Filter, limit: i64) -> Result<Vec<Stored>> {
    let mut bound: Args = args![&filter.organisation];
    let mut sql = format!("SELECT {COLUMNS} FROM cases c JOIN visitor v ON v.visitor_id = c.visitor_id WHERE c.organisation = $1");
    let mut within = |sql: &mut String, column: &str, values: Vec<store::Val>| {
        if values.is_empty() {
            sql.push_str(" AND FALSE");
            return;
        }
        sql.push_str(&format!(" AND {column} IN {}", store::values(bound.len() + 1, 1, values.len())));
        bound.extend(values);
    };
    if let Some(clinics) = &filter.clinics {
        within(&mut sql, "c.clinic", clinics.iter().map(store::Val::from).collect());
    }
    if let Some(worker) = &filter.worker {
        within(&mut sql, "c.worker", args![worker]);
    }
    if let Some(external_ref) = &filter.external_ref {
        within(&mut sql, "c.external_ref", args![external_ref]);
    }
    if !filter.states.is_empty() {
        within(&mut sql, "c.state", filter.states.iter().map(|state| store::Val::from(*state)).collect());
    }
    if let Some((visitor, case)) = filter.other_of {
        let n = bound.len();
        sql.push_str(&format!(" AND NOT c.erased AND c.visitor_id = ${} AND c.case_id <> ${}", n + 1, n + 2));
        bound.extend(args![visitor, case]);
    }
    sql.push_str(&filter.view.holds());
    let mut skip = 0;
    match filter.after {
        After::Start => {}
        After::Case(time, id) => {
            let n = bound.len();
            sql.push_str(&format!(" AND (c.opened_at < ${} OR (c.opened_at = ${} AND c.case_id < ${}))", n + 1, n + 1, n + 2));
            bound.extend(args![time, id]);
        }
        After::Count(count) => skip = count.max(0),
    }
    sql.push_str(&format!(" ORDER BY {} LIMIT {} OFFSET {skip}", filter.view.order(), limit.clamp(1, 1000)));
    db.rows(sql, bound).await?.iter().map(read).collect()
}
