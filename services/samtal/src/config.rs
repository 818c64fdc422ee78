//! Settings of a process: built-in commented defaults < file < environment < flags. Unknown keys are refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use auth::Secret;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use kernel::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::suite::SERVICES;

/// The defaults with their explanation; `samtal config` prints them.
pub const DEFAULTS: &str = include_str!("default.toml");

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data: PathBuf,
    pub store: String,
    pub bus: String,
    pub bus_ca: String,
    pub bus_replicas: usize,
    pub cache: String,
    pub grpc: String,
    pub http: String,
    pub secret: String,
    pub smtp: String,
    pub sms: String,
    pub register: String,
    pub attachments: String,
    pub shards: u32,
    pub reflection: bool,
    pub log: String,
    pub json: bool,
    pub otlp: String,
    pub metrics: String,
    pub failpoint: String,
    pub demo: bool,
    pub pages: gateway::Settings,
    pub peers: BTreeMap<String, String>,
}

/// Flags that override everything else; what is not given is left alone.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Flags {
    /// Folder of the embedded store
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// postgres://USER@HOST/DATABASE instead of the embedded store
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// nats://HOST:PORT instead of the bus inside the process
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// redis://HOST:PORT instead of memory
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// Where gRPC listens
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<String>,
    /// Where the pages listen
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// Where /metrics listens; "" for nowhere
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// smtp://HOST:PORT for outgoing mail
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<String>,
    /// A file with settings; `samtal config` prints all of them
    #[arg(long)]
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

impl Config {
    pub fn load(flags: &Flags) -> Result<Self> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = &flags.config {
            if !file.is_file() {
                return Err(Error::invalid("config", format!("{} is not a file", file.display())));
            }
            figment = figment.merge(Toml::file(file));
        }
        figment = figment
            .merge(Env::prefixed("SAMTAL_").filter(|name| !name.starts_with("tool_")).split("__"))
            .merge(Serialized::defaults(flags));
        let config: Self = figment
            .extract()
            .map_err(|error| Error::invalid("config", format!("cannot be used: {error}; `samtal config` prints every setting")))?;
        match config.peers.keys().find(|name| !SERVICES.contains(&name.as_str())) {
            Some(unknown) => Err(Error::invalid(format!("peers.{unknown}"), format!("must be one of {}", SERVICES.join(", ")))),
            None => Ok(config),
        }
    }

    /// Where files that are sent along lie: a folder in the data folder, if nothing else is said.
    pub fn attachments(&self) -> String {
        if self.attachments.is_empty() { format!("file:{}", self.data.join("attachments").display()) } else { self.attachments.clone() }
    }

    /// Where the bus is, for the services of the installation that has this secret.
    pub fn bus_of(&self, secret: &Secret) -> bus::Settings {
        bus::Settings { installation: installation(secret), ..self.bus() }
    }

    /// Where the bus is.
    pub fn bus(&self) -> bus::Settings {
        bus::Settings { url: self.bus.clone(), ca: self.bus_ca.clone(), replicas: self.bus_replicas, ..bus::Settings::default() }
    }

    /// Whether the services' tables lie in the data folder.
    pub fn is_embedded(&self) -> bool {
        self.store.is_empty()
    }
}

/// The installation's mark on the bus: it follows from the secret, and the secret not from it.
pub fn installation(secret: &Secret) -> String {
    secret.token("installation", &[]).chars().take(22).collect()
}
