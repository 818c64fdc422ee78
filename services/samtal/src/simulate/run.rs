//! A whole run: get ready, play, ask the suite, read back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use auth::Secret;
use bus::Bus;
use ephemeral::Ephemeral;
use kernel::{Clock, Error, Result, Time};
use proto::config::ExportRegionRequest;
use proto::config::config_service_client::ConfigServiceClient;
use proto::insights::GetReportRequest;
use proto::insights::insights_service_client::InsightsServiceClient;
use proto::scheduling::scheduling_service_client::SchedulingServiceClient;
use proto::scheduling::{Interval, ListOpeningsRequest};
use region::{Organisation, Region};

use super::actor::{Actors, Addresses};
use super::figures::{self, Figures};
use super::paced::Paced;
use super::plan::{Hours, plan};
use super::progress::Progress;
use super::report::Outcome;
use super::{check, flat_out, places};
use crate::client::{self, Clients};
use crate::suite::{Parts, SERVICES, Suite, listen};

/// Monday 7 March 2022, midnight in Sweden: the first of nine weeks.
const START: Time = Time::from_secs(1_646_607_600);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Nine weeks later.
const END: Time = Time::from_secs(1_646_607_600 + 9 * 7 * 86_400);
/// How long the suite's projections may lag before its figures count as wrong.
const LAG: Duration = Duration::from_secs(30);

/// What to play, and where.
pub struct Settings {
    pub cases: usize,
    pub seed: u64,
    /// Show nothing on the way.
    pub quiet: bool,
    pub target: Target,
}

pub enum Target {
    /// The suite is started here, on a simulated clock.
    Embedded { store: String, bus: String, cache: String, attachments: String, shards: u32 },
    /// A running suite, with an operator's token.
    Running { addresses: Addresses, operator: String },
}

/// Plays, counts and reads back.
pub async fn run(settings: &Settings) -> Result<Outcome> {
    let started = Instant::now();
    match &settings.target {
        Target::Embedded { store, bus, cache, attachments, shards } => {
            let clock = Clock::manual(START);
            let secret = Secret::new(Secret::generate()?.as_bytes())?;
            let parts = Parts {
                store: store.clone(),
                // Whoever else is on these servers has nothing to do with the simulation.
                bus: Bus::connect(
                    bus::Settings { installation: crate::config::installation(&secret), ..bus::Settings::from(bus) },
                    "simulate",
                )
                .await?,
                ephemeral: Ephemeral::connect(cache, clock.clone()).await?,
                clock: clock.clone(),
                secret: secret.clone(),
                shards: *shards,
                smtp: String::new(),
                sms: String::new(),
                register: String::new(),
                attachments: attachments.clone(),
                reflection: false,
                replica: None,
                peers: std::collections::BTreeMap::new(),
                grpc: listen("grpc", "127.0.0.1:0").await?,
                http: None,
                pages: gateway::Settings::default(),
            };
            let suite = Suite::start(parts, &SERVICES).await?;
            let address = Addresses { all: suite.grpc.to_string(), own: std::collections::BTreeMap::new() };
            let operator = client::operator_token(&secret, &clock);
            let organisation = places::organisation()?;
            apply(&address, &operator, organisation.clone()).await?;
            let actors = Arc::new(Actors::new(&address, &operator, &organisation, settings.seed.to_string()).await?);
            let planned = plan(&organisation, &hours(&actors, &organisation, END).await?, settings.cases, settings.seed);
            // Who came on the last day is answered in the week after.
            let hours = hours(&actors, &organisation, END + WEEK).await?;
            let progress = Progress::new(planned.len(), settings.quiet);
            Paced::new(actors.clone(), &suite, planned, &hours, &workers(&organisation)).await?.play(&progress).await?;
            progress.done();
            let outcome = finish(settings, &actors, START, started).await?;
            suite.stop().await?;
            Ok(outcome)
        }
        Target::Running { addresses: address, operator } => {
            let organisation = places::guest(&places::organisation()?);
            apply(address, operator, organisation.clone()).await?;
            let clock = Clock::system();
            // The suite remembers calls: a second run with the same seed must not be given the first one's answers.
            let run = format!("{} at {:?}", settings.seed, clock.now());
            let actors = Arc::new(Actors::new(address, operator, &organisation, run).await?);
            let since = clock.now();
            // Doors that never close: the plan's times only give the order.
            let hours: Vec<Hours> = organisation
                .entry_points
                .iter()
                .map(|door| Hours { entry_point: door.id.clone(), clinic: door.clinic.clone(), open: vec![(START, END)] })
                .collect();
            let planned = plan(&organisation, &hours, settings.cases, settings.seed);
            let progress = Progress::new(planned.len(), settings.quiet);
            flat_out::play(&actors, planned, &workers(&organisation), &clock, &progress).await?;
            progress.done();
            finish(settings, &actors, since, started).await
        }
    }
}

