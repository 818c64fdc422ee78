//! A case as staff see it in lists, and how times are said.

use jiff::civil::DateTime;
use kernel::Time;
use prost_types::Timestamp;
use proto::intake::{Case, CaseMode, CaseState, Channel, ForWhom, IdentityField, Outcome, Severity, SystemCode, SystemLine};

use super::names::Names;
use crate::i18n::Say;
use crate::web::{Page, clock};

/// What a browser's `datetime-local` says, `2026-11-22T14:30`, as the clinics' time.
pub fn local(text: &str) -> Option<Time> {
    let moment = text.parse::<DateTime>().ok()?.to_zoned(clock::zone()?).ok()?;
    Some(Time::from_secs(moment.timestamp().as_second()))
}

/// For a `datetime-local` field.
pub fn as_field(time: Time) -> String {
    said(time.secs(), "%Y-%m-%dT%H:%M")
}

/// `2026-11-22 14:30`, the order in which both countries write it.
pub fn moment(stamp: Option<&Timestamp>) -> String {
    stamp.map(|stamp| said(stamp.seconds, "%Y-%m-%d %H:%M")).unwrap_or_default()
}

/// `14:30` of today, `22/11 14:30` of another day.
pub fn short(stamp: Option<&Timestamp>, now: Time) -> String {
    let Some(stamp) = stamp else { return String::new() };
    let same_day = said(stamp.seconds, "%F") == said(now.secs(), "%F");
    said(stamp.seconds, if same_day { "%H:%M" } else { "%-d/%-m %H:%M" })
}

fn said(seconds: i64, format: &str) -> String {
    let zoned = clock::zoned(&Timestamp { seconds, nanos: 0 });
    zoned.map(|time| time.strftime(format).to_string()).unwrap_or_default()
}

/// How long ago, in the largest unit that says enough.
pub fn ago(page: &Page, stamp: Option<&Timestamp>, now: Time) -> Say {
    let minutes = stamp.map_or(0, |stamp| (now.secs() - stamp.seconds).max(0) / 60);
    match minutes {
        0 => page.say("wait-none"),
        1..=119 => page.say("wait-minutes").with("n", minutes),
        120..=2879 => page.say("wait-hours").with("n", minutes / 60),
        _ => page.say("wait-days").with("n", minutes / 1440),
    }
}

/// From `SEVERITY_URGENT` to `urgent`: the end of a text's key.
fn ending(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_ascii_lowercase().replace('_', "-")
}

pub fn severity(page: &Page, severity: Severity) -> Say {
    page.say(&format!("severity-{}", ending(severity.as_str_name(), "SEVERITY_")))
}

pub fn channel(page: &Page, channel: Channel) -> Say {
    page.say(&format!("staff-channel-{}", ending(channel.as_str_name(), "CHANNEL_")))
}

pub fn outcome(page: &Page, outcome: Outcome) -> Say {
    page.say(&format!("outcome-{}", ending(outcome.as_str_name(), "OUTCOME_")))
}

pub fn state(page: &Page, state: CaseState) -> Say {
    page.say(&format!("staff-state-{}", ending(state.as_str_name(), "CASE_STATE_")))
}

pub fn identity_field(page: &Page, field: IdentityField) -> Say {
    page.say(&format!("told-{}", ending(field.as_str_name(), "IDENTITY_FIELD_")))
}

/// What Samtal itself says in a conversation, in staff's words.
pub fn line(page: &Page, line: &SystemLine) -> String {
    let param = |name: &str| line.params.get(name).map(String::as_str).unwrap_or_default();
    let key = format!("system-{}", ending(line.code().as_str_name(), "SYSTEM_CODE_"));
    let by_visitor = param("by") == "visitor";
    let said = match line.code() {
        SystemCode::Joined | SystemCode::Transferred => {
            page.say(&key).with("who", who_answers(page, param("profession"), param("first_name")))
        }
        SystemCode::Closed | SystemCode::Reopened if by_visitor => page.say(&format!("{key}-by-visitor")),
        SystemCode::RedFlag => {
            let flags: Vec<String> = param("categories").split(',').map(|one| red_flag(page, one)).collect();
            page.say(&key).with("flags", flags.join(", ")).with("numbers", param("numbers").replace(',', ", "))
        }
        SystemCode::IdentityRevealed => {
            let field = IdentityField::from_str_name(&format!("IDENTITY_FIELD_{}", param("field").to_ascii_uppercase()));
            page.say(&key).with("field", identity_field(page, field.unwrap_or_default()))
        }
        SystemCode::Referral => page.say(&key).with("name", param("name")).with("code", param("code")),
        SystemCode::TransferProposed => page.say(&key).with("organisation", param("organisation")),
        SystemCode::TransferEnded => page.say(&format!("{key}-{}", param("state"))).with("organisation", param("organisation")),
        _ => page.say(&key),
    };
    said.to_string()
}

/// `Siv, nurse`; no name where the organisation shows none.
fn who_answers(page: &Page, profession: &str, first_name: &str) -> String {
    let profession = page.say(&format!("profession-{profession}")).to_string();
    if first_name.is_empty() { profession } else { format!("{first_name}, {}", profession.to_lowercase()) }
}

/// Where a line leads: to the video meeting.
pub fn link(line: &SystemLine) -> Option<&str> {
    let url = line.params.get("url").filter(|_| line.code() == SystemCode::Video)?;
    (url.starts_with("https://") || url.starts_with("http://")).then_some(url.as_str())
}

