//! The command line.

mod deploy;
mod invite;
mod keep;
mod pages;
mod tokens;
mod tools;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use auth::Secret;
use bus::Bus;
use clap::{Parser, Subcommand};
use ephemeral::Ephemeral;
use kernel::{Clock, Error, Id, Result};
use suite::client::{self, Clients};
use suite::config::{Config, DEFAULTS, Flags};
use suite::demo;
use suite::folder::{Folder, read_secret};
use suite::suite::{Parts, SERVICES, Suite, listen};

/// Chat-based care and counselling for a health region: one binary, all roles.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole suite in this process
    Up {
        /// Load the demo region; only on loopback addresses
        #[arg(long)]
        demo: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// Run one service, or the pages, against servers named by URL
    Serve {
        /// intake, triage, routing, scheduling, notifications, insights or gateway
        role: String,
        /// This replica's name; replicas of one service need different ones
        #[arg(long)]
        replica: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Apply a region's description
    Apply {
        /// A file with a part of the description; may be given several times
        #[arg(short, long = "file", required = true)]
        files: Vec<PathBuf>,
        /// Only say what would change
        #[arg(long)]
        dry_run: bool,
        /// An organisation that may go with all that it has; may be given several times
        #[arg(long = "remove", value_name = "ORGANISATION")]
        removed: Vec<String>,
        #[command(flatten)]
        to: Target,
    },
    /// Play a region's first nine weeks through the public API, and read everything back
    Simulate {
        /// What to play: halland
        #[arg(value_parser = ["halland"])]
        what: String,
        /// Start the suite in this process, on a simulated clock; else play against --address
        #[arg(long)]
        embedded: bool,
        #[arg(long, default_value_t = 3500)]
        cases: usize,
        #[arg(long, default_value_t = 2022)]
        seed: u64,
        /// Print one JSON object and nothing else
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        to: Target,
    },
    /// Make a token for a journal system or for staff, or end one
    Token {
        #[command(subcommand)]
        command: tokens::TokenCommand,
    },
    /// Invite somebody of the description who has no sign-in service
    Invite(invite::Invite),
    /// See how staff come in without a sign-in service, and end that
    Access {
        #[command(subcommand)]
        command: invite::AccessCommand,
    },
    /// Look after a service's log
    Log {
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Look after events that could not take effect
    DeadLetters {
        #[command(subcommand)]
        command: DeadLetterCommand,
    },
    /// Show a case's way through the services, without its content
    Case {
        /// The case's id
        id: String,
        #[command(flatten)]
        to: Target,
    },
    /// Find audit rows that were changed, removed or added since they were sealed
    VerifyAudit {
        /// A service, or all
        service: String,
        #[command(flatten)]
        to: Target,
    },
    /// Make what the servers must hold: a step of deployment, with logins that may do so
    Provision {
        /// A login of PostgreSQL under which services run; may be given several times
        #[arg(long = "login")]
        logins: Vec<String>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Bring the databases of all services to this version's shape
    Migrate {
        #[command(flatten)]
        flags: Flags,
    },
    /// Say what in the servers is unsafe or does not fit
    Check {
        #[command(flatten)]
        flags: Flags,
    },
    /// Back up an installation on one machine, whether or not it runs
    Backup {
        /// A new folder for the backup
        #[arg(long)]
        to: PathBuf,
        /// Leave the installation's secret out, to keep it elsewhere
        #[arg(long)]
        without_secret: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// Put a backup into a new data folder, or only check it
    Restore {
        /// The folder of the backup
        #[arg(long)]
        from: PathBuf,
        /// Only compare every file with its checksum
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// Move an installation from its data folder to PostgreSQL, with the suite stopped
    Move {
        /// postgres://USER@HOST/DATABASE, a database without an installation
        #[arg(long)]
        to: String,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print every setting with its default
    Config,
}

#[derive(Subcommand)]
enum LogCommand {
    /// Take a log back into service that was restored from a backup
    Rejoin {
        service: String,
        /// Only say what would be orphaned
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        to: Target,
    },
}

#[derive(Subcommand)]
enum DeadLetterCommand {
    /// List what is set aside
    List {
        service: String,
        #[command(flatten)]
        to: Target,
    },
    /// Try one again, then what waits behind it
    Replay {
        service: String,
        event_id: String,
        #[command(flatten)]
        to: Target,
    },
    /// Give one up and let what waits behind it take effect
    Drop {
        service: String,
        event_id: String,
        #[command(flatten)]
        to: Target,
    },
}

/// A running suite, and who we are.
#[derive(clap::Args)]
struct Target {
    /// Where the suite answers
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    address: String,
    /// An operator's token; without it one is signed with the installation's secret
    #[arg(long)]
    token: Option<String>,
    #[command(flatten)]
    flags: Flags,
}

impl Target {
    fn operator_token(&self) -> Result<String> {
        match &self.token {
            Some(token) => Ok(token.clone()),
            None => {
                let config = Config::load(&self.flags)?;
                let secret = if config.secret.is_empty() {
                    read_secret(&config.data).ok_or_else(|| {
                        Error::invalid("secret", format!("is not in {}; give --token, --data or SAMTAL_SECRET", config.data.display()))
                    })??
                } else {
                    Secret::new(config.secret.as_bytes())?
                };
                Ok(client::operator_token(&secret, &Clock::system()))
            }
        }
    }

    /// Each service where it answers: at the address of its own in the settings, or where the whole suite does.
    async fn connect(&self) -> Result<Clients> {
        let (peers, token) = (Config::load(&self.flags)?.peers, self.operator_token()?);
        let mut clients = Clients::default();
        for service in SERVICES {
            let address = peers.get(service).unwrap_or(&self.address);
            clients = clients.with(service, client::with_token(client::connect(address).await?, &token)?);
        }
        Ok(clients)
    }
}

pub async fn run() -> Result<ExitCode> {
    let started = Instant::now();
    match Cli::parse().command {
        Command::Up { demo, flags } => up(demo, &flags, started).await,
        Command::Serve { role, replica, flags } => serve(&role, replica, &flags).await,
        Command::Apply { files, dry_run, removed, to } => tools::apply_files(&files, dry_run, &removed, &to).await,
        Command::Simulate { what: _, embedded, cases, seed, json, to } => tools::simulate(embedded, cases, seed, json, &to).await,
        Command::Token { command } => tokens::run(command).await,
        Command::Invite(invite) => invite::invite(invite).await,
        Command::Access { command } => invite::run(command).await,
        Command::Log { command: LogCommand::Rejoin { service, dry_run, to } } => tools::rejoin(&service, dry_run, &to).await,
        Command::DeadLetters { command } => tools::dead_letters(command).await,
        Command::Case { id, to } => tools::case(&id, &to).await,
        Command::VerifyAudit { service, to } => tools::verify_audit(&service, &to).await,
        Command::Provision { logins, flags } => deploy::provision(&logins, &flags).await,
        Command::Migrate { flags } => deploy::migrate(&flags).await,
        Command::Check { flags } => deploy::check(&flags).await,
        Command::Backup { to, without_secret, flags } => keep::back_up(to, without_secret, &flags).await,
        Command::Restore { from, check, flags } => keep::restore(&from, check, &flags).await,
        Command::Move { to, flags } => keep::relocate(&to, &flags).await,
        Command::Config => {
            say!("{}", DEFAULTS.trim_end());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Settings that hold for a process that serves, with its telemetry started.
fn begin(flags: &Flags, service: &str) -> Result<(Config, telemetry::Telemetry)> {
    let config = Config::load(flags)?;
    let settings = telemetry::Settings {
        filter: config.log.clone(),
        json: config.json,
        otlp: config.otlp.clone(),
        service: format!("samtal-{service}"),
    };
    let telemetry = telemetry::start(&settings)?;
    arm(&config.failpoint)?;
    Ok((config, telemetry))
}

#[cfg(debug_assertions)]
fn arm(failpoint: &str) -> Result<()> {
    if failpoint.is_empty() {
        return Ok(());
    }
    let (name, nth) = failpoint.split_once(':').unwrap_or((failpoint, "1"));
    let nth = nth.parse().map_err(|_| Error::invalid("failpoint", "must be NAME or NAME:N"))?;
    kernel::failpoint::arm(name, nth).map_err(|error| Error::invalid("failpoint", error))
}

#[cfg(not(debug_assertions))]
fn arm(failpoint: &str) -> Result<()> {
    if failpoint.is_empty() { Ok(()) } else { Err(Error::invalid("failpoint", "is not in a release build")) }
}

async fn up(with_demo: bool, flags: &Flags, started: Instant) -> Result<ExitCode> {
    let (config, telemetry) = begin(flags, "up")?;
    let folder = Folder::open(&config.data)?;
    let secret = if config.secret.is_empty() { folder.secret()? } else { Secret::new(config.secret.as_bytes())? };
    let grpc = listen("grpc", &config.grpc).await?;
    let http = listen("http", &config.http).await?;
    let demo = with_demo || config.demo;
    pages::refuse_demo_beyond_loopback(demo, &[&grpc, &http])?;
    pages::refuse_http_beyond_loopback(&config, &http)?;
    let clock = Clock::system();
    let embedded = config.is_embedded();
    if embedded {
        folder.refuse_moved()?;
    }
    let parts = Parts {
        store: if embedded { folder.store_url() } else { config.store.clone() },
        bus: Bus::connect(config.bus_of(&secret), "up").await?,
        ephemeral: Ephemeral::connect(&config.cache, clock.clone()).await?,
        clock: clock.clone(),
        secret: secret.clone(),
        shards: shards(&config),
        smtp: config.smtp.clone(),
        sms: config.sms.clone(),
        register: config.register.clone(),
        attachments: config.attachments(),
        reflection: config.reflection,
        replica: None,
        peers: config.peers.clone(),
        grpc,
        http: Some(http),
        pages: gateway::Settings { demo, mail: !config.smtp.is_empty(), sms: !config.sms.is_empty(), ..config.pages.clone() },
    };
    let metrics = suite::metrics::start(&config.metrics, telemetry.scrape()).await?;
    let suite = start(parts, &SERVICES).await?;
    let grpc = suite.grpc;
    let pages = suite.http.map(|http| format!("http://{http}/")).unwrap_or_default();
    let channel = client::connect(&grpc.to_string()).await?;
    let shown = if with_demo {
        let operator = client::with_token(channel.clone(), &client::operator_token(&secret, &clock))?;
        demo::load(&operator, channel).await?
    } else {
        None
    };
    say!(
        "Samtal is ready after {:.2} s: pages at {pages}, gRPC at {grpc}, data in {}{metrics}",
        started.elapsed().as_secs_f64(),
        config.data.display()
    );
    if let Some(shown) = shown {
        say!("\nAn integrator's token:\n{}\n\n{}\n\nCtrl-C stops it.", shown.integrator_token, demo::lines(&shown, grpc));
    }
    stopped().await;
    if std::io::stdout().is_terminal() {
        say!("\nStopping.");
    }
    suite.stop().await?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(role: &str, replica: Option<String>, flags: &Flags) -> Result<ExitCode> {
    if role == pages::ROLE {
        return pages::serve(flags).await;
    }
    if !SERVICES.contains(&role) {
        return Err(Error::invalid("role", format!("must be gateway or one of {}", SERVICES.join(", "))));
    }
    let (config, telemetry) = begin(flags, role)?;
    if config.is_embedded() {
        return Err(Error::invalid("store", "must name a PostgreSQL server: services that run alone cannot share a folder"));
    }
    if config.secret.is_empty() {
        return Err(Error::invalid("secret", "is required, the same for all services; make one with `openssl rand -hex 32`"));
    }
    let grpc = listen("grpc", &config.grpc).await?;
    pages::refuse_demo_beyond_loopback(config.demo, &[&grpc])?;
    let (clock, secret) = (Clock::system(), Secret::new(config.secret.as_bytes())?);
    let parts = Parts {
        store: config.store.clone(),
        bus: Bus::connect(config.bus_of(&secret), role).await?,
        ephemeral: Ephemeral::connect(&config.cache, clock.clone()).await?,
        clock: clock.clone(),
        secret,
        shards: shards(&config),
        smtp: config.smtp.clone(),
        sms: config.sms.clone(),
        register: config.register.clone(),
        attachments: config.attachments(),
        reflection: config.reflection,
        replica: Some(replica.unwrap_or_else(|| Id::new(clock.now()).to_string())),
        peers: config.peers.clone(),
        pages: gateway::Settings { demo: config.demo, mail: !config.smtp.is_empty(), sms: !config.sms.is_empty(), ..config.pages.clone() },
        grpc,
        http: None,
    };
    let metrics = suite::metrics::start(&config.metrics, telemetry.scrape()).await?;
    let suite = start(parts, &[role]).await?;
    say!("{role} is ready: gRPC at {}{metrics}", suite.grpc);
    stopped().await;
    suite.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Starts a suite, and says once if that waits for a server.
async fn start(parts: Parts, services: &[&str]) -> Result<Suite> {
    wait_for_store(&parts.store).await?;
    Suite::start(parts, services).await
}

/// A start with a missing server says which, and keeps trying.
async fn wait_for_store(url: &str) -> Result<()> {
    if !url.starts_with("postgres") {
        return Ok(());
    }
    let db = store::Db::open(url, "probe").await?;
    let mut told = false;
    loop {
        match db.first_now().await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_transient() => {
                if !told {
                    eprintln!("samtal: waiting for PostgreSQL: {}", error.message);
                    told = true;
                }
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn shards(config: &Config) -> u32 {
    match (config.shards, config.is_embedded()) {
        (0, true) => 4,
        (0, false) => 16,
        (shards, _) => shards.min(64),
    }
}

/// Ctrl-C or SIGTERM.
async fn stopped() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(signal) => signal,
        // Without it only Ctrl-C stops in order.
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
