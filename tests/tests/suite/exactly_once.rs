//! Storms: the same thing said a hundred times, everybody at once, old batches again, poison. P3, P4, P5, P10, P18.

use crate::tables;
use futures::future::join_all;
use prost::Message as _;
use proto::Event;
use proto::insights::GetReportRequest;
use proto::intake::{CaseOpened, OpenCaseRequest, Severity};
use proto::log::{Batch, DropDeadLetterRequest, Envelope, HeadsRequest, ListDeadLettersRequest, ReadRequest, ReplayDeadLetterRequest};
use proto::routing::{AcceptOfferRequest, ClaimCaseRequest, ListQueueRequest};
use proto::scheduling::{HoldSlotRequest, Interval, ListSlotsRequest};
use samtal_tests::suite::{Person, Setup, Stack, TestSuite, eventually, refused};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{Scoped, args};
use tonic::Code;

on_both_stacks!(
    p3_a_hundredfold_message_is_one,
    p4_numbers_are_dense_whoever_writes,
    p5_old_batches_change_nothing,
    p10_poison_stops_only_its_own_case,
    p10_a_dropped_letter_lets_its_case_go_on,
    p18_one_case_has_one_worker_and_one_slot_one_case,
    every_verdict_meets_its_case,
);

const SERVICES: [&str; 6] = ["intake", "triage", "routing", "scheduling", "notifications", "insights"];

async fn taken(suite: &TestSuite) -> (samtal_tests::suite::Visitor, Person) {
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&visitor.case_id).await;
    (visitor, anna)
}

