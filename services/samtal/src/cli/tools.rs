//! What an operator does to a running suite.

use std::path::PathBuf;
use std::process::ExitCode;

use kernel::{Clock, Error, Result};
use suite::config::Config;
use suite::suite::SERVICES;
use suite::{apply, operate, simulate, way};

use super::{DeadLetterCommand, Target, shards};

pub async fn apply_files(files: &[PathBuf], dry_run: bool, removed: &[String], to: &Target) -> Result<ExitCode> {
    let document = apply::read(files).map_err(|findings| apply::refused(&findings))?;
    let client = to.connect().await?;
    // Said before anything is changed, so that it is known even if the change is cut short.
    let mut applied = apply::plan(&client, &document).await?;
    for change in &applied.changes {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        say!("{}: {} -> {}", change.path, value(&change.before), value(&change.after));
    }
    for change in &applied.drift {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        say!("drift, stays: {}: {} -> {}", change.path, value(&change.before), value(&change.after));
    }
    let gone = apply::gone(&applied, &document);
    let unnamed: Vec<&String> = gone.iter().filter(|organisation| !removed.contains(organisation)).collect();
    if !unnamed.is_empty() && !dry_run {
        // A file cut short, or a second -f forgotten, would take everything away from people who are being helped.
        let names: Vec<String> = unnamed.iter().map(|organisation| format!("--remove {organisation}")).collect();
        let message =
            format!("would take away whole organisations with all their cases' queues and people; if that is meant: {}", names.join(" "));
        return Err(Error::invalid("file", message));
    }
    if !dry_run {
        apply::carry_out(&client, &document, &mut applied).await?;
    }
    match (applied.changes.is_empty() && applied.changed.is_empty(), dry_run) {
        (true, _) => say!("Nothing to change."),
        (false, true) => say!("{} changes; nothing was applied (--dry-run).", applied.changes.len()),
        (false, false) => say!("{} changes applied to {}.", applied.changes.len(), applied.changed.join(", ")),
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn rejoin(service: &str, dry_run: bool, to: &Target) -> Result<ExitCode> {
    let done = operate::rejoin(&to.connect().await?, service, dry_run).await?;
    for orphan in &done.orphans {
        say!("orphaned: shard {}, positions {} to {}, seen by {}", orphan.shard, orphan.first, orphan.last, orphan.consumer);
    }
    if done.incarnation.is_empty() {
        say!("{} ranges would be orphaned; nothing was changed (--dry-run).", done.orphans.len());
    } else {
        say!("{service} goes on in incarnation {}; {} ranges are orphaned.", done.incarnation, done.orphans.len());
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn dead_letters(command: DeadLetterCommand) -> Result<ExitCode> {
    match command {
        DeadLetterCommand::List { service, to } => {
            let letters = operate::dead_letters(&to.connect().await?, &service).await?;
            letters.iter().for_each(|letter| say!("{letter}"));
            say!("{} set aside.", letters.len());
        }
        DeadLetterCommand::Replay { service, event_id, to } => {
            say!("{} events took effect.", operate::settle(&to.connect().await?, &service, &event_id, false).await?);
        }
        DeadLetterCommand::Drop { service, event_id, to } => {
            say!(
                "Dropped; {} events that waited behind it took effect.",
                operate::settle(&to.connect().await?, &service, &event_id, true).await?
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails if a service could not be asked: what it has of the case is missing then.
pub async fn case(id: &str, to: &Target) -> Result<ExitCode> {
    let way = way::way(&to.connect().await?, id).await?;
    way.steps.iter().for_each(|step| say!("{}", step.line()));
    way.silent.iter().for_each(|(service, why)| say!("{service} could not be asked: {why}"));
    Ok(if way.silent.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub async fn verify_audit(service: &str, to: &Target) -> Result<ExitCode> {
    let services = match SERVICES.iter().position(|one| *one == service) {
        Some(one) => SERVICES.get(one..=one).unwrap_or_default(),
        None if service == "all" => &SERVICES,
        None => return Err(Error::invalid("service", format!("must be all or one of {}", SERVICES.join(", ")))),
    };
    let client = to.connect().await?;
    let mut clean = true;
    for service in services {
        let report = operate::verify_audit(&client, service).await?;
        say!("{service}: {}", operate::audit_line(&report, Clock::system().now()));
        report.faults.iter().for_each(|fault| say!("  {fault}"));
        clean &= report.faults.is_empty();
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub async fn simulate(embedded: bool, cases: usize, seed: u64, json: bool, to: &Target) -> Result<ExitCode> {
    if cases == 0 || cases > 1_000_000 {
        return Err(Error::invalid("cases", "must be 1 to 1,000,000"));
    }
    let config = Config::load(&to.flags)?;
    let settings =
        telemetry::Settings { filter: "warn,sqlx=error".to_owned(), service: "simulate".to_owned(), ..telemetry::Settings::default() };
    let _telemetry = telemetry::start(&settings)?;
    // The folder goes when the simulation is over.
    let folder = if embedded && config.is_embedded() { Some(scratch()?) } else { None };
    let target = if embedded {
        let store = folder.as_ref().map_or_else(|| config.store.clone(), |folder| format!("sqlite:{}", folder.path().display()));
        let attachments =
            folder.as_ref().map_or_else(|| config.attachments(), |folder| format!("file:{}", folder.path().join("attachments").display()));
        simulate::Target::Embedded { store, bus: config.bus.clone(), cache: config.cache.clone(), attachments, shards: shards(&config) }
    } else {
        let addresses = simulate::Addresses { all: to.address.clone(), own: config.peers.clone() };
        simulate::Target::Running { addresses, operator: to.operator_token()? }
    };
    let outcome = simulate::run(&simulate::Settings { cases, seed, quiet: json, target }).await?;
    if json {
        say!("{}", serde_json::to_string(&outcome).map_err(|error| Error::internal(error.to_string()))?);
    } else {
        say!("{}", outcome.text());
    }
    Ok(if outcome.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A folder of its own for an embedded store.
fn scratch() -> Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("samtal-simulate-")
        .tempdir()
        .map_err(|error| Error::unavailable(format!("no temporary folder can be made: {error}; set TMPDIR to one that can be written")))
}
