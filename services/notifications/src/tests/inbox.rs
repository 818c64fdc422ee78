use super::*;

const SEEN: &str = "samtal.notifications.v1.NotificationService/MarkSeen";
const CONTACT: &str = "samtal.notifications.v1.NotificationService/SetContact";

async fn see(rig: &Rig, caller: &Principal, notification_id: &str) -> Result<(), Status> {
    let message = wire::MarkSeenRequest { request_id: String::new(), notification_id: notification_id.into() };
    rig.api.mark_seen(request(SEEN, caller, message)).await.map(|_| ())
}

#[tokio::test]
async fn everybody_sees_their_own() {
    let rig = Rig::new("").await;
    let (mine, other) = (rig.case(1).await, rig.case(2).await);
    rig.answered(mine).await;
    rig.routing(mine, &routing::CaseOffered { worker_id: "anna".into(), ..Default::default() }).await;
    rig.advance(Duration::from_secs(1)).await;
    rig.routing(other, &routing::CaseOffered { worker_id: "anna".into(), ..Default::default() }).await;

    let told = rig.list(&visitor(mine), &mine.to_string()).await.unwrap();
    assert_eq!(told.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["answer_waits", "answer_waits"]);
    let offers = rig.list(&worker("anna", "one"), "").await.unwrap();
    assert_eq!(
        offers.iter().map(|one| (one.kind.as_str(), one.case_id.clone())).collect::<Vec<_>>(),
        [("offer", other.to_string()), ("offer", mine.to_string())]
    );
    assert_eq!(rig.list(&worker("anna", "one"), &mine.to_string()).await.unwrap().len(), 1);
    assert_eq!(rig.list(&worker("bo", "one"), "").await.unwrap(), []);
    assert_eq!(rig.list(&worker("anna", "two"), "").await.unwrap(), []);

    let foreign = rig.list(&visitor(other), &mine.to_string()).await.unwrap_err();
    let missing = rig.list(&visitor(other), &Id::derived(&[b"none"]).to_string()).await.unwrap_err();
    assert_eq!((foreign.code(), foreign.message()), (tonic::Code::NotFound, missing.message()));
    assert_eq!(fields(&rig.list(&visitor(mine), "").await.unwrap_err()), ["case_id"]);
    assert_eq!(fields(&rig.list(&worker("anna", "one"), "x").await.unwrap_err()), ["case_id"]);
}

#[tokio::test]
async fn seen_is_seen_by_its_recipient_only() {
    let rig = Rig::new("").await;
    let case = rig.case(1).await;
    rig.routing(case, &routing::CaseOffered { worker_id: "anna".into(), ..Default::default() }).await;
    let offer = rig.list(&worker("anna", "one"), "").await.unwrap().pop().unwrap();
    assert_eq!(offer.seen_at, None);
    let visitor_named_anna = Principal { id: "anna".into(), ..visitor(case) };
    for stranger in [worker("bo", "one"), worker("anna", "two"), visitor(case), visitor_named_anna] {
        assert_eq!(see(&rig, &stranger, &offer.notification_id).await.unwrap_err().code(), tonic::Code::NotFound);
    }
    see(&rig, &worker("anna", "one"), &offer.notification_id).await.unwrap();
    let first = Some(proto::timestamp(rig.node.now()));
    rig.advance(Duration::from_secs(60)).await;
    see(&rig, &worker("anna", "one"), &offer.notification_id).await.unwrap();
    assert_eq!(rig.list(&worker("anna", "one"), "").await.unwrap()[0].seen_at, first);
    assert_eq!(fields(&see(&rig, &worker("anna", "one"), "1").await.unwrap_err()), ["notification_id"]);
}

#[tokio::test]
async fn an_address_is_checked_and_only_the_visitor_and_the_holder_may_set_it() {
    let rig = Rig::new("").await;
    let case = rig.case(1).await;
    let me = visitor(case);
    for bad in
        ["anna", "anna@", "@example.net", "anna@example.net, bo@example.net", "anna@example.net\r\nBcc: bo@example.net", &"a".repeat(300)]
    {
        assert_eq!(fields(&rig.contact(&me, case, bad, "").await.unwrap_err())[0], "email", "{bad}");
    }
    assert_eq!(fields(&rig.contact(&me, case, "anna@example.net", "de").await.unwrap_err()), ["language"]);
    for stranger in [visitor(Id::derived(&[b"none"])), worker("anna", "one"), worker("anna", "two")] {
        assert_eq!(rig.contact(&stranger, case, "bo@example.net", "").await.unwrap_err().code(), tonic::Code::NotFound);
    }
    rig.routing(case, &routing::CaseAssigned { worker_id: "anna".into(), ..Default::default() }).await;
    rig.contact(&worker("anna", "one"), case, "bo@example.net", "nn").await.unwrap();
    assert_eq!(rig.count("SELECT COUNT(*) FROM contact WHERE email = 'bo@example.net' AND language = 'nn'").await, 1);

    let message =
        wire::SetContactRequest { request_id: "r1".into(), case_id: case.to_string(), email: String::new(), ..Default::default() };
    rig.api.set_contact(request(CONTACT, &me, message.clone())).await.unwrap();
    rig.contact(&me, case, "bo@example.net", "").await.unwrap();
    rig.api.set_contact(request(CONTACT, &me, message.clone())).await.unwrap();
    assert_eq!(rig.count("SELECT COUNT(*) FROM contact").await, 1, "a repetition changes nothing");
    let other = wire::SetContactRequest { email: "cy@example.net".into(), ..message };
    assert_eq!(rig.api.set_contact(request(CONTACT, &me, other)).await.unwrap_err().code(), tonic::Code::AlreadyExists);
}

