//! Which workers could take a case, and which of them gets the offer.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use kernel::{Channel, Language, Profession, Severity, Time};
use serde::{Deserialize, Serialize};

/// Points of a worker's capacity that one case of each channel takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Costs {
    pub video: u32,
    pub phone: u32,
    pub chat: u32,
    pub email: u32,
    pub onsite: u32,
}

impl Default for Costs {
    fn default() -> Self {
        Self { video: 100, phone: 60, chat: 30, email: 10, onsite: 0 }
    }
}

impl Costs {
    pub const fn of(&self, channel: Channel) -> u32 {
        match channel {
            Channel::Video => self.video,
            Channel::Phone => self.phone,
            Channel::Chat => self.chat,
            Channel::Email => self.email,
            Channel::Onsite => self.onsite,
        }
    }

    /// The load of a worker who holds cases of these channels.
    pub fn load(&self, held: impl IntoIterator<Item = Channel>) -> Load {
        held.into_iter().fold(Load::default(), |load, channel| match channel {
            Channel::Email => Load { email: load.email.saturating_add(self.email), ..load },
            _ => Load { live: load.live.saturating_add(self.of(channel)), ..load },
        })
    }
}

/// Points in use. E-mail can be put aside: it makes no live case wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub live: u32,
    pub email: u32,
}

impl Load {
    /// Points in use in the eyes of an arriving case.
    const fn against(self, channel: Channel) -> u32 {
        match channel {
            Channel::Email => self.live.saturating_add(self.email),
            _ => self.live,
        }
    }
}

/// What a case asks of the worker who takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    pub queue: String,
    pub channel: Channel,
    /// `Any`: whoever answers the queue.
    pub profession: Profession,
    /// None: any language.
    pub language: Option<Language>,
    /// Practice is answered by those who practise, and by nobody else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub practice: bool,
}

impl Default for Needs {
    fn default() -> Self {
        Self { queue: String::new(), channel: Channel::Chat, profession: Profession::Any, language: None, practice: false }
    }
}

/// A worker in the eyes of routing. Defaults of the region file ("empty: all of the clinic's") are already resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub worker: String,
    pub professions: Vec<Profession>,
    pub queues: Vec<String>,
    pub languages: Vec<Language>,
    pub present: bool,
    /// There to practise: no real case reaches them.
    pub practising: bool,
    pub load: Load,
    /// Points.
    pub capacity: u32,
    /// When the worker last gave up a case, or came.
    pub unoccupied_since: Time,
    pub met_visitor_before: bool,
    /// An emergency waits that they could take and have been asked to: it comes to them again before anything else does.
    pub emergency_first: bool,
}

/// Why a worker can or cannot take a case now; the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    OtherQueue,
    OtherProfession,
    OtherLanguage,
    Absent,
    /// The case is real, and the worker practises.
    Practising,
    /// The case is practice, and the worker does not practise.
    NotPractising,
    /// Never said of an emergency: it goes to whoever is there, whatever they have on their hands.
    NoRoom,
    /// An emergency waits for them, and this is none.
    EmergencyFirst,
    /// Declined this case, or let its offer time out, in this round.
    Excluded,
    Eligible,
}

impl Reason {
    /// Stable text for `Explain`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherQueue => "OTHER_QUEUE",
            Self::OtherProfession => "OTHER_PROFESSION",
            Self::OtherLanguage => "OTHER_LANGUAGE",
            Self::Absent => "ABSENT",
            Self::Practising => "PRACTISING",
            Self::NotPractising => "NOT_PRACTISING",
            Self::NoRoom => "NO_ROOM",
            Self::EmergencyFirst => "EMERGENCY_FIRST",
            Self::Excluded => "EXCLUDED",
            Self::Eligible => "ELIGIBLE",
        }
    }
}

/// One line of an explanation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub worker: String,
    pub ok: bool,
    pub why: Reason,
}

/// What waits for a worker.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub needs: &'a Needs,
    pub severity: Severity,
    /// Who declined it or let its offer time out in this round.
    pub excluded: &'a BTreeSet<String>,
}

impl Wanted<'_> {
    fn is_emergency(&self) -> bool {
        self.severity == Severity::Emergency
    }
}

/// Whether `candidate` could take this case now.
pub fn verdict(case: Wanted<'_>, candidate: &Candidate, costs: &Costs) -> Reason {
    let needs = case.needs;
    let used = candidate.load.against(needs.channel).saturating_add(costs.of(needs.channel));
    if !candidate.queues.contains(&needs.queue) {
        Reason::OtherQueue
    } else if needs.profession != Profession::Any && !candidate.professions.contains(&needs.profession) {
        Reason::OtherProfession
    } else if needs.language.is_some_and(|language| !candidate.languages.contains(&language)) {
        Reason::OtherLanguage
    } else if !candidate.present {
        Reason::Absent
    } else if candidate.practising && !needs.practice {
        Reason::Practising
    } else if needs.practice && !candidate.practising {
        Reason::NotPractising
    } else if used > candidate.capacity && !case.is_emergency() {
        Reason::NoRoom
    } else if candidate.emergency_first && !case.is_emergency() {
        Reason::EmergencyFirst
    } else if case.excluded.contains(&candidate.worker) {
        Reason::Excluded
    } else {
        Reason::Eligible
    }
}

/// The verdict on every candidate, in the order given.
pub fn candidates(case: Wanted<'_>, all: &[Candidate], costs: &Costs) -> Vec<Verdict> {
    let judge = |candidate: &Candidate| {
        let why = verdict(case, candidate, costs);
        Verdict { worker: candidate.worker.clone(), ok: why == Reason::Eligible, why }
    };
    all.iter().map(judge).collect()
}

/// Who gets the offer, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub worker: Option<String>,
    /// All who could take the case had been excluded, so the exclusion was dropped. The caller leaves some time between
    /// such rounds, or a lone worker who declines is asked again at once, for ever.
    pub started_over: bool,
    /// On every candidate, before any starting over.
    pub verdicts: Vec<Verdict>,
}

/// Chooses the eligible worker who has been unoccupied longest, ties by worker id; for an emergency, which asks for
/// nobody's room, the one with the fewest points in use, and of those the one unoccupied longest. With `continuity`,
/// workers who met the visitor before come first, but for an emergency.
///
/// Properties: the chosen one is eligible, but for an exclusion that started over; no eligible one has been unoccupied
/// longer, or has less on their hands when it is an emergency; the order of the candidates does not matter; nobody is
/// chosen only if nobody could take the case even without exclusions; somebody is chosen for an emergency whenever
/// anybody is there who fits; a worker's e-mail changes nothing for a case of another channel.
pub fn choose(case: Wanted<'_>, all: &[Candidate], costs: &Costs, continuity: bool) -> Choice {
    let verdicts = candidates(case, all, costs);
    let busy = |candidate: &Candidate| if case.is_emergency() { candidate.load.against(case.needs.channel) } else { 0 };
    let met = |candidate: &Candidate| continuity && !case.is_emergency() && candidate.met_visitor_before;
    let first = |why: Reason| {
        all.iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.why == why)
            .map(|(candidate, _)| candidate)
            .min_by_key(|c| (Reverse(met(c)), busy(c), c.unoccupied_since, c.worker.as_str()))
            .map(|c| c.worker.clone())
    };
    let eligible = first(Reason::Eligible);
    let again = if eligible.is_none() { first(Reason::Excluded) } else { None };
    Choice { started_over: again.is_some(), worker: eligible.or(again), verdicts }
}
