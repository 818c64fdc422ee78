//! Public holidays of Sweden and Norway, and the eves that most workplaces keep.
//!
//! Sweden: lag (1989:253) om allmänna helgdagar. Norway: lov om helligdager og helligdagsfred § 2, and lov om 1. og 17.
//! mai. As they stand today; earlier years had others. Sundays are no entries here: a week's hours say what they are.

use jiff::civil::Date;
use kernel::Language;
use region::{Country, Holidays};
use serde::{Deserialize, Serialize};

macro_rules! feasts {
    ($($name:ident = $code:literal [$sv:literal, $nb:literal, $nn:literal, $en:literal],)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Feast { $(#[serde(rename = $code)] $name,)* }

        impl Feast {
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// As visitors read it, in the middle of a sentence.
            pub const fn name(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::Swedish) => $sv,
                    (Self::$name, Language::Bokmal) => $nb,
                    (Self::$name, Language::Nynorsk) => $nn,
                    (Self::$name, Language::English) => $en,)*
                }
            }
        }
    };
}

feasts! {
    NewYear = "new_year" ["nyårsdagen", "første nyttårsdag", "første nyttårsdag", "New Year's Day"],
    Epiphany = "epiphany" ["trettondedag jul", "helligtrekongersdag", "heilagetrekongarsdag", "Epiphany"],
    MaundyThursday = "maundy_thursday" ["skärtorsdagen", "skjærtorsdag", "skjærtorsdag", "Maundy Thursday"],
    GoodFriday = "good_friday" ["långfredagen", "langfredag", "langfredag", "Good Friday"],
    EasterEve = "easter_eve" ["påskafton", "påskeaften", "påskeaftan", "Easter Eve"],
    EasterSunday = "easter_sunday" ["påskdagen", "første påskedag", "første påskedag", "Easter Sunday"],
    EasterMonday = "easter_monday" ["annandag påsk", "andre påskedag", "andre påskedag", "Easter Monday"],
    MayDay = "may_day" ["första maj", "første mai", "første mai", "May Day"],
    ConstitutionDay = "constitution_day" ["Norges nationaldag", "grunnlovsdagen", "grunnlovsdagen", "Norway's Constitution Day"],
    Ascension = "ascension" ["Kristi himmelsfärdsdag", "Kristi himmelfartsdag", "Kristi himmelfartsdag", "Ascension Day"],
    WhitEve = "whit_eve" ["pingstafton", "pinseaften", "pinseaftan", "Whit Saturday"],
    WhitSunday = "whit_sunday" ["pingstdagen", "første pinsedag", "første pinsedag", "Whit Sunday"],
    WhitMonday = "whit_monday" ["annandag pingst", "andre pinsedag", "andre pinsedag", "Whit Monday"],
    NationalDay = "national_day" ["nationaldagen", "Sveriges nasjonaldag", "Sveriges nasjonaldag", "Sweden's National Day"],
    MidsummerEve = "midsummer_eve" ["midsommarafton", "midtsommeraften", "midtsommaraftan", "Midsummer Eve"],
    Midsummer = "midsummer" ["midsommardagen", "midtsommerdagen", "midtsommardagen", "Midsummer Day"],
    AllSaints = "all_saints" ["alla helgons dag", "allehelgensdag", "allehelgensdag", "All Saints' Day"],
    ChristmasEve = "christmas_eve" ["julafton", "julaften", "julaftan", "Christmas Eve"],
    ChristmasDay = "christmas_day" ["juldagen", "første juledag", "første juledag", "Christmas Day"],
    SecondChristmasDay = "second_christmas_day" ["annandag jul", "andre juledag", "andre juledag", "Boxing Day"],
    NewYearsEve = "new_years_eve" ["nyårsafton", "nyttårsaften", "nyttårsaftan", "New Year's Eve"],
}

impl Feast {
    /// Not a public holiday by law, but closed in most workplaces.
    pub const fn is_eve(self) -> bool {
        matches!(self, Self::EasterEve | Self::WhitEve | Self::MidsummerEve | Self::ChristmasEve | Self::NewYearsEve)
    }
}

