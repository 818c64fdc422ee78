//! Ages: what triage needs, and no more than insights may have.

use kernel::Time;

/// Nobody is older.
const MAX_AGE: i32 = 130;

/// Age in whole years from a year of birth, as old as the visitor becomes this year; None if the year is 0 or absurd.
pub fn age(birth_year: i32, now: Time) -> Option<i32> {
    let year = jiff::Timestamp::from_microsecond(now.micros()).ok()?.to_zoned(jiff::tz::TimeZone::UTC).year();
    let age = i32::from(year) - birth_year;
    (birth_year > 0 && (0..=MAX_AGE).contains(&age)).then_some(age)
}

/// Lower end of the ten-year band: 57 gives 50. -1 if the age is unknown.
pub fn age_band(age: Option<i32>) -> i32 {
    age.map_or(-1, |age| age / 10 * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_bands() {
        let now = Time::from_secs(1_646_650_800); // 7 March 2022
        assert_eq!(age(1965, now), Some(57));
        assert_eq!(age_band(age(1965, now)), 50);
        assert_eq!(age_band(age(1929, now)), 90);
        for absurd in [0, -5, 2023, 1800] {
            assert_eq!(age(absurd, now), None);
        }
        assert_eq!(age_band(None), -1);
    }
}
