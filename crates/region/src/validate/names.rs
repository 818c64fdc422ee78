//! Ids: well formed, unique within their kind, and leading to something in the same organisation.

use std::collections::BTreeMap;

use super::{Found, Scope};
use crate::model::{Organisation, Region};
use crate::nearest;

/// Kinds of things that are referred to by id.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Clinic,
    Queue,
    Calendar,
    Protocol,
    Reason,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Clinic => "clinic",
            Self::Queue => "queue",
            Self::Calendar => "calendar",
            Self::Protocol => "protocol",
            Self::Reason => "contact reason",
        }
    }

    fn has(self, organisation: &Organisation, id: &str) -> bool {
        match self {
            Self::Clinic => organisation.clinic(id).is_some(),
            Self::Queue => organisation.queue(id).is_some(),
            Self::Calendar => organisation.calendar(id).is_some(),
            Self::Protocol => organisation.protocol(id).is_some(),
            Self::Reason => organisation.reason(id).is_some(),
        }
    }

    fn ids(self, organisation: &Organisation) -> Vec<&str> {
        match self {
            Self::Clinic => organisation.clinics.iter().map(|item| item.id.as_str()).collect(),
            Self::Queue => organisation.queues.iter().map(|item| item.id.as_str()).collect(),
            Self::Calendar => organisation.calendars.iter().map(|item| item.id.as_str()).collect(),
            Self::Protocol => organisation.protocols.iter().map(|item| item.id.as_str()).collect(),
            Self::Reason => organisation.catalogue.reasons.iter().map(|item| item.id.as_str()).collect(),
        }
    }
}

impl Scope<'_> {
    /// The id at `path` names something of this organisation.
    pub(super) fn refers(&self, found: &mut Found, path: String, kind: Kind, id: &str) {
        if kind.has(self.own, id) {
            return;
        }
        let word = kind.word();
        // Reasons are each organisation's own: the same id elsewhere is another reason.
        let elsewhere = self.region.organisations.iter().find(|other| !matches!(kind, Kind::Reason) && kind.has(other, id));
        let message = match elsewhere {
            Some(other) => format!("the {word} '{id}' belongs to the organisation '{}'; use one of '{}'", other.id, self.own.id),
            None => {
                let hint = match nearest::hint(id, kind.ids(self.own)) {
                    hint if hint.is_empty() => "; add it or use another".to_owned(),
                    hint => hint,
                };
                format!("there is no {word} '{id}' in the organisation '{}'{hint}", self.own.id)
            }
        };
        found.add(path, message);
    }

    /// Each id of the list at `path` names something of this organisation, none twice.
    pub(super) fn all_refer(&self, found: &mut Found, path: &str, kind: Kind, ids: &[String]) {
        for (i, id) in ids.iter().enumerate() {
            self.refers(found, format!("{path}[{i}]"), kind, id);
        }
        found.distinct(path, ids);
    }
}

/// What is wrong with the form of an id, if anything is.
pub(super) fn malformed(id: &str) -> Option<String> {
    let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    let good = (2..=64).contains(&id.len()) && id.bytes().all(known);
    (!good).then(|| format!("'{id}' is no id; an id has 2 to 64 characters of a-z, 0-9, '.' and '-'"))
}

/// Ids of one list that must be well formed and differ from each other.
pub(super) fn list<'i>(found: &mut Found, path: &str, ids: impl IntoIterator<Item = &'i str>) {
    let mut seen = BTreeMap::new();
    for (i, id) in ids.into_iter().enumerate() {
        id_at(found, &mut seen, format!("{path}[{i}]"), id);
    }
}

/// The ids that are addresses in the whole region.
pub(super) fn unique(region: &Region, found: &mut Found) {
    list(found, "organisations", region.organisations.iter().map(|organisation| organisation.id.as_str()));
    macro_rules! each {
        ($($list:ident)*) => {
            $({
                let mut seen = BTreeMap::new();
                for (i, organisation) in region.organisations.iter().enumerate() {
                    for (j, item) in organisation.$list.iter().enumerate() {
                        id_at(found, &mut seen, format!("organisations[{i}].{}[{j}]", stringify!($list)), &item.id);
                    }
                }
            })*
        };
    }
    each!(clinics calendars queues workers protocols resources entry_points);
}

fn id_at<'i>(found: &mut Found, seen: &mut BTreeMap<&'i str, String>, item: String, id: &'i str) {
    let path = format!("{item}.id");
    if let Some(message) = malformed(id) {
        found.add(path, message);
    } else if let Some(first) = seen.get(id) {
        found.add(path, format!("'{id}' is taken by {first}; choose another id"));
    } else {
        seen.insert(id, item);
    }
}
