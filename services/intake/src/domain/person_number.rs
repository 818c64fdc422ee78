//! Identity numbers that a visitor may give: Swedish personnummer and samordningsnummer, Norwegian fødselsnummer and D-nummer.
//!
//! Published test numbers are told from people's own, so that production takes no made-up number and a demonstration no real one.

use kernel::{Error, Result};
use region::{Country, PersonNumbers};

const FIELD: &str = "value";

/// The number in its long form, 12 digits in Sweden and 11 in Norway, if it is one and of the kind that is asked for.
pub fn parse(country: Country, wanted: PersonNumbers, text: &str) -> Result<String> {
    let (long, test) = match country {
        Country::SE => {
            swedish(text).ok_or_else(|| Error::invalid(FIELD, "is no personnummer or samordningsnummer; write YYYYMMDD-NNNN"))?
        }
        Country::NO => norwegian(text).ok_or_else(|| Error::invalid(FIELD, "is no fødselsnummer or D-nummer; write its 11 digits"))?,
    };
    match wanted {
        PersonNumbers::Real if test => Err(Error::invalid(FIELD, "is a test number, which is nobody's; give your own")),
        PersonNumbers::Test if !test => Err(Error::invalid(FIELD, "may be somebody's own; a demonstration takes test numbers only")),
        _ => Ok(long),
    }
}

/// Twelve digits, and whether it is a test number.
fn swedish(text: &str) -> Option<(String, bool)> {
    let text = text.trim();
    let number = personnummer::Personnummer::parse(text).ok()?;
    if !number.valid() {
        return None;
    }
    let long: String = number.format().long().chars().filter(char::is_ascii_digit).collect();
    let test = ["191212121212", "195005050512", "199006022397"].contains(&long.as_str())
        || long.get(8..11).is_some_and(|birth_number| ("980"..="999").contains(&birth_number));
    (long.len() == 12).then_some((long, test))
}

/// Eleven digits, and whether it is a synthetic number: these have a month beyond 40.
fn norwegian(text: &str) -> Option<(String, bool)> {
    let digits: Vec<u32> =
        text.chars().filter(|letter| !letter.is_whitespace()).map(|letter| letter.to_digit(10)).collect::<Option<_>>()?;
    let [d1, d2, m1, m2, y1, y2, i1, i2, i3, k1, k2] = digits.as_slice() else { return None };
    let sum = |weights: &[u32]| digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>();
    let control = |sum: u32| (11 - sum % 11) % 11;
    if control(sum(&[3, 7, 6, 1, 8, 9, 4, 5, 2])) != *k1 || control(sum(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2])) != *k2 {
        return None;
    }
    let (mut day, mut month) = (d1 * 10 + d2, m1 * 10 + m2);
    let (year, individual) = (y1 * 10 + y2, i1 * 100 + i2 * 10 + i3);
    // A D-nummer.
    day = if day > 40 { day - 40 } else { day };
    // Synthetic numbers: the tax authority's, then the hospitals' and the labour authority's.
    let added = [80, 65, 40].into_iter().find(|added| (1..=12).contains(&month.wrapping_sub(*added)));
    month -= added.unwrap_or(0);
    let century = match (individual, year) {
        (0..=499, _) => 1900,
        (500..=749, 54..=99) => 1800,
        (500..=999, 0..=39) => 2000,
        (900..=999, 40..=99) => 1900,
        _ => return None,
    };
    jiff::civil::Date::new((century + year) as i16, month as i8, day as i8).ok()?;
    Some((digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect(), added.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_test_numbers_are_known_for_what_they_are() {
        for text in ["191212121212", "121212+1212", "19500505-0512", "199006022397"] {
            let long = parse(Country::SE, PersonNumbers::Test, text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(long.len(), 12, "{text}");
            assert!(parse(Country::SE, PersonNumbers::Real, text).is_err(), "{text}");
        }
        // A synthetic number: month 81 to 92.
        let (synthetic, plain) = (with_control("018190123"), with_control("010190124"));
        assert_eq!(parse(Country::NO, PersonNumbers::Test, &synthetic).unwrap(), synthetic);
        assert!(parse(Country::NO, PersonNumbers::Real, &synthetic).is_err());
        assert_eq!(parse(Country::NO, PersonNumbers::Real, &plain).unwrap(), plain);
        assert!(parse(Country::NO, PersonNumbers::Test, &plain).is_err());
    }

    /// The first of the numbers that begin so and have control digits.
    fn with_control(nine: &str) -> String {
        (0..100)
            .map(|control| format!("{nine}{control:02}"))
            .find(|text| norwegian(text).is_some())
            .expect("one start in six has none; take another")
    }

    #[test]
    fn one_wrong_digit_is_found() {
        let right = with_control("010190124");
        for at in 0..11 {
            let mut digits: Vec<u8> = right.bytes().collect();
            digits[at] = if digits[at] == b'9' { b'0' } else { digits[at] + 1 };
            assert_eq!(norwegian(std::str::from_utf8(&digits).unwrap()), None, "digit {at}");
        }
        for text in ["", "19121212-1213", "12345", "191213131212", "hello", "191212121212191212121212"] {
            assert!(swedish(text).is_none(), "{text}");
        }
        for text in ["", "00000000000", "31029912345", "1234567890a"] {
            assert!(norwegian(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _ = parse(Country::SE, PersonNumbers::Real, &text);
            let _ = parse(Country::NO, PersonNumbers::Real, &text);
        }
    }
}
