//! Invitations: whom a leader or an operator lets in, by a link that works once.

use std::time::Duration;

use auth::{Principal, Resource, Role, token_hash};
use kernel::error::Code;
use kernel::{Error, Id, Language, Result};
use log::unit::{Once, kept_answer};
use log::{Origin, Receipt, Scope, Unit};
use proto::access::{
    AcceptInvitationRequest, AcceptInvitationResponse, GetInvitationResponse, InviteWorkerRequest, InviteWorkerResponse,
    ListStaffAccessResponse, RemoveAccessResponse, StaffAccess, WithdrawInvitationResponse,
};
use proto::intake::AccessMailDue;
use proto::log::ActorKind;
use region::{Invitations, Organisation, Worker};
use rpc::Caller;
use rpc::caller::reply;
use runtime::Node;
use tonic::Response;

use crate::app::codes;
use crate::app::sessions::{self, Begin, kind};
use crate::domain::code::masked;
use crate::store::ways_in::{self, Invitation};
use crate::store::{passkeys, tokens};

/// How long an invitation stands.
const LIFE: Duration = Duration::from_secs(7 * 86_400);
/// Invitations that the leaders of an organisation may send in an hour: nobody's mailbox is theirs to fill.
const PER_HOUR: u32 = 100;
const HOUR: Duration = Duration::from_secs(3600);

/// Path of an invitation's link on the pages.
pub fn path(node: &Node, id: Id) -> String {
    format!("/invitation/{}", token(node, id))
}

/// The token that an invitation's link holds.
fn token(node: &Node, id: Id) -> String {
    node.platform.secret.token("invitation", &[&id.to_string()])
}

fn gone() -> Error {
    Error::not_found("invitation")
}

/// Whether this caller may say how this worker comes in: all of the worker's clinics must be theirs.
fn may(caller: &Caller, organisation: &Organisation, worker: &Worker) -> Result<()> {
    let whole = Resource { organisation: &organisation.id, ..Resource::default() };
    if worker.clinics.is_empty() {
        return caller.check("worker", &whole);
    }
    for clinic in &worker.clinics {
        caller.check("worker", &Resource { clinic, ..whole.clone() })?;
    }
    Ok(())
}

pub async fn invite(
    node: &Node,
    caller: Caller,
    once: Once,
    request: InviteWorkerRequest,
    language: Option<Language>,
) -> Result<Response<InviteWorkerResponse>> {
    let region = node.region.get();
    let (organisation, worker) = region.worker(&request.worker_id).ok_or_else(|| Error::not_found("worker"))?;
    may(&caller, organisation, worker)?;
    if organisation.invitations == Invitations::Off {
        return Err(Error::precondition(
            "NO_INVITATIONS",
            "the description of this organisation lets nobody in by invitation (invitations)",
        ));
    }
    let email = if request.email.trim().is_empty() { worker.email.clone() } else { request.email.trim().to_owned() };
    if email.is_empty() {
        return Err(Error::invalid("email", "is needed: the description has no address for this worker"));
    }
    let operator = caller.role() == Role::Operator;
    let pages = organisation.mail.public_url.trim_end_matches('/').to_owned();
    // A mail without a link helps nobody; an operator hands the link over.
    if pages.is_empty() && !operator {
        return Err(Error::precondition("NO_PUBLIC_URL", "the description does not say where the pages are (mail.public_url)"));
    }
    if !operator {
        let allowed = node.platform.ephemeral.allow(&format!("invite:{}", organisation.id), PER_HOUR, HOUR).await;
        allowed.map_err(|wait| {
            Error::new(Code::ResourceExhausted, "TOO_MANY_INVITATIONS", format!("too many; wait {} seconds", wait.as_secs().max(1)))
        })?;
    }
    let by_hand = operator && request.without_mail;
    let mailed = !pages.is_empty() && !by_hand;
    let new = Invitation {
        id: Id::new(node.now()),
        organisation: organisation.id.clone(),
        worker: worker.id.clone(),
        email,
        language: language.unwrap_or_else(|| organisation.default_language()).code().to_owned(),
        expires_at: node.now() + LIFE,
    };
    let by = caller.principal.key();
    let node_of = node.clone();
    let (answer, receipt): (InviteWorkerResponse, Receipt) = node
        .commit(new.id, caller.origin().of(&new.organisation), move |unit| {
            let (once, new, by, node) = (once.clone(), new.clone(), by.clone(), node_of.clone());
            Box::pin(async move {
                if let Some(earlier) = unit.earlier_answer::<InviteWorkerResponse>(&once).await? {
                    return Ok(earlier);
                }
                ways_in::invite(unit, &new, token_hash(&token(&node, new.id)), &by).await?;
                if mailed {
                    mail_due(unit, new.id, &new.organisation)?;
                }
                let answer = InviteWorkerResponse {
                    invitation_id: new.id.to_string(),
                    expires_at: Some(proto::timestamp(new.expires_at)),
                    link: String::new(),
                    mailed,
                };
                unit.audit(new.id, &Scope { organisation: new.organisation, ..Scope::default() });
                unit.remember_answer(&once, &new.id.to_string(), &answer).await?;
                Ok(answer)
            })
        })
        .await?;
    // Derived again, never stored.
    let link = if operator { pages + &path(node, Id::parse("invitation_id", &answer.invitation_id)?) } else { String::new() };
    Ok(reply("intake", InviteWorkerResponse { link, ..answer }, &receipt))
}

