use super::*;

/// P18: two visitors never have one slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p18_of_fifty_who_hold_one_slot_at_once_exactly_one_has_it() {
    let rig = Arc::new(Rig::new().await);
    let mut cases = Vec::new();
    for n in 0..50 {
        cases.push(rig.case(n).await);
    }
    // Two resources, so that lanes and locks cross.
    for (round, slot) in ["2026-03-02T08:00", "2026-03-02T09:00", "2026-03-02T10:00"].into_iter().enumerate() {
        let start = Arc::new(tokio::sync::Barrier::new(cases.len() * 2));
        let tries: Vec<_> = cases
            .iter()
            .flat_map(|case| ["chair", "video"].map(|resource| (*case, resource)))
            .map(|(case, resource)| {
                let (rig, start) = (rig.clone(), start.clone());
                tokio::spawn(async move {
                    start.wait().await;
                    (resource, rig.hold(&anna(), case, resource, slot).await)
                })
            })
            .collect();
        let mut won = BTreeMap::from([("chair", 0), ("video", 0)]);
        for done in tries {
            match done.await.unwrap() {
                (resource, Ok(booking)) => {
                    *won.get_mut(resource).unwrap() += 1;
                    assert_eq!(booking.state(), wire::BookingState::Held);
                }
                (_, Err(status)) => {
                    assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{status:?}");
                    assert_eq!(reason(&status), "SLOT_TAKEN");
                }
            }
        }
        assert_eq!(won, BTreeMap::from([("chair", 1), ("video", 1)]), "round {round}");
    }
    assert_eq!(rig.count("SELECT COUNT(*) FROM booked_slot").await, 6);
    assert_eq!(rig.count("SELECT COUNT(*) FROM booking WHERE state = 'held'").await, 6);
}

/// At the very end of a hold, confirming it and holding the slot anew exclude each other, whoever comes first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_never_confirmed_by_one_and_held_by_another() {
    let rig = Arc::new(Rig::new().await);
    let (first, second) = (rig.case(1).await, rig.case(2).await);
    for hour in ["08:00", "08:30", "09:00", "09:30", "10:00", "10:30"] {
        let slot = format!("2026-03-02T{hour}");
        let held = rig.hold(&anna(), first, "chair", &slot).await.unwrap();
        let confirming = tokio::spawn({
            let rig = rig.clone();
            async move { rig.confirm(&anna(), &held.booking_id, "").await.is_ok() }
        });
        let holding = tokio::spawn({
            let rig = rig.clone();
            async move { rig.hold(&anna(), second, "chair", &slot).await.is_ok() }
        });
        rig.node.clock().advance_to(rig.node.now() + std::time::Duration::from_secs(300));
        let (confirmed, taken) = (confirming.await.unwrap(), holding.await.unwrap());
        assert!(!(confirmed && taken), "two have the slot at {hour}");
    }
    let twice = "SELECT COUNT(*) FROM booking a JOIN booking b ON a.resource = b.resource AND a.starts_at = b.starts_at AND a.id < b.id \
                 WHERE a.state = 'confirmed' AND b.state IN ('held', 'confirmed')";
    assert_eq!(rig.count(twice).await, 0);
}
