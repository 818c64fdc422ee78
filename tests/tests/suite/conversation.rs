//! Live text: every message once, in order, on every open screen; through streams of one's own and shared ones.

use futures::StreamExt;
use proto::intake::converse_request::Frame;
use proto::intake::converse_response::Frame as Answer;
use proto::intake::subscribe_response::Event;
use proto::intake::{
    ConverseRequest, ConverseResponse, ListNotesRequest, PostMessageRequest, ResumeCaseRequest, SenderKind, SetTypingRequest,
    SubscribeRequest, SubscribeResponse, Unsubscribe,
};
use proto::notifications::ListNotificationsRequest;
use samtal_tests::suite::{Person, SOON, Stack, TestSuite, Visitor, eventually, refused};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

on_both_stacks!(
    both_screens_show_every_message_once,
    many_conversations_share_one_stream,
    a_visitor_comes_back_with_the_phrase,
    a_screen_that_comes_and_goes_misses_nothing,
    a_visitor_is_there_as_long_as_one_tab_is_open,
    a_screen_that_has_seen_more_than_there_is_begins_anew,
    a_frame_that_is_too_large_ends_its_stream_with_the_reason,
);

async fn taken(suite: &TestSuite) -> (Visitor, Person) {
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    (visitor, anna)
}

async fn screen(person: &Person, case_id: &str, after_seq: i64) -> Streaming<SubscribeResponse> {
    let request = SubscribeRequest { case_id: case_id.to_owned(), after_seq };
    person.conversations().subscribe(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<SubscribeResponse>) -> Event {
    let event = tokio::time::timeout(SOON, stream.message()).await.expect("something happens");
    event.unwrap().expect("the stream goes on").event.unwrap()
}

/// The next `count` messages' seqs, whatever comes between them.
async fn seqs(stream: &mut Streaming<SubscribeResponse>, count: usize) -> Vec<i64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        if let Event::Message(message) = next(stream).await {
            seqs.push(message.seq);
        }
    }
    seqs
}

/// After a restore from a backup, numbers are given again: a screen that went on after its last one would show none of what comes.
async fn a_screen_that_has_seen_more_than_there_is_begins_anew(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let mut ahead = screen(&visitor.me, &visitor.case_id, 5).await;
    assert!(matches!(next(&mut ahead).await, Event::Resync(resync) if resync.after_seq == 0));
    assert!(tokio::time::timeout(SOON, ahead.message()).await.expect("it ends").unwrap().is_none());
    let mut anew = screen(&visitor.me, &visitor.case_id, 0).await;
    visitor.me.post(&visitor.case_id, "v1", "en sak till").await.unwrap();
    assert_eq!(seqs(&mut anew, 2).await, [1, 2]);
}

async fn a_frame_that_is_too_large_ends_its_stream_with_the_reason(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let post = |client_id: &str, text: String| {
        let case_id = visitor.case_id.clone();
        let frame = Frame::Post(PostMessageRequest { case_id, client_id: client_id.into(), text, attachment_ids: Vec::new() });
        ConverseRequest { correlation_id: 1, token: String::new(), frame: Some(frame), ..Default::default() }
    };
    let (frames, requests) = tokio::sync::mpsc::channel(8);
    let mut answers = visitor.me.conversations().converse(ReceiverStream::new(requests)).await.unwrap().into_inner();
    for frame in [post("v1", "x".repeat(20_000)), post("v2", "bra".into()), post("v3", "x".repeat(70_000)), post("v4", "för sent".into())]
    {
        frames.send(frame).await.unwrap();
    }
    let (mut refused, mut posted) = (0, Vec::new());
    let end = loop {
        match tokio::time::timeout(SOON, answers.message()).await.expect("it says something") {
            Ok(Some(answer)) => match answer.frame.unwrap() {
                Answer::Error(error) => {
                    assert_eq!((error.code, error.field.as_str()), (Code::InvalidArgument as i32, "text"), "{error:?}");
                    refused += 1;
                }
                Answer::Posted(posting) => posted.push(posting.message.unwrap().client_id),
                other => panic!("{other:?}"),
            },
            Ok(None) => panic!("it ends as if all were well"),
            Err(status) => break status,
        }
    };
    assert!(matches!(end.code(), Code::ResourceExhausted | Code::OutOfRange), "{end:?}");
    assert_eq!(refused, 1, "one bad frame is answered by an error frame, and the stream goes on");
    assert!(posted.iter().all(|id| id == "v2"), "{posted:?}");
    let written = visitor.me.messages(&visitor.case_id).await.unwrap();
    assert_eq!(written.iter().filter(|message| message.client_id == "v2").count(), 1, "what was taken before is worked off");
}

