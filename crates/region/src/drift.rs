//! What leaders change beside the description: today's closing, canned replies, the referral directory, staff. A change lies on
//! top of the description, whichever version of that is applied, and is never written into it. Pure.

use serde::{Deserialize, Serialize};

use crate::model::{CannedReply, Exception, Organisation, ReferralTarget, Region, Worker};
use crate::validate;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A day of a calendar; its item is `<calendar id>/<date>`.
    Exception,
    CannedReply,
    Referral,
    Worker,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Exception, Self::CannedReply, Self::Referral, Self::Worker];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::CannedReply => "canned_reply",
            Self::Referral => "referral",
            Self::Worker => "worker",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    pub organisation: String,
    pub kind: Kind,
    pub item: String,
    /// JSON in the shape of the description; empty: it is gone.
    pub body: String,
    pub set_by: String,
    /// Microseconds since 1970.
    pub set_at: i64,
}

impl Drift {
    /// Where it lies in the description, by ids: `pef.calendars[pef-hours].exceptions[2026-03-11]`.
    pub fn path(&self) -> String {
        let (organisation, item) = (&self.organisation, &self.item);
        match self.kind {
            Kind::Exception => {
                let (calendar, date) = item.split_once('/').unwrap_or((item, ""));
                format!("{organisation}.calendars[{calendar}].exceptions[{date}]")
            }
            Kind::CannedReply => format!("{organisation}.canned_replies[{item}]"),
            Kind::Referral => format!("{organisation}.referrals[{item}]"),
            Kind::Worker => format!("{organisation}.workers[{item}]"),
        }
    }

    /// What this description says of the same thing, as JSON; None if it says nothing.
    pub fn described(&self, region: &Region) -> Option<String> {
        let organisation = region.organisation(&self.organisation)?;
        let item = self.item.as_str();
        match self.kind {
            Kind::Exception => {
                let (calendar, date) = item.split_once('/')?;
                let exceptions = &organisation.calendar(calendar)?.exceptions;
                json(exceptions.iter().find(|one| one.date.to_string() == date)?)
            }
            Kind::CannedReply => json(organisation.canned_replies.iter().find(|one| one.id == item)?),
            Kind::Referral => json(organisation.referrals.iter().find(|one| one.id == item)?),
            Kind::Worker => json(organisation.worker(item)?),
        }
    }
}

fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}

/// The description with the changes on top, and for each change whether it is in effect. One that fits no more, because the
/// description went on, has no effect and spoils nothing; what comes out is as valid as what goes in.
pub fn overlay(region: &Region, changes: &[Drift]) -> (Region, Vec<bool>) {
    let mut all = region.clone();
    if changes.iter().all(|change| put(&mut all, change).is_ok()) && validate(&all).is_empty() {
        return (all, vec![true; changes.len()]);
    }
    let mut current = region.clone();
    let in_effect = changes
        .iter()
        .map(|change| {
            let mut next = current.clone();
            let fits = put(&mut next, change).is_ok() && validate(&next).is_empty();
            if fits {
                current = next;
            }
            fits
        })
        .collect();
    (current, in_effect)
}

/// Puts one change on top, or says what is wrong with it.
pub fn put(region: &mut Region, change: &Drift) -> Result<(), String> {
    let found = region.organisations.iter_mut().find(|organisation| organisation.id == change.organisation);
    let organisation: &mut Organisation = found.ok_or("the organisation is not described")?;
    let item = change.item.as_str();
    match change.kind {
        Kind::Exception => {
            let (calendar, date) = item.split_once('/').ok_or("an exception is named by its calendar and date, calendar/2026-03-11")?;
            let found = organisation.calendars.iter_mut().find(|one| one.id == calendar);
            let exceptions = &mut found.ok_or("the calendar is not described")?.exceptions;
            set(exceptions, date, &change.body, |one: &Exception| one.date.to_string())?;
            exceptions.sort_by_key(|one| one.date);
            Ok(())
        }
        Kind::CannedReply => set(&mut organisation.canned_replies, item, &change.body, |one: &CannedReply| one.id.clone()),
        Kind::Referral => set(&mut organisation.referrals, item, &change.body, |one: &ReferralTarget| one.id.clone()),
        Kind::Worker => set(&mut organisation.workers, item, &change.body, |one: &Worker| one.id.clone()),
    }
}

fn set<T: for<'d> Deserialize<'d>>(list: &mut Vec<T>, key: &str, body: &str, key_of: impl Fn(&T) -> String) -> Result<(), String> {
    let at = list.iter().position(|one| key_of(one) == key);
    if body.is_empty() {
        list.remove(at.ok_or("there is nothing of this name to take away")?);
        return Ok(());
    }
    let new: T = serde_json::from_str(body).map_err(|error| format!("has not the shape that the description gives it: {error}"))?;
    if key_of(&new) != key {
        return Err(format!("is named {}, not {key}", key_of(&new)));
    }
    match at.and_then(|at| list.get_mut(at)) {
        Some(old) => *old = new,
        None => list.push(new),
    }
    Ok(())
}