/// A mail is to be sent; to whom and what it says is asked for when it is.
pub fn mail_due(unit: &mut Unit<'_>, id: Id, organisation: &str) -> Result<()> {
    let scope = Scope { organisation: organisation.to_owned(), ..Scope::default() };
    unit.emit(id, &scope, &AccessMailDue { mail_id: id.to_string() })
}

pub async fn list(node: &Node, caller: &Caller, organisation_id: &str) -> Result<ListStaffAccessResponse> {
    let wanted = if organisation_id.is_empty() { caller.principal.organisation.as_str() } else { organisation_id };
    let missing = || Error::not_found("organisation");
    if caller.role() != Role::Operator && wanted != caller.principal.organisation {
        return Err(missing());
    }
    let region = node.region.get();
    let organisation = region.organisation(wanted).ok_or_else(missing)?;
    let db = node.db().of(&organisation.id);
    let invitations = ways_in::standing(&db, &organisation.id, node.now()).await?;
    let addresses = ways_in::addresses(&db, &organisation.id).await?;
    let passkeys = passkeys::counts(&db, &organisation.id).await?;
    let one = |worker: &Worker| {
        let invitation = invitations.iter().find(|one| one.worker == worker.id);
        let address = addresses.iter().find(|one| one.worker == worker.id);
        StaffAccess {
            worker_id: worker.id.clone(),
            display_name: worker.name.clone(),
            kind: kind(worker.role).into(),
            email: address.map(|one| one.email.clone()).unwrap_or_default(),
            since: address.map(|one| proto::timestamp(one.since)),
            described_email: worker.email.clone(),
            providers: worker.sign_in.iter().map(|name| name.provider.clone()).collect(),
            invitation_id: invitation.map(|one| one.id.to_string()).unwrap_or_default(),
            invited_email: invitation.map(|one| one.email.clone()).unwrap_or_default(),
            invitation_expires_at: invitation.map(|one| proto::timestamp(one.expires_at)),
            passkeys: passkeys.iter().find(|(id, _)| *id == worker.id).map_or(0, |(_, count)| *count),
        }
    };
    let mut staff: Vec<StaffAccess> =
        organisation.workers.iter().filter(|worker| may(caller, organisation, worker).is_ok()).map(one).collect();
    staff.sort_by(|a, b| (&a.display_name, &a.worker_id).cmp(&(&b.display_name, &b.worker_id)));
    let scope = Scope { organisation: organisation.id.clone(), ..Scope::default() };
    node.log_read(caller, vec![(Id::derived(&[b"list", organisation.id.as_bytes()]), scope)]).await?;
    Ok(ListStaffAccessResponse { staff, invitations: organisation.invitations != Invitations::Off })
}

pub async fn withdraw(node: &Node, caller: Caller, once: Once, id: Id) -> Result<Response<WithdrawInvitationResponse>> {
    if let Some(earlier) = kept_answer::<WithdrawInvitationResponse>(node.of(&caller), &once).await? {
        return Ok(Response::new(earlier));
    }
    let organisation = ways_in::organisation_of_invitation(&node.log.machinery(), id).await?.ok_or_else(gone)?;
    let found = ways_in::by_id(&node.db().of(&organisation), id).await?.ok_or_else(gone)?;
    let region = node.region.get();
    let organisation = region.organisation(&organisation).ok_or_else(gone)?;
    match organisation.worker(&found.worker) {
        Some(worker) => may(&caller, organisation, worker).map_err(|_| gone())?,
        // Nobody's clinic's any more: whoever reaches the whole organisation may.
        None => caller.check("invitation", &Resource { organisation: &organisation.id, ..Resource::default() })?,
    }
    let ((), receipt) = node
        .commit(id, caller.origin().of(&organisation.id), move |unit| {
            let (once, organisation) = (once.clone(), found.organisation.clone());
            Box::pin(async move {
                if unit.earlier_answer::<WithdrawInvitationResponse>(&once).await?.is_some() {
                    return Ok(());
                }
                // One that was taken up in between, or whose time is over, is as gone as it should be.
                ways_in::end_invitation(unit, id).await?;
                unit.audit(id, &Scope { organisation, ..Scope::default() });
                unit.remember_answer(&once, &id.to_string(), &WithdrawInvitationResponse {}).await
            })
        })
        .await?;
    Ok(reply("intake", WithdrawInvitationResponse {}, &receipt))
}

