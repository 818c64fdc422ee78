//! A video meeting beside the chat: an address that follows from the case and cannot be guessed, in a room of the organisation's own tool.

use kernel::{Error, Id, Result};
use log::Receipt;
use proto::intake::{Message, SystemCode};
use rpc::Caller;

use crate::app::lines::{self, Line};
use crate::app::{App, change};
use crate::domain::case::{Command, decide};
use crate::domain::terms::Sender;
use crate::store::cases;

/// There is one line with the address in a conversation.
const LINE: &str = "video";
/// Characters of the room's code; each is one of 16.
const CODE: usize = 26;

impl App {
    pub async fn video(&self, caller: Caller, id: Id) -> Result<(Message, Receipt)> {
        let app = self.clone();
        self.node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller) = (app.clone(), caller.clone());
                Box::pin(async move {
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    // Refuses a closed case.
                    decide(&case.life, &Command::Post(Sender::System), unit.now)?;
                    unit.audit(id, &case.scope());
                    if let Some(earlier) = lines::find(unit, id, LINE).await? {
                        return Ok(earlier);
                    }
                    let region = app.node.region.get();
                    let template = region.organisation(&case.organisation).map(|organisation| organisation.video_url.clone());
                    let template = template.filter(|template| !template.is_empty()).ok_or_else(|| {
                        Error::precondition("NO_VIDEO", "this organisation has no video meetings; its description has no video_url")
                    })?;
                    let bytes = app.node.platform.secret.derive("video room", &[&id.to_string()]);
                    let code: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().chars().take(CODE).collect();
                    let line = Line::new(SystemCode::Video, [("url", template.replace("{code}", &code))]);
                    let message = lines::say_as(unit, &app.node, &mut case, LINE, line).await?;
                    cases::update(unit, &case).await?;
                    Ok(message)
                })
            })
            .await
    }
}