/// Each worker with the clinic where they work.
fn workers(organisation: &Organisation) -> Vec<(String, String)> {
    organisation
        .workers
        .iter()
        .filter(|worker| worker.role == region::Role::Worker)
        .flat_map(|worker| worker.clinics.iter().map(|clinic| (worker.id.clone(), clinic.clone())))
        .collect()
}

/// Adds the organisation to what the suite has.
async fn apply(addresses: &Addresses, operator: &str, organisation: Organisation) -> Result<()> {
    let mut clients = Clients::default();
    for service in SERVICES {
        clients = clients.with(service, client::with_token(client::connect(addresses.of(service)).await?, operator)?);
    }
    let request = ExportRegionRequest { service: "intake".to_owned() };
    let mut config = ConfigServiceClient::new(clients.of("intake")?).max_decoding_message_size(runtime::MAX_RESPONSE);
    let json = config.export_region(request).await.map_err(|status| rpc::status::error(&status))?.into_inner().region_json;
    let before: Region =
        serde_json::from_str(&json).map_err(|error| Error::internal(format!("the suite's region cannot be read: {error}")))?;
    let document = crate::apply::document_of(places::with(before, organisation))?;
    crate::apply::apply(&clients, &document).await.map(drop)
}

/// Opening hours as the suite itself tells them, on the days on which each clinic is live.
async fn hours(actors: &Actors, organisation: &Organisation, end: Time) -> Result<Vec<Hours>> {
    let zone = jiff::tz::TimeZone::get(&organisation.timezone).map_err(|error| Error::internal(error.to_string()))?;
    let mut all = Vec::new();
    for door in &organisation.entry_points {
        let live_from = match organisation.clinic(&door.clinic).and_then(|clinic| clinic.live_from) {
            None => START,
            Some(date) => {
                let start = date.to_zoned(zone.clone()).map_err(|error| Error::internal(error.to_string()))?;
                Time::from_micros(start.timestamp().as_microsecond())
            }
        };
        let window = Interval { from: Some(proto::timestamp(live_from.max(START))), to: Some(proto::timestamp(end)) };
        let request = ListOpeningsRequest { calendar_id: door.calendar.clone(), window: Some(window) };
        let mut scheduling = SchedulingServiceClient::new(actors.integrator("scheduling", 0)?);
        let openings = scheduling.list_openings(request).await.map_err(|status| rpc::status::error(&status))?.into_inner().openings;
        let open = openings.iter().map(|span| (super::ledger::time(span.from.as_ref()), super::ledger::time(span.to.as_ref()))).collect();
        all.push(Hours { entry_point: door.id.clone(), clinic: door.clinic.clone(), open });
    }
    Ok(all)
}

/// Asks the suite, counts, and reads everything back.
async fn finish(settings: &Settings, actors: &Arc<Actors>, since: Time, started: Instant) -> Result<Outcome> {
    let entries = actors.ledger.entries();
    check::not_empty(&entries)?;
    let counted = figures::count(&entries);
    let told = ask(actors, since, &counted).await?;
    let differences = figures::differences(&counted, &told);
    let findings = check::check(actors, &entries, since).await?;
    Ok(Outcome {
        seed: settings.seed,
        clinics: counted.cases_per_clinic.len(),
        figures: told,
        findings,
        differences,
        calls: actors.ledger.calls.load(Ordering::Relaxed),
        retries: actors.ledger.retries.load(Ordering::Relaxed),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The suite's own figures, once its projections have caught up.
async fn ask(actors: &Actors, since: Time, counted: &Figures) -> Result<Figures> {
    let mut insights = InsightsServiceClient::new(actors.integrator("insights", 0)?);
    let request = GetReportRequest { from: Some(proto::timestamp(since)), ..GetReportRequest::default() };
    let waiting = Instant::now();
    loop {
        let report = insights.get_report(request.clone()).await.map_err(|status| rpc::status::error(&status))?.into_inner();
        let told = figures::told(&report);
        if figures::differences(counted, &told).is_empty() || waiting.elapsed() > LAG {
            return Ok(told);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
