//! The way of a clinic to being live: trained, configured, tested, live; who said so and when.

use std::collections::BTreeSet;

use auth::{Resource, Role};
use kernel::error::Violations;
use kernel::{Error, Id, Result};
use log::{Receipt, Scope};
use proto::intake::{ClinicRollout, ListRolloutResponse, RolloutDone, RolloutStep, SetRolloutStepRequest, SetRolloutStepResponse};
use region::{Clinic, Organisation};
use rpc::Caller;
use store::Scoped;

use crate::app::App;
use crate::store::rollout::{self, Done};

pub async fn list(app: &App, caller: &Caller) -> Result<ListRolloutResponse> {
    let region = app.node.region.get();
    let mut clinics = Vec::new();
    for organisation in &region.organisations {
        let mine = |clinic: &&Clinic| {
            caller.role() == Role::Operator
                || (caller.principal.organisation == organisation.id && caller.principal.clinics.contains(&clinic.id))
        };
        let shown: Vec<&Clinic> = organisation.clinics.iter().filter(mine).collect();
        if shown.is_empty() {
            continue;
        }
        let done = rollout::list(&app.node.of(caller), &organisation.id).await?;
        for clinic in shown {
            clinics.push(of(&app.node.of(caller), organisation, clinic, &done).await?);
        }
    }
    Ok(ListRolloutResponse { clinics })
}

async fn of(db: &Scoped, organisation: &Organisation, clinic: &Clinic, done: &[Done]) -> Result<ClinicRollout> {
    let practised = rollout::practised(db, &organisation.id, &clinic.id).await?;
    Ok(ClinicRollout {
        organisation_id: organisation.id.clone(),
        clinic_id: clinic.id.clone(),
        clinic_name: clinic.name.clone(),
        done: done
            .iter()
            .filter(|one| one.clinic == clinic.id)
            .map(|one| RolloutDone { step: one.step, set_by: one.set_by.clone(), set_at: Some(proto::timestamp(one.set_at)) })
            .collect(),
        practice_cases: practised.cases,
        practised_workers: practised.workers,
        entry_points: organisation.entry_points.iter().filter(|door| door.clinic == clinic.id).count() as u32,
    })
}

pub async fn set(app: &App, caller: &Caller, request: SetRolloutStepRequest) -> Result<(SetRolloutStepResponse, Receipt)> {
    let once = caller.once(&request.request_id, &request)?;
    let mut violations = Violations::default();
    violations.text("clinic_id", &request.clinic_id, 64);
    let step = RolloutStep::try_from(request.step).unwrap_or_default();
    violations.check(step != RolloutStep::Unspecified, "step", "must be trained, configured, tested or live");
    violations.done()?;
    let region = app.node.region.get();
    let (organisation, clinic) = region.clinic(&request.clinic_id).ok_or_else(|| Error::not_found("clinic"))?;
    caller.check("clinic", &Resource { organisation: &organisation.id, clinic: &clinic.id, ..Resource::default() })?;
    let scope = Scope { organisation: organisation.id.clone(), clinic: clinic.id.clone(), practice: false };
    let key = Id::derived(&[b"rollout", clinic.id.as_bytes()]);
    let (by, done) = (caller.principal.id.clone(), request.done);
    let (_, receipt) = app
        .node
        .commit(key, caller.origin().of(&organisation.id), move |unit| {
            let (once, scope, by) = (once.clone(), scope.clone(), by.clone());
            Box::pin(async move {
                if unit.earlier_answer::<SetRolloutStepResponse>(&once).await?.is_some() {
                    return Ok(());
                }
                let steps: BTreeSet<i32> = rollout::steps(unit, &scope.organisation, &scope.clinic).await?.into_iter().collect();
                let before = [RolloutStep::Trained, RolloutStep::Configured, RolloutStep::Tested];
                if done && step == RolloutStep::Live && !before.iter().all(|one| steps.contains(&i32::from(*one))) {
                    return Err(Error::precondition("NOT_READY", "a clinic goes live once it is trained, configured and tested"));
                }
                if !done && step != RolloutStep::Live && steps.contains(&i32::from(RolloutStep::Live)) {
                    return Err(Error::precondition("CLINIC_LIVE", "the clinic is live; take that back first"));
                }
                if done {
                    rollout::set(unit, &scope.organisation, &scope.clinic, step.into(), &by).await?;
                } else {
                    rollout::unset(unit, &scope.organisation, &scope.clinic, step.into()).await?;
                }
                unit.audit(key, &scope);
                unit.remember_answer(&once, "", &SetRolloutStepResponse::default()).await
            })
        })
        .await?;
    let done = rollout::list(&app.node.of(caller), &organisation.id).await?;
    Ok((SetRolloutStepResponse { rollout: Some(of(&app.node.of(caller), organisation, clinic, &done).await?) }, receipt))
}
