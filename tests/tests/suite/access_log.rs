//! Every read of a case is logged, and one that cannot be logged fails. Generated from the contracts and the table of what each RPC
//! leaves in the access log.

use crate::dynamic::{call, methods, path};
use crate::tenants::{CANARY, Things, Whose, World, names};
use auth::Leaves;
use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MethodDescriptor, Value};
use proto::intake::ReferCaseRequest;
use proto::routing::TransferCaseRequest;
use samtal_tests::suite::{Person, Setup, Stack, TestSuite};
use sqlx::Connection as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::Scoped;
use suite::suite::SERVICES;

on_both_stacks!(reads_are_logged_as_the_table_says, a_read_that_cannot_be_logged_fails);

struct House {
    suite: TestSuite,
    world: World,
    people: Vec<(&'static str, Person)>,
    stores: Vec<Scoped>,
    cases: BTreeSet<String>,
}

/// How often each caller (role, id) has left a row under each key.
type Rows = BTreeMap<(String, String), usize>;

impl House {
    async fn of(stack: Stack) -> House {
        let demo = gateway::Settings { demo: true, ..gateway::Settings::default() };
        let suite = Setup::new(stack).pages(demo).start().await;
        let own = Things::of(&suite, "alfa").await;
        let case_id = own.visitor.as_ref().unwrap().case_id.clone();
        let refer = ReferCaseRequest { request_id: String::new(), case_id, referral_target_id: "alfa-other".into() };
        let anna = suite.worker("alfa.anna").await;
        // Bo is asked to take it over.
        let over = TransferCaseRequest { case_id: refer.case_id.clone(), worker_id: "alfa.bo".into(), ..TransferCaseRequest::default() };
        anna.referrals().refer_case(refer).await.unwrap();
        anna.routing().transfer_case(over).await.unwrap();
        let people = vec![
            ("anonymous", suite.anonymous()),
            ("visitor", own.visitor.clone().unwrap().me),
            ("worker", suite.worker("alfa.anna").await),
            // An offer is open to Bo.
            ("worker", suite.worker("alfa.bo").await),
            ("volunteer", suite.volunteer("alfa.vera").await),
            ("leader", suite.leader("alfa.lea").await),
            ("integrator", suite.integrator("alfa").await),
            ("operator", suite.operator()),
            ("service", suite.service("intake")),
            ("service", suite.service("gateway")),
            ("service", suite.service("notifications")),
        ];
        let mut stores = Vec::new();
        for service in SERVICES {
            stores.push(suite.db(service).await);
        }
        let rows = stores[0].rows("SELECT case_id FROM cases", store::args![]).await.unwrap();
        let cases = rows.iter().map(|row| row.id(0).unwrap().to_string()).collect();
        let world = World { other: Things::nowhere(&suite), nobody: Things::nowhere(&suite), own };
        House { suite, world, people, stores, cases }
    }

    /// Audit rows of this RPC: by key and role.
    async fn rows(&self, rpc: &str) -> Rows {
        let mut rows = Rows::new();
        for db in &self.stores {
            // Some reads say behind the name why they were made.
            let sql = "SELECT key, principal_kind FROM audit_log WHERE action = $1 OR action LIKE $2";
            for row in db.rows(sql, store::args![rpc, format!("{rpc} (%")]).await.unwrap() {
                *rows.entry((row.text(0).unwrap(), row.text(1).unwrap())).or_default() += 1;
            }
        }
        rows
    }

    /// A request about one's own things; of a stream of frames, the one that subscribes.
    fn request(&self, method: &MethodDescriptor) -> Bytes {
        let input = method.input();
        let message = if method.is_client_streaming() {
            let kind = input.get_field_by_name("subscribe").unwrap();
            let Kind::Message(inner) = kind.kind() else { panic!("{kind:?}") };
            let mut frame = DynamicMessage::new(input.clone());
            frame.set_field_by_name("correlation_id", Value::U64(7));
            frame.set_field(&kind, Value::Message(self.world.request(&inner, &vec![Whose::Own; names(&inner).len()])));
            frame
        } else {
            self.world.request(&input, &vec![Whose::Own; names(&input).len()])
        };
        Bytes::from(message.encode_to_vec())
    }

    async fn call(&self, person: &Person, method: &MethodDescriptor) -> Option<Vec<Bytes>> {
        call(person, method, self.request(method), Duration::from_millis(300)).await.ok()
    }

