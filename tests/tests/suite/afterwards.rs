//! What happens while nobody looks: a mail that an answer waits, and the end of what was written.

use kernel::Time;
use proto::Event;
use proto::intake::{CaseErased, OpenCaseRequest, Outcome, RateCaseRequest, ResumeCaseRequest, SubscribeRequest};
use proto::log::{Envelope, ReadRequest};
use proto::notifications::{DeliveryChannel, DeliveryState, ListNotificationsRequest, MarkSeenRequest, Notification, SetContactRequest};
use samtal_tests::smtp::Catcher;
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, Visitor, eventually, refused};
use std::time::Duration;
use tonic::Code;

on_both_stacks!(
    a_visitor_who_is_away_is_told_that_an_answer_waits,
    what_is_over_is_erased_in_time,
    what_nobody_closes_lapses_unless_somebody_waits,
);

const DAY: Duration = Duration::from_secs(86_400);

async fn notifications(person: &Person, case_id: &str) -> Vec<Notification> {
    let request = ListNotificationsRequest { case_id: case_id.to_owned() };
    eventually("notifications answers", async || person.notifications().list_notifications(request.clone()).await.ok())
        .await
        .into_inner()
        .notifications
}

async fn contact(visitor: &Visitor) {
    let request =
        SetContactRequest { case_id: visitor.case_id.clone(), email: "nagon@visitor.example".into(), ..SetContactRequest::default() };
    eventually("notifications knows the case", async || visitor.me.notifications().set_contact(request.clone()).await.ok()).await;
}

async fn a_visitor_who_is_away_is_told_that_an_answer_waits(stack: Stack) {
    let catcher = Catcher::start().await;
    let suite = Setup::new(stack).manual().smtp(&catcher.url).start().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "jag väntar").await;
    contact(&visitor).await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    let inbox = notifications(&anna, "").await;
    assert!(inbox.iter().any(|one| one.kind == "offer" && one.case_id == visitor.case_id), "{inbox:?}");

    // Back within a minute: no mail.
    anna.post(&visitor.case_id, "a1", "KANARIE i svaret").await.unwrap();
    suite.advance(Duration::from_secs(59)).await;
    let subscribe = || SubscribeRequest { case_id: visitor.case_id.clone(), after_seq: 0 };
    let screen = visitor.me.conversations().subscribe(subscribe()).await.unwrap();
    suite.advance(Duration::from_secs(120)).await;
    assert_eq!(catcher.mails().len(), 0, "a visitor who is back needs no mail");
    let states = notifications(&visitor.me, &visitor.case_id).await;
    let mail = states.iter().find(|one| one.channel() == DeliveryChannel::Email).expect("there was one");
    assert_eq!(mail.state(), DeliveryState::Cancelled);
    // While the screen is open there is none either.
    anna.post(&visitor.case_id, "a2", "ser du det?").await.unwrap();
    suite.advance(Duration::from_secs(120)).await;
    assert_eq!(catcher.mails().len(), 0);

    // Away for longer: one mail, however many answers; refused at first, sent all the same, and once.
    drop(screen);
    catcher.refuse(2);
    let mut tries = 0;
    eventually("the suite sees that the screen is closed", async || {
        tries += 1;
        anna.post(&visitor.case_id, &format!("a3-{tries}"), "KANARIE igen").await.unwrap();
        suite.settle().await;
        let waits = notifications(&visitor.me, &visitor.case_id).await;
        waits.iter().any(|one| one.channel() == DeliveryChannel::Email && one.state() == DeliveryState::Pending).then_some(())
    })
    .await;
    anna.post(&visitor.case_id, "a4", "KANARIE sist").await.unwrap();
    eventually("the mail goes out", async || {
        suite.advance(Duration::from_secs(600)).await;
        (!catcher.mails().is_empty()).then_some(())
    })
    .await;
    suite.advance(DAY).await;
    let mails = catcher.mails();
    assert_eq!((mails.len(), catcher.refusals_left()), (1, 0));
    content_free(&mails[0].text);
    assert!(mails[0].envelope.contains("nagon@visitor.example"), "{}", mails[0].envelope);
    let delivered = eventually("the delivery is recorded", async || {
        let all = notifications(&visitor.me, &visitor.case_id).await;
        all.into_iter().find(|one| one.channel() == DeliveryChannel::Email && one.state() == DeliveryState::Delivered)
    })
    .await;
    assert_eq!(delivered.tries, 3);
    assert!(mails[0].text.contains(&delivered.notification_id), "the delivery's id is the mail's");

    // In the application too, until it is seen; nobody else's business.
    let all = notifications(&visitor.me, &visitor.case_id).await;
    let waits = all.iter().find(|one| one.channel() == DeliveryChannel::InApp && one.kind == "answer_waits").expect("one");
    let seen = MarkSeenRequest { notification_id: waits.notification_id.clone(), ..MarkSeenRequest::default() };
    refused(anna.notifications().mark_seen(seen.clone()).await, Code::NotFound, "NOT_FOUND");
    visitor.me.notifications().mark_seen(seen).await.unwrap();
    let all = notifications(&visitor.me, &visitor.case_id).await;
    assert!(all.iter().any(|one| one.notification_id == waits.notification_id && one.seen_at.is_some()));
}

