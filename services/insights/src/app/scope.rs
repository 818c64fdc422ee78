//! Which cases a caller may have figures of.

use auth::Reach;
use kernel::error::Violations;
use kernel::{Error, Result, Time};
use proto::insights::GetReportRequest;
use region::Region;
use rpc::Caller;

use crate::store::report::Filter;

/// The cases that `request` means. What is out of the caller's reach reads as if it did not exist.
pub fn filter(caller: &Caller, region: &Region, request: &GetReportRequest) -> Result<Filter> {
    let mut wrong = Violations::default();
    wrong.optional_text("organisation_id", &request.organisation_id, 64);
    wrong.optional_text("clinic_id", &request.clinic_id, 64);
    let mut time = |field, stamp, absent| match proto::from_timestamp(field, stamp) {
        Ok(time) => time.unwrap_or(absent),
        Err(error) => {
            error.violations.into_iter().for_each(|violation| wrong.add(violation.field, violation.description));
            absent
        }
    };
    let (from, to) = (time("from", request.from.as_ref(), Time::ZERO), time("to", request.to.as_ref(), Time::MAX));
    wrong.check(from <= to, "to", "must not lie before `from`");
    wrong.done()?;
    let reach = caller.reach()?;
    let organisation = organisation(caller, reach, region, &request.organisation_id)?;
    let clinics = clinics(caller, reach, region, &organisation, &request.clinic_id)?;
    Ok(Filter { organisation, clinics, without: Vec::new(), from, to })
}

/// Empty: the whole region.
fn organisation(caller: &Caller, reach: Reach, region: &Region, asked: &str) -> Result<String> {
    let own = &caller.principal.organisation;
    let found = match reach {
        Reach::Region => asked.is_empty() || region.organisation(asked).is_some(),
        // Somebody of no organisation must not pass for the operator.
        _ => !own.is_empty() && (asked.is_empty() || asked == own),
    };
    match (found, reach) {
        (false, _) => Err(Error::not_found("organisation")),
        (true, Reach::Region) => Ok(asked.to_owned()),
        (true, _) => Ok(own.clone()),
    }
}

/// None: all clinics of the organisation.
fn clinics(caller: &Caller, reach: Reach, region: &Region, organisation: &str, asked: &str) -> Result<Option<Vec<String>>> {
    let whole = matches!(reach, Reach::Region | Reach::Organisation);
    if asked.is_empty() {
        return Ok((!whole).then(|| caller.principal.clinics.clone()));
    }
    let found = if whole {
        region.clinic(asked).is_some_and(|(its, _)| organisation.is_empty() || its.id == organisation)
    } else {
        caller.principal.clinics.iter().any(|clinic| clinic == asked)
    };
    if found { Ok(Some(vec![asked.to_owned()])) } else { Err(Error::not_found("clinic")) }
}
