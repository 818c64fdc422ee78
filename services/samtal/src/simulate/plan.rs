//! What will happen, from a seed: who comes when and why, what they write, who gives up, who rates how. Pure.

use std::time::Duration;

use kernel::Time;
use region::Organisation;

use super::random::Random;

/// Cases per age band of ten years, from 0-9 to 90-99, in a hundred: all ages, most at 50 to 59, some over 90.
const AGES: [u64; 10] = [4, 5, 9, 11, 14, 24, 16, 10, 5, 2];
/// Ratings 1 to 5 in a hundred; they average 4.4.
const RATINGS: [u64; 5] = [2, 3, 9, 25, 61];
/// Everything happens on a grid of this many seconds, so that what happens together is committed together.
pub const GRID: u64 = 45;

const OPENINGS: [&str; 8] = [
    "Hej, jag undrar över något och vet inte vart jag ska vända mig.",
    "Hej! Jag har haft besvär i några dagar och vill ha råd.",
    "God morgon, kan någon titta på det här med mig?",
    "Hej, jag behöver hjälp med ett ärende hos er.",
    "Jag vill gärna boka en tid om det behövs.",
    "Hej, det gäller ett provsvar som jag väntar på.",
    "Hello, I would like some advice please.",
    "Hej, min mamma har frågor om sina mediciner.",
];
const ANSWERS: [&str; 6] = [
    "Hej och välkommen, jag läser det du har skrivit.",
    "Hur länge har det varit så?",
    "Har du provat något själv?",
    "Det låter som något vi kan hjälpa till med här.",
    "Då föreslår jag att vi ses på mottagningen.",
    "Tack, då avslutar vi för i dag. Hör av dig igen om det blir sämre.",
];
const REPLIES: [&str; 5] =
    ["Några dagar nu.", "Nej, inte ännu.", "Ja, det stämmer.", "Tack, det låter bra.", "Då vet jag, tack för hjälpen!"];

/// How a visitor comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// By themselves, anonymous.
    Anonymous,
    /// A journal system opens it for an identified visitor.
    Identified,
    /// By telephone: a worker opens it and keeps it.
    Phone,
    /// The door is closed; a message is left.
    LeftMessage,
}

/// One case to come.
#[derive(Clone, Debug)]
pub struct Planned {
    pub number: usize,
    pub entry_point: String,
    pub clinic: String,
    pub reason: String,
    pub arrives: Time,
    pub how: How,
    pub birth_year: i32,
    pub language: &'static str,
    pub text: &'static str,
    /// Gives up after this long if nobody has answered.
    pub patience: Option<Duration>,
    /// How long the worker takes to accept.
    pub reaction: Duration,
    /// The worker lets the first offer pass.
    pub first_offer: FirstOffer,
    /// Messages after the first, in turn from the worker and the visitor, each this long after the one before.
    pub messages: Vec<(&'static str, Duration)>,
    pub books: bool,
    pub outcome: i32,
    /// 1 to 5 and how long after the closing; None: does not rate.
    pub rates: Option<(i32, Duration)>,
}

/// What happens to the first offer of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstOffer {
    Accept,
    Decline,
    TimeOut,
}

/// Opening times of one entry point within the nine weeks, clipped to the days on which its clinic is live.
pub struct Hours {
    pub entry_point: String,
    pub clinic: String,
    pub open: Vec<(Time, Time)>,
}

/// A whole plan, by arrival.
pub fn plan(organisation: &Organisation, hours: &[Hours], cases: usize, seed: u64) -> Vec<Planned> {
    let mut random = Random::new(seed);
    // A visitor of the last half hour is answered the next day, which is planned for separately.
    let last = Duration::from_secs(1800);
    let spans: Vec<(usize, Time, u64)> = hours
        .iter()
        .enumerate()
        .flat_map(|(door, hours)| hours.open.iter().map(move |(from, to)| (door, *from, to.since(*from).saturating_sub(last).as_secs())))
        .filter(|(_, _, seconds)| *seconds > 0)
        .collect();
    let total: u64 = spans.iter().map(|(_, _, seconds)| seconds).sum();
    let mut reasons: Vec<&str> = organisation.catalogue.reasons.iter().map(|reason| reason.id.as_str()).collect();
    random.shuffle(&mut reasons);
    let mut planned: Vec<Planned> = (0..cases)
        .filter_map(|number| {
            let (door, from, offset) = if number < hours.len() {
                // Every door gets at least one.
                let (_, from, seconds) = spans.iter().find(|(door, _, _)| *door == number)?;
                (number, *from, random.below(*seconds))
            } else {
                within(&spans, random.below(total))?
            };
            // Every reason comes up once, then some much more than others.
            let reason = reasons.get(number).or_else(|| reasons.get(skewed(&mut random, reasons.len())))?;
            one(number, hours.get(door)?, from + Duration::from_secs(offset / GRID * GRID), reason, &mut random)
        })
        .collect();
    planned.sort_by_key(|case| (case.arrives, case.number));
    planned
}

