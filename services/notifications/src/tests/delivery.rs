use proto::notifications::DeliveryState;

use super::smtp::{Catcher, Reply, body, header};
use super::*;
use crate::domain::delivery::{LEASE, MAX_TRIES};

#[tokio::test]
async fn a_visitor_who_is_away_is_told_once_and_again_after_having_been_back() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let case = rig.case(1).await;
    rig.answered(case).await;
    rig.answered(case).await;
    assert_eq!(rig.mails(case).await.len(), 1);
    rig.advance(AWAY - Duration::from_secs(1)).await;
    assert_eq!(server.tried(), 0, "not before the time is up");
    rig.advance(Duration::from_secs(1)).await;
    let told = rig.until(case, State::Delivered, 1).await;
    rig.answered(case).await;
    rig.advance(AWAY * 10).await;
    assert_eq!((server.taken(), rig.mails(case).await.len()), (1, 1));

    // The visitor writes: a new absence begins.
    rig.intake(case, &intake::MessagePosted { sender_kind: intake::SenderKind::Visitor.into(), ..Default::default() }).await;
    // A question waits like an answer, if nobody saw it.
    rig.intake(case, &intake::TransferProposed { visitor_away: false, ..Default::default() }).await;
    rig.intake(case, &intake::TransferProposed { visitor_away: true, ..Default::default() }).await;
    rig.advance(AWAY).await;
    let mails = server.mails(2).await;
    assert_eq!(header(&mails[0], "Message-ID"), format!("<{}@example.org>", told[0].notification_id));
    assert_ne!(header(&mails[0], "Message-ID"), header(&mails[1], "Message-ID"));
    rig.until(case, State::Delivered, 1).await;
    let both = [ended("in_app", "delivered", 1), ended("email", "delivered", 1)];
    assert_eq!(rig.ended(case).await, [both.clone(), both].concat());
}

#[tokio::test]
async fn practice_sends_nothing_out_of_the_house() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let (practice, real) = (Id::derived(&[b"practice"]), rig.case(1).await);
    let opened =
        intake::CaseOpened { entry_point_id: "door".into(), visitor_id: visitor_id(practice), language: "sv".into(), ..Default::default() };
    rig.apply(rig.intake.clone(), Envelope { practice: true, ..envelope(practice, &opened) }).await;
    rig.contact(&visitor(practice), practice, "anna@example.net", "").await.unwrap();
    for case in [practice, real] {
        rig.answered(case).await;
    }
    rig.advance(AWAY * 2).await;
    rig.until(real, State::Delivered, 1).await;
    assert_eq!(server.mails(1).await.len(), 1, "the real one's, and no other");
    assert!(rig.outgoing(practice).await.is_empty());
    // Whoever plays the visitor sees it on the page.
    assert_eq!(rig.list(&visitor(practice), &practice.to_string()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_comes_back_in_time_gets_no_mail() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let case = rig.case(1).await;
    rig.answered(case).await;
    rig.intake(case, &intake::VisitorReturned { seq: 2 }).await;
    rig.advance(AWAY * 2).await;
    assert_eq!(rig.mails(case).await[0].state(), DeliveryState::Cancelled);
    rig.answered(case).await;
    rig.contact(&visitor(case), case, "", "").await.unwrap();
    rig.advance(AWAY * 2).await;
    rig.intake(case, &intake::VisitorReturned { seq: 3 }).await;
    rig.answered(case).await;
    rig.advance(AWAY * 2).await;
    assert_eq!((server.tried(), rig.mails(case).await.len()), (0, 2), "the address was taken back");
    assert_eq!(rig.ended(case).await.iter().filter(|one| one.1 == "cancelled").count(), 2);
}

#[tokio::test]
async fn an_address_for_one_mail_is_forgotten_after_it() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let case = rig.case(1).await;
    let once = wire::SetContactRequest { case_id: case.to_string(), email: "once@example.net".into(), once: true, ..Default::default() };
    rig.set_contact(&visitor(case), once).await.unwrap();
    rig.answered(case).await;
    rig.advance(AWAY).await;
    rig.until(case, State::Delivered, 1).await;
    assert_eq!(rig.count("SELECT COUNT(*) FROM contact").await, 0);
    // A new absence has no address to go to.
    rig.intake(case, &intake::MessagePosted { sender_kind: intake::SenderKind::Visitor.into(), ..Default::default() }).await;
    rig.answered(case).await;
    rig.advance(AWAY * 2).await;
    assert_eq!(server.taken(), 1);
}

#[tokio::test]
async fn a_closed_case_keeps_its_mail_and_an_erased_one_forgets_all() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let (closed, erased) = (rig.case(1).await, rig.case(2).await);
    for case in [closed, erased] {
        rig.answered(case).await;
        rig.intake(case, &intake::CaseClosed::default()).await;
    }
    rig.intake(erased, &intake::CaseErased {}).await;
    rig.advance(AWAY).await;
    rig.until(closed, State::Delivered, 1).await;
    assert_eq!(server.taken(), 1);
    assert_eq!(rig.count("SELECT COUNT(*) FROM contact").await, 1);
    assert_eq!(rig.count("SELECT COUNT(*) FROM notification WHERE recipient = '' AND state IN ('delivered', 'cancelled')").await, 2);
    assert_eq!(rig.count("SELECT COUNT(*) FROM event_log").await, 4, "tombstones stay at their positions");
    rig.answered(erased).await;
    assert_eq!(rig.count("SELECT COUNT(*) FROM notification").await, 4);
}