/// Nothing of the conversation, its people or its clinic, also where it is encoded.
fn content_free(mail: &str) {
    let (head, body) = mail.split_once("\n\n").unwrap();
    let quoted = body.replace("=\n", "").replace("=C3=B6", "ö").replace("=C3=A4", "ä").replace("=C3=A5", "å");
    for text in [head, body, quoted.as_str()] {
        for word in ["KANARIE", "Anna", "anna", "norr", "rkyl", "cold", "nurse", "visitor.example/", "token"] {
            assert!(!text.contains(word), "{word} in:\n{mail}");
        }
    }
    assert!(quoted.contains("https://alfa.example/r"), "{mail}");
    assert!(!head.contains("Alfa") && head.contains("From: Meddelande <noreply@alfa.example>"), "{head}");
}

/// Every event of intake about `key`, by position.
async fn events(suite: &TestSuite, key: &str) -> Vec<Envelope> {
    let service = suite.service("insights");
    let mut all = Vec::new();
    for shard in 0..4 {
        let read = ReadRequest { service: "intake".into(), shard, from: 1, limit: 0 };
        let batch = service.log().read(read).await.unwrap().into_inner().batch.unwrap();
        let positions: Vec<i64> = batch.events.iter().map(|event| event.position).collect();
        assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>(), "positions stay dense");
        all.extend(batch.events.into_iter().filter(|event| event.key == key));
    }
    all
}

async fn what_nobody_closes_lapses_unless_somebody_waits(stack: Stack) {
    let suite = Setup::new(stack).manual().start().await;
    let (anna, lea) = (suite.worker("alfa.anna").await, suite.leader("alfa.lea").await);
    anna.present(true).await;
    let request = || OpenCaseRequest {
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "hej".into(),
        mode: proto::intake::CaseMode::Asynchronous.into(),
        ..OpenCaseRequest::default()
    };
    let (silent, asks) = (suite.visitor_with(request()).await, suite.visitor_with(request()).await);
    for visitor in [&silent, &asks] {
        anna.take(&visitor.case_id).await;
        anna.post(&visitor.case_id, "a1", "hur mår du?").await.unwrap();
    }
    suite.advance(3 * DAY).await;
    // The text is kept as long after the last word, and a question is not forgotten.
    anna.post(&silent.case_id, "a2", "hör av dig om det är något").await.unwrap();
    asks.me.post(&asks.case_id, "v1", "jag har en fråga till").await.unwrap();
    suite.advance(7 * DAY - Duration::from_secs(1)).await;
    let case = lea.case(&silent.case_id).await.unwrap();
    assert!(case.state() != proto::intake::CaseState::Closed && !case.erased, "not a second too early: {case:?}");
    suite.advance(DAY).await;
    let case = lea.case(&silent.case_id).await.unwrap();
    assert!(case.state() == proto::intake::CaseState::Closed && case.erased, "{case:?}");
    assert!(lea.messages(&silent.case_id).await.unwrap().iter().all(|message| message.text.is_empty()));
    suite.advance(60 * DAY).await;
    let case = lea.case(&asks.case_id).await.unwrap();
    assert!(case.state() != proto::intake::CaseState::Closed && !case.erased, "somebody waits for an answer: {case:?}");
}

