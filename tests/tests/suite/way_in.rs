//! The way in: words for coming back before there is a case, doors that are full, and a register in which clinics are found.

use crate::isolation::blocking;
use kernel::{Id, Time};
use proto::intake::{
    CaseMode, GetEntryPointRequest, ListEntryPointsRequest, OfferReturnPhraseRequest, OfferReturnPhraseResponse, OpenCaseRequest,
    OpenCaseResponse, ResumeCaseRequest,
};
use samtal_tests::servers::Redis;
use samtal_tests::suite::{Person, Setup, Stack, eventually, refused, region_yaml};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Code, Status};

on_both_stacks!(
    words_come_before_the_first_message_and_open_nothing_without_it,
    words_belong_to_one_case_at_one_door_for_a_while,
    a_full_door_takes_messages_and_lets_danger_in,
    a_register_says_which_clinics_are_found,
);

fn open(door: &str, text: &str) -> OpenCaseRequest {
    OpenCaseRequest {
        request_id: Id::new(Time::from_secs(1_772_000_000)).to_string(),
        entry_point_id: door.into(),
        contact_reason_id: "alfa-cold".into(),
        text: text.into(),
        ..OpenCaseRequest::default()
    }
}

async fn offer(person: &Person) -> OfferReturnPhraseResponse {
    let request = OfferReturnPhraseRequest { entry_point_id: "alfa-door".into() };
    person.cases().offer_return_phrase(request).await.expect("words").into_inner()
}

fn with(offer: &OfferReturnPhraseResponse, text: &str) -> OpenCaseRequest {
    OpenCaseRequest { return_ticket: offer.return_ticket.clone(), ..open("alfa-door", text) }
}

async fn opened(person: &Person, request: &OpenCaseRequest) -> OpenCaseResponse {
    person.cases().open_case(request.clone()).await.expect("opened").into_inner()
}

async fn resume(person: &Person, phrase: &str) -> Result<String, Status> {
    let request = ResumeCaseRequest { request_id: String::new(), return_phrase: phrase.into() };
    Ok(person.cases().resume_case(request).await?.into_inner().case.unwrap().case_id)
}

/// With a count of tries of its own: other tests come from this address too.
async fn alone(stack: Stack) -> Setup {
    match stack {
        Stack::Embedded => Setup::new(stack),
        Stack::Region => Setup::new(stack).redis(Arc::new(blocking(Redis::start).await)),
    }
}

async fn words_come_before_the_first_message_and_open_nothing_without_it(stack: Stack) {
    let mut suite = alone(stack).await.start().await;
    let anyone = suite.anonymous();
    let (mine, others) = (offer(&anyone).await, offer(&anyone).await);
    assert!(mine.return_phrase.split(' ').count() == 8 && mine.return_phrase != others.return_phrase);
    assert!(!mine.return_ticket.contains(mine.return_phrase.split(' ').next().unwrap()));
    refused(resume(&anyone, &mine.return_phrase).await, Code::NotFound, "NOT_FOUND");
    // The ticket outlives a restart: it is kept nowhere.
    suite.down().await;
    suite.up().await;
    let anyone = suite.anonymous();
    let wanted = with(&mine, "hej");
    let first = opened(&anyone, &wanted).await;
    assert_eq!(first.return_phrase, mine.return_phrase);
    // A hundredfold answer is one answer: the same case, token and words.
    let again = opened(&anyone, &wanted).await;
    assert_eq!((&again.visitor_token, &again.return_phrase), (&first.visitor_token, &first.return_phrase));
    let id = first.case.unwrap().case_id;
    assert_eq!(again.case.unwrap().case_id, id);
    assert_eq!(resume(&anyone, &mine.return_phrase).await.unwrap(), id);
    refused(resume(&anyone, &others.return_phrase).await, Code::NotFound, "NOT_FOUND");
    // Only a hash of them is kept.
    let db = suite.db("intake").await;
    let rows = db.rows("SELECT phrase_hash FROM cases WHERE case_id = $1", store::args![id.parse::<Id>().unwrap()]);
    assert_eq!(rows.await.unwrap()[0].get::<Vec<u8>>(0).unwrap().len(), 32);
}

