//! A report, put together from aggregates.

use kernel::Result;
use proto::insights::{AgeBand, ClinicFigures, GetReportResponse};
use region::{Regime, Region};
use store::Scoped;

use crate::domain::cells::{self, Band, Clinic};
use crate::domain::figures::{nearest_rank, ratio, seconds};
use crate::store::report::{self, Filter};

/// Figures of the cases that `filter` means; small cells of anonymous services are left out.
pub async fn make(db: &Scoped, region: &Region, mut filter: Filter) -> Result<GetReportResponse> {
    if filter.is_empty() {
        return Ok(GetReportResponse::default());
    }
    let mut clinics = report::clinics(db, &filter).await?;
    filter.without = cells::suppress(&mut clinics, |organisation| is_anonymous(region, organisation));
    let totals = report::totals(db, &filter).await?;
    let mut bands = report::bands(db, &filter).await?;
    if clinics.iter().any(|clinic| is_anonymous(region, &clinic.organisation)) {
        bands = cells::widen(bands);
    }
    let p90 = match nearest_rank(totals.answered, 90) {
        Some(place) => report::wait_at(db, &filter, place).await?,
        None => 0,
    };
    Ok(GetReportResponse {
        clinics: clinics.into_iter().map(clinic).collect(),
        cases: totals.cases,
        unique_contact_reasons: totals.reasons,
        age_bands: bands.iter().map(band).collect(),
        rated: totals.rated,
        mean_rating: ratio(totals.rating_sum, totals.rated),
        // A rated case that is open again is in neither part, so that the rate is never above 1.
        response_rate: ratio(totals.served_rated, totals.served),
        answered: totals.answered,
        abandoned: totals.abandoned,
        mean_wait_seconds: if totals.answered == 0 { 0.0 } else { seconds(totals.wait_sum / totals.answered as f64) },
        p90_wait_seconds: seconds(p90 as f64),
        bookings: totals.bookings,
        messages: totals.messages,
        referrals: totals.referrals,
        arrived: totals.arrived,
    })
}

/// Whether people may come to it without saying who they are. An organisation that is not known here yet might be such.
fn is_anonymous(region: &Region, organisation: &str) -> bool {
    region.organisation(organisation).is_none_or(|organisation| organisation.regime != Regime::CareProvider)
}

fn clinic(clinic: Clinic) -> ClinicFigures {
    ClinicFigures {
        clinic_id: clinic.clinic,
        cases: clinic.cases,
        closed: clinic.closed,
        abandoned: clinic.abandoned,
        rated: clinic.rated,
        rating_sum: clinic.rating_sum,
        suppressed: clinic.suppressed,
        referrals: clinic.referrals,
        arrived: clinic.arrived,
    }
}

fn band(band: &Band) -> AgeBand {
    let age = |age: i64| i32::try_from(age).unwrap_or(-1);
    AgeBand { from_age: age(band.from), to_age: age(band.to), cases: band.cases }
}
