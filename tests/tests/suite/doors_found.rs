//! What the pages of visitors and staff stand on: doors, lines of Samtal's own, canned replies.

use proto::intake::subscribe_response::Event;
use proto::intake::{
    CaseState, Choice, ForWhom, GetEntryPointRequest, ListCannedRepliesRequest, ListEntryPointsRequest, OpenCaseRequest, Outcome,
    ReopenCaseRequest, SubscribeRequest, SystemCode,
};
use proto::routing::{GetExpectedWaitRequest, ReleaseCaseRequest, TransferCaseRequest};
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, eventually, refused};
use tonic::Code;

on_both_stacks!(
    a_door_says_all_that_a_page_shows,
    people_find_their_clinic,
    what_happens_is_a_line_of_the_conversation,
    replies_fill_themselves_in
);

async fn door(person: &Person, id: &str, language: &str) -> proto::intake::EntryPoint {
    let request = GetEntryPointRequest { entry_point_id: id.into(), language: language.into() };
    person.cases().get_entry_point(request).await.unwrap().into_inner().entry_point.unwrap()
}

async fn a_door_says_all_that_a_page_shows(stack: Stack) {
    // A Wednesday morning: the office is open until five.
    let suite = Setup::new(stack).manual().start().await;
    let anyone = suite.anonymous();
    let office = door(&anyone, "alfa-office", "en").await;
    assert_eq!(
        (office.address.as_str(), office.place.as_str(), office.timezone.as_str()),
        ("/e/alfa-office", "Örebro", "Europe/Stockholm")
    );
    assert_eq!(office.professions, ["physician", "nurse", "volunteer"]);
    let week: Vec<(u32, Vec<String>)> = office.week.into_iter().map(|day| (day.weekday, day.spans)).collect();
    assert_eq!(week.len(), 7);
    assert_eq!((week[0].clone(), week[6].clone()), ((1, vec!["08:00-17:00".to_owned()]), (7, vec![])));
    assert_eq!(office.next_openings.len(), 7);
    assert!(office.next_openings.windows(2).all(|pair| pair[0].to.unwrap().seconds < pair[1].from.unwrap().seconds));
    assert_eq!((office.numbers[0].number.as_str(), office.country.as_str()), ("112", "SE"));
    assert!(office.numbers.iter().all(|one| !one.label.is_empty()) && office.numbers.len() > 2);
    assert_eq!(office.for_whom, [ForWhom::Child as i32, ForWhom::Self_ as i32]);
    assert_eq!(office.found_us[1], Choice { choice_id: "alfa-search".into(), name: "Searched the web".into() });
    assert_eq!((office.max_attachment_bytes, office.reopen_days, office.can_meet_by_video), (10 << 20, 2, true));
    // The other door never closes, asks nothing and is in Norway.
    let other = door(&anyone, "beta-door", "nb").await;
    assert!(other.week.is_empty() && other.found_us.is_empty() && other.open);
    assert_eq!((other.numbers[0].number.as_str(), other.country.as_str()), ("113", "NO"));
    assert_eq!((other.next_openings.len(), other.next_openings[0].to), (1, None));

    // Nobody is there yet; then somebody is. Too little is known for a wait.
    let wait = async |person: &Person| {
        let request = GetExpectedWaitRequest { entry_point_id: "alfa-office".into() };
        person.routing().get_expected_wait(request).await.unwrap().into_inner()
    };
    assert!(!wait(&anyone).await.staffed);
    suite.worker("alfa.anna").await.present(true).await;
    let now = wait(&anyone).await;
    assert!(now.staffed && !now.known);
    eventually("the door says so too", async || {
        door(&anyone, "alfa-office", "").await.expected_wait.filter(|wait| wait.staffed).map(|_| ())
    })
    .await;

    // What is answered at the door goes with the case; what is not offered is refused.
    let open = |for_whom: ForWhom, found_us: &str| OpenCaseRequest {
        entry_point_id: "alfa-office".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "hej".into(),
        for_whom: for_whom.into(),
        found_us_id: found_us.into(),
        ..OpenCaseRequest::default()
    };
    refused(anyone.cases().open_case(open(ForWhom::Relative, "")).await, Code::InvalidArgument, "INVALID_FIELD");
    refused(anyone.cases().open_case(open(ForWhom::Child, "nonsense")).await, Code::InvalidArgument, "INVALID_FIELD");
    let case = anyone.cases().open_case(open(ForWhom::Unspecified, "alfa-friend")).await.unwrap().into_inner().case.unwrap();
    assert_eq!((case.for_whom(), case.found_us_id.as_str()), (ForWhom::Child, "alfa-friend"), "the door proposes the first");
}

