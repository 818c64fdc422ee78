//! The figures of a run, counted from the ledger alone, in the shape in which the suite tells its own.

use std::collections::{BTreeMap, BTreeSet};

use kernel::Time;
use proto::insights::GetReportResponse;
use serde::Serialize;

use super::ledger::Entry;

/// What both sides must agree on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    pub cases: i64,
    pub cases_per_clinic: BTreeMap<String, i64>,
    pub unique_contact_reasons: i64,
    /// Cases by the youngest age of their band of ten years; -1: unknown.
    pub age_bands: BTreeMap<i32, i64>,
    pub rated: i64,
    pub mean_rating: f64,
    pub response_rate: f64,
    pub answered: i64,
    pub abandoned: i64,
    pub mean_wait_seconds: f64,
    pub p90_wait_seconds: f64,
    pub bookings: i64,
    pub messages: i64,
}

/// Counts what was acknowledged.
pub fn count(entries: &BTreeMap<String, Entry>) -> Figures {
    let mut figures = Figures::default();
    let (mut reasons, mut waits, mut rating_sum, mut served) = (BTreeSet::new(), Vec::new(), 0_i64, 0_i64);
    for entry in entries.values() {
        figures.cases += 1;
        *figures.cases_per_clinic.entry(entry.clinic.clone()).or_default() += 1;
        reasons.insert(entry.reason.clone());
        *figures.age_bands.entry(band(entry)).or_default() += 1;
        served += i64::from(entry.closed && !entry.abandoned);
        if entry.rating > 0 {
            figures.rated += 1;
            rating_sum += i64::from(entry.rating);
        }
        if let Some(assigned) = entry.assigned_at {
            figures.answered += 1;
            waits.push(assigned.since(entry.waits_from).as_micros() as u64);
        }
        figures.abandoned += i64::from(entry.abandoned);
        figures.bookings += i64::from(entry.booking.is_some());
        figures.messages += entry.messages.len() as i64;
    }
    waits.sort_unstable();
    let ratio = |part: i64, whole: i64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    figures.unique_contact_reasons = reasons.len() as i64;
    figures.mean_rating = ratio(rating_sum, figures.rated);
    figures.response_rate = ratio(figures.rated, served);
    figures.mean_wait_seconds = ratio(waits.iter().sum::<u64>() as i64, waits.len() as i64) / 1e6;
    // Nearest rank.
    let rank = (waits.len() * 9).div_ceil(10);
    figures.p90_wait_seconds = waits.get(rank.saturating_sub(1)).map_or(0.0, |wait| *wait as f64 / 1e6);
    figures
}

fn band(entry: &Entry) -> i32 {
    if entry.birth_year == 0 {
        return -1;
    }
    let year = 1970 + entry.opened_at.secs().div_euclid(31_556_952) as i32;
    let year = calendar_year(entry.opened_at).unwrap_or(year);
    (year - entry.birth_year) / 10 * 10
}

fn calendar_year(time: Time) -> Option<i32> {
    Some(i32::from(jiff::Timestamp::from_microsecond(time.micros()).ok()?.to_zoned(jiff::tz::TimeZone::UTC).year()))
}

/// What the suite itself says.
pub fn told(report: &GetReportResponse) -> Figures {
    Figures {
        cases: report.cases,
        cases_per_clinic: report
            .clinics
            .iter()
            .filter(|clinic| clinic.cases > 0)
            .map(|clinic| (clinic.clinic_id.clone(), clinic.cases))
            .collect(),
        unique_contact_reasons: report.unique_contact_reasons,
        age_bands: report.age_bands.iter().filter(|band| band.cases > 0).map(|band| (band.from_age, band.cases)).collect(),
        rated: report.rated,
        mean_rating: report.mean_rating,
        response_rate: report.response_rate,
        answered: report.answered,
        abandoned: report.abandoned,
        mean_wait_seconds: report.mean_wait_seconds,
        p90_wait_seconds: report.p90_wait_seconds,
        bookings: report.bookings,
        messages: report.messages,
    }
}

/// Where the two differ, `name: counted 3, told 4`. Means may differ in the last bits.
pub fn differences(counted: &Figures, told: &Figures) -> Vec<String> {
    let mut all = Vec::new();
    let mut exact = |name: &str, counted: String, told: String| {
        if counted != told {
            all.push(format!("{name}: counted {counted}, told {told}"));
        }
    };
    exact("cases", counted.cases.to_string(), told.cases.to_string());
    exact("cases_per_clinic", format!("{:?}", counted.cases_per_clinic), format!("{:?}", told.cases_per_clinic));
    exact("unique_contact_reasons", counted.unique_contact_reasons.to_string(), told.unique_contact_reasons.to_string());
    exact("age_bands", format!("{:?}", counted.age_bands), format!("{:?}", told.age_bands));
    exact("rated", counted.rated.to_string(), told.rated.to_string());
    exact("answered", counted.answered.to_string(), told.answered.to_string());
    exact("abandoned", counted.abandoned.to_string(), told.abandoned.to_string());
    exact("bookings", counted.bookings.to_string(), told.bookings.to_string());
    exact("messages", counted.messages.to_string(), told.messages.to_string());
    let means = [
        ("mean_rating", counted.mean_rating, told.mean_rating),
        ("response_rate", counted.response_rate, told.response_rate),
        ("mean_wait_seconds", counted.mean_wait_seconds, told.mean_wait_seconds),
        ("p90_wait_seconds", counted.p90_wait_seconds, told.p90_wait_seconds),
    ];
    for (name, counted, told) in means {
        if (counted - told).abs() > 1e-6 * counted.abs().max(1.0) {
            all.push(format!("{name}: counted {counted}, told {told}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_differing_figure_is_named() {
        let mut entries = BTreeMap::new();
        entries.insert("a".to_owned(), Entry { clinic: "x".into(), closed: true, rating: 4, ..Entry::default() });
        let counted = count(&entries);
        assert_eq!(differences(&counted, &counted), Vec::<String>::new());
        let told = Figures { rated: 2, mean_rating: 4.1, ..counted.clone() };
        let found = differences(&counted, &told);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("rated: counted 1, told 2"));
    }
}
