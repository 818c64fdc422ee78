//! Files that are sent along: taken in whole or not at all, cleaned, kept until the case is erased.
//!
//! A row comes before the bytes and a timer with it, so that whatever happens in between, nothing lies around that no row
//! knows: what no message names within an hour is doomed, and what is doomed loses first its bytes and then its row.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Id, Result};
use log::{Origin, Receipt, Unit};
use proto::intake::{Attachment, AttachmentStored};
use rpc::Caller;
use runtime::Node;
use tokio::sync::{Notify, Semaphore};

use crate::app::objects::Objects;
use crate::app::{App, change, post};
use crate::domain::media;
use crate::store::attachments::{self, State, Stored};
use crate::store::cases;

/// Kind of the timer, keyed by the attachment.
pub const SWEEP: &str = "attachment";
/// How long a file waits for the message that it is sent with.
const WAIT: Duration = Duration::from_secs(3600);
/// How often doomed files are looked for without anybody saying so.
const LOOK: Duration = Duration::from_secs(5);
/// Uploads that are held in memory at a time.
const AT_ONCE: usize = 16;
/// Most attachments of one message.
pub const MOST: usize = 10;
pub const MAX_NAME: usize = 200;

/// What attachments need at run time. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    pub objects: Objects,
    pub slots: Arc<Semaphore>,
    doomed: Arc<Notify>,
}

impl Files {
    pub fn start(node: &Node) -> Result<Self> {
        let objects = Objects::open(&node.platform.attachments)?;
        let files = Self { objects, slots: Arc::new(Semaphore::new(AT_ONCE)), doomed: Arc::new(Notify::new()) };
        node.platform.tasks.spawn(sweep(files.clone(), node.clone()));
        Ok(files)
    }

    /// Tells the sweep, once it is committed, that there is something to do.
    pub fn wake_after(&self, unit: &mut Unit<'_>) {
        let doomed = self.doomed.clone();
        unit.after_commit(move || doomed.notify_one());
    }
}

async fn sweep(files: Files, node: Node) {
    loop {
        tokio::select! {
            () = files.doomed.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            () = node.platform.shutdown.cancelled() => return,
        }
        if let Err(error) = sweep_once(&files, &node).await {
            tracing::warn!(%error, "doomed attachments wait");
        }
    }
}

async fn sweep_once(files: &Files, node: &Node) -> Result<()> {
    const SOME: i64 = 100;
    loop {
        let doomed = attachments::doomed(&node.log.machinery(), SOME).await?;
        for (id, organisation) in &doomed {
            files.objects.delete(*id).await?;
            let id = *id;
            node.commit(id, Origin::system("sweep of attachments").of(organisation), move |unit| {
                Box::pin(async move { attachments::forget(unit, id).await })
            })
            .await?;
        }
        if (doomed.len() as i64) < SOME {
            return Ok(());
        }
    }
}

/// The timer of a file: what no message names is doomed.
pub async fn unused(unit: &mut Unit<'_>, files: &Files, id: Id) -> Result<()> {
    if attachments::lock(unit, id).await?.is_some_and(|file| file.seq.is_none()) {
        attachments::doom(unit, id).await?;
        files.wake_after(unit);
    }
    Ok(())
}

impl App {
    /// The case of an upload and the largest file that it may bring, checked before a byte is taken.
    pub async fn may_upload(&self, caller: &Caller, id: Id) -> Result<(cases::Stored, usize)> {
        let case = cases::load(&self.node.of(caller), id).await?;
        change::check(caller, caller.rpc, &case)?;
        if case.life.closed_at.is_some() {
            return Err(Error::precondition("CASE_CLOSED", "the case is closed; open it again to send a file"));
        }
        let region = self.node.region.get();
        let allowed = region.organisation(&case.organisation).map(|organisation| organisation.attachments.clone()).unwrap_or_default();
        if !allowed.allowed {
            return Err(Error::precondition("NO_ATTACHMENTS", "this organisation takes no files"));
        }
        Ok((case, (allowed.max_mib as usize) << 20))
    }