/// Takes away how somebody comes in, and what they have open.
pub async fn remove(node: &Node, caller: Caller, worker_id: &str) -> Result<Response<RemoveAccessResponse>> {
    let region = node.region.get();
    let (organisation, worker) = region.worker(worker_id).ok_or_else(|| Error::not_found("worker"))?;
    may(&caller, organisation, worker)?;
    let principal = sessions::principal(&organisation.id, worker, true);
    let key = Id::derived(&[b"access", principal.organisation.as_bytes(), principal.id.as_bytes()]);
    let (ended, receipt) = node
        .commit(key, caller.origin().of(&organisation.id), move |unit| {
            let principal = principal.clone();
            Box::pin(async move {
                ways_in::remove(unit, &principal.organisation, &principal.id).await?;
                let ended = tokens::end_sessions(unit, &principal, Vec::new()).await?;
                unit.audit(key, &Scope { organisation: principal.organisation, ..Scope::default() });
                Ok(ended)
            })
        })
        .await?;
    Ok(reply("intake", RemoveAccessResponse { ended: u32::try_from(ended).unwrap_or(u32::MAX) }, &receipt))
}

/// Somebody works here no more: if they are ever brought back, they come in anew.
pub async fn left(unit: &mut Unit<'_>, organisation: &str, worker: &str) -> Result<()> {
    ways_in::remove(unit, organisation, worker).await?;
    let owner = Principal { role: Role::Worker, id: worker.to_owned(), organisation: organisation.to_owned(), clinics: Vec::new() };
    tokens::end_sessions(unit, &owner, Vec::new()).await?;
    Ok(())
}

/// The invitation of a link, if it stands.
async fn find(node: &Node, given: &str) -> Result<Invitation> {
    let hash = token_hash(given);
    let organisation = ways_in::organisation_of_link(&node.log.machinery(), &hash).await?.ok_or_else(gone)?;
    ways_in::by_link(&node.db().of(&organisation), &hash, node.now()).await?.ok_or_else(gone)
}

/// Whom an invitation invites as the region is now.
fn whom<'r>(region: &'r region::Region, found: &Invitation) -> Result<(&'r Organisation, &'r Worker)> {
    let allows = |organisation: &&Organisation| organisation.invitations != Invitations::Off;
    let organisation = region.organisation(&found.organisation).filter(allows).ok_or_else(gone)?;
    Ok((organisation, organisation.worker(&found.worker).ok_or_else(gone)?))
}

pub async fn get(node: &Node, given: &str) -> Result<GetInvitationResponse> {
    let found = find(node, given).await?;
    let region = node.region.get();
    let (organisation, worker) = whom(&region, &found)?;
    Ok(GetInvitationResponse {
        display_name: worker.name.clone(),
        organisation_name: organisation.name.clone(),
        kind: kind(worker.role).into(),
        clinic_names: worker.clinics.iter().filter_map(|id| Some(organisation.clinic(id)?.name.clone())).collect(),
        masked_email: masked(&found.email),
        expires_at: Some(proto::timestamp(found.expires_at)),
    })
}

pub async fn accept(node: &Node, caller: &Caller, request: AcceptInvitationRequest) -> Result<Response<AcceptInvitationResponse>> {
    let found = find(node, &request.invitation_token).await?;
    let region = node.region.get();
    let (organisation, worker) = whom(&region, &found)?;
    let principal = sessions::principal(&organisation.id, worker, true);
    let origin = Origin {
        actor: ActorKind::Worker,
        principal_kind: principal.role.code(),
        principal_id: principal.id.clone(),
        ..caller.origin().of(&principal.organisation)
    };
    let (invitation, owner, hash) = (found.clone(), principal.clone(), codes::address_hash(node, &found.email));
    node.commit(found.id, origin, move |unit| {
        let (found, owner, hash) = (invitation.clone(), owner.clone(), hash.clone());
        Box::pin(async move {
            // Of two who use a link at once, one comes first.
            if !ways_in::end_invitation(unit, found.id).await? {
                return Err(gone());
            }
            let before = ways_in::set_address(unit, &found, hash).await?;
            // Whoever came in by another address is somebody else now.
            if before.is_some_and(|before| before != found.email) {
                passkeys::remove_all(unit, &owner.organisation, &owner.id).await?;
                tokens::end_sessions(unit, &owner, Vec::new()).await?;
            }
            unit.audit(found.id, &Scope { organisation: found.organisation, ..Scope::default() });
            Ok(())
        })
    })
    .await?;
    let begin = Begin { principal, way: "invitation".to_owned(), device: request.device };
    let (session, receipt) = sessions::begin(node, caller, begin).await?;
    Ok(reply("intake", AcceptInvitationResponse { session: Some(session) }, &receipt))
}