async fn people_find_their_clinic(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let anyone = suite.anonymous();
    let find = async |query: &str, page_size: i32, page_token: String| {
        let request = ListEntryPointsRequest { query: query.into(), page_size, page_token, ..ListEntryPointsRequest::default() };
        anyone.cases().list_entry_points(request).await.unwrap().into_inner()
    };
    let ids = |answer: &proto::intake::ListEntryPointsResponse| {
        answer.entry_points.iter().map(|one| one.entry_point_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&find("OREBRO alfa", 0, String::new()).await), ["alfa-door", "alfa-office"]);
    assert_eq!(ids(&find("alfa soder", 0, String::new()).await), ["alfa-far-door"]);
    assert!(ids(&find("nowhere", 0, String::new()).await).is_empty());
    // Page by page: each once.
    let all = ids(&find("", 0, String::new()).await);
    assert_eq!(all.len(), 6);
    let (mut paged, mut token) = (Vec::new(), String::new());
    loop {
        let page = find("", 4, token).await;
        paged.extend(ids(&page));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, all);
    let request = ListEntryPointsRequest { page_token: "nonsense".into(), ..ListEntryPointsRequest::default() };
    refused(anyone.cases().list_entry_points(request).await, Code::InvalidArgument, "INVALID_FIELD");
}

/// The codes of a conversation's lines with their seqs, as a stream from the beginning shows them.
async fn streamed(person: &Person, case_id: &str, until: i64) -> Vec<(i64, SystemCode)> {
    let request = SubscribeRequest { case_id: case_id.to_owned(), after_seq: 0 };
    let mut stream = person.conversations().subscribe(request).await.unwrap().into_inner();
    let (mut lines, mut last) = (Vec::new(), 0);
    while last < until {
        let Some(Event::Message(message)) = stream.message().await.unwrap().unwrap().event else { continue };
        assert_eq!(message.seq, last + 1, "dense");
        last = message.seq;
        lines.extend(message.system.map(|line| (last, line.code())));
    }
    lines
}

