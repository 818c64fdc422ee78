//! `/leader/report`: how it went, in figures. Practice is left out, and what is too small to show without pointing at a person.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use kernel::Time;
use proto::insights::{ClinicFigures, GetReportRequest, GetReportResponse};
use serde::Deserialize;

use super::only_leaders;
use crate::pages::staff::names::Names;
use crate::pages::staff::view;
use crate::web::{Page, Problem, Staff};

/// Days that a report looks back unless asked otherwise.
const DAYS: i64 = 30;

#[derive(Deserialize)]
pub struct Span {
    /// `2026-11-01`; an empty one counts as not asked.
    #[serde(default)]
    from: String,
    /// The last day, included.
    #[serde(default)]
    to: String,
}

#[derive(Template)]
#[template(path = "leader/report.html")]
struct Report {
    page: Page,
    staff: Staff,
    names: Names,
    from: String,
    to: String,
    unreadable: bool,
    figures: GetReportResponse,
}

impl Report {
    fn percent(&self, part: i64, of: i64) -> String {
        if of == 0 { "–".to_owned() } else { format!("{} %", (part * 100 + of / 2) / of) }
    }

    fn minutes(&self, seconds: f64) -> String {
        if self.figures.answered == 0 { "–".to_owned() } else { format!("{:.0} min", seconds / 60.0) }
    }

    fn rating(&self) -> String {
        if self.figures.rated == 0 { "–".to_owned() } else { format!("{:.1}", self.figures.mean_rating) }
    }

    fn mean(&self, clinic: &ClinicFigures) -> String {
        if clinic.rated == 0 { "–".to_owned() } else { format!("{:.1}", clinic.rating_sum as f64 / clinic.rated as f64) }
    }
}

/// The beginning of a day at the clinics.
fn day(text: &str) -> Option<Time> {
    view::local(&format!("{text}T00:00"))
}

pub async fn show(page: Page, staff: Staff, Query(span): Query<Span>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let now = staff.calls.now();
    let today = view::as_field(now).get(..10).unwrap_or_default().to_owned();
    let earlier = view::as_field(Time::from_secs(now.secs() - DAYS * 86_400)).get(..10).unwrap_or_default().to_owned();
    let or = |asked: &str, otherwise: String| if asked.is_empty() { otherwise } else { asked.to_owned() };
    let (mut first, mut last) = (or(&span.from, earlier.clone()), or(&span.to, today.clone()));
    let unreadable = !matches!((day(&first), day(&last)), (Some(first), Some(last)) if first <= last);
    if unreadable {
        (first, last) = (earlier, today);
    }
    // Noon of the last day plus a day, and back to its midnight: days are not all of 24 hours.
    let end = day(&last).and_then(|start| day(view::as_field(Time::from_secs(start.secs() + 36 * 3600)).get(..10)?));
    let names = Names::load(&page, &staff).await?;
    let request =
        GetReportRequest { from: day(&first).map(proto::timestamp), to: end.map(proto::timestamp), ..GetReportRequest::default() };
    let figures = staff.calls.insights().get_report(request).await?.into_inner();
    page.show(&Report { page: page.clone(), staff, names, from: first, to: last, unreadable, figures })
}
