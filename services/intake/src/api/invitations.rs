//! Invitations and codes: what each call checks, before `app::invitations` and `app::codes` do it.

use kernel::error::{Code, Violations};
use kernel::{Error, Language, Result};
use proto::access::invitation_service_server::InvitationService;
use proto::access::{
    AcceptInvitationRequest, AcceptInvitationResponse, GetAccessMailRequest, GetAccessMailResponse, GetInvitationRequest,
    GetInvitationResponse, GetWaysInRequest, GetWaysInResponse, InviteWorkerRequest, InviteWorkerResponse, ListStaffAccessRequest,
    ListStaffAccessResponse, RemoveAccessRequest, RemoveAccessResponse, RequestCodeRequest, RequestCodeResponse, SignInWithCodeRequest,
    SignInWithCodeResponse, WithdrawInvitationRequest, WithdrawInvitationResponse,
};
use rpc::{Answer, Caller, caller, status};
use runtime::Node;
use tonic::{Request, Response};

use crate::app::sessions::{MAX_DEVICE, pages_only};
use crate::app::{codes, invitations};

const MAX_ID: usize = 128;
const MAX_EMAIL: usize = 254;
/// Bytes of a link's or a browser's token, and of a code as somebody types it.
const MAX_TOKEN: usize = 128;
const MAX_CODE: usize = 32;
/// The service that sends mails.
const MAILS: &str = "notifications";

pub struct Invitations {
    pub node: Node,
}

fn language(violations: &mut Violations, code: &str) -> Option<Language> {
    let language = Language::from_code(code);
    violations.check(language.is_some() || code.is_empty(), "language", "must be sv, nb, nn or en");
    language
}

fn address(violations: &mut Violations, email: &str) {
    violations.optional_text("email", email, MAX_EMAIL);
    violations.check(region::is_address(email.trim()), "email", "is no e-mail address such as kim@example.org");
}

impl Invitations {
    async fn invite(&self, caller: Caller, request: InviteWorkerRequest) -> Result<Response<InviteWorkerResponse>> {
        let mut violations = Violations::default();
        violations.text("worker_id", &request.worker_id, MAX_ID);
        if !request.email.is_empty() {
            address(&mut violations, &request.email);
        }
        let language = language(&mut violations, &request.language);
        violations.done()?;
        let once = caller.once(&request.request_id, &request)?;
        invitations::invite(&self.node, caller, once, request, language).await
    }

    async fn list(&self, caller: &Caller, request: ListStaffAccessRequest) -> Result<ListStaffAccessResponse> {
        let mut violations = Violations::default();
        violations.optional_text("organisation_id", &request.organisation_id, MAX_ID);
        let named = !request.organisation_id.is_empty() || !caller.principal.organisation.is_empty();
        violations.check(named, "organisation_id", "is required");
        violations.done()?;
        invitations::list(&self.node, caller, &request.organisation_id).await
    }

    async fn withdraw(&self, caller: Caller, request: WithdrawInvitationRequest) -> Result<Response<WithdrawInvitationResponse>> {
        let mut violations = Violations::default();
        let id = violations.id("invitation_id", &request.invitation_id);
        violations.done()?;
        let once = caller.once(&request.request_id, &request)?;
        invitations::withdraw(&self.node, caller, once, id).await
    }

    async fn remove(&self, caller: Caller, request: RemoveAccessRequest) -> Result<Response<RemoveAccessResponse>> {
        let mut violations = Violations::default();
        violations.text("worker_id", &request.worker_id, MAX_ID);
        violations.done()?;
        // Taking away twice is harmless, so only the id's form matters.
        caller.once(&request.request_id, &request)?;
        invitations::remove(&self.node, caller, &request.worker_id).await
    }

    /// Only an organisation that lets people in so makes the pages offer it.
    fn ways(&self, caller: &Caller) -> Result<GetWaysInResponse> {
        pages_only(caller)?;
        let codes = self.node.region.get().organisations.iter().any(|one| one.invitations != region::Invitations::Off);
        Ok(GetWaysInResponse { codes })
    }

    async fn get(&self, caller: &Caller, request: GetInvitationRequest) -> Result<GetInvitationResponse> {
        let mut violations = Violations::default();
        violations.text("invitation_token", &request.invitation_token, MAX_TOKEN);
        violations.done()?;
        pages_only(caller)?;
        invitations::get(&self.node, &request.invitation_token).await
    }

