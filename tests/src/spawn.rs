//! Starting children that die with us, and a folder that goes with us.
//!
//! A static is never dropped and a killed test drops nothing, so `Drop` alone would leave servers behind. Hence the kernel's parent-death signal
//! (`setpriv --pdeathsig`). It fires when the *thread* that started the child ends, and a test's thread ends early: one thread that
//! lives as long as the process starts them all.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

type Job = (Command, Sender<io::Result<Child>>);

/// Starts the command from the thread that lives as long as the process.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = channel::<Job>();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (mut command, answer) in inbox {
                    answer.send(command.spawn()).ok();
                }
            })
            .expect("a thread");
        jobs
    });
    let (answer, child) = channel();
    spawner.send((command, answer)).expect("the spawner lives for ever");
    child.recv().expect("the spawner answers")
}

/// `program`, to be given `signal` when we die. It takes setpriv's place in the same process, so the child's pid is the program's.
pub(crate) fn bound_to_us(program: impl AsRef<OsStr>, signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    command.arg("--").arg(program).stdin(Stdio::null());
    command
}

/// Sends a signal by pid (std can only send SIGKILL).
pub(crate) fn signal(pid: u32, name: &str) {
    // A process that is already gone is no fault: the caller waits for its end anyway.
    Command::new("sh").args(["-c", r#"kill -s "$1" "$2" 2>/dev/null"#, "sh", name, &pid.to_string()]).status().expect("sh");
}

/// This process's folder for data of servers; removed when the process is gone, however it ended.
pub(crate) fn run_dir() -> &'static Path {
    static DIR: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (dir, _reaper) = DIR.get_or_init(|| {
        let dir = tempfile::Builder::new()
            .prefix(&format!("samtal-test-{}-", std::process::id()))
            .permissions(std::fs::Permissions::from_mode(0o711)) // PostgreSQL, as another user, must get through
            .tempdir()
            .expect("a temporary folder")
            .keep();
        // Waits for the end of its input, which only our death brings, then removes; again while a dying server still writes.
        let reaper = Command::new("sh")
            .args(["-c", r#"cat; n=0; while ! rm -rf -- "$1" && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done"#, "sh"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // Ctrl-C is for us, not for it
            .spawn()
            .expect("sh");
        (dir, reaper)
    });
    dir
}

/// A new log file in `target/test-logs/<test binary>-<pid>/`; it stays after the test, to be read.
pub(crate) fn log_file(label: &str) -> (File, PathBuf) {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let exe = std::env::current_exe().expect("own path");
    let stem = exe.file_stem().expect("a file name").to_string_lossy().into_owned();
    let folder = profile_dir().join("../test-logs").join(format!("{stem}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    let path = folder.canonicalize().expect("exists").join(format!("{:03}-{label}.log", COUNT.fetch_add(1, Ordering::Relaxed)));
    (File::create(&path).expect("a log file"), path)
}

/// `target/<profile>`: test binaries lie in its folder `deps`.
pub(crate) fn profile_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("own path");
    let deps = exe.parent().expect("a folder");
    if deps.ends_with("deps") { deps.parent().expect("target/<profile>").to_path_buf() } else { deps.to_path_buf() }
}

/// The end of a log, for messages.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    format!("end of {}:\n{}", path.display(), lines[lines.len().saturating_sub(30)..].join("\n"))
}