enum Day {
    /// Month and day.
    Fixed(i8, i8),
    /// Days after Easter Sunday.
    Easter(i32),
    /// The Saturday in the week that begins with this month and day, and days after it.
    Saturday(i8, i8, i32),
}

const fn days(country: Country) -> &'static [(Day, Feast)] {
    use Day::{Easter, Fixed, Saturday};
    match country {
        Country::SE => &[
            (Fixed(1, 1), Feast::NewYear),
            (Fixed(1, 6), Feast::Epiphany),
            (Easter(-2), Feast::GoodFriday),
            (Easter(-1), Feast::EasterEve),
            (Easter(0), Feast::EasterSunday),
            (Easter(1), Feast::EasterMonday),
            (Fixed(5, 1), Feast::MayDay),
            (Easter(39), Feast::Ascension),
            (Easter(49), Feast::WhitSunday),
            (Fixed(6, 6), Feast::NationalDay),
            (Saturday(6, 20, -1), Feast::MidsummerEve),
            (Saturday(6, 20, 0), Feast::Midsummer),
            (Saturday(10, 31, 0), Feast::AllSaints),
            (Fixed(12, 24), Feast::ChristmasEve),
            (Fixed(12, 25), Feast::ChristmasDay),
            (Fixed(12, 26), Feast::SecondChristmasDay),
            (Fixed(12, 31), Feast::NewYearsEve),
        ],
        Country::NO => &[
            (Fixed(1, 1), Feast::NewYear),
            (Easter(-3), Feast::MaundyThursday),
            (Easter(-2), Feast::GoodFriday),
            (Easter(-1), Feast::EasterEve),
            (Easter(0), Feast::EasterSunday),
            (Easter(1), Feast::EasterMonday),
            (Fixed(5, 1), Feast::MayDay),
            (Fixed(5, 17), Feast::ConstitutionDay),
            (Easter(39), Feast::Ascension),
            (Easter(48), Feast::WhitEve),
            (Easter(49), Feast::WhitSunday),
            (Easter(50), Feast::WhitMonday),
            (Fixed(12, 24), Feast::ChristmasEve),
            (Fixed(12, 25), Feast::ChristmasDay),
            (Fixed(12, 26), Feast::SecondChristmasDay),
            (Fixed(12, 31), Feast::NewYearsEve),
        ],
    }
}

/// All holidays and eves of a year, by date; of two on one date the public holiday first. Empty outside 1583 to 9999.
pub fn in_year(country: Country, year: i16) -> Vec<(Date, Feast)> {
    let Ok(easter) = computus::gregorian_jiff_date(year.into()) else { return Vec::new() };
    let date = |day: &Day| match *day {
        Day::Fixed(month, day) => Date::new(year, month, day).ok(),
        Day::Easter(after) => plus(easter, after),
        Day::Saturday(month, day, after) => {
            let first = Date::new(year, month, day).ok()?;
            let saturday = (5 - i32::from(first.weekday().to_monday_zero_offset())).rem_euclid(7);
            plus(first, saturday + after)
        }
    };
    let mut found: Vec<_> = days(country).iter().filter_map(|(day, feast)| Some((date(day)?, *feast))).collect();
    found.sort_by_key(|(date, feast)| (*date, feast.is_eve()));
    found
}

