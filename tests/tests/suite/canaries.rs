//! P20: what people write, who they are and what opens their doors, said once with words that occur nowhere else, and then looked for
//! wherever it must not be.

use crate::journey::close;
use crate::listeners::{Collector, Ear};
use proto::access::PrincipalKind;
use proto::intake::{OpenCaseRequest, Outcome, PostNoteRequest, ResumeCaseRequest, SetTypingRequest, SubscribeRequest, SubscribeResponse};
use proto::notifications::SetContactRequest;
use proto::triage::SetSeverityRequest;
use samtal_tests::remote::{Remote, SECRET};
use samtal_tests::servers::{Nats, Redis, shared_postgres};
use samtal_tests::suite::{Person, eventually};
use std::sync::Arc;
use suite::client;
use tonic::Streaming;

const CANARY: &str = "KANARIE";

/// Which of these occur in `bytes`.
fn found<'s>(bytes: &[u8], secrets: &'s [String]) -> Vec<&'s str> {
    secrets.iter().filter(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes())).map(String::as_str).collect()
}

/// A journey that says canaries wherever something can be said, and is refused here and there. Answers the case, what is secret in it, and
/// the screen on which it is still open.
async fn sing(remote: &Remote) -> (String, Vec<String>, Streaming<SubscribeResponse>) {
    let anonymous = remote.anonymous().await;
    let visitor = |identified: bool| proto::intake::Visitor {
        display_name: format!("{CANARY} Namnsson"),
        birth_year: 1950,
        identified,
        external_ref: if identified { format!("{CANARY}-patient") } else { String::new() },
        ..Default::default()
    };
    let opening = |identified: bool| OpenCaseRequest {
        request_id: format!("{CANARY}-request-{identified}"),
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: format!("{CANARY}: jag orkar inte leva"),
        visitor: Some(visitor(identified)),
        external_ref: if identified { format!("{CANARY}-journal") } else { String::new() },
        ..OpenCaseRequest::default()
    };
    let (journal, anna) =
        (remote.person(PrincipalKind::Integrator, "journal").await, remote.person(PrincipalKind::Worker, "alfa.anna").await);
    journal.cases().open_case(opening(true)).await.unwrap();
    let opened = anonymous.cases().open_case(OpenCaseRequest { request_id: String::new(), ..opening(false) }).await.unwrap().into_inner();
    let (case, token) = (opened.case.unwrap().case_id, opened.visitor_token);
    let me = Person::new(client::connect(&remote.address()).await.unwrap(), &token);
    let screen = me.conversations().subscribe(SubscribeRequest { case_id: case.clone(), after_seq: 0 }).await.unwrap().into_inner();
    let contact = |email: &str| SetContactRequest { case_id: case.clone(), email: email.into(), ..SetContactRequest::default() };
    eventually("notifications knows the case", async || {
        me.notifications().set_contact(contact(&format!("{CANARY}@visitor.example"))).await.ok()
    })
    .await;
    anna.present(true).await;
    anna.take(&case).await;
    anna.post(&case, "a1", &format!("{CANARY} svar")).await.unwrap();
    anna.conversations().set_typing(SetTypingRequest { case_id: case.clone() }).await.unwrap();
    let note = PostNoteRequest { case_id: case.clone(), client_id: "n1".into(), text: format!("{CANARY} not") };
    anna.conversations().post_note(note).await.unwrap();
    let severity = SetSeverityRequest {
        case_id: case.clone(),
        severity: proto::intake::Severity::Emergency.into(),
        reason: format!("{CANARY} skäl"),
        ..Default::default()
    };
    anna.triage().set_severity(severity).await.unwrap();
    let resume = |phrase: &str| ResumeCaseRequest { request_id: String::new(), return_phrase: phrase.to_owned() };
    let resumed = anonymous.cases().resume_case(resume(&opened.return_phrase)).await.unwrap().into_inner();
    // What is refused is not told either.
    assert!(anonymous.cases().resume_case(resume(&format!("{CANARY} {CANARY}"))).await.is_err());
    assert!(me.notifications().set_contact(contact(&format!("{CANARY} is no address"))).await.is_err());
    assert!(me.post(&case, "v1", &format!("{CANARY}{}", "x".repeat(20_000))).await.is_err());
    assert!(anna.post(&case, "a1", &format!("{CANARY} another")).await.is_err());
    assert!(me.post(&format!("{CANARY}-case"), "v1", CANARY).await.is_err());
    let wrong = Person::new(client::connect(&remote.address()).await.unwrap(), &format!("{CANARY}-token"));
    assert!(wrong.messages(&case).await.is_err());
    me.messages(&case).await.unwrap();
    anna.cases().close_case(close(&case, Outcome::Treated)).await.unwrap();
    let tokens = [&token, &resumed.visitor_token, &anna.token, &journal.token, &remote.operator().token];
    let mut secrets: Vec<String> = tokens.into_iter().cloned().collect();
    secrets.extend([CANARY.to_owned(), "Namnsson".to_owned(), opened.return_phrase, SECRET.to_owned()]);
    (case, secrets, screen)
}

