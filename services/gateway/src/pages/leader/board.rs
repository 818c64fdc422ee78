//! `/leader`: how it goes right now. Queues, who is there, and every open case.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use futures::future::try_join_all;
use kernel::Time;
use proto::intake::{CaseState, Severity};
use proto::routing::{ListPresenceRequest, ListQueueRequest, Presence, QueuedCase};

use super::only_leaders;
use crate::pages::staff::cases;
use crate::pages::staff::names::Names;
use crate::pages::staff::said::{Notice, Said};
use crate::pages::staff::view::{self, Row};
use crate::web::{Page, Problem, Staff};

/// One queue.
struct QueueLine {
    name: String,
    pull: bool,
    waiting: usize,
    offered: usize,
    oldest: String,
    gravest: String,
    tone: &'static str,
    /// Workers who answer it and are there.
    there: usize,
    /// Practice cases that wait, told apart: nobody real waits in them.
    practice: usize,
}

/// One worker who has said whether they are there.
struct WorkerLine {
    name: String,
    profession: String,
    present: bool,
    practising: bool,
    load: u32,
    capacity: u32,
    since: String,
    cases: usize,
}

#[derive(Template)]
#[template(path = "leader/board.html")]
struct Board {
    page: Page,
    staff: Staff,
    notice: Option<Notice>,
    queues: Vec<QueueLine>,
    workers: Vec<WorkerLine>,
    open: Vec<Row>,
}

impl Board {
    fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting).sum()
    }

    /// Open cases, practice left out.
    fn open(&self) -> usize {
        self.open.iter().filter(|row| !row.practice).count()
    }

    /// Open cases with signs of danger in what was written or answered, whoever was alerted.
    fn alerts(&self) -> usize {
        self.open.iter().filter(|row| row.red_flags && !row.practice).count()
    }

    fn there(&self) -> usize {
        self.workers.iter().filter(|worker| worker.present && !worker.practising).count()
    }
}

const OPEN: [CaseState; 6] =
    [CaseState::Open, CaseState::Waiting, CaseState::Offered, CaseState::Active, CaseState::WaitingForUs, CaseState::WaitingForVisitor];

pub async fn show(page: Page, staff: Staff, Query(said): Query<Said>) -> Result<Response, Problem> {
    only_leaders(&staff)?;
    let now = staff.calls.now();
    let names = Names::load(&page, &staff).await?;
    let queues = try_join_all(names.queues_of(&staff).into_iter().map(|queue| {
        let mut routing = staff.calls.routing();
        async move {
            Ok::<_, Problem>((queue, routing.list_queue(ListQueueRequest { queue_id: queue.queue_id.clone() }).await?.into_inner().cases))
        }
    }));
    let mut routing = staff.calls.routing();
    let presences = async { Ok(routing.list_presence(ListPresenceRequest::default()).await?.into_inner().presences) };
    let (queues, presences, open) = tokio::try_join!(queues, presences, cases::list(&staff, &OPEN, "", 200))?;
    let answers = |queue: &str| {
        let who = names.workers().filter(|worker| worker.queue_ids.iter().any(|one| one == queue));
        who.filter(|worker| presences.iter().any(|one| one.present && !one.practising && one.worker_id == worker.worker_id)).count()
    };
    let mut rows: Vec<Row> = open.iter().map(|case| Row::new(&page, &names, case, now)).collect();
    rows.sort_by_key(|row| (row.practice, std::cmp::Reverse(row.grave), row.opened_at));
    let mut lines: Vec<QueueLine> = queues
        .iter()
        .map(|(queue, cases)| line(&page, names.queue(&page, &queue.queue_id), queue.pull, cases, answers(&queue.queue_id), now))
        .collect();
    // Where somebody waits and nobody is there comes first.
    lines.sort_by_key(|line| {
        (std::cmp::Reverse(line.waiting > 0 && line.there == 0), std::cmp::Reverse(line.waiting), std::cmp::Reverse(line.there))
    });
    let board = Board {
        notice: said.notice(&page),
        queues: lines,
        workers: workers(&page, &names, &presences, &rows, now),
        open: rows,
        page: page.clone(),
        staff,
    };
    page.show(&board)
}

fn line(page: &Page, name: String, pull: bool, cases: &[QueuedCase], there: usize, now: Time) -> QueueLine {
    let (practice, cases): (Vec<&QueuedCase>, Vec<&QueuedCase>) = cases.iter().partition(|case| case.practice);
    let gravest = cases.iter().copied().map(QueuedCase::severity).max().unwrap_or(Severity::Unspecified);
    let oldest = cases.iter().filter_map(|case| case.waiting_since).min_by_key(|at| at.seconds);
    QueueLine {
        name,
        pull,
        waiting: cases.len(),
        offered: cases.iter().filter(|case| case.offered).count(),
        oldest: oldest.map(|at| view::ago(page, Some(&at), now).to_string()).unwrap_or_default(),
        gravest: if cases.is_empty() { String::new() } else { view::severity(page, gravest).to_string() },
        tone: view::tone(gravest),
        there,
        practice: practice.len(),
    }
}

/// Those who are there first, the fullest hands first.
fn workers(page: &Page, names: &Names, presences: &[Presence], open: &[Row], now: Time) -> Vec<WorkerLine> {
    let mut lines: Vec<WorkerLine> = presences
        .iter()
        .map(|one| {
            let known = names.workers().find(|worker| worker.worker_id == one.worker_id);
            let name = names.worker(&one.worker_id).to_owned();
            WorkerLine {
                profession: known.map(|known| page.say(&format!("profession-{}", known.profession)).to_string()).unwrap_or_default(),
                present: one.present,
                practising: one.practising,
                load: one.load,
                capacity: one.capacity,
                since: view::short(one.since.as_ref(), now),
                cases: open.iter().filter(|row| row.worker == name).count(),
                name,
            }
        })
        .collect();
    lines.sort_by(|a, b| b.present.cmp(&a.present).then_with(|| b.load.cmp(&a.load)).then_with(|| a.name.cmp(&b.name)));
    lines
}
