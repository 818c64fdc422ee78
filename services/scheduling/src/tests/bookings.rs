use std::time::Duration;

use super::*;

const NINE: &str = "2026-03-02T09:00";

#[tokio::test]
async fn a_hold_becomes_a_booking_and_can_be_given_up() {
    let rig = Rig::new().await;
    let case = rig.case(1).await;
    let held = rig.hold(&anna(), case, "chair", NINE).await.unwrap();
    assert_eq!(held.held_until, Some(proto::timestamp(start() + Duration::from_secs(300))));
    let slot = held.slot.clone().unwrap();
    assert_eq!((slot.resource_name.as_str(), slot.clinic_id.as_str()), ("Stolen", "sea"));
    assert_eq!(slot.time.unwrap().to, stamp("2026-03-02T09:30"));

    let booked = rig.confirm(&visitor(case), &held.booking_id, "").await.unwrap();
    assert_eq!((booked.state(), booked.held_until), (wire::BookingState::Confirmed, None));
    let named = rig.confirm(&anna(), &held.booking_id, "journal-7").await.unwrap();
    assert_eq!(named.external_ref, "journal-7");
    rig.advance(start() + Duration::from_secs(600)).await;
    assert_eq!(rig.get(&anna(), &held.booking_id).await.unwrap(), named);
    assert_eq!(rig.cancel(&visitor(case), &held.booking_id).await.unwrap().state(), wire::BookingState::Cancelled);
    assert_eq!(rig.cancel(&visitor(case), &held.booking_id).await.unwrap().state(), wire::BookingState::Cancelled);
    assert_eq!(reason(&rig.confirm(&anna(), &held.booking_id, "").await.unwrap_err()), "BOOKING_CANCELLED");
    assert_eq!(rig.events(case).await, ["SlotHeld", "BookingConfirmed", "BookingCancelled"]);
    assert!(rig.hold(&anna(), rig.case(2).await, "chair", NINE).await.is_ok(), "the slot is free again");
    assert_eq!(rig.count("SELECT COUNT(*) FROM timer").await, 1, "only the new hold's");
    // Six changes, one of them without effect, and a read; what is refused is no access.
    assert_eq!(rig.count("SELECT COUNT(*) FROM audit_log WHERE clinic = 'sea'").await, 7);
}

#[tokio::test]
async fn a_hold_runs_out_and_another_may_take_the_slot() {
    let rig = Rig::new().await;
    let (first, second) = (rig.case(1).await, rig.case(2).await);
    let held = rig.hold(&anna(), first, "chair", NINE).await.unwrap();
    assert_eq!(reason(&rig.hold(&anna(), second, "chair", NINE).await.unwrap_err()), "SLOT_TAKEN");
    rig.advance(start() + Duration::from_secs(300)).await;
    assert_eq!(rig.get(&anna(), &held.booking_id).await.unwrap().state(), wire::BookingState::Expired);
    assert_eq!(rig.events(first).await, ["SlotHeld", "BookingCancelled expired"]);
    assert_eq!(reason(&rig.confirm(&anna(), &held.booking_id, "").await.unwrap_err()), "HOLD_EXPIRED");
    assert!(rig.hold(&anna(), second, "chair", NINE).await.is_ok());
}

#[tokio::test]
async fn practice_takes_nobodys_time() {
    let rig = Rig::new().await;
    let [practice, again] = [b"practice", b"practise"].map(|name| Id::derived(&[name]));
    for case in [practice, again] {
        let opened = intake::CaseOpened { entry_point_id: "door".into(), visitor_id: visitor_id(case), ..Default::default() };
        rig.apply(Arc::new(events::Intake), Envelope { practice: true, ..envelope(case, &opened) }).await;
        let assigned = routing::CaseAssigned { worker_id: "anna".into(), how: "accepted".into(), ..Default::default() };
        rig.apply(Arc::new(events::Routing), Envelope { practice: true, ..envelope(case, &assigned) }).await;
    }
    let played = rig.hold(&anna(), practice, "chair", NINE).await.unwrap();
    assert_eq!(reason(&rig.hold(&anna(), again, "chair", NINE).await.unwrap_err()), "SLOT_TAKEN");
    let real = rig.hold(&anna(), rig.case(1).await, "chair", NINE).await.unwrap();
    assert_eq!(reason(&rig.hold(&anna(), rig.case(2).await, "chair", NINE).await.unwrap_err()), "SLOT_TAKEN");
    rig.cancel(&anna(), &played.booking_id).await.unwrap();
    assert!(rig.hold(&anna(), again, "chair", NINE).await.is_ok());
    assert_eq!(rig.get(&anna(), &real.booking_id).await.unwrap().state(), wire::BookingState::Held);
    assert_eq!(rig.count("SELECT COUNT(*) FROM booked_slot").await, 2);
}

