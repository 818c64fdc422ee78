//! Which telephone numbers to show for a finding, in the organisation's country.
//!
//! The country is the organisation's, never guessed from an address on the network: a wrong number costs time.

use kernel::Language;

use crate::Category;

/// A telephone number for help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelpNumber {
    /// Digits as they are dialled, no spaces.
    pub number: &'static str,
    /// ISO 3166-1 code of the country, or "EU" for the emergency number that works in all of Europe.
    pub country: &'static str,
    /// What it was listed for.
    pub category: Category,
    /// ISO 8601 month of the newest dated publication that the number was compared with, or of the comparison itself where
    /// the operator's own page bears no date. The region checks every number before going live, and renews the month.
    pub checked_on: &'static str,
    line: &'static Line,
}

impl HelpNumber {
    /// Who answers, in the visitor's language.
    pub const fn label(&self, language: Language) -> &'static str {
        match language {
            Language::Swedish => self.line.sv,
            Language::Bokmal => self.line.nb,
            Language::Nynorsk => self.line.nn,
            Language::English => self.line.en,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Line {
    number: &'static str,
    country: &'static str,
    checked_on: &'static str,
    sv: &'static str,
    nb: &'static str,
    nn: &'static str,
    en: &'static str,
}

static EUROPE_112: Line = Line {
    number: "112",
    country: "EU",
    checked_on: "2018-10",
    sv: "Nödnumret 112, vid fara för liv",
    nb: "Nødnummer 112, ved fare for liv",
    nn: "Naudnummer 112, ved fare for liv",
    en: "Emergency number 112, danger to life",
};
static SE_112: Line = Line {
    number: "112",
    country: "SE",
    checked_on: "2018-10",
    sv: "SOS 112, vid fara för liv: ambulans, polis",
    nb: "SOS 112, ved fare for liv: ambulanse, politi",
    nn: "SOS 112, ved fare for liv: ambulanse, politi",
    en: "SOS 112, danger to life: ambulance, police",
};
static SE_1177: Line = Line {
    number: "1177",
    country: "SE",
    checked_on: "2018-10",
    sv: "1177, sjukvårdsrådgivning dygnet runt",
    nb: "1177, råd om helse hele døgnet",
    nn: "1177, råd om helse heile døgnet",
    en: "1177, health advice day and night",
};
static SE_MIND: Line = Line {
    number: "90101",
    country: "SE",
    checked_on: "2020-05",
    sv: "Självmordslinjen (Mind), dygnet runt",
    nb: "Selvmordslinjen i Sverige (Mind), hele døgnet",
    nn: "Sjølvmordslinja i Sverige (Mind), heile døgnet",
    en: "Suicide line (Mind), day and night",
};
static SE_BRIS: Line = Line {
    number: "116111",
    country: "SE",
    checked_on: "2018-10",
    sv: "Bris, för dig under 18 år",
    nb: "Bris, for deg under 18 år",
    nn: "Bris, for deg under 18 år",
    en: "Bris, for you under 18",
};
static SE_KVINNOFRID: Line = Line {
    number: "020505050",
    country: "SE",
    checked_on: "2023-02",
    sv: "Kvinnofridslinjen, om hot och våld, dygnet runt",
    nb: "Kvinnofridslinjen, om trusler og vold, hele døgnet",
    nn: "Kvinnofridslinjen, om trugsmål og vald, heile døgnet",
    en: "Kvinnofridslinjen, about threats and violence, day and night",
};
static NO_113: Line = Line {
    number: "113",
    country: "NO",
    checked_on: "2021-11",
    sv: "Akutsjukvård 113, vid fara för liv",
    nb: "Medisinsk nødtelefon 113, ved fare for liv",
    nn: "Medisinsk naudtelefon 113, ved fare for liv",
    en: "Medical emergencies 113, danger to life",
};
static NO_112: Line = Line {
    number: "112",
    country: "NO",
    checked_on: "2026-11",
    sv: "Polisen 112, vid fara",
    nb: "Politiet 112, ved fare",
    nn: "Politiet 112, ved fare",
    en: "Police 112, when in danger",
};
static NO_LEGEVAKT: Line = Line {
    number: "116117",
    country: "NO",
    checked_on: "2021-11",
    sv: "Jourläkare (legevakt), dygnet runt",
    nb: "Legevakt, hele døgnet",
    nn: "Legevakt, heile døgnet",
    en: "Doctor on call (legevakt), day and night",
};
static NO_MENTAL_HELSE: Line = Line {
    number: "116123",
    country: "NO",
    checked_on: "2021-11",
    sv: "Mental Helse hjälptelefon, dygnet runt",
    nb: "Mental Helse Hjelpetelefonen, hele døgnet",
    nn: "Mental Helse Hjelpetelefonen, heile døgnet",
    en: "Mental Helse helpline, day and night",
};
static NO_CHILDREN: Line = Line {
    number: "116111",
    country: "NO",
    checked_on: "2021-11",
    sv: "Alarmtelefonen för barn och unga, dygnet runt",
    nb: "Alarmtelefonen for barn og unge, hele døgnet",
    nn: "Alarmtelefonen for barn og unge, heile døgnet",
    en: "Helpline for children and young people, day and night",
};
static NO_VO: Line = Line {
    number: "116006",
    country: "NO",
    checked_on: "2019-10",
    sv: "VO-linjen, om våld och övergrepp, dygnet runt",
    nb: "VO-linjen, om vold og overgrep, hele døgnet",
    nn: "VO-linja, om vald og overgrep, heile døgnet",
    en: "VO-linjen, about violence and abuse, day and night",
};
static NO_POISON: Line = Line {
    number: "22591300",
    country: "NO",
    checked_on: "2026-11",
    sv: "Giftinformationen, dygnet runt",
    nb: "Giftinformasjonen, hele døgnet",
    nn: "Giftinformasjonen, heile døgnet",
    en: "Poisons information, day and night",
};

/// The numbers for `category` in `country` (ISO 3166-1, "SE" or "NO"), most relevant first; where a life may be in danger
/// the emergency number leads. An unknown country gets 112, which works in all of Europe. Never empty.
pub fn numbers(country: &str, category: Category) -> Vec<HelpNumber> {
    use Category::{ChildAtRisk, DangerToLife, Overdose, SelfHarm, Suicide, Violence};
    let lines: &[&'static Line] = match (country.to_ascii_uppercase().as_str(), category) {
        ("SE", Suicide) => &[&SE_112, &SE_MIND, &SE_BRIS, &SE_1177],
        ("SE", SelfHarm) => &[&SE_1177, &SE_MIND, &SE_BRIS, &SE_112],
        ("SE", DangerToLife | Overdose) => &[&SE_112, &SE_1177],
        ("SE", Violence) => &[&SE_112, &SE_KVINNOFRID, &SE_1177],
        ("SE", ChildAtRisk) => &[&SE_112, &SE_BRIS, &SE_KVINNOFRID],
        ("NO", Suicide) => &[&NO_113, &NO_MENTAL_HELSE, &NO_CHILDREN, &NO_LEGEVAKT],
        ("NO", SelfHarm) => &[&NO_LEGEVAKT, &NO_MENTAL_HELSE, &NO_CHILDREN, &NO_113],
        ("NO", DangerToLife) => &[&NO_113, &NO_LEGEVAKT],
        ("NO", Overdose) => &[&NO_113, &NO_POISON, &NO_LEGEVAKT],
        ("NO", Violence) => &[&NO_112, &NO_VO, &NO_LEGEVAKT],
        ("NO", ChildAtRisk) => &[&NO_112, &NO_CHILDREN, &NO_VO],
        _ => &[&EUROPE_112],
    };
    lines
        .iter()
        .map(|line| HelpNumber { number: line.number, country: line.country, category, checked_on: line.checked_on, line })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn danger_shows_the_emergency_number_first() {
        for category in [Category::Suicide, Category::DangerToLife, Category::Overdose] {
            for (country, first) in [("SE", "112"), ("NO", "113"), ("no", "113"), ("DK", "112"), ("", "112")] {
                assert_eq!(numbers(country, category)[0].number, first, "{country} {category}");
            }
        }
    }

    #[test]
    fn every_number_is_dialled_as_it_stands_and_has_a_label_in_every_language() {
        for country in ["SE", "NO", "??"] {
            for category in Category::ALL {
                let shown = numbers(country, *category);
                assert!(!shown.is_empty());
                for number in shown {
                    assert!(number.number.bytes().all(|b| b.is_ascii_digit()));
                    assert!(number.checked_on.len() == 7 && number.checked_on.starts_with("20"), "{}", number.checked_on);
                    assert!(Language::ALL.iter().all(|language| !number.label(*language).is_empty()));
                }
            }
        }
    }

    #[test]
    fn unknown_countries_get_only_112() {
        assert_eq!(numbers("FI", Category::Violence).iter().map(|n| n.number).collect::<Vec<_>>(), ["112"]);
    }
}