#[tokio::test]
async fn a_visitor_is_told_by_which_way_they_will_be_told_and_nobody_where() {
    let rig = Rig::new("").await;
    let case = rig.case(1).await;
    let me = visitor(case);
    let way = async |caller: &Principal| {
        let message = wire::ListNotificationsRequest { case_id: case.to_string() };
        let answer = rig.api.list_notifications(request("samtal.notifications.v1.NotificationService/ListNotifications", caller, message));
        let answer = answer.await.unwrap().into_inner();
        (answer.contact_channel(), answer.contact_once)
    };
    let none = (wire::DeliveryChannel::Unspecified, false);
    rig.contact(&me, case, "", "").await.unwrap();
    assert_eq!(way(&me).await, none);
    rig.contact(&me, case, "anna@example.net", "").await.unwrap();
    let rows = "SELECT COUNT(*) FROM audit_log WHERE principal_kind = 'visitor'";
    let before = rig.count(rows).await;
    assert_eq!(way(&me).await, (wire::DeliveryChannel::Email, false));
    assert_eq!(rig.count(rows).await, before + 1, "the look at the case is in its access log");
    assert_eq!(way(&worker("anna", "one")).await, none, "staff's own list has nobody's address");
    rig.contact(&me, case, "", "").await.unwrap();
    assert_eq!(way(&me).await, none);
}

#[tokio::test]
async fn history_is_known_but_nobody_is_told_of_it() {
    let rig = Rig::new("").await;
    assert_eq!(tables::first_start(rig.node.db()).await.unwrap(), start());
    let case = rig.case(1).await;
    let before = |event: Envelope| Envelope { occurred_at: Some(proto::timestamp(start() - Duration::from_micros(1))), ..event };
    let posted = intake::MessagePosted { sender_kind: intake::SenderKind::Worker.into(), visitor_away: true, ..Default::default() };
    rig.apply(rig.intake.clone(), before(envelope(case, &posted))).await;
    let offered = routing::CaseOffered { worker_id: "anna".into(), ..Default::default() };
    rig.apply(Arc::new(events::Routing { first_start: start() }), before(envelope(case, &offered))).await;
    assert_eq!(rig.count("SELECT COUNT(*) FROM notification").await, 0);
    let opened = intake::CaseOpened { entry_point_id: "door".into(), visitor_id: "v".into(), ..Default::default() };
    let old = Id::derived(&[b"old"]);
    rig.apply(rig.intake.clone(), before(envelope(old, &opened))).await;
    rig.answered(old).await;
    assert_eq!(rig.count("SELECT COUNT(*) FROM notification").await, 1);
}

/// Built as in the binary, with peers that are not there yet: everything stops when it is told to.
#[tokio::test]
async fn the_built_service_stops_on_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(start());
    let secret = Secret::new(&[7; 32]).unwrap();
    let nowhere = BTreeMap::from(["intake", "routing"].map(|name| (name.to_owned(), "http://127.0.0.1:1".to_owned())));
    let platform = Platform {
        store: format!("sqlite:{}", folder.path().display()),
        bus: bus::Bus::local(),
        ephemeral: ephemeral::Ephemeral::memory(clock.clone()),
        clock: clock.clone(),
        secret: secret.clone(),
        peers: Peers::new(&nowhere, secret, clock).unwrap(),
        shards: 4,
        replica: None,
        smtp: "smtp://127.0.0.1:1".into(),
        sms: "http+json://127.0.0.1:1/".into(),
        register: String::new(),
        attachments: String::new(),
        demo: false,
        shutdown: Default::default(),
        tasks: Default::default(),
    };
    let built = crate::build(&platform, &mut runtime::RoutesBuilder::default()).await.unwrap();
    assert_eq!(built.handlers.iter().map(|handler| handler.source()).collect::<Vec<_>>(), ["intake", "routing"]);
    platform.shutdown.cancel();
    platform.tasks.close();
    platform.tasks.wait().await;
}

#[test]
fn a_sender_that_no_mail_can_have_is_refused() {
    let mut region = region::parse("test.yaml", REGION).unwrap().region;
    assert_eq!(app::check::check(&region), []);
    region.organisations[0].mail.from = "Meddelande <noreply@>".into();
    assert_eq!(app::check::check(&region)[0].0, "organisations[0].mail.from");
}
