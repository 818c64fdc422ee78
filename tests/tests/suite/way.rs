//! A case's way through the services: as an operator sees it, without what was said.

use proto::access::PrincipalKind;
use proto::intake::OpenCaseRequest;
use proto::log::TraceCaseRequest;
use samtal_tests::process::Launch;
use samtal_tests::remote::{Remote, SECRET};
use samtal_tests::suite::{SOON, eventually};

const SAID: &str = "KANARIE sa jag";

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_followed_through_the_services_without_its_content_and_that_is_logged() {
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    let anna = remote.person(PrincipalKind::Worker, "alfa.anna").await;
    anna.present(true).await;
    let opening = OpenCaseRequest {
        entry_point_id: "alfa-door".into(),
        contact_reason_id: "alfa-cold".into(),
        text: SAID.into(),
        visitor: Some(proto::intake::Visitor { display_name: "Kanarie Namnsson".into(), ..Default::default() }),
        ..OpenCaseRequest::default()
    };
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
