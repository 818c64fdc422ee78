//! Tokens of one's own organisations, from the command line.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use kernel::{Clock, Id, Result};
use proto::access::access_service_client::AccessServiceClient;
use proto::access::{IssueTokenRequest, Principal, PrincipalKind, RevokeTokenRequest};

use super::Target;

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is printed once and kept nowhere
    Issue {
        /// What its bearer is
        #[arg(value_enum)]
        role: Bearer,
        /// A name of your choice for a journal system; for staff their id in the region's description
        id: String,
        /// The organisation's id
        #[arg(long)]
        organisation: String,
        /// A leader's or worker's clinics; without it, those of the region's description
        #[arg(long = "clinic")]
        clinics: Vec<String>,
        /// How long it holds, at most 366
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=366))]
        days: u32,
        #[command(flatten)]
        to: Target,
    },
    /// End a token; streams that were opened with it end within seconds
    Revoke {
        /// As `token issue` has printed it
        token_id: String,
        #[command(flatten)]
        to: Target,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Bearer {
    Integrator,
    Worker,
    Leader,
    Volunteer,
}

impl From<Bearer> for PrincipalKind {
    fn from(bearer: Bearer) -> Self {
        match bearer {
            Bearer::Integrator => Self::Integrator,
            Bearer::Worker => Self::Worker,
            Bearer::Leader => Self::Leader,
            Bearer::Volunteer => Self::Volunteer,
        }
    }
}

pub async fn run(command: TokenCommand) -> Result<ExitCode> {
    let request_id = Id::new(Clock::system().now()).to_string();
    match command {
        TokenCommand::Issue { role, id, organisation, clinics, days, to } => {
            let principal = Principal { kind: PrincipalKind::from(role).into(), id, organisation_id: organisation, clinic_ids: clinics };
            let request = IssueTokenRequest { request_id, principal: Some(principal), ttl_seconds: days * 24 * 3600 };
            let mut access = AccessServiceClient::new(to.connect().await?.of("intake")?);
            let made = access.issue_token(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
            say!("{}", made.token);
            // Apart from the token, so that `$(samtal token issue ...)` is the token alone.
            eprintln!("token id, to end it with `samtal token revoke`: {}; it holds for {days} days", made.token_id);
        }
        TokenCommand::Revoke { token_id, to } => {
            let mut access = AccessServiceClient::new(to.connect().await?.of("intake")?);
            access.revoke_token(RevokeTokenRequest { request_id, token_id }).await.map_err(|status| rpc::status::error(&status))?;
            say!("Ended.");
        }
    }
    Ok(ExitCode::SUCCESS)
}
