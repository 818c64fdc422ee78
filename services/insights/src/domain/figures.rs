//! Means, rates and percentiles.

/// `part` over `whole`; 0 if there is nothing to divide by.
pub fn ratio(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Microseconds as seconds.
pub fn seconds(micros: f64) -> f64 {
    micros / 1e6
}

/// Place (from 0) of a percentile among `count` values in ascending order, by nearest rank: the smallest value that at
/// least `percent` of 100 values do not exceed. None if there are no values.
pub fn nearest_rank(count: i64, percent: i64) -> Option<i64> {
    let last = count.checked_sub(1).filter(|last| *last >= 0)?;
    let rank = count.saturating_mul(percent.clamp(0, 100)).saturating_add(99) / 100;
    Some((rank - 1).clamp(0, last))
}

/// Lower end of an age's ten-year band; -1 if the age is unknown.
pub fn age_band(age: i64) -> i64 {
    if age < 0 { -1 } else { age / 10 * 10 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_of_small_counts() {
        assert_eq!(nearest_rank(0, 90), None);
        for (count, place) in [(1, 0), (2, 1), (9, 8), (10, 8), (11, 9), (20, 17), (100, 89)] {
            assert_eq!(nearest_rank(count, 90), Some(place), "{count}");
        }
    }

    #[test]
    fn nothing_divided_is_nothing() {
        assert_eq!(ratio(3, 0), 0.0);
        assert_eq!(ratio(1, 4), 0.25);
    }

    #[test]
    fn ages_fall_into_bands_of_ten_years() {
        for (age, band) in [(-1, -1), (-7, -1), (0, 0), (9, 0), (10, 10), (67, 60), (103, 100)] {
            assert_eq!(age_band(age), band);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn the_nearest_rank_is_the_smallest_value_that_enough_do_not_exceed(
            mut values in prop::collection::vec(0_i64..50, 1..200),
            percent in 1_i64..=100,
        ) {
            values.sort_unstable();
            let count = values.len() as i64;
            let found = values[nearest_rank(count, percent).unwrap() as usize];
            let enough = |value: i64| values.iter().filter(|v| **v <= value).count() as i64 * 100 >= percent * count;
            prop_assert!(enough(found));
            prop_assert!(values.iter().filter(|v| **v < found).all(|smaller| !enough(*smaller)));
        }
    }
}