async fn what_happens_is_a_line_of_the_conversation(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let case = visitor.case_id.clone();
    let (anna, bo) = (suite.worker("alfa.anna").await, suite.worker("alfa.bo").await);
    anna.present(true).await;
    anna.take(&case).await;
    let joined = visitor.me.messages(&case).await.unwrap()[1].clone();
    let line = joined.system.unwrap();
    assert_eq!((line.code(), joined.worker_id.as_str()), (SystemCode::Joined, "alfa.anna"));
    assert_eq!((line.params["first_name"].as_str(), line.params["profession"].as_str()), ("Anna", "nurse"));

    // A sign of danger is told in the answer, and stays in the conversation.
    let answer = visitor.me.post(&case, "v1", "jag vill ta livet av mig").await.unwrap();
    assert!(answer.safety.is_some());
    let told = visitor.me.messages(&case).await.unwrap();
    let flag = told.last().unwrap().system.clone().unwrap();
    assert_eq!((flag.code(), flag.params["categories"].as_str()), (SystemCode::RedFlag, "suicide"));
    assert!(flag.params["numbers"].starts_with("112,"), "{flag:?}");

    // Over to a colleague, then to a queue of another profession, where nobody is.
    bo.present(true).await;
    let transfer = |worker: &str, profession: &str| TransferCaseRequest {
        case_id: case.clone(),
        worker_id: worker.into(),
        profession: profession.into(),
        ..TransferCaseRequest::default()
    };
    refused(anna.routing().transfer_case(transfer("alfa.bo", "nurse")).await, Code::InvalidArgument, "INVALID_FIELD");
    refused(anna.routing().transfer_case(transfer("beta.bo", "")).await, Code::NotFound, "NOT_FOUND");
    refused(anna.routing().transfer_case(transfer("", "rehab")).await, Code::FailedPrecondition, "NO_QUEUE");
    anna.routing().transfer_case(transfer("alfa.bo", "")).await.unwrap();
    bo.take(&case).await;
    bo.routing().transfer_case(transfer("", "physician")).await.unwrap();
    let waits = eventually("the case waits for a physician", async || {
        visitor.me.case(&case).await.ok().filter(|case| case.state() == CaseState::Waiting)
    })
    .await;
    assert_eq!(waits.worker_id, "");
    let cia = suite.worker("alfa.cia").await;
    cia.routing().claim_case(proto::routing::ClaimCaseRequest { case_id: case.clone(), ..Default::default() }).await.unwrap();
    cia.holds(&case).await;
    cia.cases().close_case(crate::journey::close(&case, Outcome::Advice)).await.unwrap();
    visitor.me.cases().reopen_case(ReopenCaseRequest { request_id: String::new(), case_id: case.clone() }).await.unwrap();

    let lines = streamed(&visitor.me, &case, 9).await;
    let codes: Vec<SystemCode> = lines.iter().map(|(_, code)| *code).collect();
    let expected = [
        SystemCode::Joined,
        SystemCode::RedFlag,
        SystemCode::Transferred,
        SystemCode::WaitingAgain,
        SystemCode::Joined,
        SystemCode::Closed,
        SystemCode::Reopened,
    ];
    assert_eq!(codes, expected);
    // Whoever gave it away is asked again if nobody else is there: a fallback, not a dead end.
    bo.present(false).await;
    let again = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    anna.take(&again.case_id).await;
    anna.routing().release_case(ReleaseCaseRequest { case_id: again.case_id.clone(), ..Default::default() }).await.unwrap();
    anna.offer(&again.case_id).await;
}

async fn replies_fill_themselves_in(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let request = OpenCaseRequest {
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "hej".into(),
        visitor: Some(proto::intake::Visitor { display_name: "Maja".into(), ..Default::default() }),
        ..OpenCaseRequest::default()
    };
    let visitor = suite.visitor_with(request).await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    let list = |language: &str| ListCannedRepliesRequest { case_id: visitor.case_id.clone(), language: language.into() };
    let replies = anna.clinics().list_canned_replies(list("")).await.unwrap().into_inner().canned_replies;
    let ids: Vec<&str> = replies.iter().map(|one| one.canned_reply_id.as_str()).collect();
    assert_eq!(ids, ["alfa-norr-lab", "alfa-hello"], "the clinic's own first, another clinic's never");
    assert_eq!((replies[1].title.as_str(), replies[1].text.as_str()), ("Hälsning", "Hej Maja, jag heter Anna på Alfa norr."));
    let english = anna.clinics().list_canned_replies(list("en")).await.unwrap().into_inner().canned_replies;
    assert_eq!(english[1].text, "Hello Maja, I am Anna at Alfa norr.");
    // The visitor's name is in them, so that they are the case's, and the look is logged.
    refused(suite.worker("alfa.bo").await.clinics().list_canned_replies(list("")).await, Code::NotFound, "NOT_FOUND");
    let audit = proto::intake::ListAuditRequest { case_id: visitor.case_id.clone(), ..Default::default() };
    let entries = visitor.me.cases().list_audit(audit).await.unwrap().into_inner().entries;
    assert!(entries.iter().any(|one| one.action.ends_with("ClinicService/ListCannedReplies") && one.principal_id == "alfa.anna"));
}