    async fn accept(&self, caller: &Caller, request: AcceptInvitationRequest) -> Result<Response<AcceptInvitationResponse>> {
        let mut violations = Violations::default();
        violations.text("invitation_token", &request.invitation_token, MAX_TOKEN);
        violations.optional_text("device", &request.device, MAX_DEVICE);
        violations.done()?;
        pages_only(caller)?;
        invitations::accept(&self.node, caller, request).await
    }

    async fn code(&self, caller: &Caller, request: RequestCodeRequest) -> Result<Response<RequestCodeResponse>> {
        let mut violations = Violations::default();
        address(&mut violations, &request.email);
        let language = language(&mut violations, &request.language);
        violations.done()?;
        pages_only(caller)?;
        codes::request(&self.node, caller, &request.email, language).await
    }

    async fn with_code(&self, caller: &Caller, request: SignInWithCodeRequest) -> Result<Response<SignInWithCodeResponse>> {
        let mut violations = Violations::default();
        violations.text("code_token", &request.code_token, MAX_TOKEN);
        violations.text("code", &request.code, MAX_CODE);
        violations.optional_text("organisation_id", &request.organisation_id, MAX_ID);
        violations.optional_text("worker_id", &request.worker_id, MAX_ID);
        violations.optional_text("device", &request.device, MAX_DEVICE);
        violations.done()?;
        pages_only(caller)?;
        codes::sign_in(&self.node, caller, request).await
    }

    async fn mail(&self, caller: &Caller, request: GetAccessMailRequest) -> Result<GetAccessMailResponse> {
        let mut violations = Violations::default();
        let id = violations.id("mail_id", &request.mail_id);
        violations.optional_text("organisation_id", &request.organisation_id, MAX_ID);
        violations.done()?;
        let mail = codes::mail(&self.node, &request.organisation_id, id).await?;
        // Another service that is broken into must not come in by it.
        if caller.principal.id != MAILS {
            return Err(Error::new(Code::PermissionDenied, "NOT_ALLOWED", "only notifications sends mails"));
        }
        Ok(mail)
    }
}

#[tonic::async_trait]
impl InvitationService for Invitations {
    async fn invite_worker(&self, request: Request<InviteWorkerRequest>) -> Answer<InviteWorkerResponse> {
        let caller = caller(&request).map_err(status)?;
        self.invite(caller, request.into_inner()).await.map_err(status)
    }

    async fn list_staff_access(&self, request: Request<ListStaffAccessRequest>) -> Answer<ListStaffAccessResponse> {
        let caller = caller(&request).map_err(status)?;
        self.list(&caller, request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn withdraw_invitation(&self, request: Request<WithdrawInvitationRequest>) -> Answer<WithdrawInvitationResponse> {
        let caller = caller(&request).map_err(status)?;
        self.withdraw(caller, request.into_inner()).await.map_err(status)
    }

    async fn remove_access(&self, request: Request<RemoveAccessRequest>) -> Answer<RemoveAccessResponse> {
        let caller = caller(&request).map_err(status)?;
        self.remove(caller, request.into_inner()).await.map_err(status)
    }

    async fn get_ways_in(&self, request: Request<GetWaysInRequest>) -> Answer<GetWaysInResponse> {
        let caller = caller(&request).map_err(status)?;
        self.ways(&caller).map(Response::new).map_err(status)
    }

    async fn get_invitation(&self, request: Request<GetInvitationRequest>) -> Answer<GetInvitationResponse> {
        let caller = caller(&request).map_err(status)?;
        self.get(&caller, request.into_inner()).await.map(Response::new).map_err(status)
    }

    async fn accept_invitation(&self, request: Request<AcceptInvitationRequest>) -> Answer<AcceptInvitationResponse> {
        let caller = caller(&request).map_err(status)?;
        self.accept(&caller, request.into_inner()).await.map_err(status)
    }

    async fn request_code(&self, request: Request<RequestCodeRequest>) -> Answer<RequestCodeResponse> {
        let caller = caller(&request).map_err(status)?;
        self.code(&caller, request.into_inner()).await.map_err(status)
    }

    async fn sign_in_with_code(&self, request: Request<SignInWithCodeRequest>) -> Answer<SignInWithCodeResponse> {
        let caller = caller(&request).map_err(status)?;
        self.with_code(&caller, request.into_inner()).await.map_err(status)
    }

    async fn get_access_mail(&self, request: Request<GetAccessMailRequest>) -> Answer<GetAccessMailResponse> {
        let caller = caller(&request).map_err(status)?;
        self.mail(&caller, request.into_inner()).await.map(Response::new).map_err(status)
    }
}
