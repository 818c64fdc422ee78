//! Mails about a staff member's way in: an invitation, a code. To whom and what, intake says at the moment of sending; here neither is kept.

use kernel::{Code, Id, Language, Result};
use lettre::Message;
use log::{Scope, Unit};
use proto::access::invitation_service_client::InvitationServiceClient;
use proto::access::{AccessMailKind, GetAccessMailRequest};
use runtime::Node;

use super::deliver;
use super::mail;
use super::sender::Open;
use crate::SERVICE;
use crate::domain::delivery::{Delivery, Outcome, State};
use crate::domain::way_in;
use crate::store::notifications::{self, Channel, Notification, RecipientKind, WAY_IN};

/// A mail is to leave at once.
pub async fn due(unit: &mut Unit<'_>, mail: Id, organisation: &str, open: Open) -> Result<()> {
    let mut new = Notification {
        delivery: Delivery { id: Id::new(unit.now), state: State::Pending, tries: 0, due_at: unit.now, wanted: true },
        case: mail,
        scope: Scope { organisation: organisation.to_owned(), ..Scope::default() },
        recipient_kind: RecipientKind::Worker,
        // On nobody's list.
        recipient: String::new(),
        kind: WAY_IN.to_owned(),
        channel: Channel::Email,
        created_at: unit.now,
        next_try_at: Some(unit.now),
        seen_at: None,
    };
    notifications::insert(unit.tx, &new).await?;
    if open.by(Channel::Email) {
        return unit.set_timer(deliver::TIMER, new.delivery.id, unit.now).await;
    }
    tracing::warn!(notification = %new.delivery.id, "a mail about a way in failed: there is no way for it (smtp)");
    deliver::end(unit, &mut new, State::Failed).await
}

/// The mail as it is to be sent now. Errors: what becomes of this try without it.
pub async fn message(node: &Node, id: Id, mail_id: Id, organisation: &str) -> Result<Message, Outcome> {
    let peer = node.platform.peers.channel(SERVICE, "intake").map_err(|_| Outcome::Refused)?;
    let request = GetAccessMailRequest { mail_id: mail_id.to_string(), organisation_id: organisation.to_owned() };
    let told = InvitationServiceClient::new(peer).get_access_mail(request).await.map_err(|status| {
        match rpc::status::error(&status).code {
            // Used, withdrawn, too old; or the address is nobody's.
            Code::NotFound => Outcome::Pointless,
            _ => {
                tracing::warn!(notification = %id, code = ?status.code(), "intake did not say what a mail is to say");
                Outcome::Later
            }
        }
    })?;
    let told = told.into_inner();
    let region = node.region.get();
    let organisation = region.organisation(&told.organisation_id);
    let settings = organisation.map(|organisation| organisation.mail.clone()).unwrap_or_default();
    let language = Language::from_code(&told.language).unwrap_or(Language::English);
    let text = match told.kind() {
        AccessMailKind::Invitation => {
            let name = organisation.map(|organisation| organisation.name.as_str()).unwrap_or_default();
            way_in::invitation(language, name, &format!("{}{}", settings.public_url.trim_end_matches('/'), told.secret))
        }
        AccessMailKind::Code => way_in::code(language, &told.secret),
        AccessMailKind::Unspecified => return Err(Outcome::Refused),
    };
    mail::message(id, &settings, &told.email, text, node.now()).map_err(|_| Outcome::Refused)
}