async fn words_belong_to_one_case_at_one_door_for_a_while(stack: Stack) {
    let suite = alone(stack).await.manual().start().await;
    let anyone = suite.anonymous();
    let mine = offer(&anyone).await;
    let case = opened(&anyone, &with(&mine, "hej")).await.case.unwrap().case_id;
    refused(anyone.cases().open_case(with(&mine, "en gång till")).await, Code::FailedPrecondition, "RETURN_TICKET_USED");
    assert_eq!(resume(&anyone, &mine.return_phrase).await.unwrap(), case);
    // Many at once: one gets the words.
    let racing = offer(&anyone).await;
    let tries = futures::future::join_all((0..8).map(|n| {
        let (anyone, request) = (anyone.clone(), with(&racing, &format!("nummer {n}")));
        async move { anyone.cases().open_case(request).await }
    }))
    .await;
    let (good, bad): (Vec<_>, Vec<_>) = tries.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 7));
    for one in bad {
        refused(one, Code::FailedPrecondition, "RETURN_TICKET_USED");
    }
    // Another door, another installation's, nonsense; and a worker needs none.
    let elsewhere = OpenCaseRequest { entry_point_id: "alfa-office".into(), ..with(&offer(&anyone).await, "hej") };
    let nonsense = OpenCaseRequest { return_ticket: "nonsense".into(), ..open("alfa-door", "hej") };
    for request in [elsewhere, nonsense] {
        refused(anyone.cases().open_case(request).await, Code::InvalidArgument, "INVALID_FIELD");
    }
    let anna = suite.worker("alfa.anna").await;
    refused(anna.cases().open_case(with(&offer(&anyone).await, "hej")).await, Code::InvalidArgument, "INVALID_FIELD");
    let late = offer(&anyone).await;
    suite.advance(Duration::from_secs(2 * 3600 + 1)).await;
    refused(anyone.cases().open_case(with(&late, "hej")).await, Code::FailedPrecondition, "RETURN_TICKET_EXPIRED");
    // Whoever asks for ever more is told to wait.
    let request = OfferReturnPhraseRequest { entry_point_id: "alfa-door".into() };
    let mut last = Ok(());
    for _ in 0..80 {
        last = anyone.cases().offer_return_phrase(request.clone()).await.map(|_| ());
        if last.is_err() {
            break;
        }
    }
    refused(last, Code::ResourceExhausted, "TOO_MANY_TRIES");
}

async fn a_full_door_takes_messages_and_lets_danger_in(stack: Stack) {
    let limited =
        region_yaml().replacen("profession: nurse, offer_seconds: 60 }", "profession: nurse, offer_seconds: 60, max_waiting: 2 }", 1);
    let suite = Setup::new(stack).region(limited).start().await;
    let anyone = suite.anonymous();
    let door = async || {
        let request = GetEntryPointRequest { entry_point_id: "alfa-door".into(), language: String::new() };
        anyone.cases().get_entry_point(request).await.unwrap().into_inner().entry_point.unwrap()
    };
    assert!(!door().await.full);
    let waiting = [opened(&anyone, &open("alfa-door", "hej")).await, opened(&anyone, &open("alfa-door", "hej")).await];
    eventually("the door is full", async || door().await.full.then_some(())).await;
    refused(anyone.cases().open_case(open("alfa-door", "hej")).await, Code::FailedPrecondition, "QUEUE_FULL");
    // A message is left, and nobody waits at a screen for it.
    let left = opened(&anyone, &OpenCaseRequest { leave_message: true, ..open("alfa-door", "läs när ni hinner") }).await.case.unwrap();
    assert_eq!(left.mode(), CaseMode::Asynchronous);
    // Danger is let in, ahead of the queue, as somebody who waits.
    let danger = opened(&anyone, &open("alfa-door", "jag tänker ta mitt liv")).await;
    assert!(danger.safety.is_some() && danger.case.as_ref().unwrap().mode() == CaseMode::Live);
    // So is whoever a worker lets in. Once all but that one are taken, there is room again.
    let anna = suite.worker("alfa.anna").await;
    let phoned = OpenCaseRequest { request_id: String::new(), ..open("alfa-door", "ringde") };
    opened(&anna, &phoned).await;
    assert!(door().await.full);
    anna.present(true).await;
    for one in waiting.into_iter().chain([danger]) {
        anna.take(&one.case.unwrap().case_id).await;
    }
    eventually("there is room again", async || (!door().await.full).then_some(())).await;
    opened(&anyone, &open("alfa-door", "hej")).await;
}

async fn a_register_says_which_clinics_are_found(stack: Stack) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clinics.json");
    let listed = r#"[
        { "entry_point": "alfa-far-door", "clinic": "Hälsocentralen Söder", "place": "Örnsköldsvik", "also": ["Alnö"] },
        { "entry_point": "nobodys-door", "place": "Ingenstans" }
    ]"#;
    std::fs::write(&path, listed).unwrap();
    let suite = Setup::new(stack).register(&format!("file:{}", path.display())).start().await;
    let found = async |query: &str| {
        let request = ListEntryPointsRequest { query: query.into(), ..ListEntryPointsRequest::default() };
        let answer = suite.anonymous().cases().list_entry_points(request).await.unwrap().into_inner();
        answer.entry_points.into_iter().map(|one| (one.entry_point_id, one.clinic_name, one.place)).collect::<Vec<_>>()
    };
    let only = [("alfa-far-door".to_owned(), "Hälsocentralen Söder".to_owned(), "Örnsköldsvik".to_owned())];
    for query in ["", "ornskoldsvik", "alno halso", "alfa"] {
        assert_eq!(found(query).await, only, "{query}");
    }
    for query in ["Örebro", "Ingenstans", "beta"] {
        assert!(found(query).await.is_empty(), "{query}");
    }
}
