//! Commands that call a running suite, as an operator types them.

use proto::intake::OpenCaseRequest;
use samtal_tests::ports::Port;
use samtal_tests::process::Launch;
use samtal_tests::suite::{Person, SOON, eventually};
use suite::client;
use tonic::Code;

fn open(request_id: &str) -> OpenCaseRequest {
    OpenCaseRequest {
        request_id: request_id.into(),
        entry_point_id: "demo-open".into(),
        contact_reason_id: "cold".into(),
        text: "hej".into(),
        ..OpenCaseRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_used_and_ended() {
    let (folder, address) = (tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", Port::free().number()));
    let suite =
        Launch::samtal("up").args(["up", "--demo", "--http", "127.0.0.1:0", "--grpc", &address, "--data"]).arg(folder.path()).start();
    suite.wait_for_line("Samtal is ready", SOON);
    let token = |args: &[&str]| {
        let to = ["--address", &format!("http://{address}"), "--data"].map(str::to_owned);
        let mut process = Launch::samtal("token").arg("token").args(args).args(to).arg(folder.path()).start();
        let status = process.wait_exit(SOON);
        (status.code(), process.lines())
    };

    let (code, lines) = token(&["issue", "integrator", "journal", "--organisation", "vardcentralerna", "--days", "2"]);
    assert_eq!(code, Some(0), "{lines:#?}");
    let id = lines.iter().find_map(|line| line.split_once("revoke`: ")?.1.split_once(';')).expect("the token's id is told").0.to_owned();
    let issued: Vec<&String> = lines.iter().filter(|line| !line.contains(' ')).collect();
    let [issued] = issued.as_slice() else { panic!("one token: {lines:#?}") };
    assert_ne!(**issued, id, "what ends it does not open anything");

    let channel = client::connect(&address).await.unwrap();
    let journal = Person::new(channel, issued);
    journal.cases().open_case(open("one")).await.expect("it opens doors of its organisation");
    let (code, lines) = token(&["revoke", &id]);
    assert_eq!((code, lines.last().map(String::as_str)), (Some(0), Some("Ended.")), "{lines:#?}");
    eventually("it has ended", async || {
        journal.cases().open_case(open("two")).await.err().filter(|status| status.code() == Code::Unauthenticated)
    })
    .await;

    for wrong in [
        &["issue", "integrator", "journal", "--organisation", "nowhere"][..],
        &["issue", "worker", "nobody.atall", "--organisation", "vardcentralerna"],
        &["issue", "integrator", "journal", "--organisation", "vardcentralerna", "--days", "400"],
        &["issue", "king", "journal", "--organisation", "vardcentralerna"],
        &["revoke", "not-an-id"],
    ] {
        let (code, lines) = token(wrong);
        assert!(code.is_some_and(|code| code != 0), "{wrong:?} is refused: {lines:#?}");
        assert!(!lines.is_empty() && !lines.iter().any(|line| line.contains("panicked")), "{wrong:?}: {lines:#?}");
    }
}

/// The demo is loaded once: whoever has changed its region finds it as they left it.
#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_is_started_again_leaves_the_region_alone() {
    let (folder, address) = (tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", Port::free().number()));
    let up = || {
        let args = ["up", "--demo", "--http", "127.0.0.1:0", "--grpc", &address, "--data"];
        let process = Launch::samtal("up").args(args).arg(folder.path()).start();
        process.wait_for_line("Samtal is ready", SOON);
        process
    };
    let file = folder.path().join("region.yaml");
    let demo = include_str!("../../../docs/examples/demo.yaml");
    std::fs::write(&file, demo.replace("Vårdcentralen Havet", "Vårdcentralen Viken")).unwrap();
    let apply = |more: &[&str]| {
        let args = ["apply", "--address", &format!("http://{address}"), "--data"].map(str::to_owned);
        let mut process = Launch::samtal("apply").args(args).arg(folder.path()).arg("-f").arg(&file).args(more).start();
        let status = process.wait_exit(SOON);
        assert!(status.success(), "{:#?}", process.lines());
        process.lines().join("\n")
    };
    let mut suite = up();
    let said = apply(&["--dry-run"]);
    assert!(said.contains("nothing was applied (--dry-run)") && said.contains("Vårdcentralen Viken"), "{said}");
    assert!(apply(&[]).contains("changes applied to intake"));
    assert!(apply(&[]).contains("Nothing to change."), "a second time changes nothing");
    // A file that was cut short takes nobody's organisation away by itself.
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "region: Kort\n").unwrap();
    let args = ["apply", "--address", &format!("http://{address}"), "--data"].map(str::to_owned);
    let mut process = Launch::samtal("apply").args(args).arg(folder.path()).arg("-f").arg(&file).start();
    assert_eq!(process.wait_exit(SOON).code(), Some(64));
    let said = process.lines().join("\n");
    assert!(said.contains("would take away whole organisations") && said.contains("--remove "), "{said}");
    std::fs::write(&file, whole).unwrap();
    assert!(apply(&["--dry-run"]).contains("Nothing to change."), "nothing was changed");
    suite.kill9();
    drop(suite);
    let mut suite = up();
    assert!(apply(&["--dry-run"]).contains("Nothing to change."), "the change is still there");
    suite.terminate();
    assert!(suite.wait_exit(SOON).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_invited_listed_and_removed() {
    let (folder, address) = (tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", Port::free().number()));
    let suite = Launch::samtal("up").args(["up", "--http", "127.0.0.1:0", "--grpc", &address, "--data"]).arg(folder.path()).start();
    suite.wait_for_line("Samtal is ready", SOON);
    let file = folder.path().join("region.yaml");
    std::fs::write(&file, samtal_tests::suite::region_yaml()).unwrap();
    let samtal = |args: &[&str]| {
        let to = ["--address", &format!("http://{address}"), "--data"].map(str::to_owned);
        let mut process = Launch::samtal("invite").args(args).args(to).arg(folder.path()).start();
        let status = process.wait_exit(SOON);
        (status.code(), process.lines())
    };
    let (code, lines) = samtal(&["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{lines:#?}");
    let (code, lines) = samtal(&["invite", "--worker", "alfa.vera", "--email", "vera@example.org", "--no-mail"]);
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("https://alfa.example/invitation/")), "{lines:#?}");
    let id = lines.iter().find_map(|line| line.split_once("access withdraw ")).expect("what ends it is told").1.to_owned();
    let of_vera = || samtal(&["access", "list", "alfa"]).1.into_iter().find(|line| line.starts_with("alfa.vera ")).unwrap();
    assert!(of_vera().ends_with(&format!("volunteer  invited at vera@example.org ({id})")), "{}", of_vera());
    assert_eq!(samtal(&["access", "withdraw", &id]).0, Some(0));
    assert!(of_vera().ends_with("no way in"), "{}", of_vera());
    assert_eq!(samtal(&["access", "remove", "alfa.vera"]).1.last().map(String::as_str), Some("Removed; 0 sessions ended."));
    for wrong in [
        &["invite", "--worker", "alfa.vera"][..],
        &["invite", "--worker", "alfa.nobody", "--email", "vera@example.org"],
        &["invite", "--worker", "alfa.vera", "--email", "nonsense"],
        &["invite", "--organisation", "alfa", "--email", "stranger@example.org"],
        &["invite", "--email", "vera@example.org"],
        &["access", "list", "nowhere"],
        &["access", "withdraw", &id],
    ] {
        let (code, lines) = samtal(wrong);
        assert!(code.is_some_and(|code| code != 0), "{wrong:?} is refused: {lines:#?}");
        assert!(!lines.is_empty() && !lines.iter().any(|line| line.contains("panicked")), "{wrong:?}: {lines:#?}");
    }
}
