//! Aggregates over the counted cases.

use kernel::{Result, Time};
use store::{Args, Row, Scoped, Val, args, values};

use crate::domain::cells::{Band, Clinic};

/// Which cases a report is about. Practice is never among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Empty: all.
    pub organisation: String,
    /// None: all.
    pub clinics: Option<Vec<String>>,
    /// Not these clinics.
    pub without: Vec<String>,
    /// Opened from here on, and before there.
    pub from: Time,
    pub to: Time,
}

impl Filter {
    /// Whether no case can be meant.
    pub fn is_empty(&self) -> bool {
        self.clinics.as_ref().is_some_and(Vec::is_empty) || self.from >= self.to
    }

    fn clause(&self) -> (String, Args) {
        let mut text = String::from("practice = FALSE AND opened_at >= $1 AND opened_at < $2 AND ($3 = '' OR organisation = $3)");
        let mut args = args![self.from, self.to, &self.organisation];
        for (list, not) in [(self.clinics.as_deref().unwrap_or_default(), ""), (&self.without, "NOT ")] {
            if !list.is_empty() {
                text.push_str(&format!(" AND clinic {not}IN {}", values(args.len() + 1, 1, list.len())));
                args.extend(list.iter().map(Val::from));
            }
        }
        (text, args)
    }
}

/// Per clinic, by id.
pub async fn clinics(db: &Scoped, filter: &Filter) -> Result<Vec<Clinic>> {
    let (clause, args) = filter.clause();
    let sql = format!(
        "SELECT organisation, clinic, COUNT(*), COUNT(closed_at), COUNT(CASE WHEN abandoned THEN 1 END), \
         COUNT(CASE WHEN rating > 0 THEN 1 END), CAST(SUM(rating) AS BIGINT), \
         CAST(COALESCE(SUM(referrals), 0) AS BIGINT), CAST(COALESCE(SUM(arrived), 0) AS BIGINT) FROM fact_case \
         LEFT JOIN (SELECT case_id AS referred, COUNT(*) AS referrals, COUNT(CASE WHEN arrived THEN 1 END) AS arrived FROM fact_referral \
         GROUP BY case_id) AS told ON referred = case_id WHERE {clause} GROUP BY organisation, clinic ORDER BY clinic, organisation"
    );
    let rows = db.rows(sql, args).await?;
    rows.iter()
        .map(|row| {
            Ok(Clinic {
                organisation: row.text(0)?,
                clinic: row.text(1)?,
                cases: row.int(2)?,
                closed: row.int(3)?,
                abandoned: row.int(4)?,
                rated: row.int(5)?,
                rating_sum: row.int(6)?,
                referrals: row.int(7)?,
                arrived: row.int(8)?,
                suppressed: false,
            })
        })
        .collect()
}

/// All of them together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    pub cases: i64,
    /// Closed, and not because the visitor left.
    pub served: i64,
    pub abandoned: i64,
    pub rated: i64,
    /// Rated among the served ones.
    pub served_rated: i64,
    pub rating_sum: i64,
    pub answered: i64,
    /// Sum of all waits in microseconds, for the mean.
    pub wait_sum: f64,
    pub messages: i64,
    pub reasons: i64,
    pub bookings: i64,
    pub referrals: i64,
    pub arrived: i64,
}

/// A case whose worker came before its wait began, as for a message left overnight, has not waited.
const WAIT: &str = "CASE WHEN first_assigned_at > wait_from THEN first_assigned_at - wait_from ELSE 0 END";

pub async fn totals(db: &Scoped, filter: &Filter) -> Result<Totals> {
    let (clause, args) = filter.clause();
    let served = "closed_at IS NOT NULL AND NOT abandoned";
    let sql = format!(
        "SELECT COUNT(*), COUNT(CASE WHEN {served} THEN 1 END), COUNT(CASE WHEN abandoned THEN 1 END), \
         COUNT(CASE WHEN rating > 0 THEN 1 END), COUNT(CASE WHEN {served} AND rating > 0 THEN 1 END), \
         CAST(COALESCE(SUM(rating), 0) AS BIGINT), COUNT(first_assigned_at), \
         CAST(COALESCE(SUM(CASE WHEN first_assigned_at IS NULL THEN 0 ELSE {WAIT} END), 0) AS DOUBLE PRECISION), \
         CAST(COALESCE(SUM(messages), 0) AS BIGINT) FROM fact_case WHERE {clause}"
    );
    let Some(row) = db.rows(sql, args.clone()).await?.into_iter().next() else { return Ok(Totals::default()) };
    let one = async |sql: String| -> Result<i64> { first(&db.rows(sql, args.clone()).await?) };
    Ok(Totals {
        cases: row.int(0)?,
        served: row.int(1)?,
        abandoned: row.int(2)?,
        rated: row.int(3)?,
        served_rated: row.int(4)?,
        rating_sum: row.int(5)?,
        answered: row.int(6)?,
        wait_sum: row.get(7)?,
        messages: row.int(8)?,
        // Two organisations may use the same id for different reasons.
        reasons: one(format!(
            "SELECT COUNT(*) FROM (SELECT DISTINCT organisation, reason FROM fact_case WHERE {clause} AND reason <> '') AS reasons"
        ))
        .await?,
        bookings: one(format!("SELECT COUNT(*) FROM fact_booking WHERE case_id IN (SELECT case_id FROM fact_case WHERE {clause})")).await?,
        referrals: one(format!("SELECT COUNT(*) FROM fact_referral WHERE case_id IN (SELECT case_id FROM fact_case WHERE {clause})"))
            .await?,
        arrived: one(format!(
            "SELECT COUNT(*) FROM fact_referral WHERE arrived AND case_id IN (SELECT case_id FROM fact_case WHERE {clause})"
        ))
        .await?,
    })
}

/// By age in ascending order, unknown first.
pub async fn bands(db: &Scoped, filter: &Filter) -> Result<Vec<Band>> {
    let (clause, args) = filter.clause();
    let sql = format!("SELECT age_band, COUNT(*) FROM fact_case WHERE {clause} GROUP BY age_band ORDER BY age_band");
    let rows = db.rows(sql, args).await?;
    rows.iter()
        .map(|row| {
            let from = row.int(0)?;
            Ok(Band { from, to: if from < 0 { -1 } else { from + 9 }, cases: row.int(1)? })
        })
        .collect()
}

/// The wait at `place` (from 0) among the answered cases in ascending order, in microseconds; 0 if there is none.
pub async fn wait_at(db: &Scoped, filter: &Filter, place: i64) -> Result<i64> {
    let (clause, mut args) = filter.clause();
    let sql = format!(
        "SELECT {WAIT} AS wait FROM fact_case WHERE {clause} AND first_assigned_at IS NOT NULL ORDER BY wait LIMIT 1 OFFSET ${}",
        args.len() + 1
    );
    args.push(Val::from(place));
    first(&db.rows(sql, args).await?)
}

/// The one number of a count; 0 if there is none.
fn first(rows: &[Row]) -> Result<i64> {
    rows.first().map_or(Ok(0), |row| row.int(0))
}
