//! Codes by e-mail. Whose an address is, is asked only when the mail is written and when a code was right: until then a stranger's request
//! and a worker's are the same work, so that neither words nor time tell them apart.

use std::time::Duration;

use auth::token_hash;
use kernel::error::Code as Kind;
use kernel::{Error, Id, Language, Result};
use log::Scope;
use proto::access::{AccessMailKind, GetAccessMailResponse, RequestCodeResponse, SignInWithCodeRequest, SignInWithCodeResponse};
use region::{Invitations, Organisation, Region, Worker};
use rpc::Caller;
use rpc::caller::reply;
use runtime::Node;
use tonic::Response;

use crate::app::invitations::{self, mail_due};
use crate::app::sessions::{self, Begin};
use crate::app::sign_in::choice;
use crate::domain::code::{LIFE, PER_DAY, PER_HOUR, TRIES, digits, folded, typed};
use crate::store::ways_in::{self, Code};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// What an address is looked for by.
pub fn address_hash(node: &Node, email: &str) -> Vec<u8> {
    node.platform.secret.derive("staff address", &[&folded(email)]).to_vec()
}

/// The code with this id.
fn code(node: &Node, id: Id) -> String {
    digits(&node.platform.secret.derive("sign-in code", &[&id.to_string()]))
}

/// Who an address lets in, as the region is now.
async fn owners<'r>(node: &Node, region: &'r Region, hash: &[u8]) -> Result<Vec<(&'r Organisation, &'r Worker)>> {
    let found = ways_in::owners(&node.log.machinery(), hash).await?;
    let known = |(organisation, worker): &(String, String)| {
        let organisation = region.organisation(organisation).filter(|one| one.invitations != Invitations::Off)?;
        Some((organisation, organisation.worker(worker)?))
    };
    Ok(found.iter().filter_map(known).collect())
}

pub async fn request(node: &Node, caller: &Caller, email: &str, language: Option<Language>) -> Result<Response<RequestCodeResponse>> {
    let id = Id::new(node.now());
    let token = node.platform.secret.token("sign-in code of a browser", &[&id.to_string()]);
    let new = Code {
        id,
        address_hash: address_hash(node, email),
        language: language.map(|language| language.code().to_owned()).unwrap_or_default(),
        expires_at: node.now() + LIFE,
    };
    let (until, hash) = (new.expires_at, token_hash(&token));
    let ((), receipt) = node
        .commit(id, caller.origin().of(""), move |unit| {
            let (new, hash) = (new.clone(), hash.clone());
            Box::pin(async move {
                unit.audit(id, &Scope::default());
                let asked = &new.address_hash;
                let enough = ways_in::codes_since(unit, asked, unit.now - HOUR).await? >= PER_HOUR
                    || ways_in::codes_since(unit, asked, unit.now - DAY).await? >= PER_DAY;
                // Whoever asks for more gets none, and no other word than anybody.
                if enough {
                    return Ok(());
                }
                ways_in::add_code(unit, &new, hash, unit.now - DAY).await?;
                mail_due(unit, id, "")
            })
        })
        .await?;
    Ok(reply("intake", RequestCodeResponse { code_token: token, expires_at: Some(proto::timestamp(until)) }, &receipt))
}

fn wrong() -> Error {
    Error::new(Kind::PermissionDenied, "CODE_WRONG", "the code is not that of the last mail; look again, or ask for a new one")
}

fn over() -> Error {
    Error::precondition("CODE_OVER", "the code was used, tried too often, or is too old; ask for a new one")
}

pub async fn sign_in(node: &Node, caller: &Caller, request: SignInWithCodeRequest) -> Result<Response<SignInWithCodeResponse>> {
    let asked = ways_in::code_of_browser(&node.db().of(""), &token_hash(&request.code_token)).await?.ok_or_else(over)?;
    let id = asked.id;
    let region = node.region.get();
    let owners = owners(node, &region, &asked.address_hash).await?;
    let mut chosen = owners.iter().filter(|(organisation, worker)| {
        request.worker_id.is_empty() || (organisation.id == request.organisation_id && worker.id == request.worker_id)
    });
    // A code for an address that is nobody's is never right.
    let (first, second) = (chosen.next(), chosen.next());
    let right = auth::same(typed(&request.code).as_bytes(), code(node, id).as_bytes()) && first.is_some();
    let ends = right && second.is_none();
    let rpc = caller.rpc;
    // The try counts, whatever comes of it.
    let (open, _) = node
        .commit(id, caller.origin().of(""), move |unit| {
            Box::pin(async move {
                let open = ways_in::try_code(unit, id, TRIES, !right, ends).await?;
                let came = if open && right {
                    "right"
                } else if open {
                    "wrong"
                } else {
                    "over"
                };
                unit.origin.action = format!("{rpc} ({came})");
                unit.audit(id, &Scope::default());
                Ok(open)
            })
        })
        .await?;
    if !open {
        return Err(over());
    }
    let Some((organisation, worker)) = first.filter(|_| right) else { return Err(wrong()) };
    if second.is_some() {
        let choices = owners.iter().map(|(organisation, worker)| choice(organisation, worker)).collect();
        return Ok(Response::new(SignInWithCodeResponse { session: None, choices }));
    }
    let principal = sessions::principal(&organisation.id, worker, true);
    let begin = Begin { principal, way: "code".to_owned(), device: request.device };
    let (session, receipt) = sessions::begin(node, caller, begin).await?;
    Ok(reply("intake", SignInWithCodeResponse { session: Some(session), choices: Vec::new() }, &receipt))
}

/// What a mail is to say: the invitation's or the code's, as long as it stands and there is somebody whom it is for.
pub async fn mail(node: &Node, organisation_id: &str, id: Id) -> Result<GetAccessMailResponse> {
    let gone = || Error::not_found("mail");
    let region = node.region.get();
    if !organisation_id.is_empty() {
        let found = ways_in::by_id(&node.db().of(organisation_id), id).await?.filter(|found| found.expires_at > node.now());
        let found = found.ok_or_else(gone)?;
        return Ok(GetAccessMailResponse {
            email: found.email,
            language: found.language,
            kind: AccessMailKind::Invitation.into(),
            secret: invitations::path(node, id),
            organisation_id: found.organisation,
        });
    }
    let asked = ways_in::code_to_send(&node.db().of(""), id, node.now()).await?.ok_or_else(gone)?;
    let owners = owners(node, &region, &asked.address_hash).await?;
    let (organisation, worker) = owners.first().ok_or_else(gone)?;
    let email = ways_in::address_of(&node.db().of(&organisation.id), &organisation.id, &worker.id).await?.ok_or_else(gone)?;
    let language = if asked.language.is_empty() { organisation.default_language().code().to_owned() } else { asked.language };
    Ok(GetAccessMailResponse {
        email,
        language,
        kind: AccessMailKind::Code.into(),
        secret: code(node, id),
        organisation_id: organisation.id.clone(),
    })
}
