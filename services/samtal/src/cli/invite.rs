//! How staff come in without a sign-in service: invitations, and what came of them, from the command line.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use kernel::{Clock, Error, Id, Result};
use proto::access::invitation_service_client::InvitationServiceClient;
use proto::access::{
    InviteWorkerRequest, ListStaffAccessRequest, PrincipalKind, RemoveAccessRequest, StaffAccess, WithdrawInvitationRequest,
};

use super::Target;
use suite::client::Client;

#[derive(Args)]
pub struct Invite {
    /// The person's id in the region's description; needed unless the address says who it is
    #[arg(long)]
    worker: Option<String>,
    /// The organisation's id, to find the person by the address that the description has
    #[arg(long)]
    organisation: Option<String>,
    /// Where the invitation goes, and codes after it; without it, the address that the description has
    #[arg(long)]
    email: Option<String>,
    /// Language of the mail: sv, nb, nn or en; without it, the organisation's first
    #[arg(long, default_value = "", hide_default_value = true)]
    language: String,
    /// Send no mail: you hand the link over yourself
    #[arg(long)]
    no_mail: bool,
    #[command(flatten)]
    to: Target,
}

#[derive(Subcommand)]
pub enum AccessCommand {
    /// How each of an organisation's staff comes in
    List {
        /// The organisation's id
        organisation: String,
        #[command(flatten)]
        to: Target,
    },
    /// Take an invitation back: its link works no more
    Withdraw {
        /// As `invite` or `access list` has printed it
        invitation_id: String,
        #[command(flatten)]
        to: Target,
    },
    /// Take somebody's address and invitation away, and end their sessions at once
    Remove {
        /// The person's id in the region's description
        worker: String,
        #[command(flatten)]
        to: Target,
    },
}

type Invitations = InvitationServiceClient<Client>;

async fn connect(to: &Target) -> Result<Invitations> {
    Ok(InvitationServiceClient::new(to.connect().await?.of("intake")?))
}

fn request_id() -> String {
    Id::new(Clock::system().now()).to_string()
}

async fn list(invitations: &mut Invitations, organisation: &str) -> Result<Vec<StaffAccess>> {
    let request = ListStaffAccessRequest { organisation_id: organisation.to_owned() };
    Ok(invitations.list_staff_access(request).await.map_err(|status| rpc::status::error(&status))?.into_inner().staff)
}

pub async fn invite(invite: Invite) -> Result<ExitCode> {
    let mut invitations = connect(&invite.to).await?;
    let email = invite.email.unwrap_or_default();
    let worker_id = match (invite.worker, &invite.organisation) {
        (Some(worker), _) => worker,
        (None, Some(organisation)) if !email.is_empty() => {
            let mut staff = list(&mut invitations, organisation).await?.into_iter();
            let known = staff.find(|one| one.described_email.eq_ignore_ascii_case(&email));
            let unknown = || Error::invalid("--email", "is nobody's in the description of that organisation; name the person by --worker");
            known.ok_or_else(unknown)?.worker_id
        }
        (None, _) => return Err(Error::invalid("--worker", "is needed, or --organisation and --email of somebody in the description")),
    };
    let request =
        InviteWorkerRequest { request_id: request_id(), worker_id, email, language: invite.language, without_mail: invite.no_mail };
    let invited = invitations.invite_worker(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
    say!("{}", invited.link);
    // Apart from the link, so that `$(samtal invite ...)` is the link alone.
    let mail = if invited.mailed { "a mail is on its way" } else { "no mail was sent; hand the link over" };
    eprintln!("{mail}. It works once, for 7 days; to take it back: samtal access withdraw {}", invited.invitation_id);
    if !invited.link.starts_with("http") {
        eprintln!("the description does not say where the pages are (mail.public_url): put their address before it");
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn run(command: AccessCommand) -> Result<ExitCode> {
    match command {
        AccessCommand::List { organisation, to } => {
            for one in list(&mut connect(&to).await?, &organisation).await? {
                say!("{}", line(&one));
            }
        }
        AccessCommand::Withdraw { invitation_id, to } => {
            let request = WithdrawInvitationRequest { request_id: request_id(), invitation_id };
            connect(&to).await?.withdraw_invitation(request).await.map_err(|status| rpc::status::error(&status))?;
            say!("Withdrawn.");
        }
        AccessCommand::Remove { worker, to } => {
            let request = RemoveAccessRequest { request_id: request_id(), worker_id: worker };
            let removed = connect(&to).await?.remove_access(request).await.map_err(|status| rpc::status::error(&status))?.into_inner();
            say!("Removed; {} sessions ended.", removed.ended);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `siv  Siv Provlund  leader  codes to siv@example.org`
fn line(one: &StaffAccess) -> String {
    let role = match one.kind() {
        PrincipalKind::Leader => "leader",
        PrincipalKind::Volunteer => "volunteer",
        _ => "worker",
    };
    let mut ways: Vec<String> = one.providers.iter().map(|name| format!("sign-in service {name}")).collect();
    if !one.email.is_empty() {
        ways.push(format!("codes to {}", one.email));
    }
    if !one.invitation_id.is_empty() {
        ways.push(format!("invited at {} ({})", one.invited_email, one.invitation_id));
    }
    let ways = if ways.is_empty() { "no way in".to_owned() } else { ways.join("; ") };
    format!("{}  {}  {role}  {ways}", one.worker_id, one.display_name)
}