#[tokio::test]
async fn a_hold_that_is_over_gives_way_even_before_its_timer() {
    let rig = Rig::new().await;
    let (first, second) = (rig.case(1).await, rig.case(2).await);
    rig.hold(&anna(), first, "chair", NINE).await.unwrap();
    // As if the timers were late.
    rig.node
        .db()
        .of("care")
        .transaction(|tx| Box::pin(async move { tx.exec("DELETE FROM timer", store::args![]).await.map(|_| ()) }))
        .await
        .unwrap();
    rig.node.clock().advance_to(start() + Duration::from_secs(300));
    assert!(rig.hold(&anna(), second, "chair", NINE).await.is_ok());
    assert_eq!(rig.events(first).await, ["SlotHeld", "BookingCancelled expired"]);
}

#[tokio::test]
async fn holding_is_idempotent_by_its_request_id() {
    let rig = Rig::new().await;
    let case = rig.case(1).await;
    let request = wire::HoldSlotRequest {
        request_id: "r1".into(),
        case_id: case.to_string(),
        resource_id: "chair".into(),
        starts_at: stamp(NINE),
        hold_seconds: 60,
    };
    let first = rig.hold_as(&anna(), request.clone()).await.unwrap();
    assert_eq!(rig.hold_as(&anna(), request.clone()).await.unwrap(), first);
    let other = wire::HoldSlotRequest { starts_at: stamp("2026-03-02T10:00"), ..request };
    let refused = rig.hold_as(&anna(), other).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::AlreadyExists, "REQUEST_ID_REUSED"));
    assert_eq!(rig.events(case).await, ["SlotHeld"]);
}

#[tokio::test]
async fn what_belongs_to_others_does_not_exist() {
    let rig = Rig::new().await;
    let case = rig.case(1).await;
    let held = rig.hold(&anna(), case, "video", NINE).await.unwrap();
    let nowhere = Id::derived(&[b"nowhere"]);
    let missing = rig.get(&anna(), &nowhere.to_string()).await.unwrap_err();
    for stranger in [worker("anna", "two", "sea"), worker("bo", "one", "wood"), visitor(nowhere)] {
        let found = rig.get(&stranger, &held.booking_id).await.unwrap_err();
        assert_eq!((found.code(), found.message()), (tonic::Code::NotFound, missing.message()));
        assert_eq!(rig.cancel(&stranger, &held.booking_id).await.unwrap_err().code(), tonic::Code::NotFound);
    }
    for (caller, case, resource) in
        [(worker("bo", "one", "sea"), case, "chair"), (anna(), nowhere, "chair"), (anna(), case, "stol"), (anna(), case, "none")]
    {
        assert_eq!(rig.hold(&caller, case, resource, NINE).await.unwrap_err().code(), tonic::Code::NotFound, "{resource}");
    }
}

