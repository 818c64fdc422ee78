//! What the three servers have in common: a port, a log, a child process that can be killed and started again.

use crate::ports::Port;
use crate::spawn;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// From start to first answer; generous, as many servers start at once on a small machine.
const START_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Instance {
    label: &'static str,
    pub(super) port: Port,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Instance {
    pub(super) fn new(label: &'static str) -> Instance {
        Instance { label, port: Port::free(), log: spawn::log_file(label).1, child: Mutex::new(None) }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Starts it and waits until it answers. A child that gives up at once is started again until the deadline: after a kill, PostgreSQL
    /// refuses for as long as an old child of it lives.
    pub(super) fn up(&self, command: impl Fn() -> Command, answers: impl Fn() -> bool) {
        let started = Instant::now();
        while !self.try_up(&command, &answers, started) {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn try_up(&self, command: &impl Fn() -> Command, answers: &impl Fn() -> bool, started: Instant) -> bool {
        let log = std::fs::File::options().append(true).open(&self.log).expect("own log");
        let mut command = command();
        command.stdout(log.try_clone().expect("a file handle")).stderr(log).stdin(Stdio::null());
        let child =
            spawn::spawn(command).unwrap_or_else(|error| panic!("cannot start {} (setpriv of util-linux is needed): {error}", self.label));
        *self.child() = Some(child);
        while !answers() {
            let late = started.elapsed() > START_DEADLINE;
            assert!(!late, "{} on port {} does not answer; {}", self.label, self.port.number(), spawn::tail(&self.log));
            if !self.is_running() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// SIGKILL, and waits until it is gone.
    pub(super) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Another signal, and waits; SIGKILL after the deadline.
    pub(super) fn stop(&self, signal: &str, deadline: Duration) {
        let started = Instant::now();
        if let Some(pid) = self.pid() {
            spawn::signal(pid, signal);
        }
        while self.is_running() && started.elapsed() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// One exchange on a connection of its own: sends, then reads until `complete` says so. None when nobody answers properly.
    pub(super) fn exchange(&self, send: &str, complete: impl Fn(&str) -> bool) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.number())).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream.write_all(send.as_bytes()).ok()?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&answer);
            if complete(&text) {
                return Some(text.into_owned());
            }
            match stream.read(&mut buffer).ok()? {
                0 => return None,
                count => answer.extend_from_slice(&buffer[..count]),
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}
