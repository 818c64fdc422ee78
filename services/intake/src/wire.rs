//! Between the contracts' enums, which tables store as their numbers, and the domain's.

use proto::intake::{CaseMode, CaseState, Outcome as WireOutcome, SenderKind, TransferState};

use crate::domain::terms::{Mode, Outcome, Sender, State};
use crate::domain::transfer::State as Transfer;

macro_rules! both_ways {
    ($domain:ident <-> $wire:ident { $($name:ident),+ }) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value { $($domain::$name => Self::$name,)+ }
            }
        }

        impl $domain {
            /// None if it is not said, or unknown.
            pub fn from_wire(number: i32) -> Option<Self> {
                match $wire::try_from(number).ok()? {
                    $($wire::$name => Some(Self::$name),)+
                    $wire::Unspecified => None,
                }
            }

            pub fn to_wire(self) -> i32 {
                $wire::from(self).into()
            }
        }
    };
}

both_ways!(Mode <-> CaseMode { Live, Asynchronous });
both_ways!(State <-> CaseState { Open, Waiting, Offered, Active, WaitingForVisitor, WaitingForUs, Closed });
both_ways!(Outcome <-> WireOutcome { Advice, Treated, Booked, Referred, Administrative, Abandoned, Transferred });
both_ways!(Transfer <-> TransferState { Proposed, Agreed, Declined, Withdrawn, Expired, Failed });
both_ways!(Sender <-> SenderKind { Visitor, Worker, System });
