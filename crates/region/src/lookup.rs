//! Finding things by their id, and the defaults that need two parts of the document.

use kernel::{Language, Profession};

use crate::model::*;

macro_rules! lookups {
    ($($name:ident in $list:ident: $kind:ty,)*) => {
        impl Organisation {
            $(pub fn $name(&self, id: &str) -> Option<&$kind> {
                self.$list.iter().find(|item| item.id == id)
            })*
        }

        /// Ids are unique in the whole region within their kind, so each lookup also tells whose it is.
        impl Region {
            $(pub fn $name(&self, id: &str) -> Option<(&Organisation, &$kind)> {
                self.organisations.iter().find_map(|organisation| Some((organisation, organisation.$name(id)?)))
            })*
        }
    };
}

lookups! {
    clinic in clinics: Clinic,
    calendar in calendars: Calendar,
    queue in queues: Queue,
    worker in workers: Worker,
    protocol in protocols: Protocol,
    resource in resources: Resource,
    entry_point in entry_points: EntryPoint,
}

impl Region {
    pub fn organisation(&self, id: &str) -> Option<&Organisation> {
        self.organisations.iter().find(|organisation| organisation.id == id)
    }
}

impl Organisation {
    /// A contact reason of the catalogue.
    pub fn reason(&self, id: &str) -> Option<&ContactReason> {
        self.catalogue.reasons.iter().find(|reason| reason.id == id)
    }

    /// The language used when nothing better is known: the organisation's first.
    pub fn default_language(&self) -> Language {
        self.languages.first().copied().unwrap_or(Language::English)
    }

    /// A text in this language, else in the organisation's default one, else in any.
    pub fn text<'a>(&self, texts: &'a Texts, language: Language) -> &'a str {
        texts.get(&language).or_else(|| texts.get(&self.default_language())).or_else(|| texts.values().next()).map_or("", String::as_str)
    }

    /// The languages that are answered at an entry point.
    pub fn languages_at<'a>(&'a self, entry_point: &'a EntryPoint) -> &'a [Language] {
        if entry_point.languages.is_empty() { &self.languages } else { &entry_point.languages }
    }

    /// Where a case of an entry point waits: the queue that a rule named, else the clinic's queue for the profession, else the
    /// entry point's own.
    pub fn queue_for(&self, entry_point: &EntryPoint, named: Option<&str>, profession: Profession) -> Option<&Queue> {
        let of_profession =
            |queue: &&Queue| queue.clinic == entry_point.clinic && queue.profession == profession && profession != Profession::Any;
        named.and_then(|id| self.queue(id)).or_else(|| self.queues.iter().find(of_profession)).or_else(|| self.queue(&entry_point.queue))
    }

    /// The contact reasons that an entry point offers, in the entry point's order.
    pub fn reasons_at<'a>(&'a self, entry_point: &'a EntryPoint) -> Vec<&'a ContactReason> {
        if entry_point.reasons.is_empty() {
            self.catalogue.reasons.iter().collect()
        } else {
            entry_point.reasons.iter().filter_map(|id| self.reason(id)).collect()
        }
    }
}

impl Worker {
    /// Whether this worker answers the queue: it is named, or none is and the queue is one of the worker's clinics'.
    pub fn answers(&self, queue: &Queue) -> bool {
        if self.queues.is_empty() { self.clinics.contains(&queue.clinic) } else { self.queues.contains(&queue.id) }
    }
}
