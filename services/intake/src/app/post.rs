//! Sending a message: OK means that the message, its event and its audit row are committed.

use auth::Role;
use kernel::error::{Code, Violations};
use kernel::{Error, Id, Language, Result};
use log::{Receipt, Unit};
use proto::intake::{MessagePosted, PostMessageRequest, PostMessageResponse, SafetyNotice, VisitorReturned};
use rpc::Caller;
use screening::Category;

use crate::app::lines::{self, Line};
use crate::app::openings::Opening;
use crate::app::{App, attachments, change, live, safety};
use crate::domain::case::{Command, decide};
use crate::domain::terms;
use crate::store::cases::{self, Stored};
use crate::store::messages::{self, Sender};

/// Largest text of a message or note.
pub const MAX_TEXT: usize = 16 * 1024;
/// Largest id that a sender makes.
pub const MAX_CLIENT_ID: usize = 64;
/// Whose rules hold for a message, be it sent alone or in a stream.
pub const RPC: &str = "samtal.intake.v1.ConversationService/PostMessage";

/// A request that makes sense in itself.
#[derive(Clone)]
pub struct Post {
    pub case: Id,
    pub client_id: String,
    pub text: String,
    pub attachments: Vec<Id>,
}

impl Post {
    pub fn parse(request: PostMessageRequest) -> Result<Self> {
        let mut violations = Violations::default();
        let case = violations.id("case_id", &request.case_id);
        violations.text("client_id", &request.client_id, MAX_CLIENT_ID);
        if request.attachment_ids.is_empty() {
            violations.text("text", &request.text, MAX_TEXT);
        } else {
            violations.optional_text("text", &request.text, MAX_TEXT);
        }
        violations.check(request.attachment_ids.len() <= attachments::MOST, "attachment_ids", "are too many for one message");
        let attachments = request.attachment_ids.iter().map(|id| violations.id("attachment_ids", id)).collect();
        violations.done()?;
        Ok(Self { case, client_id: request.client_id, text: request.text, attachments })
    }
}

/// Who sends, in a conversation.
pub fn sender(caller: &Caller) -> Result<Sender> {
    let kind = match caller.role() {
        Role::Visitor => terms::Sender::Visitor,
        role if role.is_staff() => terms::Sender::Worker,
        _ => return Err(Error::new(Code::PermissionDenied, "NOT_ALLOWED", "only visitors and staff write messages")),
    };
    Ok(Sender { kind, id: caller.principal.id.clone() })
}

impl App {
    /// Commits a message, once per sender and client id.
    pub async fn post(&self, caller: &Caller, post: Post) -> Result<(PostMessageResponse, Receipt)> {
        let sender = sender(caller)?;
        // Only what visitors write is screened; what a worker writes is theirs to answer for.
        let found = if sender.kind == terms::Sender::Visitor { safety::screen(&post.text) } else { Vec::new() };
        // Asked before the transaction: nothing inside one may wait for the network.
        let away = sender.kind == terms::Sender::Worker && !self.node.platform.ephemeral.is_present(&live::visitor_screen(post.case)).await;
        let (app, id) = (self.clone(), post.case);
        let (asker, flags) = (caller.clone(), found.clone());
        let ((message, case), receipt) = self
            .node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller, sender, post, found) = (app.clone(), asker.clone(), sender.clone(), post.clone(), flags.clone());
                Box::pin(async move {
                    let mut case = change::lock(unit, &caller, RPC, id).await?;
                    if let Some(earlier) = messages::find(unit, id, &sender, &post.client_id).await? {
                        let sent: Vec<String> = post.attachments.iter().map(Id::to_string).collect();
                        let same = earlier.text == post.text && earlier.attachments.iter().map(|one| &one.attachment_id).eq(&sent);
                        return if same || earlier.erased { Ok((earlier, case)) } else { Err(other_text()) };
                    }
                    case.life = decide(&case.life, &Command::Post(sender.kind), unit.now)?;
                    let files = attachments::take(unit, id, &sender, &post.attachments, case.last_seq + 1).await?;
                    case.last_seq += 1;
                    let message = messages::insert(unit, id, case.last_seq, &post.client_id, &sender, &post.text, files).await?;
                    let red_flags = safety::add(&mut case.red_flags, &found);
                    let scope = case.scope();
                    let event = MessagePosted {
                        seq: case.last_seq,
                        sender_kind: sender.kind.to_wire(),
                        worker_id: message.worker_id.clone(),
                        red_flags,
                        visitor_away: away,
                    };
                    unit.emit(id, &scope, &event)?;
                    if away {
                        case.answer_waits = true;
                    } else if sender.kind == terms::Sender::Visitor {
                        came_back(unit, &mut case)?;
                    }
                    unit.audit(id, &scope);
                    live::message(unit, &app.node, &message);
                    if let Some(country) = app.country(&case.organisation).filter(|_| !found.is_empty()) {
                        lines::say(unit, &app.node, &mut case, Line::red_flags(&found, country)).await?;
                    }
                    cases::update(unit, &case).await?;
                    Ok((message, case))
                })
            })
            .await?;
        let safety = if found.is_empty() { None } else { self.notice(&case, &found, &receipt).await };
        Ok((PostMessageResponse { message: Some(message), safety }, receipt))
    }

    /// The country whose numbers an organisation's visitors are shown.
    pub fn country(&self, organisation: &str) -> Option<region::Country> {
        self.node.region.get().organisation(organisation).map(|organisation| organisation.country)
    }

    /// What the writer of a red flag is told: whom to call, and when a person will read it.
    pub async fn notice(&self, case: &Stored, found: &[Category], receipt: &Receipt) -> Option<SafetyNotice> {
        let region = self.node.region.get();
        let organisation = region.organisation(&case.organisation)?;
        let language = Language::from_code(&case.language).unwrap_or_else(|| organisation.default_language());
        let alerted = self.alerts.raise(case.id, &case.life.worker, found, receipt).await;
        let read_at = match region.entry_point(&case.entry_point) {
            Some((_, entry_point)) if !alerted => match self.openings.at(&entry_point.calendar, &region, self.node.now()).await {
                Ok(Opening::Closed { opens_at }) => opens_at,
                _ => None,
            },
            _ => None,
        };
        safety::notice(found, organisation.country, language, alerted, read_at)
    }

    /// Remembers that the visitor has a screen open again, if an answer was waiting.
    pub async fn visitor_returned(&self, caller: &Caller, id: Id) -> Result<()> {
        let asker = caller.clone();
        self.node
            .commit(id, caller.origin(), move |unit| {
                let caller = asker.clone();
                Box::pin(async move {
                    let mut case = change::lock(unit, &caller, RPC, id).await?;
                    if came_back(unit, &mut case)? {
                        cases::update(unit, &case).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(())
    }
}

/// The visitor is here; true if something waited for them. The caller writes the case back.
pub fn came_back(unit: &mut Unit<'_>, case: &mut Stored) -> Result<bool> {
    let waited = std::mem::take(&mut case.answer_waits);
    if waited {
        unit.emit(case.id, &case.scope(), &VisitorReturned { seq: case.last_seq })?;
    }
    Ok(waited)
}

fn other_text() -> Error {
    Error::new(Code::AlreadyExists, "CLIENT_ID_REUSED", "another message was sent under this client_id; make a new one")
}
