//! Events: messages that may ride in an envelope.

use prost::Message;

use crate::{intake, notifications, routing, scheduling, triage};

/// A message that happens: its full name says what an envelope's payload is.
pub trait Event: Message + Default {
    const TYPE: &'static str;
}

macro_rules! events {
    ($($package:ident :: $name:ident),+ $(,)?) => {
        $(impl Event for $package::$name {
            const TYPE: &'static str = concat!("samtal.", stringify!($package), ".v1.", stringify!($name));
        })+

        /// Every type of event there is.
        pub const ALL: &[&str] = &[$(<$package::$name as Event>::TYPE),+];
    };
}

events! {
    intake::CaseOpened, intake::MessagePosted, intake::NotePosted, intake::VisitorReturned, intake::CaseModeChanged,
    intake::SystemLinePosted, intake::AttachmentStored, intake::CaseReferred, intake::ReferralReported, intake::TransferProposed, intake::TransferEnded, intake::IdentityRevealed, intake::CaseDocumented,
    intake::CaseClosed, intake::CaseReopened, intake::CaseRated, intake::CaseErased, intake::AccessMailDue,
    triage::CaseTriaged,
    routing::CaseQueued, routing::CaseOffered, routing::OfferEnded, routing::CaseAssigned, routing::CaseReleased,
    scheduling::SlotHeld, scheduling::BookingConfirmed, scheduling::BookingCancelled,
    notifications::DeliveryEnded,
}

impl crate::log::Envelope {
    /// The payload as an `E`, or None if the envelope holds another type. A payload that should be an `E` and cannot be
    /// read is an error: the event is poison.
    pub fn event<E: Event>(&self) -> Result<Option<E>, prost::DecodeError> {
        if self.r#type == E::TYPE { E::decode(self.payload.as_slice()).map(Some) } else { Ok(None) }
    }
}
