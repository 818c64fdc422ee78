//! A case's way through the services: as an operator sees it, without what was said.

use crate::listeners::Collector;
use crate::load::opening;
use opentelemetry_proto::tonic::trace::v1::Span;
use proto::access::PrincipalKind;
use proto::intake::OpenCaseRequest;
use proto::log::TraceCaseRequest;
use samtal_tests::http::get;
use samtal_tests::process::Launch;
use samtal_tests::remote::{Remote, SECRET};
use samtal_tests::servers::{Nats, Redis, shared_postgres};
use samtal_tests::suite::{SOON, eventually};

const SAID: &str = "KANARIE sa jag";

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_followed_through_the_services_without_its_content_and_that_is_logged() {
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    let anna = remote.person(PrincipalKind::Worker, "alfa.anna").await;
    anna.present(true).await;
    let visitor = Some(proto::intake::Visitor { display_name: "Kanarie Namnsson".into(), ..Default::default() });
    let opening = OpenCaseRequest { text: SAID.into(), visitor, ..opening(String::new()) };
    let case = remote.anonymous().await.cases().open_case(opening).await.unwrap().into_inner().case.unwrap().case_id;
    anna.take(&case).await;
    anna.post(&case, "a1", SAID).await.unwrap();
    let address = format!("http://{}", remote.address());
    let run = |id: &str, more: &[&str]| {
        let mut process = Launch::samtal("case").args(["case", id, "--address", &address]).args(more).env("SAMTAL_SECRET", SECRET).start();
        let status = process.wait_exit(SOON);
        (status.success(), process.lines())
    };

    // Each event is taken by those who consume its source, soon.
    let lines = eventually("everything took effect", async || {
        let (done, lines) = run(&case, &[]);
        (done && lines.iter().any(|line| line.contains("MessagePosted")) && !lines.iter().any(|line| line.contains("waits for")))
            .then_some(lines)
    })
    .await;
    let of = |event: &str| lines.iter().find(|line| line.contains(event)).unwrap_or_else(|| panic!("no {event} in {lines:#?}"));
    for (event, service, by) in [
        ("CaseOpened", "intake", "visitor"),
        ("CaseTriaged", "triage", "system"),
        ("CaseOffered", "routing", "system"),
        ("CaseAssigned", "routing", "staff"),
    ] {
        let line = of(event);
        assert!(line.contains(service) && line.contains(by) && line.contains("taken by "), "{line}");
    }
    assert!(of("CaseOpened").contains("triage") && of("CaseOpened").contains("insights"), "{lines:#?}");
    let text = lines.join("\n");
    for secret in ["KANARIE", "Kanarie", "Namnsson", "alfa.anna", "alfa-door"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    // In order of time, whatever service it was.
    let times: Vec<&str> = lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(times.is_sorted() && times.len() > 5, "{times:?}");

    let action = "samtal.log.v1.EventLogService/TraceCase";
    let sql = "SELECT COUNT(*) FROM audit_log WHERE action = $1 AND key = $2 AND principal_kind = 'operator'";
    for service in ["intake", "triage", "routing"] {
        let rows = remote.db(service).await.row(sql, store::args![action, &case]).await.unwrap().unwrap();
        assert!(rows.int(0).unwrap() > 0, "{service} has no row of the look");
    }
    for wrong in ["not-an-id", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        let (done, lines) = run(wrong, &[]);
        assert!(!done && !lines.iter().any(|line| line.contains("panicked")), "{lines:#?}");
    }
    let (done, lines) = run(&case, &["--token", &anna.token]);
    assert!(!done && !lines.iter().any(|line| line.contains("CaseOpened")), "an operator's token is required: {lines:#?}");
    let answer =
        remote.operator().log().trace_case(TraceCaseRequest { service: "intake".into(), case_id: case, after_seq: 1 }).await.unwrap();
    let answer = answer.into_inner();
    assert!(answer.events.iter().all(|event| event.payload.is_empty() && event.key_seq > 1) && !answer.events.is_empty());
    remote.stop().await;
}

/// Trace and span that an integrator's own system began.
const THEIRS: (&str, &str) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_one_trace_from_the_call_over_the_log_and_the_bus_into_the_services() {
    let servers = tokio::task::spawn_blocking(|| (shared_postgres().fresh_database("traces"), Nats::start(), Redis::start()));
    let (database, nats, redis) = servers.await.unwrap();
    let (collector, otlp) = Collector::start().await;
    let stack = ["--store", &database, "--bus", &nats.url(), "--cache", &redis.url()];
    let mut remote = Remote::new(stack.map(str::to_owned).to_vec());
    remote.env(vec![("SAMTAL_OTLP".to_owned(), otlp)]);
    remote.up_with_region().await;
    let mut opening = tonic::Request::new(opening(String::new()));
    opening.metadata_mut().insert("traceparent", format!("00-{}-{}-01", THEIRS.0, THEIRS.1).parse().unwrap());
    let case = remote.anonymous().await.cases().open_case(opening).await.unwrap().into_inner().case.unwrap().case_id;
    let line = remote.process().wait_for_line("pages at http://", SOON);
    let pages = line.split("pages at http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    // What a browser says of a trace is not believed.
    let page = get(&pages, "/e/alfa-door", "traceparent: 00-11111111111111111111111111111111-2222222222222222-01\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    // What follows from the event is in the log of the next service, in the same trace.
    let operator = remote.operator().clone();
    for service in ["triage", "routing"] {
        let events = eventually("the next service has said something", async || {
            let request = TraceCaseRequest { service: service.into(), case_id: case.clone(), after_seq: 0 };
            operator.log().trace_case(request).await.ok().map(|answer| answer.into_inner().events)
        })
        .await;
        assert!(events.iter().all(|event| event.traceparent.contains(THEIRS.0)), "{service}: {events:?}");
    }
    eventually("insights has taken the case", async || {
        let all = collector.spans();
        all.iter().any(|span| span.name == "process samtal.routing.v1.CaseQueued").then_some(())
    })
    .await;
    remote.stop().await;

    let spans = collector.spans();
    let ours: Vec<&Span> = spans.iter().filter(|span| hex(&span.trace_id) == THEIRS.0).collect();
    let one = |name: &str| ours.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {:?}", names(&ours)));
    // The caller's span, the call, the event as triage takes it, what triage says as routing takes it, what routing says.
    let call = one("samtal.intake.v1.CaseService/OpenCase");
    assert_eq!(hex(&call.parent_span_id), THEIRS.1);
    let children = |of: &Span, name: &str| {
        let all = ours.iter().filter(|span| span.parent_span_id == of.span_id && span.name == name).copied().collect::<Vec<_>>();
        assert!(!all.is_empty(), "no {name} under {} in {:?}", of.name, names(&ours));
        all
    };
    let opened = children(call, "process samtal.intake.v1.CaseOpened");
    let triaged = ours.iter().filter(|span| span.name == "process samtal.triage.v1.CaseTriaged");
    assert!(triaged.clone().count() > 0 && triaged.clone().all(|span| opened.iter().any(|by| by.span_id == span.parent_span_id)));
    assert!(ours.iter().any(|span| span.name == "process samtal.routing.v1.CaseQueued" && span.parent_span_id != call.span_id));
    // Batches on the bus are linked to what is in them, and are nobody's children.
    let sent = spans.iter().filter(|span| span.name == "send intake" && span.links.iter().any(|link| link.span_id == call.span_id));
    assert!(sent.clone().count() > 0 && sent.clone().all(|span| span.parent_span_id.is_empty() && hex(&span.trace_id) != THEIRS.0));
    // A page and the calls that it made.
    let page = spans.iter().find(|span| span.name.starts_with("GET /e/{")).unwrap_or_else(|| panic!("no page"));
    assert!(page.parent_span_id.is_empty() && !hex(&page.trace_id).starts_with("1111"));
    let asked = spans.iter().filter(|span| span.parent_span_id == page.span_id && span.trace_id == page.trace_id);
    assert!(asked.clone().any(|span| span.name.ends_with("/GetEntryPoint")), "{:?}", names(&asked.collect::<Vec<_>>()));
}

fn names<'s>(spans: &'s [&Span]) -> Vec<&'s str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}
