//! A suite in a process of its own, that can be killed and started again at the same address.

use crate::ports::Port;
use crate::process::{Launch, Process};
use crate::suite::{Person, SOON, eventually, region_yaml};
use ::suite::client;
use proto::access::PrincipalKind;
use std::path::Path;
use std::time::{Duration, Instant};
use store::{Db, Scoped};

/// The secret of every process that tests start.
pub const SECRET: &str = "a secret of tests, and of nobody else at all";

/// `samtal up`, with a folder of its own.
pub struct Remote {
    folder: tempfile::TempDir,
    /// `--store …` and the like.
    stack: Vec<String>,
    environment: Vec<(String, String)>,
    port: Port,
    process: Option<Process>,
    operator: Option<Person>,
}

impl Remote {
    /// Nothing is started yet. `stack`: arguments such as `--store URL`; none: embedded.
    pub fn new(stack: Vec<String>) -> Remote {
        let folder = tempfile::tempdir().expect("a folder");
        Remote { folder, stack, environment: Vec::new(), port: Port::free(), process: None, operator: None }
    }

    /// Environment variables of every process started from now on.
    pub fn env(&mut self, variables: Vec<(String, String)>) {
        self.environment.extend(variables);
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `127.0.0.1:<port>`, where gRPC answers.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    pub fn operator(&self) -> &Person {
        self.operator.as_ref().expect("it runs")
    }

    /// Starts it and does not wait.
    pub fn launch(&mut self, failpoint: &str) {
        let mut launch = Launch::samtal("up")
            .args(["up", "--http", "127.0.0.1:0", "--grpc", &self.address(), "--data"])
            .arg(self.folder.path())
            .args(&self.stack)
            .env("SAMTAL_SECRET", SECRET)
            .env("SAMTAL_LOG", "warn,sqlx=error,async_nats=error")
            .env("SAMTAL_FAILPOINT", failpoint);
        for (name, value) in &self.environment {
            launch = launch.env(name, value);
        }
        self.process = Some(launch.start());
    }

    /// Starts it, to die at a failpoint if one is named, and waits until it answers.
    pub async fn up(&mut self, failpoint: &str) {
        self.launch(failpoint);
        let address = self.address();
        let channel = eventually("the suite answers", async || client::connect(&address).await.ok()).await;
        let secret = auth::Secret::new(SECRET.as_bytes()).expect("long enough");
        self.operator = Some(Person::new(channel, &client::operator_token(&secret, &kernel::Clock::system())));
    }

    /// Starts it with the tests' region.
    pub async fn up_with_region(&mut self) {
        self.up("").await;
        self.operator().apply_region(&region_yaml()).await;
    }

    /// What its `/metrics` says now.
    pub async fn metrics(&mut self) -> String {
        let process = self.process();
        let line = process.wait_for_line("metrics at http://", SOON);
        let url = line.split("metrics at http://").nth(1).unwrap_or_default();
        let at = url.split('/').next().unwrap_or_default().to_owned();
        let answer = crate::http::get(&at, "/metrics", "").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }

    /// Until it has died; false if it has not within the time.
    pub async fn dies(&mut self) -> bool {
        let started = Instant::now();
        let process = self.process();
        while process.is_running() {
            if started.elapsed() > SOON {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// SIGTERM; it must end well.
    pub async fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.terminate();
        let ended = tokio::task::spawn_blocking(move || process.wait_exit(SOON)).await.expect("waited for");
        assert!(ended.success(), "{ended:?}");
    }

    /// Somebody of organisation `alfa`, on a connection of their own.
    pub async fn person(&self, kind: PrincipalKind, id: &str) -> Person {
        let token = self.operator().issue(kind, id, "alfa").await;
        Person::new(client::connect(&self.address()).await.expect("it answers"), &token)
    }

    /// Somebody without a token, on a connection of their own.
    pub async fn anonymous(&self) -> Person {
        Person::new(client::connect(&self.address()).await.expect("it answers"), "")
    }

    /// Whoever bears this token.
    pub async fn with_token(&self, token: &str) -> Person {
        Person::new(client::connect(&self.address()).await.expect("it answers"), token)
    }

    /// A service's own database, beside the process.
    pub async fn db(&self, service: &str) -> Scoped {
        let url = self.stack.iter().find(|word| word.starts_with("postgres://")).cloned();
        let url = url.unwrap_or_else(|| format!("sqlite:{}", self.folder.path().display()));
        Db::open(&url, service).await.expect("the store opens").of(crate::suite::everybody())
    }
}
