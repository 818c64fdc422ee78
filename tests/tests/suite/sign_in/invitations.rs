//! Coming in without a sign-in service: an invitation by mail, codes by e-mail after it, and everything that somebody may try who has
//! neither.

use crate::pages::{ask, cookie, form_token};
use proto::access::{
    AcceptInvitationRequest, GetInvitationRequest, InviteWorkerRequest, KeepSessionRequest, ListStaffAccessRequest, RemoveAccessRequest,
    RequestCodeRequest, SignInWithCodeRequest, StaffAccess, WithdrawInvitationRequest,
};
use proto::intake::{ChangeKind, RevertChangeRequest, SetChangeRequest};
use samtal_tests::smtp::{Catcher, Mail};
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, eventually, refused};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(a_volunteer_is_invited_and_comes_in_with_codes, links_and_codes_end, a_person_of_two_organisations_chooses);

const VERA: &str = "vera@volunteers.example";

/// A mail's text as it is read: the encoding undone.
fn text(mail: &Mail) -> String {
    let (mut bytes, joined) = (Vec::new(), mail.text.replace("=\n", ""));
    let mut rest = joined.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex =
            (*first == b'=').then(|| more.get(..2)).flatten().and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(hex.unwrap_or(*first));
        rest = if hex.is_some() { &more[2..] } else { more };
    }
    String::from_utf8(bytes).unwrap()
}

/// The path of the link in an invitation.
fn link(mail: &Mail) -> String {
    let text = text(mail);
    text.lines()
        .find_map(|line| line.strip_prefix("https://alfa.example/invitation/"))
        .map(|token| format!("/invitation/{token}"))
        .expect(&text)
}

/// The code in a mail, as it stands there: in two halves.
fn code(mail: &Mail) -> String {
    let text = text(mail);
    let halves = |line: &&str| line.len() == 7 && line.chars().enumerate().all(|(n, c)| if n == 3 { c == ' ' } else { c.is_ascii_digit() });
    text.lines().find(halves).expect(&text).to_owned()
}

/// A browser: what it keeps, and where it was led.
pub struct Browser<'s> {
    suite: &'s TestSuite,
    cookies: Vec<String>,
}