async fn p3_a_hundredfold_message_is_one(stack: Stack) {
    let mut suite = Setup::new(stack).manual().start().await;
    let (visitor, anna) = taken(&suite).await;
    let case = visitor.case_id.clone();
    let storm = async |person: &Person| {
        let tries = (0..100).map(|_| person.post(&case, "storm", "en enda gång"));
        let answers = join_all(tries).await.into_iter().map(|answer| answer.expect("every try is answered").message.unwrap());
        let answers: Vec<_> = answers.collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "all tries get the same answer");
        answers[0].clone()
    };
    let first = storm(&anna).await;
    assert_eq!(first.seq, 3, "after the first text and the line that says who answers");
    refused(anna.post(&case, "storm", "något annat").await, Code::AlreadyExists, "CLIENT_ID_REUSED");
    // The same ids of others are theirs.
    assert_eq!(storm(&visitor.me).await.seq, 4);
    // Opening is the same, by request id; the token and the phrase come again too.
    let request = OpenCaseRequest {
        request_id: kernel::Id::new(suite.clock.now()).to_string(),
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: "hej".into(),
        ..OpenCaseRequest::default()
    };
    let anonymous = suite.anonymous();
    let opened = join_all((0..100).map(|_| {
        let (mut cases, request) = (anonymous.cases(), request.clone());
        async move { cases.open_case(request).await.expect("opened").into_inner() }
    }))
    .await;
    assert!(opened.iter().all(|one| *one == opened[0]));
    let other = OpenCaseRequest { text: "något annat".into(), ..request.clone() };
    refused(anonymous.cases().open_case(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    // And a day later, in another process. (Anna goes home, or she would be offered the other case every minute.)
    anna.present(false).await;
    suite.advance(Duration::from_secs(86_400)).await;
    suite.restart().await;
    let anna = suite.with_token(&anna.token);
    let again = anna.post(&case, "storm", "en enda gång").await.unwrap().message.unwrap();
    assert_eq!(again, first);
    let reopened = suite.anonymous().cases().open_case(request).await.unwrap().into_inner();
    assert_eq!(reopened, opened[0]);
    assert_eq!(anna.messages(&case).await.unwrap().len(), 4);
}

async fn p4_numbers_are_dense_whoever_writes(stack: Stack) {
    let mut suite = TestSuite::start(stack).await;
    let (first, anna) = taken(&suite).await;
    let mut visitors = vec![first];
    for _ in 0..3 {
        let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
        anna.take(&visitor.case_id).await;
        visitors.push(visitor);
    }
    // 64 writers; every fourth message is refused in the middle of the batches of the others.
    let stranger = suite.worker("alfa.bo").await;
    let writers = (0..64).map(|writer| {
        let visitor = visitors[writer % 4].clone();
        let (anna, stranger) = (anna.clone(), stranger.clone());
        tokio::spawn(async move {
            let mut written = Vec::new();
            for n in 0..8 {
                let id = format!("w{writer}-{n}");
                match n % 4 {
                    0 => written.push(anna.post(&visitor.case_id, &id, "från oss").await.unwrap().message.unwrap().seq),
                    1 => written.push(visitor.me.post(&visitor.case_id, &id, "från er").await.unwrap().message.unwrap().seq),
                    2 => drop(refused(stranger.post(&visitor.case_id, &id, "utifrån").await, Code::NotFound, "NOT_FOUND")),
                    _ => {
                        drop(refused(visitor.me.post(&visitor.case_id, "opening", "annat").await, Code::AlreadyExists, "CLIENT_ID_REUSED"))
                    }
                }
            }
            (visitor.case_id.clone(), written)
        })
    });
    let mut acknowledged: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for writer in writers.collect::<Vec<_>>() {
        let (case, written) = writer.await.unwrap();
        assert!(written.is_sorted(), "one writer's messages keep their order");
        acknowledged.entry(case).or_default().extend(written);
    }
    for visitor in &visitors {
        let mut seqs = acknowledged[&visitor.case_id].clone();
        seqs.sort_unstable();
        assert_eq!(seqs, (3..=66).collect::<Vec<_>>());
        let read = visitor.me.messages(&visitor.case_id).await.unwrap();
        assert_eq!(read.iter().map(|message| message.seq).collect::<Vec<_>>(), (1..=66).collect::<Vec<_>>());
        assert!(
            read.iter()
                .zip(&read[1..])
                .all(|(a, b)| samtal_tests::suite::time(a.created_at.as_ref()) <= samtal_tests::suite::time(b.created_at.as_ref()))
        );
    }
    suite.down().await;
    for service in SERVICES {
        dense(&suite.db(service).await, service).await;
    }
}

/// Log and audit positions are dense per shard, key_seq per key.
pub async fn dense(db: &Scoped, service: &str) {
    for (table, numbered, within) in
        [("event_log", "position", "shard"), ("audit_log", "position", "shard"), ("event_log", "key_seq", "key")]
    {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT {within} FROM {table} GROUP BY {within} \
             HAVING MIN({numbered}) <> 1 OR MAX({numbered}) <> COUNT(*) OR COUNT(DISTINCT {numbered}) <> COUNT(*)) AS holes"
        );
        let holes = db.row(sql, args![]).await.unwrap().unwrap().int(0).unwrap();
        assert_eq!(holes, 0, "{service}: {table}.{numbered} has holes");
    }
    let behind = "SELECT COUNT(*) FROM log_head WHERE head <> (SELECT COUNT(*) FROM event_log WHERE event_log.shard = log_head.shard) \
                  OR audit_head <> (SELECT COUNT(*) FROM audit_log WHERE audit_log.shard = log_head.shard)";
    assert_eq!(db.row(behind, args![]).await.unwrap().unwrap().int(0).unwrap(), 0, "{service}: a head is not at the end");
    // Positions within a key rise as its own numbers do.
    let disorder = "SELECT COUNT(*) FROM event_log AS a JOIN event_log AS b ON a.key = b.key AND b.key_seq = a.key_seq + 1 WHERE b.position <= a.position";
    assert_eq!(db.row(disorder, args![]).await.unwrap().unwrap().int(0).unwrap(), 0, "{service}");
}

/// What every service has made of what happened, without what belongs to the moment.
async fn effects(suite: &TestSuite) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for service in SERVICES {
        let db = suite.db(service).await;
        for table in tables::all(&db).await {
            if !["log_cursor", "log_relay", "replica", "lease"].contains(&table.as_str()) {
                counts.insert(format!("{service}.{table}"), tables::count(&db, &table).await);
            }
        }
        db.db().close().await;
    }
    counts
}

async fn all_events(suite: &TestSuite, source: &str) -> Vec<Batch> {
    let service = suite.service("insights");
    let mut batches = Vec::new();
    for head in service.log().heads(HeadsRequest { service: source.into(), ..Default::default() }).await.unwrap().into_inner().heads {
        let read = ReadRequest { service: source.into(), shard: head.shard, from: 1, limit: 0 };
        batches.extend(service.log().read(read).await.unwrap().into_inner().batch.filter(|batch| !batch.events.is_empty()));
    }
    batches
}

