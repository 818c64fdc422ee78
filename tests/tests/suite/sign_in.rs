//! Signing in with a sign-in service, as a browser does it, with everything that can be wrong with what the service says.

mod invitations;
mod passkeys;

use crate::issuer::{CLIENT, Fault, Issuer, SECRET};
use crate::pages::{ask, cookie, form_token};
use samtal_tests::http::get;
use samtal_tests::suite::{Setup, Stack, TestSuite, eventually, region_yaml};
use serde_json::{Value, json};
use std::collections::BTreeMap;

on_both_stacks!(staff_sign_in_with_their_service_and_out_again, operators_and_people_of_several_places_sign_in);

struct House {
    suite: TestSuite,
    issuer: Issuer,
}

/// A browser's way to the service and back: its cookies, and where the service sends it.
struct Away {
    cookies: String,
    back: String,
}

impl House {
    async fn of(stack: Stack, more: Value) -> House {
        let issuer = Issuer::start(kernel::Clock::system().now().secs()).await;
        let mut provider =
            json!({"label": "SITHS", "issuer": issuer.url(), "client_id": CLIENT, "client_secret": SECRET, "subject": "employeeHsaId"});
        for (name, value) in more.as_object().unwrap() {
            provider[name] = value.clone();
        }
        let sign_in = BTreeMap::from([("siths".to_owned(), serde_json::from_value(provider).unwrap())]);
        let settings = gateway::Settings { sign_in, ..gateway::Settings::default() };
        let named = |id: &str, subject: &str, yaml: String| {
            yaml.replacen(&format!("{{ id: {id}, "), &format!("{{ id: {id}, sign_in: [{{ provider: siths, subject: {subject} }}], "), 1)
        };
        // The twin has the same people: only these two are one person in two places.
        let yaml = named("alfa.anna", "SE1-anna", region_yaml());
        let yaml = named("alfa.lea", "SE1-lea", yaml);
        let yaml = named("alfa.bo", "SE1-both", yaml);
        let yaml = named("beta.bo", "SE1-both", yaml);
        let suite = Setup::new(stack).region(yaml).pages(settings).start().await;
        House { suite, issuer }
    }

    /// To the service and to its door back here, without going through it.
    async fn away(&self, to: &str) -> Away {
        let (head, page) = ask(&self.suite, "GET", "/sign-in", "", "").await;
        assert!(page.contains("href=\"/sign-in/with/siths\"") && page.contains("SITHS"), "{page}");
        let browser = cookie(&head, "samtal-form");
        let (head, _) = ask(&self.suite, "GET", &format!("/sign-in/with/siths?to={to}"), &browser, "").await;
        let there = location(&head);
        assert!(there.starts_with(&self.issuer.url()), "{there}");
        let back = location(&fetch(&there).await);
        let origin = format!("http://{}", self.suite.suite().http.unwrap());
        Away { cookies: format!("{browser}; {}", cookie(&head, "samtal-sign-in")), back: back.strip_prefix(&origin).unwrap().to_owned() }
    }

    async fn sign_in(&self, hsa: &str) -> (String, String, Away) {
        self.issuer.person(json!({"sub": hsa, "employeeHsaId": hsa}));
        let away = self.away("").await;
        let (head, page) = ask(&self.suite, "GET", &away.back, &away.cookies, "").await;
        (head, page, away)
    }
}

fn location(head: &str) -> String {
    head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_else(|| panic!("no location: {head}")).to_owned()
}

/// What the service answers to a browser.
async fn fetch(address: &str) -> String {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    get(host, &format!("/{path}"), "").await.replace('\r', "")
}

