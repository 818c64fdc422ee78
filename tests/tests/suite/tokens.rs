//! What tokens tell and to whom: positions, return phrases, and tokens that are taken back while streams are open.

use auth::Secret;
use proto::access::{IssueTokenRequest, Principal, PrincipalKind, RevokeTokenRequest};
use proto::intake::converse_request::Frame;
use proto::intake::converse_response::Frame as Answer;
use proto::intake::{ConverseRequest, OpenCaseRequest, ResumeCaseRequest, SetTypingRequest};
use proto::log::WatchRequest;
use proto::routing::WatchOffersRequest;
use proto::triage::GetTriageRequest;
use samtal_tests::suite::{Person, SOON, Setup, Stack, TestSuite, refused};
use std::time::{Duration, Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

on_both_stacks!(positions_are_sealed, a_revoked_token_ends_every_stream);

fn open() -> OpenCaseRequest {
    OpenCaseRequest {
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "hej".into(),
        ..OpenCaseRequest::default()
    }
}

async fn positions_are_sealed(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let mut tokens = Vec::new();
    let mut case = String::new();
    for _ in 0..2 {
        let answer = suite.anonymous().cases().open_case(open()).await.unwrap();
        tokens.push(answer.metadata().get("samtal-position").expect("a position").to_str().unwrap().to_owned());
        case = answer.into_inner().case.unwrap().case_id;
    }
    assert_eq!(tokens[0].len(), tokens[1].len());
    let same = tokens[0].bytes().zip(tokens[1].bytes()).filter(|(one, other)| one == other).count();
    assert!(same < tokens[0].len() / 4, "{tokens:?}");
    assert!(!tokens[0].contains("intake") && !tokens[0].contains('~'));

    let lea = suite.leader("alfa.lea").await;
    let after = async |token: &str| {
        let mut request = Request::new(GetTriageRequest { case_id: case.clone() });
        request.metadata_mut().insert("samtal-after", token.parse().unwrap());
        lea.triage().get_triage(request).await
    };
    after(&tokens[1]).await.expect("triage has seen the case by then");
    let mut tampered = tokens[1].clone();
    tampered.replace_range(30..31, if &tampered[30..31] == "A" { "B" } else { "A" });
    let elsewhere = Secret::new(b"the secret of another installation altogether").unwrap();
    let foreign = rpc::position::Reached { service: "intake", positions: vec![(0, 1)] }.token(&elsewhere).unwrap();
    for token in [tampered.as_str(), &foreign, "intake~0.1", "x"] {
        let status = refused(after(token).await, Code::InvalidArgument, "INVALID_FIELD");
        let fields: Vec<String> = status.get_details_bad_request().unwrap().field_violations.into_iter().map(|one| one.field).collect();
        assert_eq!(fields, ["samtal-after"]);
        assert!(status.message().contains("samtal-position"), "{}", status.message());
    }
}

/// Takes a worker's or integrator's token back.
async fn revoke(suite: &TestSuite, kind: PrincipalKind, id: &str, token: &str) {
    let principal = Principal { kind: kind.into(), id: id.into(), organisation_id: "alfa".into(), clinic_ids: Vec::new() };
    // The same request again names the same token.
    let request = IssueTokenRequest { request_id: format!("token-alfa-{id}"), principal: Some(principal), ttl_seconds: 366 * 86_400 };
    let issued = suite.operator().access().issue_token(request).await.unwrap().into_inner();
    assert_eq!(issued.token, token);
    suite.operator().access().revoke_token(RevokeTokenRequest { request_id: String::new(), token_id: issued.token_id }).await.unwrap();
}

/// 5 s are promised; the rest is for a slow machine.
const AT_MOST: Duration = Duration::from_secs(7);

/// The status with which a stream ends.
async fn end<T>(stream: &mut tonic::Streaming<T>) -> Status {
    loop {
        match tokio::time::timeout(SOON, stream.message()).await.expect("the stream ends") {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a stream that is cut off says why"),
            Err(status) => return status,
        }
    }
}

async fn a_revoked_token_ends_every_stream(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let (anna, journal) = (suite.worker("alfa.anna").await, suite.integrator("alfa").await);
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    let mut offers = anna.routing().watch_offers(WatchOffersRequest {}).await.unwrap().into_inner();
    let watch = WatchRequest { service: "intake".into(), from_start: true, ..WatchRequest::default() };
    let mut events = journal.log().watch(watch).await.unwrap().into_inner();
    // One stream that is Anna's own, and one of the gateway's, in which she is among many.
    let typing = |id: u64, token: &str| ConverseRequest {
        correlation_id: id,
        token: token.to_owned(),
        frame: Some(Frame::Typing(SetTypingRequest { case_id: visitor.case_id.clone() })),
        ..Default::default()
    };
    let converse = async |person: &Person| {
        let (frames, receiver) = tokio::sync::mpsc::channel(16);
        let answers = person.conversations().converse(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        (frames, answers)
    };
    let (own, mut own_answers) = converse(&anna).await;
    let (shared, mut shared_answers) = converse(&suite.service("gateway")).await;
    own.send(typing(1, "")).await.unwrap();
    shared.send(typing(1, &anna.token)).await.unwrap();
    for answers in [&mut own_answers, &mut shared_answers] {
        assert!(matches!(answers.message().await.unwrap().unwrap().frame, Some(Answer::Done(_))), "both may, before");
    }

    revoke(&suite, PrincipalKind::Worker, "alfa.anna", &anna.token).await;
    revoke(&suite, PrincipalKind::Integrator, "journal", &journal.token).await;
    let revoked = Instant::now();
    let frames = async {
        for id in 2.. {
            shared.send(typing(id, &anna.token)).await.unwrap();
            match shared_answers.message().await.unwrap().unwrap().frame {
                Some(Answer::Error(error)) => return error,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        unreachable!("frames are sent until one is refused")
    };
    let ended = futures::future::join4(end(&mut offers), end(&mut events), end(&mut own_answers), frames);
    let (offers, events, own, frame) = tokio::time::timeout(AT_MOST, ended).await.expect("all of them end");
    for status in [offers, events, own] {
        assert_eq!((status.code(), rpc::status::reason(&status).as_deref()), (Code::Unauthenticated, Some("TOKEN_INVALID")));
    }
    assert_eq!((frame.code, frame.reason.as_str()), (Code::Unauthenticated as i32, "TOKEN_INVALID"));
    // The stream that she was one of many in goes on for the others.
    shared.send(typing(9_999, &visitor.me.token)).await.unwrap();
    assert!(matches!(shared_answers.message().await.unwrap().unwrap().frame, Some(Answer::Done(_))));
    assert!(revoked.elapsed() < AT_MOST);
}

/// Tries a return phrase, said to come from `address` if there is one.
async fn resume(person: &Person, phrase: &str, address: &str) -> Result<(), Status> {
    let mut request = Request::new(ResumeCaseRequest { request_id: String::new(), return_phrase: phrase.to_owned() });
    if !address.is_empty() {
        request.metadata_mut().insert("samtal-visitor-address", address.parse().unwrap());
    }
    person.cases().resume_case(request).await.map(|_| ())
}

/// Tries come back with time; on a clock that stands still they do not.
async fn standing_still() -> TestSuite {
    Setup::new(Stack::Embedded).manual().start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_phrases_are_counted_by_the_visitors_own_address() {
    let suite = standing_still().await;
    let phrase = suite.visitor("alfa-door", "alfa-cold", "hej").await.opened.return_phrase;
    let gateway = suite.service("gateway");
    for n in 0..10 {
        refused(resume(&gateway, &format!("gissning {n}"), "192.0.2.1").await, Code::NotFound, "NOT_FOUND");
    }
    refused(resume(&gateway, &phrase, "192.0.2.1").await, Code::ResourceExhausted, "TOO_MANY_TRIES");
    resume(&gateway, &phrase, "192.0.2.2").await.expect("another visitor behind the same gateway");
    // One household of IPv6 addresses is one.
    for n in 0..10 {
        refused(resume(&gateway, "fel", &format!("2001:db8::{n}")).await, Code::NotFound, "NOT_FOUND");
    }
    refused(resume(&gateway, "fel", "2001:db8::1:1").await, Code::ResourceExhausted, "TOO_MANY_TRIES");
    let status = refused(resume(&gateway, "fel", "nonsense").await, Code::InvalidArgument, "INVALID_FIELD");
    assert!(!status.message().contains("nonsense"), "{}", status.message());
    // Who is not the gateway is not believed: neither somebody without a token, nor another service.
    for n in 0..10 {
        refused(resume(&suite.anonymous(), "fel", &format!("198.51.100.{n}")).await, Code::NotFound, "NOT_FOUND");
    }
    refused(resume(&suite.anonymous(), "fel", "198.51.100.99").await, Code::ResourceExhausted, "TOO_MANY_TRIES");
    refused(resume(&suite.service("triage"), "fel", "203.0.113.1").await, Code::PermissionDenied, "NOT_ALLOWED");
    // With an address the gateway speaks for somebody without a token, and may do no more than they.
    refused(resume(&gateway, "fel", "").await, Code::PermissionDenied, "NOT_ALLOWED");
    let mut request = Request::new(proto::access::IntrospectRequest { token_hash: vec![7; 32] });
    request.metadata_mut().insert("samtal-visitor-address", "203.0.113.2".parse().unwrap());
    refused(gateway.access().introspect(request).await, Code::Unauthenticated, "TOKEN_MISSING");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_addresses_guess_no_faster() {
    let suite = standing_still().await;
    let phrase = suite.visitor("alfa-door", "alfa-cold", "hej").await.opened.return_phrase;
    let gateway = suite.service("gateway");
    for n in 0..10 {
        resume(&gateway, &phrase, &format!("192.0.2.{n}")).await.expect("a case may be come back to");
    }
    refused(resume(&gateway, &phrase, "192.0.2.10").await, Code::ResourceExhausted, "TOO_MANY_TRIES");
    let mut tries = 11;
    while resume(&gateway, "fel", &format!("10.0.{}.{}", tries / 250, tries % 250)).await.unwrap_err().code() == Code::NotFound {
        tries += 1;
        assert!(tries <= 600, "guesses of all together are limited");
    }
    assert_eq!(tries, 600);
}
