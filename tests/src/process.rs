//! The real `samtal` binary (or any program) as a process that tests start, watch and kill.

use crate::remote::SECRET;
use crate::spawn;
use crate::suite::SOON;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A process to be started: program, arguments, environment.
#[derive(Debug)]
pub struct Launch {
    label: String,
    command: Command,
}

/// A command as an operator types it, with the secret of tests: whether it succeeded, and all that it said.
pub async fn samtal(args: &[&str]) -> (bool, String) {
    let mut process = Launch::samtal(args[0]).args(args).env("SAMTAL_SECRET", SECRET).start();
    let ended = tokio::task::spawn_blocking(move || (process.wait_exit(3 * SOON).success(), process.lines().join("\n")));
    ended.await.expect("waited for")
}

/// A command that must fail, and say `why`.
pub async fn refused(args: &[&str], why: &str) {
    let (done, said) = samtal(args).await;
    assert!(!done && said.contains(why), "{args:?}: {said}");
}

impl Launch {
    /// The `samtal` binary of this build. `label` names the log file. `SAMTAL_…` variables of the caller are not passed on; set them with
    /// [`Launch::env`].
    pub fn samtal(label: &str) -> Launch {
        let binary = spawn::profile_dir().join("samtal");
        assert!(binary.is_file(), "{} is not built: cargo build -p samtal (make test does it)", binary.display());
        Launch::program(&binary, label)
    }

    /// Any other program.
    pub fn program(program: &Path, label: &str) -> Launch {
        let mut command = spawn::bound_to_us(program, "KILL");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SAMTAL_")) {
            command.env_remove(name);
        }
        Launch { label: label.to_owned(), command }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Launch {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Launch {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Launch {
        self.command.env(name, value);
        self
    }

    /// Sets the working folder.
    pub fn dir(mut self, dir: &Path) -> Launch {
        self.command.current_dir(dir);
        self
    }

    /// Starts it. Returns at once; use [`Process::wait_for_line`] to wait until it is ready.
    pub fn start(mut self) -> Process {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (log, log_path) = spawn::log_file(&self.label);
        let mut child = spawn::spawn(self.command).unwrap_or_else(|error| panic!("cannot start {} through setpriv: {error}", self.label));
        let output = Arc::new(Output { state: Mutex::new(Lines { lines: Vec::new(), open: 2, log }), changed: Condvar::new() });
        read_into(&output, child.stdout.take().expect("piped"));
        read_into(&output, child.stderr.take().expect("piped"));
        Process { label: self.label, pid: child.id(), child, output, log_path }
    }
}

/// A running (or ended) process; its output goes line by line to a log file in `target/test-logs`. Killed on drop.
#[derive(Debug)]
pub struct Process {
    label: String,
    pid: u32,
    child: Child,
    output: Arc<Output>,
    log_path: PathBuf,
}

impl Process {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file with all it wrote, stdout and stderr together.
    pub fn log_path(&self) -> &Path {
        &self.log_path
    }

    /// All lines so far, stdout and stderr together.
    pub fn lines(&self) -> Vec<String> {
        self.output.state().lines.clone()
    }

    /// The first line, from the very start on, that contains `pattern`. Panics with the end of the log after `deadline`, or at once when the
    /// process has ended without it.
    pub fn wait_for_line(&self, pattern: &str, deadline: Duration) -> String {
        let started = Instant::now();
        let mut state = self.output.state();
        let mut seen = 0;
        loop {
            if let Some(line) = state.lines[seen..].iter().find(|line| line.contains(pattern)) {
                return line.clone();
            }
            seen = state.lines.len();
            let left = deadline.saturating_sub(started.elapsed());
            if left.is_zero() || state.open == 0 {
                drop(state);
                let why = if left.is_zero() { format!("in {deadline:?}") } else { "before it ended".to_owned() };
                panic!("{}: no line with {pattern:?} {why}; {}", self.label, spawn::tail(&self.log_path));
            }
            state = self.output.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// True until it has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill9(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// SIGTERM; does not wait.
    pub fn terminate(&mut self) {
        self.signal("TERM");
    }

    /// SIGSTOP: it stands still with its connections open, as under a long pause of the machine.
    pub fn pause(&mut self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&mut self) {
        self.signal("CONT");
    }

    /// Waits until it has ended and its output is read; panics with the end of the log after `deadline`.
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                let state = self.output.state();
                // Bounded, as a grandchild may hold the pipe.
                let wait = self.output.changed.wait_timeout_while(state, Duration::from_secs(2), |state| state.open > 0);
                drop(wait.unwrap_or_else(PoisonError::into_inner));
                return status;
            }
            assert!(started.elapsed() < deadline, "{} still runs after {deadline:?}; {}", self.label, spawn::tail(&self.log_path));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&mut self, name: &str) {
        // Only while it is our unreaped child is the pid surely its own.
        if self.is_running() {
            spawn::signal(self.pid, name);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

#[derive(Debug)]
struct Output {
    state: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug)]
struct Lines {
    lines: Vec<String>,
    /// Streams that have not ended yet.
    open: u8,
    log: File,
}

impl Output {
    fn state(&self) -> MutexGuard<'_, Lines> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_into(output: &Arc<Output>, stream: impl Read + Send + 'static) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            let mut state = output.state();
            writeln!(state.log, "{text}").ok();
            state.lines.push(text);
            output.changed.notify_all();
        }
        output.state().open -= 1;
        output.changed.notify_all();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Process {
        Launch::program(Path::new("/bin/sh"), "shell").args(["-c", script]).env("GREETING", "god dag").start()
    }

    #[test]
    fn lines_of_both_streams_are_seen_and_logged() {
        let mut process = shell("echo \"$GREETING\"; echo away >&2; exit 3");
        assert_eq!(process.wait_for_line("god", SOON), "god dag");
        assert_eq!(process.wait_exit(SOON).code(), Some(3));
        let mut lines = process.lines();
        lines.sort();
        assert_eq!(lines, ["away", "god dag"]);
        assert!(std::fs::read_to_string(process.log_path()).unwrap().contains("away"));
    }

    #[test]
    fn an_end_without_the_line_is_reported_at_once() {
        let process = shell("echo other");
        let started = Instant::now();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| process.wait_for_line("ready", SOON))).unwrap_err();
        assert!(started.elapsed() < SOON);
        assert!(panic.downcast_ref::<String>().unwrap().contains("other"), "the message shows the log");
    }

    #[test]
    fn signals_reach_the_program_itself() {
        let mut process = shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done");
        process.wait_for_line("up", SOON);
        process.terminate();
        assert!(process.wait_exit(SOON).success());
        process.wait_for_line("bye", SOON);

        let mut process = shell("echo pid $$; exec sleep 600");
        assert_eq!(process.wait_for_line("pid", SOON), format!("pid {}", process.pid()));
        process.pause();
        process.resume();
        assert!(process.is_running());
        process.kill9();
        assert_eq!(process.wait_exit(SOON).signal(), Some(9));
    }
}