async fn staff_sign_in_with_their_service_and_out_again(stack: Stack) {
    let house = House::of(stack, json!({})).await;
    house.issuer.person(json!({"sub": "1", "employeeHsaId": "SE1-anna"}));
    let away = house.away("/staff/new").await;
    let (head, page) = ask(&house.suite, "GET", &away.back, &away.cookies, "").await;
    assert!(head.starts_with("HTTP/1.1 200") && page.contains("url=/staff/new"), "{head}\n{page}");
    let session = format!("{}; {}; {}", away.cookies, cookie(&head, "samtal-staff"), cookie(&head, "samtal-provider"));
    let (head, desk) = ask(&house.suite, "GET", "/staff", &session, "").await;
    assert!(head.starts_with("HTTP/1.1 200") && desk.contains(">Anna<"), "{head}");
    // What came back once does not come back again, in this browser or another.
    let (head, page) = ask(&house.suite, "GET", &away.back, &away.cookies, "").await;
    assert!(head.starts_with("HTTP/1.1 400") && page.contains("took too long"), "{head}\n{page}");
    let other = house.away("").await;
    assert!(ask(&house.suite, "GET", &other.back, &away.cookies, "").await.0.starts_with("HTTP/1.1 400"), "another browser's");
    assert!(ask(&house.suite, "GET", &other.back, "", "").await.0.starts_with("HTTP/1.1 400"), "no browser's");

    // Everything that can be wrong with a token lets nobody in; and says so without a word of what was in it.
    use Fault::*;
    for fault in [Nonce, Audience, Issuer, AlgNone, Hs256, Expired, NotYet, UnknownKey, Tampered, Refuses] {
        house.issuer.fault(fault);
        let (head, page, _) = house.sign_in("SE1-anna").await;
        assert!(head.starts_with("HTTP/1.1 502") && !head.contains("samtal-staff="), "{fault:?}: {head}");
        assert!(page.contains("does not work right now") && !page.contains("SE1-anna"), "{fault:?}: {page}");
    }
    house.issuer.fault(Nothing);
    // New keys are asked for once they sign.
    house.issuer.rotate("second");
    let asked = house.issuer.keys_asked();
    let (head, ..) = house.sign_in("SE1-anna").await;
    assert!(head.contains("samtal-staff="), "{head}");
    assert_eq!(house.issuer.keys_asked(), asked + 1);
    // Who is not described, or has no name of that kind, is told so and not let in; the attempt is in the access log.
    let (head, page, _) = house.sign_in("SE1-nobody").await;
    assert!(head.starts_with("HTTP/1.1 403") && page.contains("not registered"), "{head}");
    house.issuer.person(json!({"sub": "SE1-anna"}));
    let away = house.away("").await;
    assert!(ask(&house.suite, "GET", &away.back, &away.cookies, "").await.0.starts_with("HTTP/1.1 403"));
    let db = house.suite.db("intake").await;
    let rows = db.rows(
        "SELECT principal_kind, principal_id FROM audit_log WHERE action LIKE 'samtal.access.v1.SignInService/BeginSession%' ORDER BY position",
        store::args![],
    );
    let rows: Vec<_> = rows.await.unwrap().iter().map(|row| (row.text(0).unwrap(), row.text(1).unwrap())).collect();
    let of = |kind: &str, id: &str| rows.iter().filter(|row| **row == (kind.to_owned(), id.to_owned())).count();
    assert_eq!((of("worker", "alfa.anna"), of("service", "gateway")), (2, 1), "{rows:?}");
    // It leads on within this site only, and back from the service only to the address that it was given.
    house.issuer.person(json!({"sub": "1", "employeeHsaId": "SE1-anna"}));
    let away = house.away("https%3A%2F%2Fevil.example").await;
    let (_, page) = ask(&house.suite, "GET", &away.back, &away.cookies, "").await;
    assert!(page.contains("url=/staff\"") && !page.contains("evil"), "{page}");
    assert!(ask(&house.suite, "GET", "/sign-in/with/other", "", "").await.0.starts_with("HTTP/1.1 404"));

    // Signing out ends the session here; the service is one step further.
    let (_, desk) = ask(&house.suite, "GET", "/staff", &session, "").await;
    let (head, page) = ask(&house.suite, "POST", "/sign-out", &session, &format!("form_token={}", form_token(&desk))).await;
    assert!(
        head.starts_with("HTTP/1.1 200") && page.contains(&format!("{}/logout?client_id=samtal", house.issuer.url())),
        "{head}\n{page}"
    );
    assert!(page.contains("id_token_hint=") && page.contains("post_logout_redirect_uri="), "{page}");
    let over = async || ask(&house.suite, "GET", "/staff", &session, "").await.0.contains("location: /sign-in?to=/staff").then_some(());
    eventually("the session is over", over).await;
}

async fn operators_and_people_of_several_places_sign_in(stack: Stack) {
    let rules = json!({
        "userinfo": true,
        "operator": {"claim": "roles", "values": ["samtal-drift"]},
        "leader": {"claim": "roles", "values": ["chef"]},
    });
    let house = House::of(stack, rules).await;
    // One person in two places chooses.
    let (head, page, away) = house.sign_in("SE1-both").await;
    assert!(head.starts_with("HTTP/1.1 200") && !head.contains("samtal-staff="), "{head}");
    assert!(page.contains("Alfa") && page.contains("Beta"), "{page}");
    let whom = page.split("name=\"whom\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let choose = async |whom: &str, organisation: &str, worker: &str| {
        let form = format!("form_token={}&whom={whom}&organisation={organisation}&worker={worker}", form_token(&page));
        ask(&house.suite, "POST", "/sign-in/choose", &away.cookies, &form).await.0
    };
    // Nobody becomes somebody else than they were offered.
    assert!(choose(whom, "alfa", "alfa.anna").await.starts_with("HTTP/1.1 403"));
    assert!(choose("made-up", "beta", "beta.bo").await.starts_with("HTTP/1.1 400"));
    let head = choose(whom, "beta", "beta.bo").await;
    let desk = ask(&house.suite, "GET", "/staff", &cookie(&head, "samtal-staff"), "").await;
    assert!(desk.0.starts_with("HTTP/1.1 200") && desk.1.contains(">Bo<"), "{}", desk.0);
    // A described leader leads only with the claim; userinfo may bring it, and must speak of the same person.
    let lead = async |roles: Value| {
        house.issuer.userinfo(json!({"roles": roles}));
        let (head, ..) = house.sign_in("SE1-lea").await;
        let session = cookie(&head, "samtal-staff");
        ask(&house.suite, "GET", "/leader", &session, "").await.0.starts_with("HTTP/1.1 200")
    };
    assert!(!lead(json!([])).await);
    assert!(lead(json!(["chef"])).await);
    house.issuer.fault(Fault::OtherUserinfo);
    assert!(house.sign_in("SE1-lea").await.0.starts_with("HTTP/1.1 502"));
    house.issuer.fault(Fault::Nothing);
    // The claim lifts nobody above the description.
    house.issuer.userinfo(json!({"roles": ["chef"]}));
    let (head, ..) = house.sign_in("SE1-anna").await;
    assert!(ask(&house.suite, "GET", "/leader", &cookie(&head, "samtal-staff"), "").await.0.starts_with("HTTP/1.1 403"));
    // Operators are nobody's workers.
    house.issuer.userinfo(json!({"roles": ["samtal-drift"]}));
    let (head, page, _) = house.sign_in("SE1-drift").await;
    assert!(page.contains("url=/region"), "{page}");
    let session = cookie(&head, "samtal-staff");
    let (head, page) = ask(&house.suite, "GET", "/sessions", &session, "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{page}");
    let token = session.split_once('=').unwrap().1;
    let operator = house.suite.with_token(token);
    operator.config().export_region(proto::config::ExportRegionRequest { service: "intake".into() }).await.unwrap();
}