/// The span and the offset in it that lie `at` seconds into all spans.
fn within(spans: &[(usize, Time, u64)], mut at: u64) -> Option<(usize, Time, u64)> {
    for (door, from, seconds) in spans {
        if at < *seconds {
            return Some((*door, *from, at));
        }
        at -= seconds;
    }
    None
}

/// Low indices much more often than high ones.
fn skewed(random: &mut Random, count: usize) -> usize {
    let a = random.below(count as u64);
    let b = random.below(count as u64);
    a.min(b) as usize
}

fn one(number: usize, hours: &Hours, arrives: Time, reason: &str, random: &mut Random) -> Option<Planned> {
    let band = random.weighted(&AGES) as u64;
    // Nobody grows past a hundred within the few years in which this is played.
    let age = band * 10 + random.below(if band == 9 { 6 } else { 10 });
    let year = 1970 + arrives.secs() / 31_556_952;
    let text = *random.pick(&OPENINGS)?;
    let how = match random.below(100) {
        0..=1 => How::LeftMessage,
        2..=11 => How::Identified,
        12..=16 => How::Phone,
        _ => How::Anonymous,
    };
    // A left message comes in the evening.
    let arrives = if how == How::LeftMessage { after_closing(hours, arrives) } else { arrives };
    let pause = |random: &mut Random, low: u64, high: u64| Duration::from_secs(random.between(low, high) * GRID);
    // Between two steps of the grid, so that nobody leaves in the very moment in which a worker accepts.
    let patience = (how == How::Anonymous && random.chance(6)).then(|| pause(random, 1, 4) + Duration::from_secs(GRID / 2));
    // Half of those who would leave come to a worker whose hands are full.
    let slow = patience.filter(|_| random.chance(50)).map(|patience| patience + Duration::from_secs(GRID));
    let turns = random.between(2, 7);
    let mut messages = Vec::new();
    for turn in 0..turns {
        let text = if turn % 2 == 0 { ANSWERS.get(turn as usize % ANSWERS.len()) } else { random.pick(&REPLIES) };
        messages.push((*text?, pause(random, 1, 6)));
    }
    let books = random.chance(12);
    let outcome = if books { 3 } else { *random.pick(&[1, 1, 1, 2, 4, 5])? };
    let rates = random.chance(58).then(|| (random.weighted(&RATINGS) as i32 + 1, pause(random, 1, 20)));
    let first_offer = match random.below(100) {
        0..=2 => FirstOffer::Decline,
        3..=4 => FirstOffer::TimeOut,
        _ => FirstOffer::Accept,
    };
    Some(Planned {
        number,
        entry_point: hours.entry_point.clone(),
        clinic: hours.clinic.clone(),
        reason: reason.to_owned(),
        arrives,
        how,
        birth_year: if random.chance(3) { 0 } else { (year - age as i64) as i32 },
        language: if text.starts_with("Hello") { "en" } else { "sv" },
        text,
        patience,
        reaction: slow.unwrap_or_else(|| pause(random, 0, 1)),
        first_offer,
        messages,
        books,
        outcome,
        rates: rates.filter(|_| how != How::Phone),
    })
}

/// Two hours after the closing that follows.
fn after_closing(hours: &Hours, at: Time) -> Time {
    hours.open.iter().find(|(from, to)| *from <= at && at < *to).map_or(at, |(_, to)| *to + Duration::from_secs(7200))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::places;

    fn hours(organisation: &Organisation) -> Vec<Hours> {
        organisation
            .entry_points
            .iter()
            .map(|door| {
                let day = |n: i64| (Time::from_secs(1_646_636_400 + n * 86_400), Time::from_secs(1_646_668_800 + n * 86_400));
                Hours { entry_point: door.id.clone(), clinic: door.clinic.clone(), open: (0..45).map(day).collect() }
            })
            .collect()
    }

    #[test]
    fn a_plan_is_repeatable_and_looks_like_the_text() {
        let organisation = places::organisation().unwrap();
        let hours = hours(&organisation);
        let all = plan(&organisation, &hours, 3_500, 7);
        let again = plan(&organisation, &hours, 3_500, 7);
        assert_eq!(format!("{all:?}"), format!("{again:?}"));
        assert_ne!(format!("{all:?}"), format!("{:?}", plan(&organisation, &hours, 3_500, 8)));
        assert_eq!(all.len(), 3_500);
        let distinct = |key: fn(&Planned) -> &str| all.iter().map(key).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(distinct(|case| &case.reason), 160);
        assert_eq!(distinct(|case| &case.clinic), 23);
        let ratings: Vec<i32> = all.iter().filter_map(|case| case.rates.map(|(rating, _)| rating)).collect();
        let mean = ratings.iter().sum::<i32>() as f64 / ratings.len() as f64;
        assert!((4.3..4.5).contains(&mean), "{mean}");
        assert!(all.iter().any(|case| case.patience.is_some()) && all.iter().any(|case| case.rates.is_none()));
    }
}
