//! ConfirmBooking, CancelBooking, GetBooking, ListBookings.

use std::sync::Arc;

use auth::Role;
use kernel::error::Violations;
use kernel::{Error, Id, Result};
use log::unit::Once;
use log::{Receipt, Unit};
use proto::scheduling::{
    Booking, CancelBookingRequest, CancelBookingResponse, ConfirmBookingRequest, ConfirmBookingResponse, GetBookingRequest,
    GetBookingResponse, ListBookingsRequest, ListBookingsResponse,
};
use region::Region;
use rpc::Caller;
use runtime::{Node, case_facts};
use tonic::{Request, Response};

use super::booking_of;
use crate::SERVICE;
use crate::app::change;
use crate::domain::booking::{Command, decide};
use crate::store::bookings::{self, Record};

/// Longest id of a booking in a journal system.
const MAX_EXTERNAL_REF: usize = 128;

pub async fn confirm(node: &Node, request: Request<ConfirmBookingRequest>) -> Result<Response<ConfirmBookingResponse>> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let once = caller.once(&request.request_id, &request)?;
    let mut found = Violations::default();
    let id = found.id("booking_id", &request.booking_id);
    found.optional_text("external_ref", &request.external_ref, MAX_EXTERNAL_REF);
    let may_name = caller.role() != Role::Visitor || request.external_ref.is_empty();
    found.check(may_name, "external_ref", "is set by staff and integrators only");
    found.done()?;
    let (booking, receipt) =
        Change { caller, once, id, command: Command::Confirm, external_ref: request.external_ref }.commit(node).await?;
    Ok(rpc::caller::reply(SERVICE, ConfirmBookingResponse { booking: Some(booking) }, &receipt))
}

pub async fn cancel(node: &Node, request: Request<CancelBookingRequest>) -> Result<Response<CancelBookingResponse>> {
    let caller = rpc::caller(&request)?;
    let request = request.into_inner();
    let once = caller.once(&request.request_id, &request)?;
    let id = Id::parse("booking_id", &request.booking_id)?;
    let (booking, receipt) = Change { caller, once, id, command: Command::Cancel, external_ref: String::new() }.commit(node).await?;
    Ok(rpc::caller::reply(SERVICE, CancelBookingResponse { booking: Some(booking) }, &receipt))
}

/// A caller's change of a booking.
struct Change {
    caller: Caller,
    once: Once,
    id: Id,
    command: Command,
    /// Empty: stays as it is.
    external_ref: String,
}

impl Change {
    async fn commit(self, node: &Node) -> Result<(Booking, Receipt)> {
        let (region, origin, id) = (node.region.get(), self.caller.origin(), self.id);
        let change = Arc::new(self);
        node.commit(id, origin, move |unit| {
            let (change, region) = (change.clone(), region.clone());
            Box::pin(async move { change.run(unit, &region).await })
        })
        .await
    }

    async fn run(&self, unit: &mut Unit<'_>, region: &Region) -> Result<Booking> {
        if let Some(answer) = unit.earlier_answer(&self.once).await? {
            return Ok(answer);
        }
        let missing = || Error::not_found("booking");
        let seen = bookings::peek(unit.tx, self.id).await?.ok_or_else(missing)?;
        let facts = case_facts::lock(unit, seen.case).await?;
        self.caller.check("booking", &facts.resource())?;
        let mut record = change::lock(unit, self.id, &seen.booking.slot.resource).await?.ok_or_else(missing)?;
        let decision = decide(&record.booking, &[], &self.command, unit.now)?;
        change::write(unit, &mut record, decision, &facts.scope()).await?;
        if !self.external_ref.is_empty() && self.external_ref != record.external_ref {
            bookings::set_external_ref(unit.tx, self.id, &self.external_ref).await?;
            record.external_ref.clone_from(&self.external_ref);
        }
        unit.audit(facts.case, &facts.scope());
        let answer = booking_of(region, &record, unit.now);
        unit.remember_answer(&self.once, &facts.case.to_string(), &answer).await?;
        Ok(answer)
    }
}

pub async fn get(node: &Node, request: Request<GetBookingRequest>) -> Result<GetBookingResponse> {
    let caller = rpc::caller(&request)?;
    let id = Id::parse("booking_id", &request.get_ref().booking_id)?;
    let record = bookings::load(&node.of(&caller), id).await?.ok_or_else(|| Error::not_found("booking"))?;
    let facts = case_facts::load(&node.of(&caller), record.case).await?;
    caller.check("booking", &facts.resource())?;
    node.log_read(&caller, vec![(facts.case, facts.scope())]).await?;
    Ok(GetBookingResponse { booking: Some(booking_of(&node.region.get(), &record, node.now())) })
}

pub async fn list(node: &Node, request: Request<ListBookingsRequest>) -> Result<ListBookingsResponse> {
    let caller = rpc::caller(&request)?;
    let case = Id::parse("case_id", &request.get_ref().case_id)?;
    let facts = case_facts::load(&node.of(&caller), case).await?;
    caller.check("case", &facts.resource())?;
    node.log_read(&caller, vec![(facts.case, facts.scope())]).await?;
    let (region, now) = (node.region.get(), node.now());
    let records: Vec<Record> = bookings::of_case(&node.of(&caller), case).await?;
    Ok(ListBookingsResponse { bookings: records.iter().map(|record| booking_of(&region, record, now)).collect() })
}
