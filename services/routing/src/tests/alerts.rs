//! Signs of danger: whoever is there is told, and nobody is said to be told who is not.

use auth::Principal;

use super::*;

impl Suite {
    async fn alert(&self, n: u8) -> kernel::Result<bool> {
        self.alert_to(n, Severity::Emergency).await
    }

    async fn alert_to(&self, n: u8, severity: Severity) -> kernel::Result<bool> {
        let message = wire::AlertCaseRequest { case_id: case(n).to_string(), severity: proto::intake::Severity::from(severity).into() };
        let request = from(Principal::service("intake"), "AlertCase", message);
        Ok(self.api.alert_case(request).await?.into_inner().person_alerted)
    }

    async fn alerts(&self, worker: Principal) -> Vec<String> {
        let answer = self.api.list_offers(from(worker, "ListOffers", wire::ListOffersRequest {})).await.unwrap().into_inner();
        answer.alerts.into_iter().map(|alert| alert.case_id).collect()
    }
}

#[tokio::test]
async fn whoever_is_there_is_told_without_waiting_for_triage() {
    let suite = Suite::new().await;
    suite.open(1).await;
    assert!(!suite.alert(1).await.unwrap(), "nobody is there");
    assert!(suite.said_types(1).await.is_empty(), "it waits for triage as before");
    suite.present(anna(), 0).await;
    assert!(suite.alert(1).await.unwrap());
    assert_eq!(suite.said_types(1).await, ["CaseQueued", "CaseOffered"]);
    assert_eq!((suite.alerts(anna()).await, suite.alerts(bea()).await), (vec![case(1).to_string()], vec![]));
    // What triage says later raises it no further and takes nothing back.
    suite.triage(1, Severity::Routine, "").await;
    let offer = suite.offer(anna()).await;
    assert_eq!(suite.queue(lea(), "fram").await.unwrap()[0].severity(), proto::intake::Severity::Emergency);
    suite.accept(anna(), &offer, "").await.unwrap();
    assert!(suite.alerts(anna()).await.is_empty(), "she has it");
    assert_eq!(suite.kinds(1).await, ["alerted", "queued", "offered", "accepted"]);
}

#[tokio::test]
async fn a_full_or_pulling_worker_is_told_and_the_case_is_first() {
    let suite = Suite::new().await;
    suite.present(anna(), 30).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    suite.accept(anna(), &offer, "").await.unwrap();
    suite.arrive(2, Severity::Soon, "").await;
    suite.arrive(3, Severity::Soon, "").await;
    assert!(suite.alert(3).await.unwrap());
    assert_eq!(suite.alerts(anna()).await, [case(3).to_string()]);
    let asked: Vec<String> = suite.offers(anna()).await.into_iter().map(|offer| offer.case_id).collect();
    assert_eq!(asked, [case(3).to_string()], "she has no room for anything less");
    assert_eq!(suite.queue(lea(), "fram").await.unwrap()[0].case_id, case(3).to_string());
    suite.arrive(4, Severity::Soon, "hylla").await;
    suite.arrive(5, Severity::Soon, "hylla").await;
    assert!(suite.alert(5).await.unwrap());
    assert_eq!(suite.queue(lea(), "hylla").await.unwrap()[0].case_id, case(5).to_string());
    suite.close(5).await;
    assert_eq!(suite.alerts(anna()).await, [case(3).to_string()], "a closed case needs nobody");
    assert!(!suite.alert(5).await.unwrap());
}

#[tokio::test]
async fn the_one_who_has_the_case_is_told_if_they_are_there() {
    let mut suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    suite.accept(anna(), &offer, "").await.unwrap();
    suite.present(bea(), 0).await;
    assert!(suite.alert(1).await.unwrap());
    assert_eq!((suite.alerts(anna()).await.len(), suite.alerts(bea()).await.len()), (1, 0), "others could not read it");
    suite.pass(1).await;
    suite.release(anna(), 1).await.unwrap();
    assert!(suite.alerts(anna()).await.is_empty());
    suite.leave(bea()).await;
    suite.leave(anna()).await;
    assert!(!suite.alert(1).await.unwrap());
}

