//! `samtal`: one binary for all roles.

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
