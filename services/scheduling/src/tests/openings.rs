use super::*;
use crate::app::check::problems;

const OPENING: &str = "samtal.scheduling.v1.SchedulingService/GetOpening";
const OPENINGS: &str = "samtal.scheduling.v1.SchedulingService/ListOpenings";
const SLOTS: &str = "samtal.scheduling.v1.SchedulingService/ListSlots";

fn window(from: &str, to: &str) -> Option<wire::Interval> {
    Some(wire::Interval { from: stamp(from), to: stamp(to) })
}

async fn opening(rig: &Rig, calendar: &str, local: &str) -> Result<wire::GetOpeningResponse, Status> {
    let message = wire::GetOpeningRequest { calendar_id: calendar.into(), at: stamp(local) };
    Ok(rig.api.get_opening(request(OPENING, &Principal::anonymous(), message)).await?.into_inner())
}

async fn slots(rig: &Rig, caller: &Principal, message: wire::ListSlotsRequest) -> Result<Vec<wire::Slot>, Status> {
    Ok(rig.api.list_slots(request(SLOTS, caller, message)).await?.into_inner().slots)
}

#[tokio::test]
async fn a_door_says_whether_it_is_open_and_why_not() {
    let rig = Rig::new().await;
    let open = opening(&rig, "days", "2026-03-02T09:00").await.unwrap();
    assert_eq!((open.open, open.closes_at, open.next_opening_at), (true, stamp("2026-03-02T12:00"), None));
    let lunch = opening(&rig, "days", "2026-03-02T12:00").await.unwrap();
    assert_eq!((lunch.open, lunch.next_opening_at, lunch.closed_reason.as_str()), (false, stamp("2026-03-02T13:00"), ""));
    assert_eq!(opening(&rig, "days", "2026-03-10T09:00").await.unwrap().closed_reason, "Planeringsdag");
    assert_eq!(opening(&rig, "days", "2026-04-06T09:00").await.unwrap().closed_reason, "annandag påsk");
    let always = opening(&rig, "always", "2026-04-06T03:00").await.unwrap();
    assert_eq!((always.open, always.closes_at), (true, None));
    let now =
        rig.api.get_opening(request(OPENING, &anna(), wire::GetOpeningRequest { calendar_id: "days".into(), at: None })).await.unwrap();
    assert_eq!(now.into_inner().next_opening_at, stamp("2026-03-02T08:00"));
    assert_eq!(opening(&rig, "none", "2026-03-02T09:00").await.unwrap_err().code(), tonic::Code::NotFound);
    assert_eq!(fields(&opening(&rig, "", "2026-03-02T09:00").await.unwrap_err()), ["calendar_id"]);
}

#[tokio::test]
async fn openings_are_listed_in_a_window_that_makes_sense() {
    let rig = Rig::new().await;
    let list = async |window| {
        let message = wire::ListOpeningsRequest { calendar_id: "days".into(), window };
        rig.api.list_openings(request(OPENINGS, &anna(), message)).await.map(|answer| answer.into_inner().openings)
    };
    let monday = list(window("2026-03-02T09:00", "2026-03-03T00:00")).await.unwrap();
    assert_eq!(monday, [window("2026-03-02T09:00", "2026-03-02T12:00").unwrap(), window("2026-03-02T13:00", "2026-03-02T15:00").unwrap()]);
    assert_eq!(
        list(window("2026-03-01T00:00", "2026-06-09T00:00")).await.unwrap().len(),
        14 * 2 + 13,
        "one Monday and one Tuesday are closed"
    );
    for (wrong, field) in [
        (None, "window"),
        (Some(wire::Interval::default()), "window.from"),
        (window("2026-03-02T09:00", "2026-03-02T09:00"), "window.to"),
        (window("2026-03-02T09:00", "2026-06-10T10:01"), "window"),
    ] {
        assert_eq!(fields(&list(wrong).await.unwrap_err())[0], field);
    }
}

#[tokio::test]
async fn free_slots_are_listed_by_time_without_what_is_taken_or_past() {
    let rig = Rig::new().await;
    let (case, whole) = (rig.case(1).await, window("2026-03-02T00:00", "2026-03-03T00:00"));
    let ask = wire::ListSlotsRequest { clinic_id: "sea".into(), window: whole, ..Default::default() };
    let all = slots(&rig, &anna(), ask.clone()).await.unwrap();
    assert_eq!(all.len(), 12 + 6);
    let starts: Vec<_> = all.iter().map(|slot| slot.time.as_ref().unwrap().from.unwrap().seconds).collect();
    assert!(starts.is_sorted());
    assert_eq!((all[0].resource_id.as_str(), all[1].resource_id.as_str()), ("chair", "video"));

    rig.hold(&anna(), case, "chair", "2026-03-02T08:30").await.unwrap();
    let chairs = wire::ListSlotsRequest { channel: intake::Channel::Onsite.into(), ..ask.clone() };
    assert_eq!(slots(&rig, &anna(), chairs.clone()).await.unwrap().len(), 11);
    rig.advance(at("2026-03-02T08:45")).await;
    assert_eq!(slots(&rig, &anna(), chairs.clone()).await.unwrap().len(), 10, "two have begun");
    let page = wire::ListSlotsRequest { page_size: 13, window: window("2026-03-02T00:00", "2026-06-01T00:00"), ..chairs };
    let page = slots(&rig, &anna(), page).await.unwrap();
    assert_eq!((page.len(), page[12].time.as_ref().unwrap().from), (13, stamp("2026-03-03T09:00")));

    for stranger in [worker("bo", "one", "wood"), worker("anna", "two", "sea")] {
        assert_eq!(slots(&rig, &stranger, ask.clone()).await.unwrap_err().code(), tonic::Code::NotFound);
    }
    let nonsense = wire::ListSlotsRequest { channel: 99, page_size: 501, ..Default::default() };
    assert_eq!(fields(&slots(&rig, &anna(), nonsense).await.unwrap_err()), ["clinic_id", "channel", "page_size", "window"]);
}

#[test]
fn a_region_whose_doors_never_open_is_refused() {
    let mut region = region::parse("test.yaml", REGION).unwrap().region;
    let now = at("2026-03-02T07:00");
    assert_eq!(problems(&region, now), []);
    let closed = region::Week { from: Some("2026-01-01".parse().unwrap()), hours: BTreeMap::new() };
    region.organisations[0].calendars[0].weeks.push(closed);
    let found = problems(&region, now);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "organisations[0].calendars[0]");
    assert_eq!(problems(&region, at("2025-12-01T00:00")), [], "the hours before still hold");
    // Hours that begin in some years are looked at from then on.
    region.organisations[0].calendars[0].weeks = vec![region::Week {
        from: Some("2031-01-01".parse().unwrap()),
        hours: BTreeMap::from([(region::Weekday::Mon, vec!["08:00-12:00".parse().unwrap()])]),
    }];
    assert_eq!(problems(&region, now), []);
    region.organisations[1].timezone = "Europe/Atlantis".into();
    assert_eq!(problems(&region, now)[0].0, "organisations[1].timezone");
}