#[tokio::test]
async fn a_server_that_says_later_is_tried_again_under_the_same_message_id() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let case = rig.case(1).await;
    server.will(&[Reply::Recipient("451 greylisted"), Reply::Text("452 full"), Reply::Take]);
    rig.answered(case).await;
    rig.advance(AWAY).await;
    for tries in 1..=2 {
        let waiting = rig.until(case, State::Pending, tries).await;
        let next = proto::from_timestamp("", waiting[0].next_try_at.as_ref()).unwrap().unwrap();
        assert!(next.since(rig.node.now()) >= Duration::from_secs(30 << (tries - 1)));
        rig.advance_to_next().await;
    }
    rig.until(case, State::Delivered, 3).await;
    assert_eq!((server.tried(), server.taken()), (3, 1));
    assert_eq!(rig.ended(case).await[1], ended("email", "delivered", 3));
}

#[tokio::test]
async fn it_ends_as_expired_after_the_last_try_and_as_failed_when_refused() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let (later, never) = (rig.case(1).await, rig.case(2).await);
    server.will(&[Reply::Recipient("550 no such mailbox")]);
    rig.answered(never).await;
    rig.advance(AWAY).await;
    rig.until(never, State::Failed, 1).await;
    assert_eq!(rig.ended(never).await[1], ended("email", "failed", 1));

    server.will(&[Reply::Text("421 going down"); MAX_TRIES as usize]);
    rig.answered(later).await;
    rig.advance(AWAY).await;
    for tries in 1..MAX_TRIES {
        rig.until(later, State::Pending, tries).await;
        // Leases of what has ended are among the timers.
        while rig.mails(later).await[0].tries == tries {
            rig.advance_to_next().await;
        }
    }
    rig.until(later, State::Expired, MAX_TRIES).await;
    assert_eq!(rig.ended(later).await[1], ended("email", "expired", MAX_TRIES));
    assert_eq!(server.taken(), 0);
}

#[tokio::test]
async fn without_a_server_a_mail_fails_at_once_and_the_pages_still_tell() {
    let rig = Rig::new("").await;
    let case = rig.case(1).await;
    rig.answered(case).await;
    rig.answered(case).await;
    assert_eq!(rig.ended(case).await, [ended("in_app", "delivered", 1), ended("email", "failed", 0)]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_asked_again() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let rig = Rig::new(&format!("smtp://{address}")).await;
    let case = rig.case(1).await;
    rig.answered(case).await;
    rig.advance(AWAY).await;
    rig.until(case, State::Pending, 1).await;
}

#[tokio::test]
async fn a_try_that_died_with_its_process_is_made_again_when_its_lease_is_over() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let case = rig.case(1).await;
    rig.answered(case).await;
    // As another process left it, which has just begun to send.
    rig.exec("UPDATE notification SET state = 'sending', tries = 1 WHERE channel = 'email'").await;
    rig.advance(AWAY).await;
    rig.until(case, State::Delivered, 2).await;
    assert_eq!(rig.ended(case).await[1], ended("email", "delivered", 2));
}

#[tokio::test]
async fn a_slow_try_is_never_doubled_even_if_the_clock_leaps() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let case = rig.case(1).await;
    server.stall();
    rig.answered(case).await;
    rig.advance(AWAY).await;
    server.attempts(1).await;
    for _ in 0..5 {
        rig.advance(LEASE).await;
    }
    // Coming back is too late for this try.
    rig.intake(case, &intake::VisitorReturned { seq: 2 }).await;
    server.let_go();
    let mails = rig.until(case, State::Delivered, 1).await;
    rig.advance(LEASE * 2).await;
    assert_eq!((mails[0].tries, server.tried(), server.taken()), (1, 1, 1));
}

#[tokio::test]
async fn whoever_came_back_during_a_failed_try_is_not_tried_again() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    let case = rig.case(1).await;
    server.will(&[Reply::Text("451 later")]);
    server.stall();
    rig.answered(case).await;
    rig.advance(AWAY).await;
    server.attempts(1).await;
    rig.intake(case, &intake::VisitorReturned { seq: 2 }).await;
    server.let_go();
    rig.until(case, State::Cancelled, 1).await;
    rig.advance(LEASE * 100).await;
    assert_eq!(server.tried(), 1);
}

/// P20, for mail: who finds it learns that something waits, and nothing else.
#[tokio::test]
async fn p20_a_mail_says_nothing_of_whom_it_comes_from_or_what_about() {
    let server = Catcher::start().await;
    let rig = Rig::new(&server.url).await;
    for (n, language) in ["sv", "nb", "nn", "en"].into_iter().enumerate() {
        let case = rig.case(n as u32).await;
        rig.contact(&visitor(case), case, "anna@example.net", language).await.unwrap();
        rig.answered(case).await;
        rig.advance(AWAY).await;
        let mail = server.mails(n + 1).await.pop().unwrap();
        let (subject, text) = (header(&mail, "Subject"), body(&mail));
        for part in [&mail, &subject, &text] {
            for secret in [CANARY, "psykiatri", "sea", "door", "anna kan", &case.to_string(), &visitor_id(case)] {
                assert!(!part.to_lowercase().contains(secret), "{secret} in {part}");
            }
        }
        assert_eq!(subject, crate::domain::texts::answer_waits(kernel::Language::from_code(language).unwrap(), "").subject);
        assert!(text.lines().any(|line| line.trim_end() == "https://example.org/r"), "{text}");
        assert_eq!(header(&mail, "From"), "Meddelande <noreply@example.org>");
        assert_eq!(header(&mail, "To"), "anna@example.net");
        assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
        rig.until(case, State::Delivered, 1).await;
    }
}