#[tokio::test(flavor = "multi_thread")]
async fn p20_what_people_say_is_in_no_log_trace_metric_subject_header_or_stream() {
    let servers = tokio::task::spawn_blocking(|| (shared_postgres().fresh_database("canaries"), Nats::start(), Redis::start()));
    let (database, nats, redis) = servers.await.unwrap();
    let (nats, (collector, otlp)) = (Arc::new(nats), Collector::start().await);
    let stack = ["--store", &database, "--bus", &nats.url(), "--cache", &redis.url()];
    let mut remote = Remote::new(stack.map(str::to_owned).to_vec());
    let settings = [("SAMTAL_JSON", "true"), ("SAMTAL_OTLP", &otlp), ("SAMTAL_LOG", "debug,h2=info,hyper=info")];
    remote.env(settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
    let ear = Ear::open(nats.port());
    remote.up_with_region().await;
    let (case, secrets, screen) = sing(&remote).await;
    let keys = "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do all[#all + 1] = key .. ' ' .. redis.call('DUMP', key) end \
                return table.concat(all, ' ')";
    let cached = redis.command(&["EVAL", keys, "0"]).into_bytes();
    drop(screen);
    let metrics = remote.metrics().await.into_bytes();
    let logs = remote.process().log_path().to_path_buf();
    remote.stop().await;
    let server = nats.clone();
    tokio::task::spawn_blocking(move || server.kill()).await.unwrap();

    let (logs, traces, stored) = (std::fs::read(logs).unwrap(), collector.bytes(), nats.stored_bytes());
    // The search finds what is there.
    let case = [case];
    for (place, bytes) in [("the log", &logs), ("the stream's files", &stored), ("Redis", &cached)] {
        assert_eq!(found(bytes, &case), case, "{place} names the case, or nothing was looked at");
    }
    assert_eq!(found(&traces, &["PostMessage".to_owned()]), ["PostMessage"]);
    assert_eq!(found(&traces, &["samtal.queue.wait".to_owned()]), ["samtal.queue.wait"], "metrics are sent too");
    assert_eq!(found(&metrics, &["PostMessage".to_owned()]), ["PostMessage"]);
    // No label is an id: there would be one series for each.
    for name in [&case[0], "alfa"] {
        assert_eq!(found(&metrics, &[name.to_owned()]), [""; 0], "in /metrics");
    }
    for (place, bytes) in
        [("the log", &logs), ("traces", &traces), ("/metrics", &metrics), ("the stream's files", &stored), ("Redis", &cached)]
    {
        assert_eq!(found(bytes, &secrets), [""; 0], "in {place}");
    }
    let heard = ear.heard();
    let live = heard.iter().filter(|one| one.subject.starts_with("samtal.live.")).collect::<Vec<_>>();
    assert!(live.iter().any(|one| found(&one.payload, &secrets) == [CANARY]), "live text goes by, and was heard");
    for one in heard.iter() {
        assert_eq!(found(one.subject.as_bytes(), &secrets), [""; 0], "in a subject");
        assert_eq!(found(&one.headers, &secrets), [""; 0], "in headers of {}", one.subject);
        // Live text is carried and never stored.
        if !one.subject.starts_with("samtal.live.") {
            assert_eq!(found(&one.payload, &secrets), [""; 0], "in a message on {}", one.subject);
        }
    }
}