async fn both_screens_show_every_message_once(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = taken(&suite).await;
    let case = visitor.case_id.as_str();
    let (mut hers, mut theirs) = (screen(&anna, case, 0).await, screen(&visitor.me, case, 0).await);
    for stream in [&mut hers, &mut theirs] {
        assert!(matches!(next(stream).await, Event::Message(message) if message.seq == 1));
        // Who answers is a line of the conversation.
        assert!(matches!(next(stream).await, Event::Message(message) if message.seq == 2 && message.system.is_some()));
        while !matches!(next(stream).await, Event::CaughtUp(up) if up.last_seq == 2) {}
    }
    // 20 from each side at once.
    let writers = [(anna.clone(), "a"), (visitor.me.clone(), "v")].map(|(person, name)| {
        let case = case.to_owned();
        tokio::spawn(async move {
            for n in 0..20 {
                person.post(&case, &format!("{name}{n}"), &format!("{name} {n}")).await.unwrap();
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let expected: Vec<i64> = (3..=42).collect();
    assert_eq!(seqs(&mut hers, 40).await, expected);
    assert_eq!(seqs(&mut theirs, 40).await, expected);

    // Typing is told to the other side and stored nowhere.
    anna.conversations().set_typing(SetTypingRequest { case_id: case.to_owned() }).await.unwrap();
    loop {
        if let Event::Typing(typing) = next(&mut theirs).await {
            assert_eq!(typing.sender_kind(), SenderKind::Worker);
            break;
        }
    }
    // The same again is the same; another text under the same id is refused.
    let first = anna.post(case, "same", "en gång").await.unwrap();
    assert_eq!(anna.post(case, "same", "en gång").await.unwrap(), first);
    refused(anna.post(case, "same", "något annat").await, Code::AlreadyExists, "CLIENT_ID_REUSED");
    // Another sender's ids are their own.
    assert_eq!(visitor.me.post(case, "same", "min egen").await.unwrap().message.unwrap().seq, 44);
    assert_eq!(seqs(&mut theirs, 2).await, [43, 44]);
    // A case that is closed says so on the screen.
    anna.cases().close_case(crate::journey::close(case, proto::intake::Outcome::Advice)).await.unwrap();
    while !matches!(next(&mut theirs).await, Event::Case(case) if case.closed_at.is_some()) {}
    // Beyond the end there is nothing, and before it everything.
    let read = visitor.me.messages(case).await.unwrap();
    assert_eq!(
        read.iter().map(|message| message.seq).collect::<Vec<_>>(),
        (1..=45).collect::<Vec<_>>(),
        "the last one says that it is closed"
    );
}

async fn a_screen_that_comes_and_goes_misses_nothing(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = taken(&suite).await;
    let case = visitor.case_id.clone();
    let writer = tokio::spawn({
        let case = case.clone();
        async move {
            for n in 0..120 {
                anna.post(&case, &format!("a{n}"), "text").await.unwrap();
            }
        }
    });
    // P12: a reader that reconnects after every few messages gets each gap once.
    let (mut seen, mut round) = (Vec::new(), 0);
    while seen.len() < 122 {
        round += 1;
        let mut stream = screen(&visitor.me, &case, seen.last().copied().unwrap_or(0)).await;
        let some = (round % 7 + 1).min(122 - seen.len());
        seen.extend(seqs(&mut stream, some).await);
    }
    writer.await.unwrap();
    assert_eq!(seen, (1..=122).collect::<Vec<_>>());
    // From the middle on.
    let mut stream = screen(&visitor.me, &case, 100).await;
    assert_eq!(seqs(&mut stream, 22).await, (101..=122).collect::<Vec<_>>());
    while !matches!(next(&mut stream).await, Event::CaughtUp(up) if up.last_seq == 122) {}
}

async fn many_conversations_share_one_stream(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (one, anna) = taken(&suite).await;
    let other = suite.visitor("alfa-door", "alfa-cold", "hej igen").await;
    anna.take(&other.case_id).await;
    let (frames, requests) = tokio::sync::mpsc::channel(64);
    // A gateway holds the stream; each frame says on whose behalf it comes.
    let gateway = suite.service("gateway");
    let mut answers = gateway.conversations().converse(ReceiverStream::new(requests)).await.unwrap().into_inner();
    let send = async |correlation_id: u64, token: &str, frame: Frame| {
        frames.send(ConverseRequest { correlation_id, token: token.to_owned(), frame: Some(frame), ..Default::default() }).await.unwrap();
    };
    let post = |case_id: &str, client_id: &str| {
        Frame::Post(PostMessageRequest {
            case_id: case_id.to_owned(),
            client_id: client_id.to_owned(),
            text: format!("text {client_id}"),
            attachment_ids: Vec::new(),
        })
    };
    let subscribe = |case_id: &str| Frame::Subscribe(SubscribeRequest { case_id: case_id.to_owned(), after_seq: 2 });
    send(1, &one.me.token, subscribe(&one.case_id)).await;
    send(2, &anna.token, subscribe(&other.case_id)).await;
    let mut caught_up = 0;
    while caught_up < 2 {
        let answer = answer(&mut answers).await;
        caught_up += usize::from(matches!(answer.frame, Some(Answer::Event(SubscribeResponse { event: Some(Event::CaughtUp(_)) }))));
    }
    for n in 0..10_u64 {
        send(100 + n, &anna.token, post(&one.case_id, &format!("a{n}"))).await;
        send(200 + n, &other.me.token, post(&other.case_id, &format!("o{n}"))).await;
    }
    let (mut posted, mut shown) = (Vec::new(), [Vec::new(), Vec::new()]);
    while posted.len() < 20 || shown.iter().any(|one| one.len() < 10) {
        let answer = answer(&mut answers).await;
        match answer.frame.unwrap() {
            Answer::Posted(_) => posted.push(answer.correlation_id),
            Answer::Event(SubscribeResponse { event: Some(Event::Message(message)) }) => {
                shown[usize::from(answer.correlation_id == 2)].push(message.seq);
            }
            Answer::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shown, [(3..=12).collect::<Vec<_>>(), (3..=12).collect::<Vec<_>>()]);
    let of = |first: u64| posted.iter().copied().filter(|id| (first..first + 10).contains(id)).collect::<Vec<_>>();
    assert_eq!((of(100), of(200)), ((100..110).collect(), (200..210).collect()), "answers of one conversation keep their order");

    // A bad frame gets an error frame, and the stream goes on.
    let wrong = [
        (300, one.me.token.clone(), post(&other.case_id, "x"), Code::NotFound, "NOT_FOUND"),
        (301, "no such token".to_owned(), post(&one.case_id, "x"), Code::Unauthenticated, "TOKEN_INVALID"),
        (302, anna.token.clone(), post("nonsense", "x"), Code::InvalidArgument, "INVALID_FIELD"),
    ];
    for (id, token, frame, code, reason) in wrong {
        send(id, &token, frame).await;
        loop {
            let answer = answer(&mut answers).await;
            if answer.correlation_id == id {
                let Some(Answer::Error(error)) = answer.frame else { panic!("{answer:?}") };
                assert_eq!((error.code, error.reason.as_str()), (code as i32, reason));
                break;
            }
        }
    }
    send(400, "", Frame::Unsubscribe(Unsubscribe { correlation_id: 1 })).await;
    send(401, &anna.token, post(&one.case_id, "last")).await;
    loop {
        let answer = answer(&mut answers).await;
        if answer.correlation_id == 401 {
            assert!(matches!(answer.frame, Some(Answer::Posted(_))));
            break;
        }
    }
    drop(frames);
    let rest: Vec<ConverseResponse> = answers.filter_map(async |answer| answer.ok()).collect().await;
    assert!(rest.iter().all(|answer| answer.correlation_id != 1), "an ended subscription is silent");
}

async fn answer(answers: &mut Streaming<ConverseResponse>) -> ConverseResponse {
    tokio::time::timeout(SOON, answers.message()).await.expect("an answer").unwrap().expect("the stream goes on")
}

async fn a_visitor_comes_back_with_the_phrase(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = taken(&suite).await;
    anna.post(&visitor.case_id, "a1", "svaret").await.unwrap();
    let phrase = visitor.opened.return_phrase.to_uppercase().replace(' ', " - ");
    let resume = |phrase: &str| ResumeCaseRequest { request_id: String::new(), return_phrase: phrase.to_owned() };
    let back = suite.anonymous().cases().resume_case(resume(&phrase)).await.unwrap().into_inner();
    assert_eq!(back.case.unwrap().case_id, visitor.case_id);
    assert_ne!(back.visitor_token, visitor.me.token);
    let device = suite.with_token(&back.visitor_token);
    assert_eq!(device.messages(&visitor.case_id).await.unwrap().len(), 3, "the line that says who answers among them");
    refused(suite.anonymous().cases().resume_case(resume("ba be bo da de fi fo ga")).await, Code::NotFound, "NOT_FOUND");
    refused(
        device.conversations().list_notes(ListNotesRequest { case_id: visitor.case_id.clone() }).await,
        Code::PermissionDenied,
        "NOT_ALLOWED",
    );
    if stack == Stack::Embedded {
        // Guessing ends soon. (On the shared Redis it would end for all tests.)
        for _ in 0..20 {
            if let Err(status) = suite.anonymous().cases().resume_case(resume("fel fel fel")).await
                && status.code() == Code::ResourceExhausted
            {
                return;
            }
        }
        panic!("a return phrase can be guessed as often as one likes");
    }
}

async fn a_visitor_is_there_as_long_as_one_tab_is_open(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = taken(&suite).await;
    let case = visitor.case_id.as_str();
    let caught_up = async || {
        let mut tab = screen(&visitor.me, case, 0).await;
        while !matches!(next(&mut tab).await, Event::CaughtUp(_)) {}
        tab
    };
    let streams = || suite.suite().platform.tasks.len();
    let told = async || {
        suite.settle().await;
        let list = ListNotificationsRequest { case_id: case.to_owned() };
        visitor.me.notifications().list_notifications(list).await.unwrap().into_inner().notifications.len()
    };
    let none = streams();
    let kept = caught_up().await;
    let one = streams();
    let closed = caught_up().await;
    assert!(none < one && one < streams(), "each tab is a stream");
    drop(closed);
    eventually("the suite knows that a tab is closed", async || (streams() == one).then_some(())).await;
    anna.post(case, "a1", "är du kvar?").await.unwrap();
    assert_eq!(told().await, 0, "the other tab is open: nobody needs to be called back");
    drop(kept);
    eventually("the suite knows that both are closed", async || (streams() == none).then_some(())).await;
    anna.post(case, "a2", "och nu?").await.unwrap();
    assert!(told().await > 0);
}
