//! Small cells: in an anonymous service a figure about very few people points at them, so it is left out.

/// Fewest cases that are shown.
pub const K: i64 = 5;

/// Cases of one clinic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clinic {
    pub organisation: String,
    pub clinic: String,
    pub cases: i64,
    pub closed: i64,
    pub abandoned: i64,
    pub rated: i64,
    pub rating_sum: i64,
    pub referrals: i64,
    pub arrived: i64,
    pub suppressed: bool,
}

/// Empties the small cells among `clinics` of organisations that `anonymous` names. Answers the clinics that totals must
/// leave out as well, because the difference between a total and the clinics shown would tell what was hidden.
///
/// Decided organisation by organisation, so that the region's total is the sum of its organisations' and their difference
/// tells nothing either.
///
/// Properties:
/// - a clinic with fewer than [`K`] cases of an anonymous organisation shows no figure;
/// - what an organisation's total says beyond the clinics shown is nothing, or at least [`K`] cases of several clinics;
/// - others are shown as they are.
pub fn suppress(clinics: &mut [Clinic], anonymous: impl Fn(&str) -> bool) -> Vec<String> {
    let mut small: Vec<(String, String, i64)> = Vec::new();
    for cell in clinics.iter_mut().filter(|cell| cell.cases > 0 && cell.cases < K && anonymous(&cell.organisation)) {
        small.push((cell.organisation.clone(), cell.clinic.clone(), cell.cases));
        *cell = Clinic { organisation: cell.organisation.clone(), clinic: cell.clinic.clone(), suppressed: true, ..Clinic::default() };
    }
    let hidden = |organisation: &str| small.iter().filter(|(its, _, _)| its == organisation).map(|(_, _, cases)| cases).sum::<i64>();
    small.iter().filter(|(organisation, _, _)| hidden(organisation) < K).map(|(_, clinic, _)| clinic.clone()).collect()
}

/// Cases of people from one age to another, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// -1 if the age is unknown.
    pub from: i64,
    pub to: i64,
    pub cases: i64,
}

/// Joins neighbouring bands until each holds at least [`K`] cases. If all known ages together are fewer, they count as
/// unknown. `bands` are in ascending order.
///
/// Properties: no case is lost; every band of known ages that is left holds at least [`K`] cases; bands never overlap.
pub fn widen(bands: Vec<Band>) -> Vec<Band> {
    let mut unknown = 0;
    let mut wide: Vec<Band> = Vec::new();
    for band in bands {
        if band.from < 0 {
            unknown += band.cases;
            continue;
        }
        match wide.last_mut() {
            Some(last) if last.cases < K => {
                last.to = band.to;
                last.cases += band.cases;
            }
            _ => wide.push(band),
        }
    }
    if let Some(rest) = wide.pop_if(|last| last.cases < K) {
        match wide.last_mut() {
            Some(last) => {
                last.to = rest.to;
                last.cases += rest.cases;
            }
            None => unknown += rest.cases,
        }
    }
    if unknown > 0 {
        wide.insert(0, Band { from: -1, to: -1, cases: unknown });
    }
    wide
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clinic(organisation: usize, clinic: usize, cases: i64) -> Clinic {
        Clinic { organisation: format!("o{organisation}"), clinic: format!("c{clinic}"), cases, closed: cases, ..Clinic::default() }
    }

    #[test]
    fn one_small_clinic_is_left_out_of_the_total_too() {
        let mut clinics = [clinic(0, 0, 200), clinic(0, 1, 3)];
        assert_eq!(suppress(&mut clinics, |_| true), ["c1"]);
        assert_eq!((clinics[0].suppressed, clinics[0].cases), (false, 200));
        assert_eq!((clinics[1].suppressed, clinics[1].cases, clinics[1].closed), (true, 0, 0));
    }

    #[test]
    fn several_small_clinics_hide_in_their_sum() {
        let mut clinics = [clinic(0, 0, 3), clinic(0, 1, 4), clinic(1, 2, 1)];
        assert_eq!(suppress(&mut clinics, |_| true), ["c2"]);
        assert!(clinics.iter().all(|cell| cell.suppressed));
    }

    #[test]
    fn a_care_provider_s_small_clinics_are_shown() {
        let mut clinics = [clinic(0, 0, 1)];
        assert!(suppress(&mut clinics, |_| false).is_empty());
        assert_eq!(clinics, [clinic(0, 0, 1)]);
    }

    #[test]
    fn bands_widen_until_they_hold_enough() {
        let band = |from, to, cases| Band { from, to, cases };
        let bands = vec![band(-1, -1, 2), band(0, 9, 1), band(20, 29, 6), band(30, 39, 5), band(90, 99, 1)];
        assert_eq!(widen(bands), [band(-1, -1, 2), band(0, 29, 7), band(30, 99, 6)]);
        assert_eq!(widen(vec![band(-1, -1, 9), band(90, 99, 1)]), [band(-1, -1, 10)]);
        assert_eq!(widen(Vec::new()), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_is_hidden_cannot_be_computed(sizes in prop::collection::vec((0_usize..3, 1_i64..12), 0..12)) {
            let before: Vec<Clinic> = sizes.iter().enumerate().map(|(i, (o, cases))| clinic(*o, i, *cases)).collect();
            let mut after = before.clone();
            let anonymous = |organisation: &str| organisation != "o2";
            let left_out = suppress(&mut after, anonymous);
            for (was, is) in before.iter().zip(&after) {
                prop_assert_eq!(is.suppressed, was.cases < K && anonymous(&was.organisation));
                let shown = (is.cases, is.closed);
                prop_assert_eq!(shown, if is.suppressed { (0, 0) } else { (was.cases, was.closed) });
            }
            for organisation in ["o0", "o1", "o2"] {
                let of = |cells: &[Clinic]| cells.iter().filter(|c| c.organisation == organisation).map(|c| c.cases).sum::<i64>();
                let counted: Vec<Clinic> = before.iter().filter(|c| !left_out.contains(&c.clinic)).cloned().collect();
                let beyond = of(&counted) - of(&after);
                prop_assert!(beyond == 0 || beyond >= K);
            }
        }

        #[test]
        fn widening_loses_nobody_and_points_at_nobody(sizes in prop::collection::vec(0_i64..9, 0..11), unknown in 0_i64..9) {
            let mut bands: Vec<Band> = sizes
                .iter()
                .enumerate()
                .filter(|(_, cases)| **cases > 0)
                .map(|(i, cases)| Band { from: i as i64 * 10, to: i as i64 * 10 + 9, cases: *cases })
                .collect();
            if unknown > 0 {
                bands.insert(0, Band { from: -1, to: -1, cases: unknown });
            }
            let wide = widen(bands.clone());
            let sum = |bands: &[Band]| bands.iter().map(|band| band.cases).sum::<i64>();
            prop_assert_eq!(sum(&wide), sum(&bands));
            prop_assert!(wide.iter().all(|band| band.from < 0 || band.cases >= K));
            prop_assert!(wide.windows(2).all(|pair| pair[0].to < pair[1].from));
        }
    }
}