async fn what_is_over_is_erased_in_time(stack: Stack) {
    const CANARY: &str = "KANARIE-9431";
    let mut suite = Setup::new(stack).manual().start().await;
    let visitor = suite
        .visitor_with(OpenCaseRequest {
            entry_point_id: "alfa-door".into(),
            contact_reason_id: "alfa-cold".into(),
            text: format!("{CANARY} först"),
            visitor: Some(proto::intake::Visitor { display_name: format!("{CANARY} namn"), ..Default::default() }),
            ..OpenCaseRequest::default()
        })
        .await;
    let other = suite.visitor("alfa-door", "alfa-cold", "en annan").await;
    contact(&visitor).await;
    let (anna, lea) = (suite.worker("alfa.anna").await, suite.leader("alfa.lea").await);
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    anna.post(&visitor.case_id, "a1", &format!("{CANARY} svar")).await.unwrap();
    let note = proto::intake::PostNoteRequest { case_id: visitor.case_id.clone(), client_id: "n1".into(), text: format!("{CANARY} not") };
    anna.conversations().post_note(note).await.unwrap();
    let severity = proto::triage::SetSeverityRequest {
        case_id: visitor.case_id.clone(),
        severity: proto::intake::Severity::Soon.into(),
        reason: format!("{CANARY} skäl"),
        ..Default::default()
    };
    anna.triage().set_severity(severity).await.unwrap();
    let reveal = proto::intake::RevealIdentityRequest {
        case_id: visitor.case_id.clone(),
        field: proto::intake::IdentityField::Name.into(),
        value: format!("{CANARY} avslöjat"),
        ..Default::default()
    };
    visitor.me.cases().reveal_identity(reveal).await.unwrap();
    let refer = proto::intake::ReferCaseRequest {
        request_id: String::new(),
        case_id: visitor.case_id.clone(),
        referral_target_id: "alfa-other".into(),
    };
    anna.referrals().refer_case(refer).await.unwrap();
    anna.cases().close_case(crate::journey::close(&visitor.case_id, Outcome::Treated)).await.unwrap();
    visitor
        .me
        .cases()
        .rate_case(RateCaseRequest { case_id: visitor.case_id.clone(), rating: 5, text: format!("{CANARY} omdöme"), ..Default::default() })
        .await
        .unwrap();

    // Otherwise the other case would be offered every minute of the week.
    anna.present(false).await;
    suite.advance(7 * DAY - Duration::from_secs(1)).await;
    assert!(lea.messages(&visitor.case_id).await.unwrap()[0].text.contains(CANARY), "not a second too early");
    let before = events(&suite, &visitor.case_id).await;
    suite.advance(Duration::from_secs(1)).await;

    let messages = lea.messages(&visitor.case_id).await.unwrap();
    assert_eq!(messages.iter().map(|message| message.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6], "seq stays dense");
    assert!(messages.iter().all(|message| message.erased && message.text.is_empty()), "{messages:?}");
    assert!(messages.iter().flat_map(|message| &message.system).all(|line| line.params.is_empty()), "{messages:?}");
    let case = lea.case(&visitor.case_id).await.unwrap();
    assert!(case.erased && case.visitor.unwrap_or_default().display_name.is_empty());
    let after = events(&suite, &visitor.case_id).await;
    let (tombstones, last) = after.split_at(before.len());
    assert!(tombstones.iter().all(|event| event.erased && event.payload.is_empty()));
    let place = |event: &Envelope| (event.event_id.clone(), event.position, event.key_seq, event.r#type.clone());
    assert_eq!(tombstones.iter().map(place).collect::<Vec<_>>(), before.iter().map(place).collect::<Vec<_>>());
    assert_eq!(last.iter().map(|event| event.r#type.as_str()).collect::<Vec<_>>(), [CaseErased::TYPE]);
    let resume = ResumeCaseRequest { request_id: String::new(), return_phrase: visitor.opened.return_phrase.clone() };
    refused(suite.anonymous().cases().resume_case(resume).await, Code::NotFound, "NOT_FOUND");
    // A token may be believed for 2 s of real time, in which a week has passed here.
    eventually("the visitor's token is gone with the case", async || {
        visitor.me.messages(&visitor.case_id).await.err().filter(|status| status.code() == Code::Unauthenticated)
    })
    .await;
    assert_eq!(other.me.messages(&other.case_id).await.unwrap()[0].text, "en annan", "what is open stays");

    // A replay from the beginning meets tombstones, and stands it: figures stay.
    suite.settle().await;
    let now: Time = suite.clock.now();
    suite.down().await;
    for service in ["intake", "triage", "routing", "scheduling", "notifications", "insights"] {
        let found = crate::tables::search(&suite.db(service).await, &[CANARY, "nagon@visitor.example"]).await;
        assert!(found.is_empty(), "{service} still holds erased text at {now:?}: {found:?}");
    }
}