    /// Cases of which the request or the answer speaks.
    fn shown(&self, method: &MethodDescriptor, answers: &[Bytes]) -> BTreeSet<String> {
        // An empty list shows nothing, whatever was asked for; an empty answer to a question says no, and an empty history that there
        // is none.
        let nothing = method.name().starts_with("List") && method.name() != "ListContacts" && answers.iter().all(Bytes::is_empty);
        // A file is the case's in which it was sent.
        let named = !nothing && names(&method.input()).iter().any(|name| ["case_id", "attachment_id"].contains(&name.as_str()));
        let named = named.then(|| self.world.own.id("case_id"));
        let holds = |case: &&String| answers.iter().any(|bytes| bytes.windows(case.len()).any(|part| part == case.as_bytes()));
        self.cases.iter().filter(holds).cloned().chain(named).collect()
    }
}

/// Everything that is not a change.
fn reads() -> impl Iterator<Item = (MethodDescriptor, Leaves)> {
    methods().into_iter().filter_map(|method| {
        let leaves = auth::access_log::leaves(&path(&method)).unwrap();
        (leaves != Leaves::Changes).then_some((method, leaves))
    })
}

async fn reads_are_logged_as_the_table_says(stack: Stack) {
    let house = House::of(stack).await;
    let mut faults = Vec::new();
    for (method, leaves) in reads() {
        let path = path(&method);
        let mut shown_at_all = 0;
        for (role, person) in &house.people {
            let before = house.rows(&path).await;
            let Some(answers) = house.call(person, &method).await else { continue };
            let after = house.rows(&path).await;
            let new = |key: &str| {
                let of = |rows: &Rows| rows.get(&(key.to_owned(), (*role).to_owned())).copied().unwrap_or_default();
                of(&after) - of(&before)
            };
            let all = after.values().sum::<usize>() - before.values().sum::<usize>();
            let shown = house.shown(&method, &answers);
            match leaves {
                Leaves::CasesToStaff if *role == "visitor" && all > 0 => faults.push(format!("{path} as {role}: {all} rows")),
                Leaves::CasesToStaff if *role == "visitor" => {}
                Leaves::Cases | Leaves::CasesToStaff => {
                    shown_at_all += shown.len();
                    for case in shown.iter().filter(|case| new(case) != 1) {
                        faults.push(format!("{path} as {role}: {} rows for a case that it shows", new(case)));
                    }
                }
                Leaves::Many => {
                    shown_at_all += 1;
                    if all != 1 {
                        faults.push(format!("{path} as {role}: {all} rows for the organisation"));
                    }
                }
                Leaves::Nobody if all > 0 => faults.push(format!("{path} as {role}: {all} rows, though the table says none")),
                Leaves::Nobody => {
                    shown_at_all += 1;
                    // Events are read by the suite itself, and set aside ones by those who run it; doors hold no case.
                    let texts = CANARY.as_bytes();
                    if answers.iter().any(|bytes| bytes.windows(texts.len()).any(|part| part == texts)) {
                        faults.push(format!("{path} as {role}: shows a text and leaves no row"));
                    }
                }
                Leaves::Changes => {}
            }
        }
        if shown_at_all == 0 {
            faults.push(format!("{path}: nobody was shown anything, so this test says nothing of it"));
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}

async fn a_read_that_cannot_be_logged_fails(stack: Stack) {
    let house = House::of(stack).await;
    let logged = [Leaves::Cases, Leaves::CasesToStaff, Leaves::Many];
    // Who is shown something while rows can be written is shown nothing while they cannot.
    let mut allowed = Vec::new();
    for (method, leaves) in reads().filter(|(_, leaves)| logged.contains(leaves)) {
        for (role, person) in house.people.iter().filter(|(role, _)| leaves != Leaves::CasesToStaff || *role != "visitor") {
            if let Some(answers) = house.call(person, &method).await
                && (leaves == Leaves::Many || !house.shown(&method, &answers).is_empty())
            {
                allowed.push((method.clone(), *role, person));
            }
        }
    }
    for (service, db) in SERVICES.iter().zip(&house.stores) {
        match db.db().engine() {
            store::Engine::Sqlite => db
                .clone()
                .transaction(|tx| {
                    Box::pin(async move { tx.exec("ALTER TABLE audit_log RENAME TO audit_log_away", store::args![]).await.map(|_| ()) })
                })
                .await
                .unwrap(),
            // The services' own role may not: the one that made the tables does it.
            store::Engine::Postgres => {
                let mut owner = sqlx::PgConnection::connect(&house.suite.store_url()).await.unwrap();
                let rename = format!("ALTER TABLE {service}.audit_log RENAME TO audit_log_away");
                sqlx::query(sqlx::AssertSqlSafe(rename)).execute(&mut owner).await.unwrap();
            }
        }
    }
    let mut faults = Vec::new();
    for (method, role, person) in &allowed {
        if let Some(answers) = house.call(person, method).await {
            let told = answers.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect::<String>();
            // A stream of many conversations refuses frame by frame.
            let shows = told.contains(CANARY) || house.cases.iter().any(|case| told.contains(case.as_str()));
            if shows || !method.is_client_streaming() {
                faults.push(format!("{} as {role}: {} answers", path(method), answers.len()));
            }
        }
    }
    assert!(allowed.len() > 30, "{}", allowed.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), allowed.len(), faults.join("\n"));
    drop(house.suite);
}
