//! What every act of a caller has in common.

use std::sync::Arc;

use futures::future::BoxFuture;
use kernel::Result;
use log::unit::Once;
use prost::Message;
use rpc::Caller;
use rpc::caller::reply;
use tonic::Response;

use super::Api;
use crate::app::desk::Desk;

impl Api {
    /// One act of `caller` at the organisation's desk, in one commit. `work` does it and answers with the id of what it was about, under
    /// which the answer is kept for whoever repeats the call; then the desk settles what follows from it. `work` may run more than
    /// once; only its last run is committed.
    pub(super) async fn act<A, F>(&self, caller: &Caller, organisation: &str, once: Once, work: F) -> Result<Response<A>>
    where
        A: Message + Default + 'static,
        F: for<'d, 'u, 't> Fn(&'d mut Desk<'u, 't>) -> BoxFuture<'d, Result<(A, String)>> + Send + Sync + 'static,
    {
        let (desks, work) = (self.app.desks.clone(), Arc::new(work));
        let (answer, receipt) = self
            .app
            .commit(organisation, caller.origin(), move |unit| {
                let (once, desks, work) = (once.clone(), desks.clone(), work.clone());
                Box::pin(async move {
                    if let Some(answer) = unit.earlier_answer::<A>(&once).await? {
                        return Ok(answer);
                    }
                    let mut desk = desks.open(unit);
                    let (answer, about) = work(&mut desk).await?;
                    desk.unit.remember_answer(&once, &about, &answer).await?;
                    desk.settle().await?;
                    Ok(answer)
                })
            })
            .await?;
        Ok(reply("routing", answer, &receipt))
    }
}
