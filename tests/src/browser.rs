//! The pages in real Chromium: `tests/browser/<name>.test.mjs`, each with a suite of its own, started as a newcomer would.

use crate::process::Launch;
use crate::servers::tool;
use crate::{spawn, workspace_root};
use std::time::Duration;

/// Longest that one file of browser tests may take.
const DEADLINE: Duration = Duration::from_secs(240);

/// Runs one file of browser tests by Node.js. Pictures of the pages go to `target/screenshots`.
pub fn run(name: &str) {
    let target = spawn::profile_dir().join("..");
    let binary = spawn::profile_dir().join("samtal");
    assert!(binary.is_file(), "{} is not built: cargo build -p samtal (make test does it)", binary.display());
    let named = |variable: &str| tool(variable, || None);
    let mut node = Launch::program(&named("SAMTAL_TOOL_NODE"), &format!("browser-{name}"))
        .args(["--test-reporter=spec", "--test"])
        .arg(workspace_root().join("tests/browser").join(format!("{name}.test.mjs")))
        .env("SAMTAL_TOOL_CHROMIUM", named("SAMTAL_TOOL_CHROMIUM"))
        .env("SAMTAL_TOOL_BROWSER", named("SAMTAL_TOOL_BROWSER"))
        .env("SAMTAL_BINARY", binary)
        .env("SAMTAL_SCREENSHOTS", target.join("screenshots"))
        .start();
    let status = node.wait_exit(DEADLINE);
    assert!(status.success(), "{name}: {status}; {}", spawn::tail(node.log_path()));
}