    /// Keeps a file that has come in whole.
    pub async fn keep_file(
        &self,
        caller: &Caller,
        case: Id,
        file_name: String,
        claimed: &str,
        bytes: Vec<u8>,
    ) -> Result<(Attachment, Receipt)> {
        let (media, bytes) = media::clean(claimed, bytes)?;
        let id = Id::new(self.node.now());
        let file = Arc::new(Stored {
            id,
            case,
            sender: post::sender(caller)?,
            file_name,
            media_type: media.media_type().to_owned(),
            size: bytes.len() as i64,
            state: State::Uploading,
            seq: None,
        });
        let (asker, row) = (caller.clone(), file.clone());
        self.node
            .commit(case, caller.origin(), move |unit| {
                let (caller, row) = (asker.clone(), row.clone());
                Box::pin(async move {
                    change::lock(unit, &caller, caller.rpc, case).await?;
                    attachments::insert(unit, &row).await?;
                    unit.set_timer(SWEEP, id, unit.now + WAIT).await
                })
            })
            .await?;
        self.files.objects.put(id, bytes).await?;
        let (asker, row) = (caller.clone(), file.clone());
        let ((), receipt) = self
            .node
            .commit(case, caller.origin(), move |unit| {
                let (caller, row) = (asker.clone(), row.clone());
                Box::pin(async move {
                    let case = change::lock(unit, &caller, caller.rpc, case).await?;
                    // The case may have been erased, or the hour have passed, while the bytes were written.
                    let still = attachments::lock(unit, row.id).await?.is_some_and(|now| now.state == State::Uploading);
                    if !still {
                        return Err(Error::not_found("attachment"));
                    }
                    attachments::set_state(unit, row.id, State::Stored).await?;
                    let event =
                        AttachmentStored { attachment_id: row.id.to_string(), media_type: row.media_type.clone(), size: row.size as u64 };
                    unit.emit(case.id, &case.scope(), &event)?;
                    unit.audit(case.id, &case.scope());
                    Ok(())
                })
            })
            .await?;
        Ok((file.to_proto(), receipt))
    }

    /// A file's bytes for somebody who may read the conversation; the look is logged.
    pub async fn file(&self, caller: &Caller, id: Id) -> Result<(Attachment, bytes::Bytes)> {
        let missing = || Error::not_found("attachment");
        let file = attachments::load(&self.node.of(caller), id).await?.filter(|file| file.state == State::Stored).ok_or_else(missing)?;
        let case = cases::load(&self.node.of(caller), file.case).await?;
        let owner = case.visitor.to_string();
        caller.check("attachment", &case.resource(&owner))?;
        // Before it is sent it is its sender's alone.
        if file.seq.is_none() && file.sender.id != caller.principal.id {
            return Err(missing());
        }
        self.node.log_read(caller, vec![(case.id, case.scope())]).await?;
        Ok((file.to_proto(), self.files.objects.get(id).await?))
    }
}

/// The files that a message names, if they are its sender's own and were sent with no other.
pub async fn take(unit: &mut Unit<'_>, case: Id, sender: &crate::store::messages::Sender, ids: &[Id], seq: i64) -> Result<Vec<Attachment>> {
    let mut taken = Vec::with_capacity(ids.len());
    for id in ids {
        let file = attachments::lock(unit, *id).await?;
        let usable = |file: &Stored| {
            file.case == case
                && file.state == State::Stored
                && file.seq.is_none()
                && file.sender.kind == sender.kind
                && file.sender.id == sender.id
        };
        let file = file.filter(usable).ok_or_else(|| Error::not_found("attachment"))?;
        taken.push(file.to_proto());
    }
    for id in ids {
        attachments::refer(unit, *id, seq).await?;
        unit.cancel_timer(SWEEP, *id).await?;
    }
    Ok(taken)
}
