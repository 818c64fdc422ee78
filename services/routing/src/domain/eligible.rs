//! Which workers could take a case, and which of them gets the offer.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use kernel::{Channel, Language, Profession, Time};
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
}

impl Default for Needs {
    fn default() -> Self {
        Self { queue: String::new(), channel: Channel::Chat, profession: Profession::Any, language: None }
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
    pub load: Load,
    /// Points.
    pub capacity: u32,
    /// When the worker last gave up a case, or came.
    pub unoccupied_since: Time,
    pub met_visitor_before: bool,
}

/// Why a worker can or cannot take a case now; the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    OtherQueue,
    OtherProfession,
    OtherLanguage,
    Absent,
    NoRoom,
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
            Self::NoRoom => "NO_ROOM",
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

/// Whether `candidate` could take a case with these needs now.
pub fn verdict(needs: &Needs, candidate: &Candidate, costs: &Costs, excluded: &BTreeSet<String>) -> Reason {
    let used = candidate.load.against(needs.channel).saturating_add(costs.of(needs.channel));
    if !candidate.queues.contains(&needs.queue) {
        Reason::OtherQueue
    } else if needs.profession != Profession::Any && !candidate.professions.contains(&needs.profession) {
        Reason::OtherProfession
    } else if needs.language.is_some_and(|language| !candidate.languages.contains(&language)) {
        Reason::OtherLanguage
    } else if !candidate.present {
        Reason::Absent
    } else if used > candidate.capacity {
        Reason::NoRoom
    } else if excluded.contains(&candidate.worker) {
        Reason::Excluded
    } else {
        Reason::Eligible
    }
}

/// The verdict on every candidate, in the order given.
pub fn candidates(needs: &Needs, all: &[Candidate], costs: &Costs, excluded: &BTreeSet<String>) -> Vec<Verdict> {
    let judge = |candidate: &Candidate| {
        let why = verdict(needs, candidate, costs, excluded);
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

/// Chooses the eligible worker who has been unoccupied longest, ties by worker id. With `continuity`, workers who met
/// the visitor before come first.
///
/// Properties: the chosen one is eligible, but for an exclusion that started over; no eligible one has been unoccupied
/// longer; the order of the candidates does not matter; nobody is chosen only if nobody could take the case even
/// without exclusions; a worker's e-mail changes nothing for a case of another channel.
pub fn choose(needs: &Needs, all: &[Candidate], costs: &Costs, excluded: &BTreeSet<String>, continuity: bool) -> Choice {
    let verdicts = candidates(needs, all, costs, excluded);
    let first = |why: Reason| {
        all.iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| verdict.why == why)
            .map(|(candidate, _)| candidate)
            .min_by_key(|c| (Reverse(continuity && c.met_visitor_before), c.unoccupied_since, c.worker.as_str()))
            .map(|c| c.worker.clone())
    };
    let eligible = first(Reason::Eligible);
    let again = if eligible.is_none() { first(Reason::Excluded) } else { None };
    Choice { started_over: again.is_some(), worker: eligible.or(again), verdicts }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needs(channel: Channel) -> Needs {
        Needs { queue: "chat".into(), channel, profession: Profession::Nurse, language: Some(Language::Swedish) }
    }

    fn candidate(worker: &str, unoccupied_since: i64) -> Candidate {
        Candidate {
            worker: worker.into(),
            professions: vec![Profession::Nurse],
            queues: vec!["chat".into()],
            languages: vec![Language::Swedish],
            present: true,
            load: Load::default(),
            capacity: 100,
            unoccupied_since: Time::from_secs(unoccupied_since),
            met_visitor_before: false,
        }
    }

    fn set(workers: &[&str]) -> BTreeSet<String> {
        workers.iter().map(|w| (*w).to_owned()).collect()
    }

    fn pool() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (any::<[bool; 4]>(), 0_u32..5, 0_u32..8, 0_i64..4, 0_u32..3);
        prop::collection::vec(one, 0..8).prop_map(|all| {
            all.into_iter()
                .enumerate()
                .map(|(n, ([present, nurse, here, met], chats, mails, since, capacity))| Candidate {
                    professions: vec![if nurse { Profession::Nurse } else { Profession::Physician }],
                    queues: vec![if here { "chat".into() } else { "other".into() }],
                    present,
                    load: Costs::default().load([vec![Channel::Chat; chats as usize], vec![Channel::Email; mails as usize]].concat()),
                    capacity: capacity * 60,
                    met_visitor_before: met,
                    ..candidate(&format!("w{n}"), since)
                })
                .collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_choice_is_right_and_independent_of_order(
            all in pool(), out in prop::collection::btree_set(0_usize..8, 0..5), turn in 0_usize..8, continuity: bool, channel in prop::sample::select(Channel::ALL),
        ) {
            let costs = Costs::default();
            let excluded: BTreeSet<String> = out.iter().map(|n| format!("w{n}")).collect();
            let needs = needs(channel);
            let choice = choose(&needs, &all, &costs, &excluded, continuity);

            let able = |c: &&Candidate| verdict(&needs, c, &costs, &BTreeSet::new()) == Reason::Eligible;
            let fresh: Vec<_> = all.iter().filter(able).filter(|c| !excluded.contains(&c.worker)).collect();
            let pool: Vec<_> = if fresh.is_empty() { all.iter().filter(able).collect() } else { fresh.clone() };
            prop_assert_eq!(choice.started_over, fresh.is_empty() && !pool.is_empty());
            match &choice.worker {
                None => prop_assert!(pool.is_empty()),
                Some(worker) => {
                    let chosen = pool.iter().find(|c| c.worker == *worker).unwrap();
                    for other in &pool {
                        let met = (chosen.met_visitor_before, other.met_visitor_before);
                        let longest = (chosen.unoccupied_since, &chosen.worker) <= (other.unoccupied_since, &other.worker);
                        let right = if continuity && met.0 != met.1 { met.0 } else { longest };
                        prop_assert!(right);
                    }
                }
            }

            let mut turned = all.clone();
            turned.rotate_left(turn % all.len().max(1));
            prop_assert_eq!(choose(&needs, &turned, &costs, &excluded, continuity).worker, choice.worker.clone());

            if channel != Channel::Email {
                let idle: Vec<_> = all.iter().cloned().map(|c| Candidate { load: Load { email: 0, ..c.load }, ..c }).collect();
                prop_assert_eq!(choose(&needs, &idle, &costs, &excluded, continuity), choice);
            }
        }
    }

    #[test]
    fn three_chats_fill_a_worker_and_mail_gives_way() {
        let costs = Costs::default();
        let none = BTreeSet::new();
        let with = |held: &[Channel], arriving| {
            let worker = Candidate { load: costs.load(held.iter().copied()), ..candidate("eva", 0) };
            verdict(&needs(arriving), &worker, &costs, &none)
        };
        assert_eq!(with(&[Channel::Chat; 2], Channel::Chat), Reason::Eligible);
        assert_eq!(with(&[Channel::Chat; 3], Channel::Chat), Reason::NoRoom);
        assert_eq!(with(&[Channel::Chat; 3], Channel::Email), Reason::Eligible);
        assert_eq!(with(&[Channel::Email; 10], Channel::Video), Reason::Eligible);
        assert_eq!(with(&[Channel::Email; 10], Channel::Email), Reason::NoRoom);
        assert_eq!(with(&[Channel::Video], Channel::Onsite), Reason::Eligible);
    }

    #[test]
    fn every_verdict_says_why() {
        let all = [
            Candidate { queues: vec![], ..candidate("a", 0) },
            Candidate { professions: vec![Profession::Physician], ..candidate("b", 0) },
            Candidate { languages: vec![Language::English], ..candidate("c", 0) },
            Candidate { present: false, ..candidate("d", 0) },
            Candidate { capacity: 20, ..candidate("e", 0) },
            candidate("f", 0),
            candidate("g", 5),
        ];
        let choice = choose(&needs(Channel::Chat), &all, &Costs::default(), &set(&["f"]), false);
        let codes: Vec<_> = choice.verdicts.iter().map(|v| v.why.code()).collect();
        assert_eq!(codes, ["OTHER_QUEUE", "OTHER_PROFESSION", "OTHER_LANGUAGE", "ABSENT", "NO_ROOM", "EXCLUDED", "ELIGIBLE"]);
        assert_eq!((choice.worker.as_deref(), choice.started_over), (Some("g"), false));
        let choice = choose(&needs(Channel::Chat), &all, &Costs::default(), &set(&["f", "g"]), false);
        assert_eq!((choice.worker.as_deref(), choice.started_over), (Some("f"), true));
    }
}