async fn p5_old_batches_change_nothing(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let (visitor, anna) = taken(&suite).await;
    for n in 0..5 {
        anna.post(&visitor.case_id, &format!("a{n}"), "svar").await.unwrap();
    }
    anna.cases().close_case(crate::journey::close(&visitor.case_id, proto::intake::Outcome::Advice)).await.unwrap();
    let journal = suite.integrator("alfa").await;
    eventually("insights has counted", async || {
        let report = journal.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner();
        (report.messages == 6 && report.clinics.iter().map(|clinic| clinic.closed).sum::<i64>() == 1).then_some(())
    })
    .await;
    suite.settle().await;
    let before = effects(&suite).await;
    // Whole, cut in other places, back to front, and each one three times.
    let bus = suite.suite().platform.bus.clone();
    for source in ["intake", "triage", "routing", "scheduling", "notifications"] {
        let batches = all_events(&suite, source).await;
        for round in 0..3 {
            for batch in &batches {
                let cuts: Vec<Batch> = match round {
                    0 => vec![batch.clone()],
                    _ => single_events(batch).into_iter().rev().collect(),
                };
                for (index, cut) in cuts.iter().enumerate() {
                    let id = format!("again-{source}-{}-{round}-{index}", batch.shard);
                    bus.publish_log(source, batch.shard, &id, cut.encode_to_vec().into()).await.unwrap();
                }
            }
        }
        // Nonsense on the bus is nobody's event.
        bus.publish_log(source, 0, &format!("nonsense-{source}"), bytes::Bytes::from_static(b"\xff\xff nonsense")).await.unwrap();
    }
    // What comes after them has been seen by everybody, so they have too.
    let after = suite.visitor("alfa-door", "alfa-cold", "efter stormen").await;
    anna.take(&after.case_id).await;
    let report = eventually("insights has counted the next", async || {
        let report = journal.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner();
        (report.cases == 2 && report.answered == 2).then_some(report)
    })
    .await;
    assert_eq!((report.messages, report.clinics.iter().map(|clinic| clinic.closed).sum::<i64>()), (7, 1));
    suite.settle().await;
    let now = effects(&suite).await;
    // Everything of the new case came once; nothing of the old one came again.
    for (table, once) in
        [("intake.cases", 1), ("triage.event_log", 1), ("routing.assignment", 1), ("routing.offer", 1), ("notifications.notification", 1)]
    {
        assert_eq!(now.get(table).unwrap_or_else(|| panic!("no {table} in {now:?}")) - before[table], once, "{table}");
    }
    assert_eq!(now.iter().filter(|(table, count)| table.ends_with("dead_letter") && **count > 0).count(), 0);
}

/// The same events, one per batch.
fn single_events(batch: &Batch) -> Vec<Batch> {
    let mut previous = batch.previous_event_id.clone();
    let cut = |event: &Envelope| {
        let previous_event_id = std::mem::replace(&mut previous, event.event_id.clone());
        Batch { first: event.position, previous_event_id, events: vec![event.clone()], ..batch.clone() }
    };
    batch.events.iter().map(cut).collect()
}

