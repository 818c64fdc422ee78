//! The document that describes a region, `region.yaml`, as types. Unknown keys are refused everywhere.
//!
//! Ids of organisations, clinics, calendars, queues, workers, protocols, resources and entry points are short names
//! (`a-z 0-9 . -`, 2 to 64 characters), unique in the whole region within their kind: an entry point's is its address,
//! `/e/<id>`.

use std::collections::BTreeMap;

use kernel::{Channel, Language, Profession, Severity};
use serde::{Deserialize, Serialize};

pub use crate::conversation::*;
pub use crate::people::*;

/// A text in each language that the organisation offers.
pub type Texts = BTreeMap<Language, String>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The installation's own name.
    pub region: String,
    #[serde(default)]
    pub organisations: Vec<Organisation>,
}

/// The legal entity responsible for the care or support: tenant, data controller, audit boundary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    pub id: String,
    pub name: String,
    /// ISO 3166 code; it picks the emergency numbers and the public holidays.
    pub country: Country,
    /// IANA zone of its clinics, `Europe/Stockholm`.
    pub timezone: String,
    /// The first is the default.
    pub languages: Vec<Language>,
    #[serde(default)]
    pub regime: Regime,
    #[serde(default)]
    pub clinics: Vec<Clinic>,
    #[serde(default)]
    pub catalogue: Catalogue,
    #[serde(default)]
    pub calendars: Vec<Calendar>,
    #[serde(default)]
    pub queues: Vec<Queue>,
    #[serde(default)]
    pub workers: Vec<Worker>,
    #[serde(default)]
    pub protocols: Vec<Protocol>,
    #[serde(default)]
    pub resources: Vec<Resource>,
    #[serde(default)]
    pub entry_points: Vec<EntryPoint>,
    #[serde(default)]
    pub mail: Mail,
    /// What visitors are told of the worker who answers.
    #[serde(default)]
    pub staff_shown: StaffShown,
    /// Texts that workers send often, with variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canned_replies: Vec<CannedReply>,
    /// Where visitors can be guided on to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub referrals: Vec<ReferralTarget>,
    /// Address of a video meeting, `https://meet.example/{code}`; empty: no video.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub video_url: String,
    /// Answers to `How did you find us?`, for doors that ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found_us: Vec<Choice>,
    /// Which identity numbers visitors may give: real ones, or made-up ones in a demonstration.
    #[serde(default)]
    pub person_numbers: PersonNumbers,
    #[serde(default)]
    pub attachments: Attachments,
    /// Whether staff come in by invitation, without a sign-in service.
    #[serde(default)]
    pub invitations: Invitations,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Country {
    SE,
    NO,
}

impl Country {
    /// ISO 3166.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SE => "SE",
            Self::NO => "NO",
        }
    }
}

/// Which law the organisation answers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    #[default]
    CareProvider,
    Municipality,
    Association,
}

/// A unit of an organisation that is staffed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clinic {
    pub id: String,
    pub name: String,
    /// Where it lies, for people who look for their clinic.
    #[serde(default)]
    pub place: String,
    /// The first day it takes cases, `2022-03-07`; from the start if it is left out.
    #[serde(default, deserialize_with = "crate::date::optional", skip_serializing_if = "Option::is_none")]
    pub live_from: Option<jiff::civil::Date>,
}

/// Why people come: the organisation's versioned list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Raised with every change; a case keeps the version it was opened under.
    pub version: u32,
    pub reasons: Vec<ContactReason>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactReason {
    pub id: String,
    pub name: Texts,
    /// Who usually answers it.
    #[serde(default = "any_profession")]
    pub profession: Profession,
    /// What it is before anybody has read it.
    #[serde(default = "routine")]
    pub severity: Severity,
}

/// Opening hours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    pub id: String,
    /// Versions of the weekly hours, each valid from its date until the next one's.
    pub weeks: Vec<Week>,
    /// Whether the country's public holidays are closed days.
    #[serde(default)]
    pub holidays: Holidays,
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Never closes; `weeks` is then empty.
    #[serde(default)]
    pub always_open: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Week {
    /// First day these hours hold; the first version may leave it out.
    #[serde(default, deserialize_with = "crate::date::optional", skip_serializing_if = "Option::is_none")]
    pub from: Option<jiff::civil::Date>,
    /// Spans of local time per weekday, `mon: ["09:00-12:00", "13:00-15:00"]`; a day that is left out is closed.
    pub hours: BTreeMap<Weekday, Vec<Span>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A span of local time within one day, written `09:00-15:00`; `24:00` is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Minutes since midnight.
    pub from: u16,
    /// Minutes since midnight, later than `from`, at most 1440.
    pub to: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holidays {
    /// Closed on the country's public holidays.
    #[default]
    Closed,
    /// Closed on public holidays and on the eves that most workplaces keep.
    ClosedWithEves,
    Open,
}

/// One day that differs from its week.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    #[serde(deserialize_with = "crate::date::required")]
    pub date: jiff::civil::Date,
    /// Empty: closed all day.
    #[serde(default)]
    pub hours: Vec<Span>,
    /// Shown to visitors: `planning day`.
    pub reason: String,
}

