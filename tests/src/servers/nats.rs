//! A private NATS server with JetStream.

use super::instance::Instance;
use super::{copy_folder, on_path, tool};
use crate::ports::Port;
use crate::spawn::{bound_to_us, run_dir};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A NATS server with JetStream and a store of its own. Ends and is removed on drop.
#[derive(Debug)]
pub struct Nats {
    instance: Instance,
    dir: TempDir,
    /// Where the others of its cluster reach it.
    _route: Option<Port>,
}

/// Room for the stream, whatever the machine's own disk has left: a server's default would follow from that.
const ROOM: &str = "8GB";

/// What the chart gives to whoever runs NATS.
const USERS: &str = include_str!("../../../charts/samtal/examples/servers/nats-users.conf");
/// The users' passwords.
const PASSWORD: &str = "onlyintests";

impl Nats {
    /// Starts it and waits until JetStream answers.
    pub fn start() -> Nats {
        Nats::new(ROOM, "")
    }

    /// With room for this much only, such as `300MB`.
    pub fn start_with_room(room: &str) -> Nats {
        Nats::new(room, "")
    }

    /// With the chart's users and what each may do; who does not sign in may do everything, for checks in tests.
    pub fn start_with_users() -> Nats {
        Nats::new(ROOM, &users())
    }

    /// Three servers of one cluster, with the same users. They tell nobody of each other, so that a client knows only what it was told.
    pub fn start_cluster() -> Vec<Nats> {
        let ports: Vec<Port> = (0..3).map(|_| Port::free()).collect();
        let routes: Vec<String> = ports.iter().map(|port| format!("nats://127.0.0.1:{}", port.number())).collect();
        let one = |(number, port): (usize, Port)| {
            let cluster = format!(
                "server_name: n{number}\ncluster {{ name: tests, listen: \"127.0.0.1:{}\", no_advertise: true, routes: [{}] }}",
                port.number(),
                routes.join(", ")
            );
            let mut nats = Nats::made(ROOM, &format!("{cluster}\n{}", users()));
            nats._route = Some(port);
            nats
        };
        let all: Vec<Nats> = ports.into_iter().enumerate().map(one).collect();
        Nats::restart_all(&all);
        all
    }

    /// Kills all of a cluster that run and starts them side by side: none answers before most are there.
    pub fn restart_all(all: &[Nats]) {
        std::thread::scope(|scope| all.iter().for_each(|nats| drop(scope.spawn(|| nats.restart()))));
    }

    fn new(room: &str, more: &str) -> Nats {
        let nats = Nats::made(room, more);
        nats.up();
        nats
    }

    /// One that is not started yet.
    fn made(room: &str, more: &str) -> Nats {
        let dir = tempfile::Builder::new().prefix("nats-").tempdir_in(run_dir()).expect("a folder");
        let nats = Nats { instance: Instance::new("nats"), dir, _route: None };
        let jetstream = format!("jetstream {{ store_dir: \"{}\", max_file_store: {room} }}", nats.store().display());
        std::fs::write(nats.config(), format!("{jetstream}\n{more}")).expect("own folder");
        nats
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("nats.conf")
    }

    /// The address with which a user signs in; see [`Nats::start_with_users`].
    pub fn url_as(&self, user: &str) -> String {
        url_as(user, &format!("127.0.0.1:{}", self.instance.port.number()))
    }

    /// `nats://127.0.0.1:<port>`, the same after a restart.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.instance.port.number())
    }

    /// Its port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.instance.port.number()
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill(&self) {
        self.instance.kill();
    }

    /// Kills it if it runs, starts it again on the same port and store, and waits until JetStream answers.
    pub fn restart(&self) {
        self.instance.kill();
        self.up();
    }

    /// Loses all of JetStream. Only while it is killed.
    pub fn delete_store(&self) {
        self.must_be_down();
        if self.store().exists() {
            std::fs::remove_dir_all(self.store()).expect("own store");
        }
    }

    /// Copies the store to `to`, which must not exist yet. Only while it is killed, since a copy of a store in use is none.
    pub fn copy_store(&self, to: &Path) {
        self.must_be_down();
        assert!(!to.exists(), "{} exists already", to.display());
        copy_folder(&self.store(), to).expect("a copy");
    }

    /// Replaces the store by an earlier copy. Only while it is killed.
    pub fn put_back_store(&self, from: &Path) {
        self.delete_store();
        copy_folder(from, &self.store()).expect("a copy");
    }

    /// One JetStream API request (`STREAM.INFO.x`; empty payload allowed) or any other subject, in full; returns the JSON answer. For
    /// checks in tests.
    pub fn request(&self, subject: &str, payload: &str) -> String {
        self.try_request(subject, payload).expect("nats answers")
    }

    /// Everything in the store's files, as it lies there. Only while it is killed.
    pub fn stored_bytes(&self) -> Vec<u8> {
        self.must_be_down();
        let (mut all, mut folders) = (Vec::new(), vec![self.store()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("own store") {
                let path = entry.expect("own store").path();
                if path.is_dir() { folders.push(path) } else { all.extend(std::fs::read(path).expect("own store")) }
            }
        }
        all
    }

    fn try_request(&self, subject: &str, payload: &str) -> Option<String> {
        let send = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"no_responders\":false}}\r\nSUB inbox.samtal 1\r\nPUB {subject} inbox.samtal {}\r\n{payload}\r\n",
            payload.len()
        );
        let answer = self.instance.exchange(&send, |text| message(text).is_some())?;
        message(&answer).map(str::to_owned)
    }

    fn up(&self) {
        let ready = || {
            self.try_request("$JS.API.INFO", "")
                .is_some_and(|answer| answer.contains("account_info_response") && !answer.contains("\"error\""))
        };
        self.instance.up(|| self.server(), ready);
    }

    fn server(&self) -> Command {
        let mut server = bound_to_us(tool("SAMTAL_TOOL_NATS", new_enough_on_path), "KILL");
        server.args(["-a", "127.0.0.1", "-p", &self.instance.port.number().to_string(), "-c"]).arg(self.config());
        server.current_dir(self.dir.path());
        for user in ["INTAKE", "TRIAGE", "ROUTING", "SCHEDULING", "NOTIFICATIONS", "INSIGHTS", "PROVISION"] {
            server.env(format!("NATS_{user}"), PASSWORD);
        }
        server
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn must_be_down(&self) {
        assert!(!self.instance.is_running(), "kill() the server before its store is touched");
    }
}

/// The address with which a user signs in at `host`, which may be what stands before a server.
pub fn url_as(user: &str, host: &str) -> String {
    format!("nats://{user}:{PASSWORD}@{host}")
}

/// The chart's users and one user more, and all else as it is.
fn users() -> String {
    let list = USERS.replacen("users = [", "users = [\n    { user: tests, password: tests }", 1);
    format!("no_auth_user: tests\n{list}")
}

/// The payload of the first whole message in what the server sent.
fn message(text: &str) -> Option<&str> {
    let at = if text.starts_with("MSG ") { 0 } else { text.find("\r\nMSG ")? + 2 };
    let (line, rest) = text[at..].split_once("\r\n")?;
    let length: usize = line.rsplit(' ').next()?.parse().ok()?;
    rest.get(..length)
}

/// Debian's own is 2.9, which lacks what we use.
fn new_enough_on_path() -> Option<PathBuf> {
    let path = on_path("nats-server")?;
    let said = Command::new(&path).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut numbers = said.trim().rsplit('v').next()?.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    ((numbers.next()?, numbers.next()?) >= (2, 10)).then_some(path)
}
