//! A library that is preloaded into a process, for faults that would need rights or a machine of one's own: see `shim.c`.

use crate::spawn;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const SOURCE: &str = include_str!("shim.c");

/// Value of `LD_PRELOAD`. Compiled at first use, by the C compiler that the build needs anyway.
pub fn library() -> PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY
        .get_or_init(|| {
            let (source, library) = (spawn::run_dir().join("shim.c"), spawn::run_dir().join("shim.so"));
            std::fs::write(&source, SOURCE).expect("own folder");
            let output = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
            let output = output.unwrap_or_else(|error| panic!("cannot start the C compiler `cc`: {error}"));
            assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
            library
        })
        .clone()
}

/// Environment of a process whose calendar clock is this many seconds ahead, or behind.
pub fn clock_off_by(seconds: i64) -> Vec<(String, String)> {
    vec![preload(), ("SHIM_CLOCK_SECONDS".to_owned(), seconds.to_string())]
}

/// A disk that a test fills and empties, for one folder of one process.
#[derive(Debug)]
pub struct Disk {
    flag: PathBuf,
    folder: PathBuf,
}

impl Disk {
    /// With room for all. `folder` need not exist yet.
    pub fn of(folder: &Path) -> Disk {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let flag = spawn::run_dir().join(format!("disk-{}-is-full", COUNT.fetch_add(1, Ordering::Relaxed)));
        Disk { flag, folder: folder.to_path_buf() }
    }

    /// Environment of the process.
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = |path: &Path| path.display().to_string();
        vec![preload(), ("SHIM_FULL".to_owned(), path(&self.flag)), ("SHIM_FOLDER".to_owned(), path(&self.folder))]
    }

    /// From now on no file grows.
    pub fn fill(&self) {
        std::fs::write(&self.flag, "").expect("own folder");
    }

    /// There is room again.
    pub fn make_room(&self) {
        std::fs::remove_file(&self.flag).expect("it was full");
    }
}

fn preload() -> (String, String) {
    ("LD_PRELOAD".to_owned(), library().display().to_string())
}