#[tokio::test]
async fn who_turned_it_down_is_asked_again_and_a_left_message_waits_no_longer() {
    let suite = Suite::new().await;
    suite.present(anna(), 0).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    suite.decline(anna(), &offer).await.unwrap();
    assert!(suite.offers(anna()).await.is_empty(), "a pause comes first");
    assert!(suite.alert(1).await.unwrap());
    suite.offer(anna()).await;
    suite.leave(anna()).await;
    let opens_at = Some(proto::timestamp(suite.clock.now() + Duration::from_secs(3600)));
    suite.intake(2, CaseOpened { left_message: true, opens_at, ..opened("dorr") }).await;
    suite.triage(2, Severity::Soon, "").await;
    suite.close(1).await;
    suite.present(bea(), 0).await;
    assert!(suite.offers(bea()).await.is_empty(), "it waits for the opening");
    assert!(suite.alert(2).await.unwrap());
    suite.offer(bea()).await;
}

#[tokio::test]
async fn a_verdict_that_comes_later_moves_it_to_where_it_belongs_if_somebody_is_there() {
    let suite = Suite::new().await;
    // She is there and has no room: what goes ahead of triage waits at its door.
    suite.present(anna(), 30).await;
    suite.arrive(1, Severity::Soon, "").await;
    let offer = suite.offer(anna()).await;
    suite.accept(anna(), &offer, "").await.unwrap();
    for n in [2, 3] {
        suite.open(n).await;
        // What is graver goes to her all the same, and does not wait.
        assert!(suite.alert_to(n, Severity::Urgent).await.unwrap());
    }
    suite.triage(2, Severity::Routine, "bak").await;
    assert_eq!(suite.alerts(anna()).await.len(), 2, "nobody is there: it stays with who was alerted");
    assert_eq!(suite.queue(lea(), "fram").await.unwrap().len(), 2);

    let tor = || principal(Role::Worker, "sjukvard", "tor", &["tva"]);
    suite.present(tor(), 0).await;
    suite.triage(3, Severity::Routine, "bak").await;
    assert_eq!((suite.alerts(anna()).await, suite.alerts(tor()).await), (vec![case(2).to_string()], vec![case(3).to_string()]));
    suite.offer(tor()).await;
    let there = suite.queue(lea(), "bak").await.unwrap();
    assert_eq!((there.len(), there[0].severity()), (1, proto::intake::Severity::Urgent), "what was seen is not taken back");
    // A second verdict moves nothing any more.
    suite.triage(2, Severity::Soon, "bak").await;
    assert_eq!(suite.queue(lea(), "fram").await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_open_offer_stands_and_only_the_next_one_is_elsewhere() {
    let suite = Suite::new().await;
    let tor = || principal(Role::Worker, "sjukvard", "tor", &["tva"]);
    suite.present(anna(), 0).await;
    suite.present(tor(), 0).await;
    suite.open(1).await;
    assert!(suite.alert(1).await.unwrap());
    let offer = suite.offer(anna()).await;
    suite.triage(1, Severity::Soon, "bak").await;
    assert_eq!((suite.alerts(anna()).await.len(), suite.alerts(tor()).await.len()), (1, 1));
    suite.decline(anna(), &offer).await.unwrap();
    suite.offer(tor()).await;
}

#[tokio::test]
async fn nonsense_is_refused_by_its_field() {
    let suite = Suite::new().await;
    assert_eq!(refusal(suite.alert(9).await), (Code::NotFound, "NOT_FOUND"));
    let nonsense = wire::AlertCaseRequest { case_id: "x".into(), severity: 0 };
    let error = suite.api.alert_case(from(Principal::service("intake"), "AlertCase", nonsense)).await.unwrap_err();
    assert_eq!(error.violations.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(), ["case_id", "severity"]);
}