/// A red flag's category in words, or its code if there are none yet.
pub fn red_flag(page: &Page, category: &str) -> String {
    let key = format!("red-flag-{}", category.replace('_', "-"));
    let said = page.say(&key).to_string();
    if said == key { category.to_owned() } else { said }
}

/// How a severity looks; its name stands there as well.
pub const fn tone(severity: Severity) -> &'static str {
    match severity {
        Severity::Emergency | Severity::Urgent => "urgent",
        Severity::Soon => "warning",
        Severity::Routine | Severity::Admin | Severity::Unspecified => "plain",
    }
}

/// A case in a list.
#[derive(Clone)]
pub struct Row {
    pub id: String,
    /// For the telephone and across a desk: `A3F91C`.
    pub short: String,
    pub reason: String,
    pub who: String,
    pub clinic: String,
    pub severity: String,
    pub tone: &'static str,
    pub grave: Severity,
    pub state: CaseState,
    pub state_name: String,
    /// When we owe an answer.
    pub due: String,
    pub late: bool,
    /// Since it was opened.
    pub wait: String,
    pub opened_at: i64,
    pub channel: String,
    pub language: String,
    pub last_seq: i64,
    pub red_flags: bool,
    pub practice: bool,
    pub worker: String,
    pub closed: String,
    pub outcome: String,
    pub documented: bool,
    /// A colleague was asked to take it over.
    pub handover: Option<Handover>,
    due_at: i64,
}

/// How it stands with a case that one wants to hand over.
#[derive(Clone)]
pub struct Handover {
    pub said: String,
    pub turned_down: bool,
}

impl Row {
    /// With how it stands that a colleague was asked to take it over.
    pub fn handed(self, handover: Option<Handover>) -> Self {
        Self { handover, ..self }
    }

    pub fn new(page: &Page, names: &Names, case: &Case, now: Time) -> Self {
        let live = case.mode() == CaseMode::Live;
        let due_at = case.due_at.as_ref().map(|due| due.seconds);
        Self {
            id: case.case_id.clone(),
            short: short_id(&case.case_id),
            reason: names.reason(&case.contact_reason_id).to_owned(),
            who: who(page, case),
            clinic: names.clinic(&case.clinic_id).to_owned(),
            severity: severity(page, case.severity()).to_string(),
            tone: tone(case.severity()),
            grave: case.severity(),
            state: case.state(),
            state_name: if live && case.state() == CaseState::Active {
                page.say("staff-state-live").to_string()
            } else {
                state(page, case.state()).to_string()
            },
            due: short(case.due_at.as_ref(), now),
            late: due_at.is_some_and(|due| due < now.secs()),
            wait: ago(page, case.opened_at.as_ref(), now).to_string(),
            opened_at: case.opened_at.as_ref().map_or(0, |at| at.seconds),
            channel: channel(page, case.channel()).to_string(),
            language: case.language.clone(),
            last_seq: case.last_seq,
            red_flags: !case.red_flags.is_empty(),
            practice: case.practice,
            worker: names.worker(&case.worker_id).to_owned(),
            closed: short(case.closed_at.as_ref(), now),
            outcome: outcome(page, case.outcome()).to_string(),
            documented: case.documented_at.is_some(),
            handover: None,
            due_at: due_at.unwrap_or(i64::MAX),
        }
    }

    /// Of one's own cases: who sits at a screen first, then what we owe, the soonest first, then those who have to answer us.
    pub const fn urgency(&self) -> (u8, i64, i64) {
        let turn = match self.state {
            CaseState::Active => 0,
            CaseState::WaitingForUs => 1,
            _ => 2,
        };
        (turn, self.due_at, self.opened_at)
    }
}

/// The end of an id: its beginning is a time, and alike for all of a day.
pub fn short_id(id: &str) -> String {
    let from = id.len().saturating_sub(6);
    id.get(from..).unwrap_or(id).to_ascii_uppercase()
}

/// Who comes, as far as they have said.
pub fn who(page: &Page, case: &Case) -> String {
    let visitor = case.visitor.clone().unwrap_or_default();
    let name = if visitor.display_name.is_empty() { page.say("who-anonymous").to_string() } else { visitor.display_name };
    let name = if visitor.birth_year > 0 { format!("{name}, {}", visitor.birth_year) } else { name };
    match case.for_whom() {
        ForWhom::Child => format!("{name} ({})", page.say("who-child")),
        ForWhom::Relative => format!("{name} ({})", page.say("who-relative")),
        ForWhom::Unspecified | ForWhom::Self_ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_form_is_the_clinics_time_and_back() {
        let noon = local("2026-07-01T12:00").unwrap();
        assert_eq!(noon, Time::from_secs(1_782_900_000));
        assert_eq!(as_field(noon), "2026-07-01T12:00");
        assert_eq!(local("2026-13-01T12:00"), None);
        assert_eq!(local("tomorrow"), None);
    }

    #[test]
    fn another_day_is_said_with_the_day() {
        let stamp = Timestamp { seconds: 1_782_900_000, nanos: 0 };
        assert_eq!(short(Some(&stamp), Time::from_secs(1_782_903_600)), "12:00");
        assert_eq!(short(Some(&stamp), Time::from_secs(1_782_990_000)), "1/7 12:00");
        assert_eq!(short(None, Time::ZERO), "");
    }
}