/// Where a case waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    pub id: String,
    pub clinic: String,
    #[serde(default)]
    pub kind: QueueKind,
    /// Who answers it. A case for this profession waits in its clinic's queue for it, unless a rule names another.
    #[serde(default = "any_profession")]
    pub profession: Profession,
    /// How long a worker has to answer an offer.
    #[serde(default = "offer_seconds")]
    pub offer_seconds: u32,
    /// At most this many later arrivals overtake a waiting case.
    #[serde(default = "overtakes")]
    pub max_overtakes: u32,
    /// So many visitors may wait in it at their screens; then its doors are full, but for signs of danger. Absent: as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_waiting: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    /// Samtal offers each case to one worker.
    #[default]
    Push,
    /// Workers claim from a shared list.
    Pull,
}

/// A triage protocol: questions with branches, and rules. An example shipped with Samtal is to be replaced by the region's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    pub id: String,
    pub version: u32,
    /// Two named people who approved this version; without them it stays inactive.
    #[serde(default)]
    pub approved_by: Vec<String>,
    #[serde(default)]
    pub questions: Vec<Question>,
    /// Tried in order; every rule that holds counts, the gravest severity wins, the first profession and queue win.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Cases that must come out as they say before this version becomes active.
    #[serde(default)]
    pub tests: Vec<ProtocolTest>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub id: String,
    pub text: Texts,
    /// Answers to choose from.
    pub options: Vec<QuestionOption>,
    /// Asked only if this holds.
    #[serde(default, skip_serializing_if = "Condition::is_empty")]
    pub when: Condition,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionOption {
    pub id: String,
    pub text: Texts,
}

/// Holds if every part that is given holds; empty: always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The contact reason is one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reason: Vec<String>,
    /// Each named question was answered with one of these options.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<String, Vec<String>>,
    /// Age in whole years, both ends included; unknown ages never match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: String,
    #[serde(default)]
    pub when: Condition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profession: Option<Profession>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Shown to the visitor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub advice: Texts,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolTest {
    pub name: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u8>,
    pub severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profession: Option<Profession>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// Somebody or something that can be booked: a nurse's room, a sampling chair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    pub id: String,
    pub clinic: String,
    pub name: String,
    /// How the visitor meets it: onsite, phone or video.
    pub channel: Channel,
    /// Hours in which it can be booked.
    pub calendar: String,
    /// Length of a slot.
    #[serde(default = "slot_minutes")]
    pub slot_minutes: u16,
}

/// A public door of a clinic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryPoint {
    pub id: String,
    pub clinic: String,
    pub name: Texts,
    #[serde(default = "chat")]
    pub channels: Vec<Channel>,
    /// Languages that are answered here; empty: the organisation's.
    #[serde(default)]
    pub languages: Vec<Language>,
    #[serde(default)]
    pub anonymity: Anonymity,
    /// Ids from the catalogue; empty: all of it.
    #[serde(default)]
    pub reasons: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Where a case waits that no rule sends elsewhere.
    pub queue: String,
    pub calendar: String,
    /// Days after closing until the conversation's text is erased.
    pub retention_days: u32,
    /// Seconds after which a visitor who is away is told by e-mail that an answer waits, if they left an address.
    #[serde(default)]
    pub away_seconds: u32,
    /// Cases opened here are practice: marked everywhere and left out of every figure.
    #[serde(default)]
    pub practice: bool,
    /// Whether people who look for a clinic find it; a door that is not listed is open to whoever knows its address.
    #[serde(default = "yes")]
    pub listed: bool,
    /// For whom one may come here; the first is proposed.
    #[serde(default = "anybody")]
    pub for_whom: Vec<ForWhom>,
    /// Whether visitors are asked how they found the way here.
    #[serde(default)]
    pub asks_found_us: bool,
    /// Days after closing in which the visitor may open the case again, as long as its text is not erased.
    #[serde(default = "reopen_days")]
    pub reopen_days: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anonymity {
    /// The visitor may stay anonymous.
    #[default]
    Allowed,
    /// The visitor signs in first.
    Identified,
}

/// How the organisation's e-mail looks from outside; content-free by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// A neutral sender, `Meddelande <noreply@example.org>`; empty: the installation's own.
    #[serde(default)]
    pub from: String,
    /// Address of the pages, put before the neutral path in a mail's link.
    #[serde(default)]
    pub public_url: String,
}

fn any_profession() -> Profession {
    Profession::Any
}

fn routine() -> Severity {
    Severity::Routine
}

fn offer_seconds() -> u32 {
    60
}

fn overtakes() -> u32 {
    20
}

fn slot_minutes() -> u16 {
    30
}

fn yes() -> bool {
    true
}

fn anybody() -> Vec<ForWhom> {
    vec![ForWhom::Oneself, ForWhom::Child, ForWhom::Relative]
}

fn reopen_days() -> u32 {
    7
}

fn chat() -> Vec<Channel> {
    vec![Channel::Chat]
}

impl Condition {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