async fn p10_poison_stops_only_its_own_case(stack: Stack) {
    let mut suite = TestSuite::start(stack).await;
    let healthy = suite.visitor("alfa-door", "alfa-cold", "först").await;
    let anna = suite.worker("alfa.anna").await;
    anna.present(true).await;
    anna.take(&healthy.case_id).await;
    suite.settle().await;
    // Two cases come while nobody consumes; of one, the opening is garbled in the log before anybody reads it.
    let (poisoned, good) =
        (suite.visitor("alfa-door", "alfa-cold", "giftig").await, suite.visitor("alfa-door", "alfa-cold", "frisk").await);
    anna.present(false).await;
    suite.settle().await;
    suite.down().await;
    let original = poison(&suite, &poisoned.case_id).await;
    suite.up().await;
    let operator = suite.operator();
    let letters = async |service: &str| {
        operator.log().list_dead_letters(ListDeadLettersRequest { service: service.into() }).await.unwrap().into_inner().dead_letters
    };
    let found =
        eventually("the poison is set aside", async || letters("insights").await.into_iter().find(|letter| !letter.reason.is_empty()))
            .await;
    let event = found.event.clone().unwrap();
    assert_eq!((event.key.as_str(), event.r#type.as_str(), found.source.as_str()), (poisoned.case_id.as_str(), CaseOpened::TYPE, "intake"));
    // Others go on, also in the same shard; what follows of the poisoned case is parked behind it, in order.
    let poster = suite.with_token(&poisoned.me.token);
    for n in 0..3 {
        poster.post(&poisoned.case_id, &format!("v{n}"), "mer").await.unwrap();
    }
    let journal = suite.with_token(&suite.integrator("alfa").await.token);
    let counted = async |cases: i64, messages: i64| {
        eventually("insights has counted", async || {
            let report = journal.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner();
            (report.cases == cases && report.messages >= messages).then_some(report)
        })
        .await
    };
    let visitors = suite.with_token(&good.me.token);
    visitors.post(&good.case_id, "v1", "frisk igen").await.unwrap();
    counted(2, 3).await;
    let parked = eventually("what follows is parked", async || Some(letters("insights").await).filter(|letters| letters.len() == 5)).await;
    assert!(parked.iter().all(|letter| letter.event.as_ref().unwrap().key == poisoned.case_id));
    let seqs: Vec<i64> = parked.iter().map(|letter| letter.event.as_ref().unwrap().key_seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    // Trying again without a repair changes nothing; after it, all of it takes effect.
    let replay = ReplayDeadLetterRequest { service: "insights".into(), event_id: event.event_id.clone() };
    assert!(operator.log().replay_dead_letter(replay.clone()).await.is_err());
    assert_eq!(letters("insights").await.len(), 5);
    let repaired = suite.db("insights").await;
    let (id, bytes) = (event.event_id.clone(), original.encode_to_vec());
    repaired
        .clone()
        .transaction(move |tx| {
            Box::pin(async move { tx.exec("UPDATE dead_letter SET envelope = $2 WHERE event_id = $1", args![id, bytes]).await.map(drop) })
        })
        .await
        .unwrap();
    assert_eq!(operator.log().replay_dead_letter(replay).await.unwrap().into_inner().replayed, 5);
    counted(3, 7).await;
    assert!(letters("insights").await.is_empty());
    // The case goes on by itself from here.
    poster.post(&poisoned.case_id, "efter", "efter").await.unwrap();
    counted(3, 8).await;
    assert!(letters("insights").await.is_empty());
    let gone = DropDeadLetterRequest { service: "insights".into(), event_id: event.event_id.clone() };
    refused(operator.log().drop_dead_letter(gone).await, Code::NotFound, "NOT_FOUND");
    // The failed try left nothing, the other one who, what and when.
    assert_eq!(
        audited(&suite, &poisoned.case_id).await,
        [format!("operator samtal.log.v1.EventLogService/ReplayDeadLetter {}", event.event_id)]
    );
}

/// The other way: given up, what waits behind it takes effect, and so does what comes after.
async fn p10_a_dropped_letter_lets_its_case_go_on(stack: Stack) {
    let mut suite = TestSuite::start(stack).await;
    suite.settle().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "giftig").await;
    suite.settle().await;
    suite.down().await;
    poison(&suite, &visitor.case_id).await;
    suite.up().await;
    let (operator, poster) = (suite.operator(), suite.with_token(&visitor.me.token));
    poster.post(&visitor.case_id, "v0", "mer").await.unwrap();
    let letters = async || {
        operator.log().list_dead_letters(ListDeadLettersRequest { service: "insights".into() }).await.unwrap().into_inner().dead_letters
    };
    // The opening is poison; the first message and the second wait behind it.
    let waiting = eventually("the second message is parked", async || {
        let letters = letters().await;
        letters.iter().any(|letter| letter.event.as_ref().is_some_and(|event| event.key_seq == 3)).then_some(letters)
    })
    .await;
    let poison = waiting.iter().find(|letter| !letter.reason.is_empty()).unwrap().event.clone().unwrap();
    let request = DropDeadLetterRequest { service: "insights".into(), event_id: poison.event_id.clone() };
    let dropped = operator.log().drop_dead_letter(request.clone()).await.unwrap().into_inner();
    assert_eq!(dropped.replayed as usize, waiting.len() - 1);
    assert!(letters().await.is_empty());
    refused(operator.log().drop_dead_letter(request).await, Code::NotFound, "NOT_FOUND");
    let seen = async || {
        let case = kernel::Id::parse("case_id", &visitor.case_id).unwrap();
        let row = suite.db("insights").await.row("SELECT messages FROM fact_case WHERE case_id = $1", args![case]).await.unwrap();
        row.map(|row| row.int(0).unwrap())
    };
    assert_eq!(seen().await, Some(2), "what waited has taken effect");
    poster.post(&visitor.case_id, "v1", "igen").await.unwrap();
    eventually("what comes later takes effect too", async || (seen().await == Some(3)).then_some(())).await;
    assert!(letters().await.is_empty());
    assert_eq!(
        audited(&suite, &visitor.case_id).await,
        [format!("operator samtal.log.v1.EventLogService/DropDeadLetter {}", poison.event_id)]
    );
}

/// Who did what to a case's letters, as insights' audit log has it.
async fn audited(suite: &TestSuite, case: &str) -> Vec<String> {
    let sql = "SELECT principal_kind, action FROM audit_log WHERE key = $1 AND action LIKE '%DeadLetter%' ORDER BY position";
    let rows = suite.db("insights").await.rows(sql, args![case]).await.unwrap();
    rows.iter().map(|row| format!("{} {}", row.text(0).unwrap(), row.text(1).unwrap())).collect()
}

/// Makes the opening of `case` unreadable for insights, which has yet to read it; answers what it was.
async fn poison(suite: &TestSuite, case: &str) -> Envelope {
    let intake = suite.db("intake").await;
    let rows = intake.rows("SELECT shard, position, envelope FROM event_log WHERE key = $1 AND key_seq = 1", args![case]).await.unwrap();
    let (shard, position) = (rows[0].int(0).unwrap(), rows[0].int(1).unwrap());
    let original = Envelope::decode(rows[0].get::<Vec<u8>>(2).unwrap().as_slice()).unwrap();
    let garbled = Envelope { payload: vec![0xff; 7], ..original.clone() };
    intake
        .clone()
        .transaction(move |tx| {
            Box::pin(async move {
                tx.exec(
                    "UPDATE event_log SET envelope = $3 WHERE shard = $1 AND position = $2",
                    args![shard, position, garbled.encode_to_vec()],
                )
                .await
                .map(drop)
            })
        })
        .await
        .unwrap();
    intake.db().close().await;
    // Insights begins again, from the whole log.
    let insights = suite.db("insights").await;
    let own: Vec<String> = tables::all(&insights)
        .await
        .into_iter()
        .filter(|table| {
            !["schema_migration", "region_part", "event_log", "lease", "replica", "timer", "idempotency", "dead_letter"]
                .contains(&table.as_str())
                && (table == "log_cursor" || !["audit_", "log_"].iter().any(|kept| table.starts_with(kept)))
        })
        .collect();
    insights
        .clone()
        .transaction(move |tx| {
            Box::pin(async move {
                for table in own {
                    tx.exec(format!("DELETE FROM {table}"), args![]).await?;
                }
                Ok(())
            })
        })
        .await
        .unwrap();
    insights.db().close().await;
    original
}

async fn p18_one_case_has_one_worker_and_one_slot_one_case(stack: Stack) {
    let mut yaml = samtal_tests::suite::region_yaml();
    let crowd: String = (0..100)
        .map(|n| format!("    - {{ id: alfa.w{n}, name: W{n}, clinics: [alfa-norr], profession: physician, queues: [alfa-pull], languages: [sv], capacity: 900 }}\n"))
        .collect();
    yaml = yaml.replacen("  workers:\n", &format!("  workers:\n{crowd}"), 1);
    let suite = samtal_tests::suite::Setup::new(stack).region(yaml).start().await;
    // A hundred workers claim one case from the list.
    let visitor = suite.visitor("alfa-door", "alfa-list", "recept").await;
    let crowd = join_all((0..100).map(|n| {
        let suite = &suite;
        async move { suite.worker(&format!("alfa.w{n}")).await }
    }))
    .await;
    let list = ListQueueRequest { queue_id: "alfa-pull".into() };
    eventually("it is on the list", async || {
        let answer = crowd[0].routing().list_queue(list.clone()).await.unwrap().into_inner();
        answer.cases.iter().any(|case| case.case_id == visitor.case_id).then_some(())
    })
    .await;
    let claims = join_all(crowd.iter().map(|worker| {
        let (mut routing, case_id) = (worker.routing(), visitor.case_id.clone());
        async move { routing.claim_case(ClaimCaseRequest { case_id, ..Default::default() }).await }
    }))
    .await;
    let reasons: BTreeSet<String> = claims.iter().filter_map(|claim| rpc::status::reason(claim.as_ref().err()?)).collect();
    assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1, "{reasons:?}");
    let holder = claims.iter().position(Result::is_ok).unwrap();
    crowd[holder].holds(&visitor.case_id).await;
    assert_eq!(crowd[holder].case(&visitor.case_id).await.unwrap().worker_id, format!("alfa.w{holder}"));
    // One offer, accepted a hundred times by its worker while a leader claims the case: one holder in the end, the leader.
    let pushed = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let (anna, lea) = (suite.worker("alfa.anna").await, suite.leader("alfa.lea").await);
    anna.present(true).await;
    let offer_id = anna.offer(&pushed.case_id).await.offer_id;
    let accepts = join_all((0..100).map(|_| {
        let (mut routing, offer_id) = (anna.routing(), offer_id.clone());
        async move { routing.accept_offer(AcceptOfferRequest { request_id: String::new(), offer_id }).await.is_ok() }
    }));
    let claim =
        async { lea.routing().claim_case(ClaimCaseRequest { case_id: pushed.case_id.clone(), ..Default::default() }).await.is_ok() };
    let (accepts, claimed) = futures::join!(accepts, claim);
    // A leader takes it over even from whoever was faster.
    assert!(claimed, "{accepts:?}");
    eventually("the leader has it", async || (lea.case(&pushed.case_id).await.ok()?.worker_id == "alfa.lea").then_some(())).await;
    let open = "SELECT COUNT(*) FROM assignment WHERE ended_at IS NULL";
    assert_eq!(suite.db("routing").await.row(open, args![]).await.unwrap().unwrap().int(0).unwrap(), 2);
    // Fifty hold one slot.
    let holder = &crowd[holder];
    let from = suite.clock.now() + Duration::from_secs(3_600);
    let window = Interval { from: Some(proto::timestamp(from)), to: Some(proto::timestamp(from + Duration::from_secs(7_200))) };
    let list = ListSlotsRequest { clinic_id: "alfa-norr".into(), window: Some(window), ..ListSlotsRequest::default() };
    let starts_at = holder.scheduling().list_slots(list).await.unwrap().into_inner().slots[0].time.as_ref().unwrap().from;
    let holds = join_all((0..50).map(|_| {
        let (mut scheduling, case_id) = (holder.scheduling(), visitor.case_id.clone());
        let hold = HoldSlotRequest { case_id, resource_id: "alfa-room".into(), starts_at, ..HoldSlotRequest::default() };
        async move { scheduling.hold_slot(hold).await }
    }))
    .await;
    assert_eq!(holds.iter().filter(|hold| hold.is_ok()).count(), 1);
    assert!(
        holds.iter().filter_map(|hold| hold.as_ref().err()).all(|status| rpc::status::reason(status).as_deref() == Some("SLOT_TAKEN")),
        "{holds:?}"
    );
}

/// Triage's verdict and intake's opening come to routing by two ways at once; whichever is first, they meet.
async fn every_verdict_meets_its_case(stack: Stack) {
    let suite = TestSuite::start(stack).await;
    let lea = suite.leader("alfa.lea").await;
    let mut cases = BTreeSet::new();
    for _ in 0..8 {
        let some = join_all((0..5).map(|_| suite.visitor("alfa-door", "alfa-cold", "hej"))).await;
        cases.extend(some.into_iter().map(|visitor| visitor.case_id));
    }
    let list = ListQueueRequest { queue_id: "alfa-push".into() };
    let queued = eventually("all are queued", async || {
        let answer = lea.routing().list_queue(list.clone()).await.unwrap().into_inner().cases;
        (answer.len() == cases.len()).then_some(answer)
    })
    .await;
    let graver: Vec<_> =
        queued.iter().filter(|case| case.severity() != Severity::Routine).map(|case| (&case.case_id, case.severity())).collect();
    assert!(graver.is_empty(), "triage said ROUTINE of all {}; of {} routing never heard it: {graver:?}", cases.len(), graver.len());
}
