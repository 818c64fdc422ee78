//! A time for somebody's own calendar (iCalendar).

use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use crate::web::{Page, Problem};

/// One event as a file to save.
pub fn file(page: &Page, id: &str, summary: &str, [from, to]: [prost_types::Timestamp; 2]) -> Result<Response, Problem> {
    let now = page.gateway().services().clock().now();
    let text = event(id, summary, [now.secs(), from.seconds, to.seconds])?;
    let headers =
        [(header::CONTENT_TYPE, "text/calendar; charset=utf-8"), (header::CONTENT_DISPOSITION, "attachment; filename=\"samtal.ics\"")];
    Ok((headers, text).into_response())
}

/// Made at, from, to: Unix seconds.
fn event(id: &str, summary: &str, times: [i64; 3]) -> Result<String, Problem> {
    let utc = |seconds: i64| Timestamp::from_second(seconds).map(|time| time.strftime("%Y%m%dT%H%M%SZ").to_string());
    let [now, from, to] = times.map(|seconds| utc(seconds).map_err(|_| Problem::not_found()));
    let summary = summary.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;");
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Samtal//Samtal//EN".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{id}"),
        format!("DTSTAMP:{}", now?),
        format!("DTSTART:{}", from?),
        format!("DTEND:{}", to?),
        format!("SUMMARY:{summary}"),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    Ok(lines.map(|line| line + "\r\n").concat())
}