impl<'s> Browser<'s> {
    pub fn new(suite: &'s TestSuite) -> Browser<'s> {
        Browser { suite, cookies: Vec::new() }
    }

    fn as_person(suite: &'s TestSuite, person: &Person) -> Browser<'s> {
        Browser { suite, cookies: vec![format!("samtal-staff={}", person.token)] }
    }

    pub async fn request(&mut self, method: &str, path: &str, form: &str) -> (String, String) {
        let (head, body) = ask(self.suite, method, path, &self.cookies.join("; "), form).await;
        for line in head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let pair = line.split(';').next().unwrap().to_owned();
            let name = pair.split('=').next().unwrap().to_owned();
            self.cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
            self.cookies.push(pair);
        }
        (head.replace('\r', ""), body)
    }

    pub async fn get(&mut self, path: &str) -> (String, String) {
        self.request("GET", path, "").await
    }

    /// Opens `page` and posts a form of it to `to`; answers where that leads.
    async fn post(&mut self, page: &str, to: &str, form: &str) -> String {
        let (head, body) = self.get(page).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{page}: {head}");
        let (head, body) = self.request("POST", to, &format!("form_token={}&{form}", form_token(&body))).await;
        let to = head.lines().find_map(|line| line.strip_prefix("location: "));
        to.map_or_else(|| panic!("{head}\n{body}"), str::to_owned)
    }

    async fn ask_code(&mut self, email: &str) -> String {
        self.post("/sign-in", "/sign-in/code", &format!("email={email}&to=")).await
    }

    async fn enter(&mut self, code: &str) -> String {
        self.post("/sign-in/code", "/sign-in/enter", &format!("code={}&to=", code.replace(' ', "+"))).await
    }
}

/// What a leader's list says of one of the staff.
async fn listed(lea: &Person, worker: &str) -> StaffAccess {
    let staff = lea.invitations().list_staff_access(ListStaffAccessRequest::default()).await.unwrap().into_inner().staff;
    staff.into_iter().find(|one| one.worker_id == worker).expect("on the list")
}

async fn a_volunteer_is_invited_and_comes_in_with_codes(stack: Stack) {
    let catcher = Catcher::start().await;
    let suite = Setup::new(stack).smtp(&catcher.url).pages(gateway::Settings::default()).start().await;
    let lea = suite.leader("alfa.lea").await;
    let mut office = Browser::as_person(&suite, &lea);
    let to = office.post("/leader/access", "/leader/access/invite", "worker=alfa.vera&email=Vera%40Volunteers.example").await;
    assert_eq!(to, "/leader/access?said=invited");
    let invitation = catcher.wait(1).await.remove(0);
    // Organisation and link, and no word of who it is, where they work, or as what.
    assert!(invitation.envelope.contains("Vera@Volunteers.example"), "{invitation:?}");
    let read = text(&invitation);
    assert!(read.contains("Subject: An invitation for you") && read.contains("Alfa invites you"), "{read}");
    for private in ["Vera ", "norr", "olunteer ", "alfa.vera"] {
        assert!(!read.contains(private), "{private}: {read}");
    }
    let path = link(&invitation);
    let (_, list) = office.get("/leader/access").await;
    assert!(list.contains("Vera@Volunteers.example") && !list.contains(path.as_str()), "{list}");

    // Whoever only looks uses nothing up: mail servers open links too.
    let mut vera = Browser::new(&suite);
    for _ in 0..2 {
        let (head, page) = vera.get(&path).await;
        assert!(head.starts_with("HTTP/1.1 200") && page.contains(">Vera<") && page.contains("V…@Volunteers.example"), "{head}\n{page}");
        assert!(head.contains("no-store") && !page.contains("Vera@"), "{head}");
    }
    let (head, _) = vera.request("POST", &path, "form_token=forged").await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    assert_eq!(vera.post(&path, &path, "").await, "/staff");
    let (head, desk) = vera.get("/staff").await;
    assert!(head.starts_with("HTTP/1.1 200") && desk.contains(">Vera<"), "{head}");
    // It works once, and what does not work says what to do.
    let (head, page) = Browser::new(&suite).get(&path).await;
    assert!(head.starts_with("HTTP/1.1 410") && page.contains("href=\"/sign-in\""), "{head}");
    let token = path.rsplit('/').next().unwrap().to_owned();
    let again = AcceptInvitationRequest { invitation_token: token.clone(), device: String::new() };
    refused(suite.service("gateway").invitations().accept_invitation(again).await, Code::NotFound, "NOT_FOUND");

    // A stranger is told what Vera is told.
    let mut stranger = Browser::new(&suite);
    let mut home = Browser::new(&suite);
    assert_eq!(stranger.ask_code("nobody%40volunteers.example").await, "/sign-in/code?to=");
    assert_eq!(home.ask_code(&VERA.replace('@', "%40")).await, "/sign-in/code?to=");
    let shown = |page: &str| page.split("<main").nth(1).unwrap().split("form_token").next().unwrap().to_owned();
    assert_eq!(shown(&stranger.get("/sign-in/code").await.1), shown(&home.get("/sign-in/code").await.1));
    let mail = catcher.wait(2).await.remove(1);
    assert!(mail.envelope.contains("Vera@Volunteers.example"), "the address as it was invited: {mail:?}");
    let right = code(&mail);
    assert!(!mail.text.lines().any(|line| line.starts_with("Subject:") && line.contains(&right[..3])), "{}", mail.text);
    // The right code in another browser, and a wrong one in the right browser.
    assert_eq!(stranger.enter(&right).await, "/sign-in/code?wrong=1&to=");
    let (head, _) = Browser::new(&suite).get("/sign-in/code").await;
    assert!(head.contains("location: /sign-in?to="), "{head}");
    let wrong = if right.starts_with('0') { "100000" } else { "000000" };
    assert_eq!(home.enter(wrong).await, "/sign-in/code?wrong=1&to=");
    assert!(home.get("/sign-in/code?wrong=1").await.1.contains("The code is not right"));
    let before = home.cookies.clone();
    assert_eq!(home.enter(&right).await, "/staff");
    assert!(home.get("/staff").await.1.contains(">Vera<"));
    assert!(home.get("/sessions").await.1.contains("code by e-mail"));
    // Replayed, in the browser as it was.
    let mut replay = Browser { suite: &suite, cookies: before };
    assert_eq!(replay.enter(&right).await, "/sign-in?code=over&to=");
    assert!(replay.get("/sign-in?code=over").await.1.contains("does not hold any more"));
    // Five wrong ones, and the right one is wrong too.
    let mut guesser = Browser::new(&suite);
    guesser.ask_code(VERA).await;
    let right = code(&catcher.wait(3).await[2]);
    let wrong = if right.starts_with('0') { "100000" } else { "000000" };
    for _ in 0..5 {
        assert_eq!(guesser.enter(wrong).await, "/sign-in/code?wrong=1&to=");
    }
    assert_eq!(guesser.enter(&right).await, "/sign-in?code=over&to=");

    // Nothing that opens anything, and no address, is in what is kept of it or rides on the bus.
    let db = suite.db("intake").await;
    let rows = db.rows("SELECT envelope FROM event_log", store::args![]).await.unwrap();
    let events: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    for secret in [token.as_str(), "olunteers.example", &right, &right.replace(' ', "")] {
        assert!(!events.iter().any(|event| event.windows(secret.len()).any(|part| part == secret.as_bytes())), "{secret} in an event");
    }
    let mails = suite.db("notifications").await;
    let kept = "SELECT COUNT(*) FROM notification WHERE kind = 'way_in'";
    eventually("notifications keeps none of it", async || {
        (mails.row(kept, store::args![]).await.unwrap().unwrap().int(0).unwrap() == 0).then_some(())
    })
    .await;
    // Who came in and how stands in the access log, and that somebody tried.
    let sql = "SELECT action FROM audit_log WHERE principal_id = 'alfa.vera' AND action LIKE 'samtal.access.v1.InvitationService/%'";
    let actions: Vec<String> = db.rows(sql, store::args![]).await.unwrap().iter().map(|row| row.text(0).unwrap()).collect();
    for (way, times) in [("/AcceptInvitation", 1), ("/AcceptInvitation (invitation)", 1), ("/SignInWithCode (code)", 1)] {
        assert_eq!(actions.iter().filter(|action| action.ends_with(way)).count(), times, "{way}: {actions:?}");
    }
    let sql = "SELECT COUNT(*) FROM audit_log WHERE action = $1 AND organisation = ''";
    for (came, times) in [("right", 1), ("wrong", 7), ("over", 2)] {
        let action = format!("samtal.access.v1.InvitationService/SignInWithCode ({came})");
        assert_eq!(db.row(sql, store::args![action]).await.unwrap().unwrap().int(0).unwrap(), times, "{came}");
    }

    // The leader takes the address away: whoever came in by it is out at once, and no code is sent there.
    let to = office.post("/leader/access", "/leader/access/remove", "worker=alfa.vera").await;
    assert_eq!(to, "/leader/access?said=access-removed");
    for browser in [&mut vera, &mut home] {
        let (head, _) = browser.get("/staff").await;
        assert!(head.contains("location: /sign-in?to=/staff"), "{head}");
    }
    assert_eq!(home.ask_code(VERA).await, "/sign-in/code?to=");
    eventually("the request is dealt with", async || {
        let sql = "SELECT COUNT(*) FROM event_log";
        let ended = mails.row(sql, store::args![]).await.unwrap().unwrap().int(0).unwrap();
        // One mail was never written for the stranger, and one now.
        (ended == 5).then_some(())
    })
    .await;
    assert_eq!(catcher.mails().len(), 3);
}

async fn links_and_codes_end(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    let lea = suite.leader("alfa.lea").await;
    // Tokens of services and operators live shorter than what is tested here.
    let (operator, pages) = (|| suite.operator(), || suite.service("gateway"));
    let to = |worker: &str, email: &str| InviteWorkerRequest { worker_id: worker.into(), email: email.into(), ..Default::default() };
    // Another organisation's leader, a colleague, a visitor: nobody but those who lead the person, and those who run it all.
    refused(suite.leader("beta.lea").await.invitations().invite_worker(to("alfa.vera", VERA)).await, Code::NotFound, "NOT_FOUND");
    refused(
        suite.worker("alfa.anna").await.invitations().invite_worker(to("alfa.vera", VERA)).await,
        Code::PermissionDenied,
        "NOT_ALLOWED",
    );
    refused(suite.anonymous().invitations().invite_worker(to("alfa.vera", VERA)).await, Code::Unauthenticated, "TOKEN_MISSING");
    refused(lea.invitations().invite_worker(to("alfa.vera", "")).await, Code::InvalidArgument, "INVALID_FIELD");
    refused(lea.invitations().invite_worker(to("alfa.vera", "a@b\r\nBcc: x@y.example")).await, Code::InvalidArgument, "INVALID_FIELD");

    let invite = async |person: &Person, worker: &str| person.invitations().invite_worker(to(worker, VERA)).await.unwrap().into_inner();
    let by_leader = invite(&lea, "alfa.vera").await;
    assert!(by_leader.mailed && by_leader.link.is_empty(), "a link is its mail's and an operator's: {by_leader:?}");
    let first = invite(&operator(), "alfa.vera").await;
    let token = |link: &str| link.strip_prefix("https://alfa.example/invitation/").expect(link).to_owned();
    let open = async |token: &str| pages().invitations().get_invitation(GetInvitationRequest { invitation_token: token.into() }).await;
    let accept = async |token: &str| {
        let request = AcceptInvitationRequest { invitation_token: token.into(), device: "Firefox".into() };
        pages().invitations().accept_invitation(request).await
    };
    assert_eq!(open(&token(&first.link)).await.unwrap().into_inner().display_name, "Vera");
    // A second invitation ends the first; one that is withdrawn is over; a third one's time runs out.
    let second = invite(&operator(), "alfa.vera").await;
    refused(open(&token(&first.link)).await, Code::NotFound, "NOT_FOUND");
    let withdraw = WithdrawInvitationRequest { request_id: "w".into(), invitation_id: second.invitation_id.clone() };
    refused(suite.leader("beta.lea").await.invitations().withdraw_invitation(withdraw.clone()).await, Code::NotFound, "NOT_FOUND");
    lea.invitations().withdraw_invitation(withdraw.clone()).await.unwrap();
    lea.invitations().withdraw_invitation(withdraw).await.expect("repeating it is safe");
    refused(accept(&token(&second.link)).await, Code::NotFound, "NOT_FOUND");
    let third = invite(&operator(), "alfa.vera").await;
    assert_eq!(listed(&lea, "alfa.vera").await.invitation_id, third.invitation_id);
    suite.advance(Duration::from_secs(7 * 86_400)).await;
    refused(accept(&token(&third.link)).await, Code::NotFound, "NOT_FOUND");
    assert_eq!(listed(&lea, "alfa.vera").await.invitation_id, "");
    for nonsense in ["x", "../../etc", "<script>"] {
        refused(open(nonsense).await, Code::NotFound, "NOT_FOUND");
    }
    // Only the pages take an invitation up, and only notifications reads a mail.
    let fourth = invite(&operator(), "alfa.vera").await;
    let request = AcceptInvitationRequest { invitation_token: token(&fourth.link), device: String::new() };
    refused(suite.service("triage").invitations().accept_invitation(request).await, Code::PermissionDenied, "NOT_ALLOWED");
    let mail = proto::access::GetAccessMailRequest { mail_id: fourth.invitation_id.clone(), organisation_id: "alfa".into() };
    refused(suite.service("triage").invitations().get_access_mail(mail.clone()).await, Code::PermissionDenied, "NOT_ALLOWED");
    let told = suite.service("notifications").invitations().get_access_mail(mail).await.unwrap().into_inner();
    assert_eq!((told.email.as_str(), told.organisation_id.as_str()), (VERA, "alfa"));
    // Of two who use a link at once, one comes in.
    let link_of = token(&fourth.link);
    let (one, other) = tokio::join!(accept(&link_of), accept(&link_of));
    let session = [one, other].into_iter().filter_map(Result::ok).collect::<Vec<_>>();
    let [session] = <[_; 1]>::try_from(session).expect("one of the two").map(|answer| answer.into_inner().session.unwrap());
    let vera = suite.with_token(&session.token);
    vera.access().keep_session(KeepSessionRequest {}).await.unwrap();

    // A code's time runs out. Its digits are known to nobody but its mail.
    let ask = async || {
        // The newest is found by its time.
        suite.advance(Duration::from_secs(1)).await;
        let request = RequestCodeRequest { email: VERA.into(), language: "sv".into() };
        pages().invitations().request_code(request).await.unwrap().into_inner().code_token
    };
    let enter = async |code_token: &str, code: &str| {
        let request = SignInWithCodeRequest { code_token: code_token.into(), code: code.into(), ..Default::default() };
        pages().invitations().sign_in_with_code(request).await
    };
    let db = suite.db("intake").await;
    let newest = async || {
        db.row("SELECT code_id FROM sign_in_code ORDER BY code_id DESC LIMIT 1", store::args![]).await.unwrap().unwrap().id(0).unwrap()
    };
    let told = async |id: kernel::Id| {
        let mail = proto::access::GetAccessMailRequest { mail_id: id.to_string(), organisation_id: String::new() };
        suite.service("notifications").invitations().get_access_mail(mail).await
    };
    let code_token = ask().await;
    let right = told(newest().await).await.unwrap().into_inner().secret;
    suite.advance(Duration::from_secs(600)).await;
    refused(enter(&code_token, &right).await, Code::FailedPrecondition, "CODE_OVER");
    refused(told(newest().await).await, Code::NotFound, "NOT_FOUND");
    // Beyond five in an hour there is no code, and no other word.
    for _ in 0..4 {
        ask().await;
    }
    let last = newest().await;
    let beyond = ask().await;
    assert_eq!(newest().await, last, "the sixth is none");
    refused(enter(&beyond, "123456").await, Code::FailedPrecondition, "CODE_OVER");
    // The one before still works, once, and for whoever has it twice at once only once.
    let code_token = {
        suite.advance(Duration::from_secs(3_600)).await;
        ask().await
    };
    let right = told(newest().await).await.unwrap().into_inner().secret;
    let (one, other) = tokio::join!(enter(&code_token, &right), enter(&code_token, &right));
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|ok| **ok).count(), 1);

    // Who is removed from the staff is out, and stays so when they are brought back.
    let code_token = ask().await;
    let right = told(newest().await).await.unwrap().into_inner().secret;
    let session = enter(&code_token, &right).await.unwrap().into_inner().session.unwrap();
    let vera = suite.with_token(&session.token);
    vera.access().keep_session(KeepSessionRequest {}).await.unwrap();
    let away = SetChangeRequest { kind: ChangeKind::Worker.into(), item_id: "alfa.vera".into(), ..Default::default() };
    lea.clinics().set_change(away).await.unwrap();
    eventually("she is out", async || {
        vera.access().keep_session(KeepSessionRequest {}).await.err().filter(|status| status.code() == Code::Unauthenticated)
    })
    .await;
    let back = RevertChangeRequest { kind: ChangeKind::Worker.into(), item_id: "alfa.vera".into(), ..Default::default() };
    lea.clinics().revert_change(back).await.unwrap();
    eventually("she is back on the list", async || {
        let staff = lea.invitations().list_staff_access(ListStaffAccessRequest::default()).await.unwrap().into_inner().staff;
        staff.into_iter().find(|one| one.worker_id == "alfa.vera")
    })
    .await;
    assert_eq!(listed(&lea, "alfa.vera").await.email, "");
    refused(vera.access().keep_session(KeepSessionRequest {}).await, Code::Unauthenticated, "TOKEN_INVALID");
    let of_beta = RemoveAccessRequest { request_id: String::new(), worker_id: "beta.vera".into() };
    refused(lea.invitations().remove_access(of_beta).await, Code::NotFound, "NOT_FOUND");
}

