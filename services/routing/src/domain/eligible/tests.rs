use proptest::prelude::*;

use super::*;

fn needs(channel: Channel) -> Needs {
    Needs { queue: "chat".into(), channel, profession: Profession::Nurse, language: Some(Language::Swedish), practice: false }
}

fn candidate(worker: &str, unoccupied_since: i64) -> Candidate {
    Candidate {
        worker: worker.into(),
        professions: vec![Profession::Nurse],
        queues: vec!["chat".into()],
        languages: vec![Language::Swedish],
        present: true,
        practising: false,
        load: Load::default(),
        capacity: 100,
        unoccupied_since: Time::from_secs(unoccupied_since),
        met_visitor_before: false,
        emergency_first: false,
    }
}

/// A case of this severity that nobody has turned down.
fn fresh(needs: &Needs, severity: Severity) -> Wanted<'_> {
    static NONE: BTreeSet<String> = BTreeSet::new();
    Wanted { needs, severity, excluded: &NONE }
}

fn set(workers: &[&str]) -> BTreeSet<String> {
    workers.iter().map(|w| (*w).to_owned()).collect()
}

fn pool() -> impl Strategy<Value = Vec<Candidate>> {
    // Mostly able, so that there is somebody to choose from.
    let yes = || prop::bool::weighted(0.85);
    let one = ([yes(), yes(), yes(), prop::bool::weighted(0.5), prop::bool::weighted(0.2)], 0_u32..4, 0_u32..8, 0_i64..4, 1_u32..4);
    prop::collection::vec(one, 0..8).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(n, ([present, nurse, here, met, emergency_first], chats, mails, since, capacity))| Candidate {
                professions: vec![if nurse { Profession::Nurse } else { Profession::Physician }],
                queues: vec![if here { "chat".into() } else { "other".into() }],
                present,
                load: Costs::default().load([vec![Channel::Chat; chats as usize], vec![Channel::Email; mails as usize]].concat()),
                capacity: capacity * 60,
                met_visitor_before: met,
                emergency_first,
                ..candidate(&format!("w{n}"), since)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_choice_is_right_and_independent_of_order(
        all in pool(),
        out in prop::collection::btree_set(0_usize..8, 0..5),
        turn in 0_usize..8,
        continuity: bool,
        channel in prop::sample::select(Channel::ALL),
        severity in prop::sample::select(Severity::ALL),
    ) {
        let costs = Costs::default();
        let excluded: BTreeSet<String> = out.iter().map(|n| format!("w{n}")).collect();
        let needs = needs(channel);
        let case = Wanted { needs: &needs, severity, excluded: &excluded };
        let choice = choose(case, &all, &costs, continuity);

        let emergency = severity == Severity::Emergency;
        let able = |c: &&Candidate| verdict(fresh(&needs, severity), c, &costs) == Reason::Eligible;
        if emergency {
            let fits = |c: &Candidate| c.present && c.queues.contains(&needs.queue) && c.professions.contains(&Profession::Nurse);
            prop_assert_eq!(choice.worker.is_some(), all.iter().any(fits), "room asked of an emergency");
        }
        let fresh: Vec<_> = all.iter().filter(able).filter(|c| !excluded.contains(&c.worker)).collect();
        let pool: Vec<_> = if fresh.is_empty() { all.iter().filter(able).collect() } else { fresh.clone() };
        prop_assert_eq!(choice.started_over, fresh.is_empty() && !pool.is_empty());
        match &choice.worker {
            None => prop_assert!(pool.is_empty()),
            Some(worker) => {
                let chosen = pool.iter().find(|c| c.worker == *worker).unwrap();
                for other in &pool {
                    let met = (chosen.met_visitor_before, other.met_visitor_before);
                    let longest = (chosen.unoccupied_since, &chosen.worker) <= (other.unoccupied_since, &other.worker);
                    let busy = (chosen.load.against(channel), other.load.against(channel));
                    let right = match emergency {
                        true => busy.0 < busy.1 || (busy.0 == busy.1 && longest),
                        false if continuity && met.0 != met.1 => met.0,
                        false => longest,
                    };
                    prop_assert!(right);
                }
            }
        }

        let mut turned = all.clone();
        turned.rotate_left(turn % all.len().max(1));
        prop_assert_eq!(choose(case, &turned, &costs, continuity).worker, choice.worker.clone());

        if channel != Channel::Email {
            let idle: Vec<_> = all.iter().cloned().map(|c| Candidate { load: Load { email: 0, ..c.load }, ..c }).collect();
            prop_assert_eq!(choose(case, &idle, &costs, continuity), choice);
        }
    }
}

#[test]
fn three_chats_fill_a_worker_and_mail_gives_way() {
    let costs = Costs::default();
    let with = |held: &[Channel], arriving| {
        let worker = Candidate { load: costs.load(held.iter().copied()), ..candidate("eva", 0) };
        verdict(fresh(&needs(arriving), Severity::Urgent), &worker, &costs)
    };
    assert_eq!(with(&[Channel::Chat; 2], Channel::Chat), Reason::Eligible);
    assert_eq!(with(&[Channel::Chat; 3], Channel::Chat), Reason::NoRoom);
    assert_eq!(with(&[Channel::Chat; 3], Channel::Email), Reason::Eligible);
    assert_eq!(with(&[Channel::Email; 10], Channel::Video), Reason::Eligible);
    assert_eq!(with(&[Channel::Email; 10], Channel::Email), Reason::NoRoom);
    assert_eq!(with(&[Channel::Video], Channel::Onsite), Reason::Eligible);
}

#[test]
fn every_verdict_says_why() {
    let all = [
        Candidate { queues: vec![], ..candidate("a", 0) },
        Candidate { professions: vec![Profession::Physician], ..candidate("b", 0) },
        Candidate { languages: vec![Language::English], ..candidate("c", 0) },
        Candidate { present: false, ..candidate("d", 0) },
        Candidate { capacity: 20, ..candidate("e", 0) },
        candidate("f", 0),
        candidate("g", 5),
        Candidate { emergency_first: true, ..candidate("h", 0) },
    ];
    let chat = needs(Channel::Chat);
    let ask = |severity, out: &[&str]| choose(Wanted { needs: &chat, severity, excluded: &set(out) }, &all, &Costs::default(), false);
    let choice = ask(Severity::Urgent, &["f"]);
    let codes: Vec<_> = choice.verdicts.iter().map(|v| v.why.code()).collect();
    assert_eq!(
        codes,
        ["OTHER_QUEUE", "OTHER_PROFESSION", "OTHER_LANGUAGE", "ABSENT", "NO_ROOM", "EXCLUDED", "ELIGIBLE", "EMERGENCY_FIRST"]
    );
    assert_eq!((choice.worker.as_deref(), choice.started_over), (Some("g"), false));
    let choice = ask(Severity::Urgent, &["f", "g"]);
    assert_eq!((choice.worker.as_deref(), choice.started_over), (Some("f"), true));
    let choice = ask(Severity::Emergency, &["f"]);
    let whys: Vec<_> = choice.verdicts[4..].iter().map(|v| v.why).collect();
    assert_eq!(whys, [Reason::Eligible, Reason::Excluded, Reason::Eligible, Reason::Eligible], "an emergency asks for nobody's room");
}
