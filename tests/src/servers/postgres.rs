//! A private PostgreSQL.

use super::instance::Instance;
use super::{on_path, tool};
use crate::shim::Disk;
use crate::spawn::{bound_to_us, run_dir};
use crate::wait_until;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A PostgreSQL cluster of its own, durable as in production (fsync on). Ends and is removed on drop.
///
/// Databases belong to the role `samtal`, which is no superuser, so that row-level security and grants are tested as they will run; it may make roles.
#[derive(Debug)]
pub struct Postgres {
    pub(super) instance: Instance,
    bin: PathBuf,
    pub(super) dir: TempDir,
    /// What its data lies on, if a test may fill it.
    disk: Option<Disk>,
}

impl Postgres {
    /// Makes a cluster, starts it and waits until it answers.
    pub fn start() -> Postgres {
        Postgres::start_with(|_| None)
    }

    /// The same on a disk that the test may fill: [`Postgres::disk`].
    pub fn start_on_disk() -> Postgres {
        Postgres::start_with(|folder| Some(Disk::of(folder)))
    }

    /// What the data lies on; only of [`Postgres::start_on_disk`].
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("started on a disk of its own")
    }

    fn start_with(disk: impl FnOnce(&Path) -> Option<Disk>) -> Postgres {
        let dir = tempfile::Builder::new().prefix("postgres-").tempdir_in(run_dir()).expect("a folder");
        let disk = disk(dir.path());
        let postgres = Postgres { instance: Instance::new("postgres"), bin: tool("SAMTAL_TOOL_POSTGRES_BIN", find_bin), dir, disk };
        postgres.make_cluster();
        postgres.up();
        postgres.psql("postgres", "create role samtal login createdb createrole");
        postgres
    }

    /// `postgres://samtal@127.0.0.1:<port>/<database>`, the same after a restart. The role owns the databases made here and is no superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://samtal@127.0.0.1:{}/{database}", self.instance.port.number())
    }

    /// The same as superuser `postgres`: for looking and for doing harm, not for the code under test.
    pub fn superuser_url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.instance.port.number())
    }

    /// Makes an empty database of this very name; returns its url.
    pub fn create_database(&self, name: &str) -> String {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "a-z, 0-9 and _ only: {name}");
        self.psql("postgres", &format!("create database \"{name}\" owner samtal"));
        self.url(name)
    }

    /// Makes an empty database whose name starts with `name` and that no other test has; returns its url.
    pub fn fresh_database(&self, name: &str) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        self.create_database(&format!("{name}_{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Runs SQL as superuser; returns the rows as psql prints them (`|` between columns). Panics on an error.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.try_psql(database, sql).unwrap_or_else(|error| panic!("psql {database}: {sql}\n{error}"))
    }

    /// One schema of a database as SQL, as a backup would hold it.
    pub fn dump_schema(&self, database: &str, schema: &str) -> String {
        let mut dump = Command::new(self.bin.join("pg_dump"));
        dump.args(["-h", "127.0.0.1", "-p", &self.instance.port.number().to_string(), "-U", "postgres", "-d", database]);
        let output = dump.args(["-n", schema]).output().expect("pg_dump, which comes with psql");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Puts a schema back as it was dumped; what came after is gone.
    pub fn restore_schema(&self, database: &str, schema: &str, dump: &str) {
        let file = self.dir.path().join(format!("restore-{database}-{schema}.sql"));
        std::fs::write(&file, dump).expect("own folder");
        self.psql(database, &format!("drop schema \"{schema}\" cascade"));
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.instance.port.number().to_string(), "-U", "postgres", "-d", database]);
        let output = psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&file).output().expect("psql");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Transactions a second of `script` by so many clients, in a database of this name that `tables` prepares; by PostgreSQL's own
    /// pgbench, with prepared statements.
    pub fn pgbench(&self, database: &str, tables: &str, script: &str, clients: usize, span: Duration) -> f64 {
        if self.try_psql(database, "select 1").is_err() {
            self.create_database(database);
        }
        self.psql(database, tables);
        let file = self.dir.path().join("pgbench.sql");
        std::fs::write(&file, script).expect("own folder");
        let mut pgbench = Command::new(self.bin.join("pgbench"));
        pgbench.args(["-h", "127.0.0.1", "-p", &self.instance.port.number().to_string(), "-U", "postgres"]);
        pgbench.args(["-M", "prepared", "-n", "-j2", "-c", &clients.to_string(), "-T", &span.as_secs().max(1).to_string(), "-f"]);
        let output = pgbench.arg(&file).arg(database).output().expect("pgbench, which comes with PostgreSQL");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).expect("pgbench says tps");
        line.split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Its port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.instance.port.number()
    }

    /// SIGKILL to the server and every process of it, as when the machine goes down; returns when all are gone.
    pub fn kill(&self) {
        let children = self.instance.pid().map(children_of).unwrap_or_default();
        self.instance.kill();
        for child in &children {
            crate::spawn::signal(*child, "KILL");
        }
        wait_until("PostgreSQL's processes are gone", Duration::from_secs(30), || !children.iter().any(|child| is_alive(*child)));
    }

    /// Kills it if it runs, starts it again on the same port and data, and waits until it has recovered and answers.
    pub fn restart(&self) {
        self.kill();
        self.up();
    }

    pub(super) fn try_psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let output = Command::new(self.bin.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.instance.port.number().to_string(), "-U", "postgres", "-d", database])
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGCONNECT_TIMEOUT", "10")
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn make_cluster(&self) {
        if we_are_root() {
            let (user, group) = postgres_user();
            chown(self.dir.path(), Some(user), Some(group)).expect("root may");
        }
        let mut initdb = self.program("initdb");
        initdb.args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions", "-D"]);
        let output = initdb.arg(self.data()).output().unwrap_or_else(|error| panic!("cannot start initdb through setpriv: {error}"));
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn up(&self) {
        let server = || {
            let mut server = self.program("postgres");
            server.arg("-D").arg(self.data()).args(["-p", &self.instance.port.number().to_string()]);
            for setting in SETTINGS {
                server.args(["-c", setting]);
            }
            server.envs(self.disk.iter().flat_map(Disk::environment));
            server
        };
        self.instance.up(server, || self.try_psql("postgres", "select 1").as_deref() == Ok("1"));
    }

    /// A program of PostgreSQL, as a user that it accepts: it refuses to run as root.
    fn program(&self, name: &str) -> Command {
        // QUIT is PostgreSQL's immediate shutdown: no checkpoint, but it takes its children and its shared memory along.
        let mut command = if we_are_root() {
            let (user, group) = postgres_user();
            let mut command = Command::new("setpriv");
            command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups", "--pdeathsig", "QUIT", "--"]);
            command.arg(self.bin.join(name));
            command
        } else {
            bound_to_us(self.bin.join(name), "QUIT")
        };
        command.current_dir(self.dir.path()).env("LC_ALL", "C").env("TZ", "UTC");
        command
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.instance.stop("QUIT", Duration::from_secs(10));
    }
}

