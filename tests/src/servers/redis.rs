//! A private Redis.

use super::instance::Instance;
use super::{on_path, tool};
use crate::spawn::{bound_to_us, run_dir};
use std::process::Command;
use tempfile::TempDir;

/// Redis with an append-only file, so that a restart keeps what it had and only [`Redis::flush`] loses it. Ends and is removed on drop.
#[derive(Debug)]
pub struct Redis {
    pub(super) instance: Instance,
    dir: TempDir,
}

impl Redis {
    /// Starts it and waits until it answers.
    pub fn start() -> Redis {
        let dir = tempfile::Builder::new().prefix("redis-").tempdir_in(run_dir()).expect("a folder");
        let redis = Redis { instance: Instance::new("redis"), dir };
        redis.up();
        redis
    }

    /// `redis://127.0.0.1:<port>`, the same after a restart.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.instance.port.number())
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill(&self) {
        self.instance.kill();
    }

    /// Kills it if it runs, starts it again on the same port and data, and waits until it answers.
    pub fn restart(&self) {
        self.instance.kill();
        self.up();
    }

    /// Forgets everything.
    pub fn flush(&self) {
        assert_eq!(self.command(&["FLUSHALL"]), "+OK");
    }

    /// One command; returns the answer as it came, without the last line end. For checks in tests.
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words).expect("redis answers")
    }

    pub(super) fn try_command(&self, words: &[&str]) -> Option<String> {
        let mut send = format!("*{}\r\n", words.len());
        for word in words {
            send.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        let lines_of = |text: &str| if text.starts_with('$') && !text.starts_with("$-1") { 2 } else { 1 };
        let answer = self.instance.exchange(&send, |text| text.matches("\r\n").count() >= lines_of(text))?;
        Some(answer.trim_end().to_owned())
    }

    fn up(&self) {
        self.instance.up(|| self.server(), || self.try_command(&["PING"]).as_deref() == Some("+PONG"));
    }

    fn server(&self) -> Command {
        let mut server = bound_to_us(tool("SAMTAL_TOOL_REDIS", || on_path("redis-server")), "KILL");
        server.args(["--bind", "127.0.0.1", "--port", &self.instance.port.number().to_string()]);
        server.args(["--save", "", "--appendonly", "yes", "--daemonize", "no", "--dir"]).arg(self.dir.path());
        server.current_dir(self.dir.path());
        server
    }
}
