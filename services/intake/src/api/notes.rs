//! Internal notes: a sequence of their own, and no stream that a visitor could be on.

use kernel::error::{Code, Violations};
use kernel::{Error, Id, Result};
use log::Receipt;
use proto::intake::{ListNotesRequest, ListNotesResponse, NotePosted, PostNoteRequest, PostNoteResponse};
use rpc::Caller;

use crate::app::post::{MAX_CLIENT_ID, MAX_TEXT};
use crate::app::{App, change};
use crate::store::{cases, messages};

pub async fn post(app: &App, caller: &Caller, request: PostNoteRequest) -> Result<(PostNoteResponse, Receipt)> {
    let mut violations = Violations::default();
    let id = violations.id("case_id", &request.case_id);
    violations.text("client_id", &request.client_id, MAX_CLIENT_ID);
    violations.text("text", &request.text, MAX_TEXT);
    violations.done()?;
    let asker = caller.clone();
    let (note, receipt) = app
        .node
        .commit(id, caller.origin(), move |unit| {
            let (caller, request) = (asker.clone(), request.clone());
            Box::pin(async move {
                let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                let worker = caller.principal.id.clone();
                if let Some(earlier) = messages::find_note(unit, id, &worker, &request.client_id).await? {
                    return if earlier.text == request.text {
                        Ok(earlier)
                    } else {
                        Err(Error::new(
                            Code::AlreadyExists,
                            "CLIENT_ID_REUSED",
                            "another note was written under this client_id; make a new one",
                        ))
                    };
                }
                case.last_note_seq += 1;
                let note = messages::insert_note(unit, id, case.last_note_seq, &worker, &request.client_id, &request.text).await?;
                unit.emit(id, &case.scope(), &NotePosted { seq: note.seq, worker_id: worker })?;
                unit.audit(id, &case.scope());
                cases::update(unit, &case).await?;
                Ok(note)
            })
        })
        .await?;
    Ok((PostNoteResponse { note: Some(note) }, receipt))
}

pub async fn list(app: &App, caller: &Caller, request: ListNotesRequest) -> Result<ListNotesResponse> {
    let id = Id::parse("case_id", &request.case_id)?;
    app.read(caller, id).await?;
    Ok(ListNotesResponse { notes: messages::notes(&app.node.of(caller), id).await? })
}