fn plus(date: Date, days: i32) -> Option<Date> {
    date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// The holiday that closes a calendar with this setting on `date`.
pub fn closing(setting: Holidays, country: Country, date: Date) -> Option<Feast> {
    if setting == Holidays::Open {
        return None;
    }
    let eves = setting == Holidays::ClosedWithEves;
    in_year(country, date.year()).into_iter().find(|(day, feast)| *day == date && (eves || !feast.is_eve())).map(|(_, feast)| feast)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every public holiday, month and day, as printed in the countries' almanacs.
    const SWEDEN: [(i16, &str); 6] = [
        (2022, "01-01 01-06 04-15 04-17 04-18 05-01 05-26 06-05 06-06 06-25 11-05 12-25 12-26"),
        (2023, "01-01 01-06 04-07 04-09 04-10 05-01 05-18 05-28 06-06 06-24 11-04 12-25 12-26"),
        (2024, "01-01 01-06 03-29 03-31 04-01 05-01 05-09 05-19 06-06 06-22 11-02 12-25 12-26"),
        (2025, "01-01 01-06 04-18 04-20 04-21 05-01 05-29 06-06 06-08 06-21 11-01 12-25 12-26"),
        (2026, "01-01 01-06 04-03 04-05 04-06 05-01 05-14 05-24 06-06 06-20 10-31 12-25 12-26"),
        (2027, "01-01 01-06 03-26 03-28 03-29 05-01 05-06 05-16 06-06 06-26 11-06 12-25 12-26"),
    ];
    const NORWAY: [(i16, &str); 6] = [
        (2022, "01-01 04-14 04-15 04-17 04-18 05-01 05-17 05-26 06-05 06-06 12-25 12-26"),
        (2023, "01-01 04-06 04-07 04-09 04-10 05-01 05-17 05-18 05-28 05-29 12-25 12-26"),
        (2024, "01-01 03-28 03-29 03-31 04-01 05-01 05-09 05-17 05-19 05-20 12-25 12-26"),
        (2025, "01-01 04-17 04-18 04-20 04-21 05-01 05-17 05-29 06-08 06-09 12-25 12-26"),
        (2026, "01-01 04-02 04-03 04-05 04-06 05-01 05-14 05-17 05-24 05-25 12-25 12-26"),
        // Whit Monday is Constitution Day.
        (2027, "01-01 03-25 03-26 03-28 03-29 05-01 05-06 05-16 05-17 05-17 12-25 12-26"),
    ];

    fn printed(country: Country, year: i16, eves: bool) -> String {
        let days: Vec<_> = in_year(country, year)
            .into_iter()
            .filter(|(_, feast)| feast.is_eve() == eves)
            .map(|(date, _)| date.strftime("%m-%d").to_string())
            .collect();
        days.join(" ")
    }

    #[test]
    fn public_holidays_are_those_of_the_almanac() {
        for (year, days) in SWEDEN {
            assert_eq!(printed(Country::SE, year, false), days, "{year}");
        }
        for (year, days) in NORWAY {
            assert_eq!(printed(Country::NO, year, false), days, "{year}");
        }
    }

    #[test]
    fn eves_are_kept_only_by_those_who_say_so() {
        assert_eq!(printed(Country::SE, 2026, true), "04-04 06-19 12-24 12-31");
        assert_eq!(printed(Country::NO, 2026, true), "04-04 05-23 12-24 12-31");
        let eve = Date::constant(2026, 6, 19);
        assert_eq!(closing(Holidays::Closed, Country::SE, eve), None);
        assert_eq!(closing(Holidays::ClosedWithEves, Country::SE, eve), Some(Feast::MidsummerEve));
        assert_eq!(closing(Holidays::ClosedWithEves, Country::NO, eve), None);
        assert_eq!(closing(Holidays::Open, Country::SE, Date::constant(2026, 12, 25)), None);
    }

    #[test]
    fn a_holiday_on_an_eve_is_the_holiday() {
        // 1 May 2008 was Ascension Day too: the country's list names May Day first.
        assert_eq!(closing(Holidays::ClosedWithEves, Country::NO, Date::constant(2008, 5, 1)), Some(Feast::MayDay));
        let saturday = (2000..2200).find(|y| in_year(Country::NO, *y).contains(&(Date::constant(*y, 5, 17), Feast::WhitEve))).unwrap();
        assert_eq!(closing(Holidays::ClosedWithEves, Country::NO, Date::constant(saturday, 5, 17)), Some(Feast::ConstitutionDay));
    }

    #[test]
    fn every_feast_has_its_own_code_and_a_name() {
        for (_, feast) in in_year(Country::SE, 2026).into_iter().chain(in_year(Country::NO, 2026)) {
            assert!(Language::ALL.iter().all(|l| !feast.name(*l).is_empty()));
        }
        assert_eq!(Feast::Ascension.name(Language::Swedish), "Kristi himmelsfärdsdag");
        assert_eq!(Feast::MaundyThursday.code(), "maundy_thursday");
    }
}
