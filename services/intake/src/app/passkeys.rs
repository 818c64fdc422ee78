//! Passkeys: made by those who are in, and a way in from then on.

use kernel::error::Code;
use kernel::{Error, Id, Result};
use log::Scope;
use log::unit::{Once, kept_answer};
use proto::access::{
    self, AddPasskeyRequest, AddPasskeyResponse, ListPasskeysResponse, RemovePasskeyResponse, SignInWithPasskeyRequest,
    SignInWithPasskeyResponse,
};
use region::Invitations;
use rpc::Caller;
use rpc::caller::reply;
use runtime::Node;
use tonic::Response;

use crate::app::sessions::{self, Begin};
use crate::domain::passkey::{Asked, authenticator, goes_on, host, said_here};
use crate::store::passkeys::{self, Passkey};

/// Passkeys that somebody may have: one for each of their devices, and some more.
const MAX: usize = 20;
/// Bytes of a passkey's id (WebAuthn).
const MAX_CREDENTIAL: usize = 1023;

fn unknown() -> Error {
    Error::new(Code::PermissionDenied, "PASSKEY_UNKNOWN", "the passkey is not known here, was removed, or did not sign what it was asked")
}

fn allowed(node: &Node, organisation: &str) -> bool {
    node.region.get().organisation(organisation).is_some_and(|organisation| organisation.invitations != Invitations::Off)
}

/// What is wrong with the parts of a passkey, all of which a browser makes.
fn strange(field: &str) -> Error {
    Error::invalid(field, "is not what a browser makes that was asked by these pages for a passkey of P-256")
}

pub async fn add(node: &Node, caller: Caller, request: AddPasskeyRequest) -> Result<Response<AddPasskeyResponse>> {
    let point = auth::passkey_point(&request.public_key).ok_or_else(|| strange("public_key"))?;
    if !said_here(&request.client_data_json, Asked::ToMake, &auth::base64_url(&request.challenge), &request.origin) {
        return Err(strange("client_data_json"));
    }
    let name = auth::hash(host(&request.origin).as_bytes());
    let made = authenticator(&request.authenticator_data, &name).filter(|made| (1..=MAX_CREDENTIAL).contains(&made.credential.len()));
    let made = made.ok_or_else(|| strange("authenticator_data"))?;
    let (organisation, worker) = (caller.principal.organisation.clone(), caller.principal.id.clone());
    if !allowed(node, &organisation) {
        return Err(Error::precondition("NO_INVITATIONS", "the description of this organisation lets nobody in by passkey (invitations)"));
    }
    if passkeys::of_worker(&node.of(&caller), &organisation, &worker).await?.len() >= MAX {
        return Err(Error::new(Code::ResourceExhausted, "TOO_MANY_PASSKEYS", "remove one first"));
    }
    let new = Passkey {
        id: Id::new(node.now()),
        organisation,
        worker,
        credential: made.credential,
        point,
        count: i64::from(made.count),
        device: request.device,
        added_at: node.now(),
        used_at: None,
    };
    let id = new.id;
    let ((), receipt) = node
        .commit(id, caller.origin(), move |unit| {
            let new = new.clone();
            Box::pin(async move {
                if !passkeys::add(unit, &new).await? {
                    return Err(Error::new(Code::AlreadyExists, "PASSKEY_KNOWN", "this passkey is kept already"));
                }
                unit.audit(id, &Scope { organisation: new.organisation, ..Scope::default() });
                Ok(())
            })
        })
        .await?;
    Ok(reply("intake", AddPasskeyResponse { passkey_id: id.to_string() }, &receipt))
}

pub async fn list(node: &Node, caller: &Caller) -> Result<ListPasskeysResponse> {
    let found = passkeys::of_worker(&node.of(caller), &caller.principal.organisation, &caller.principal.id).await?;
    let one = |passkey: Passkey| access::Passkey {
        passkey_id: passkey.id.to_string(),
        device: passkey.device,
        added_at: Some(proto::timestamp(passkey.added_at)),
        used_at: passkey.used_at.map(proto::timestamp),
    };
    let allowed = allowed(node, &caller.principal.organisation);
    Ok(ListPasskeysResponse { passkeys: found.into_iter().map(one).collect(), allowed })
}

pub async fn remove(node: &Node, caller: Caller, once: Once, id: Id) -> Result<Response<RemovePasskeyResponse>> {
    if let Some(earlier) = kept_answer::<RemovePasskeyResponse>(node.of(&caller), &once).await? {
        return Ok(Response::new(earlier));
    }
    let ((), receipt) = node
        .commit(id, caller.origin(), move |unit| {
            let (once, organisation, worker) = (once.clone(), caller.principal.organisation.clone(), caller.principal.id.clone());
            Box::pin(async move {
                if !passkeys::remove(unit, &organisation, &worker, id).await? {
                    return Err(Error::not_found("passkey"));
                }
                unit.audit(id, &Scope { organisation, ..Scope::default() });
                unit.remember_answer(&once, &id.to_string(), &RemovePasskeyResponse {}).await
            })
        })
        .await?;
    Ok(reply("intake", RemovePasskeyResponse {}, &receipt))
}

pub async fn sign_in(node: &Node, caller: &Caller, request: SignInWithPasskeyRequest) -> Result<Response<SignInWithPasskeyResponse>> {
    let organisation = passkeys::organisation(&node.log.machinery(), &request.credential_id).await?.ok_or_else(unknown)?;
    let passkey = passkeys::by_credential(&node.db().of(&organisation), &request.credential_id).await?.ok_or_else(unknown)?;
    let name = auth::hash(host(&request.origin).as_bytes());
    let said = said_here(&request.client_data_json, Asked::ToSignIn, &auth::base64_url(&request.challenge), &request.origin);
    let signed = auth::passkey_signed(&passkey.point, &request.authenticator_data, &request.client_data_json, &request.signature);
    let there = authenticator(&request.authenticator_data, &name).filter(|there| goes_on(passkey.count, there.count));
    let there = there.filter(|_| said && signed).ok_or_else(unknown)?;
    let region = node.region.get();
    let organisation = region.organisation(&organisation).filter(|one| one.invitations != Invitations::Off).ok_or_else(unknown)?;
    let worker = organisation.worker(&passkey.worker).ok_or_else(unknown)?;
    let id = passkey.id;
    node.commit(id, caller.origin().of(&organisation.id), move |unit| {
        let passkey = passkey.clone();
        Box::pin(async move {
            // Of two uses of a copied one at once, one comes first.
            if passkeys::used(unit, &passkey, there.count).await? { Ok(()) } else { Err(unknown()) }
        })
    })
    .await?;
    let principal = sessions::principal(&organisation.id, worker, true);
    let begin = Begin { principal, way: "passkey".to_owned(), device: request.device };
    let (session, receipt) = sessions::begin(node, caller, begin).await?;
    Ok(reply("intake", SignInWithPasskeyResponse { session: Some(session) }, &receipt))
}
