//! `samtal`: one binary for all roles.

/// Prints a line. A reader that has gone away (`| head`) is no fault of ours.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod cli;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("samtal: {}", error.message);
            // 64: the command or its settings are wrong; 1: something else is.
            ExitCode::from(if error.code == kernel::Code::InvalidArgument { 64 } else { 1 })
        }
    }
}