const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=", // TCP only: a socket's path may be too long for the system
    "max_connections=400",
    "shared_buffers=32MB",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "dynamic_shared_memory_type=mmap", // in the data folder, so that a kill leaves nothing behind
    "timezone=UTC",
    "log_min_messages=warning",
    "log_line_prefix=%m [%p] %d ",
];

fn find_bin() -> Option<PathBuf> {
    let whole = |bin: &PathBuf| ["postgres", "initdb", "psql"].iter().all(|program| bin.join(program).is_file());
    let version = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).unwrap_or(0);
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| version(folder) >= 15);
    folders.sort_by_key(version);
    let on_path = on_path("postgres").and_then(|path| Some(path.parent()?.to_path_buf()));
    folders.into_iter().rev().map(|folder| folder.join("bin")).find(whole).or(on_path.filter(whole))
}

fn we_are_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// User and group id of the account that Debian's package makes.
fn postgres_user() -> (u32, u32) {
    let accounts = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    accounts
        .lines()
        .find_map(|line| {
            let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .expect("as root, PostgreSQL runs as the user `postgres`, which is missing: run make test, or .ci/tools first")
}

/// State letter and parent of a process.
fn state_of(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn is_alive(pid: u32) -> bool {
    state_of(pid).is_some_and(|(state, _)| state != 'Z')
}

fn children_of(parent: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| state_of(*pid).is_some_and(|(_, ppid)| ppid == parent)).collect()
}