#[tokio::test]
async fn nonsense_is_refused_by_the_name_of_the_field() {
    let rig = Rig::new().await;
    let case = rig.case(1).await;
    let all = wire::HoldSlotRequest { case_id: "x".into(), resource_id: " ".into(), hold_seconds: 1801, ..Default::default() };
    assert_eq!(fields(&rig.hold_as(&anna(), all).await.unwrap_err()), ["case_id", "resource_id", "starts_at", "hold_seconds"]);
    let never = Some(Timestamp { seconds: i64::MAX, nanos: -1 });
    let when = wire::HoldSlotRequest { case_id: case.to_string(), resource_id: "chair".into(), starts_at: never, ..Default::default() };
    assert_eq!(fields(&rig.hold_as(&anna(), when).await.unwrap_err()), ["starts_at"]);
    let named = wire::HoldSlotRequest { request_id: "å".into(), ..Default::default() };
    assert_eq!(fields(&rig.hold_as(&anna(), named).await.unwrap_err()), ["request_id"]);
    assert_eq!(fields(&rig.confirm(&anna(), "", &"x".repeat(129)).await.unwrap_err()), ["booking_id", "external_ref"]);
    let held = rig.hold(&anna(), case, "chair", NINE).await.unwrap();
    assert_eq!(fields(&rig.confirm(&visitor(case), &held.booking_id, "mine").await.unwrap_err()), ["external_ref"]);
    assert_eq!(fields(&rig.cancel(&anna(), "x").await.unwrap_err()), ["booking_id"]);
}

#[tokio::test]
async fn only_what_the_calendar_offers_can_be_held() {
    let rig = Rig::new().await;
    let case = rig.case(1).await;
    for (when, why) in [
        ("2026-03-02T09:15", "SLOT_NOT_OFFERED"),
        ("2026-03-02T12:00", "SLOT_NOT_OFFERED"),
        ("2026-03-10T09:00", "SLOT_NOT_OFFERED"),
        ("2026-02-23T09:00", "SLOT_PASSED"),
    ] {
        let refused = rig.hold(&anna(), case, "chair", when).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (tonic::Code::FailedPrecondition, why), "{when}");
    }
    rig.intake(case, &intake::CaseClosed::default()).await;
    assert_eq!(reason(&rig.hold(&anna(), case, "chair", NINE).await.unwrap_err()), "CASE_CLOSED");
}

#[tokio::test]
async fn a_closed_case_gives_up_its_holds_and_keeps_its_bookings() {
    let rig = Rig::new().await;
    let case = rig.case(1).await;
    let held = rig.hold(&anna(), case, "chair", NINE).await.unwrap();
    let booked = rig.hold(&anna(), case, "video", NINE).await.unwrap();
    rig.confirm(&anna(), &booked.booking_id, "journal-7").await.unwrap();
    rig.intake(case, &intake::CaseClosed::default()).await;
    assert_eq!(rig.get(&anna(), &held.booking_id).await.unwrap().state(), wire::BookingState::Cancelled);
    assert_eq!(rig.get(&anna(), &booked.booking_id).await.unwrap().state(), wire::BookingState::Confirmed);

    let message = wire::ListBookingsRequest { case_id: case.to_string() };
    let list =
        rig.api.list_bookings(request("samtal.scheduling.v1.SchedulingService/ListBookings", &visitor(case), message)).await.unwrap();
    assert_eq!(list.into_inner().bookings.len(), 2);
}

#[tokio::test]
async fn erasing_a_case_forgets_what_names_the_visitor() {
    let rig = Rig::new().await;
    let case = rig.case(1).await;
    let booked = rig.hold(&anna(), case, "video", NINE).await.unwrap();
    let message =
        wire::ConfirmBookingRequest { request_id: "r1".into(), booking_id: booked.booking_id.clone(), external_ref: "canary-7".into() };
    rig.api.confirm_booking(request("samtal.scheduling.v1.SchedulingService/ConfirmBooking", &anna(), message)).await.unwrap();
    rig.intake(case, &intake::CaseErased {}).await;
    assert_eq!(rig.count("SELECT COUNT(*) FROM booking WHERE external_ref <> ''").await, 0);
    assert_eq!(rig.count("SELECT COUNT(*) FROM idempotency").await, 0);
    assert_eq!(rig.get(&visitor(case), &booked.booking_id).await.unwrap_err().code(), tonic::Code::NotFound);
    let leader = Principal { role: Role::Leader, ..anna() };
    assert_eq!(rig.get(&leader, &booked.booking_id).await.unwrap().external_ref, "");
}