async fn a_person_of_two_organisations_chooses(stack: Stack) {
    let catcher = Catcher::start().await;
    let suite = Setup::new(stack).smtp(&catcher.url).pages(gateway::Settings::default()).start().await;
    let operator = suite.operator();
    let mut browser = Browser::new(&suite);
    for worker in ["alfa.vera", "beta.bo"] {
        let invite = InviteWorkerRequest { worker_id: worker.into(), email: VERA.into(), without_mail: true, ..Default::default() };
        let link = operator.invitations().invite_worker(invite).await.unwrap().into_inner().link;
        let path = format!("/invitation/{}", link.rsplit('/').next().unwrap());
        assert_eq!(browser.post(&path, &path, "").await, "/staff");
    }
    let mut browser = Browser::new(&suite);
    browser.ask_code(VERA).await;
    let right = code(&catcher.wait(1).await[0]).replace(' ', "");
    let (_, page) = browser.get("/sign-in/code").await;
    let (head, page) = browser.request("POST", "/sign-in/enter", &format!("form_token={}&code={right}&to=", form_token(&page))).await;
    assert!(
        head.starts_with("HTTP/1.1 200") && page.contains("value=\"alfa.vera\"") && page.contains("value=\"beta.bo\""),
        "{head}\n{page}"
    );
    // Nobody else than those.
    let form = |organisation: &str, worker: &str| {
        format!("form_token={}&code={right}&to=&organisation={organisation}&worker={worker}", form_token(&page))
    };
    let (head, _) = browser.request("POST", "/sign-in/enter", &form("beta", "beta.anna")).await;
    assert!(head.contains("location: /sign-in/code?wrong=1"), "{head}");
    let (head, _) = browser.request("POST", "/sign-in/enter", &form("beta", "beta.bo")).await;
    assert!(head.contains("location: /staff"), "{head}");
    let session = cookie(&head, "samtal-staff");
    let me = suite.with_token(session.strip_prefix("samtal-staff=").unwrap());
    let kept = me.access().keep_session(KeepSessionRequest {}).await.unwrap().into_inner();
    assert_eq!(kept.principal.unwrap().organisation_id, "beta");
}
