//! The closed vocabularies of the domain, each with the code that tables, events and region files use.

use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $code)] $variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

vocabulary! {
    /// How soon somebody must act. Declared from the mildest to the gravest, so that `max` is the graver one.
    Severity {
        /// An administrative matter: results, prescriptions, invoices.
        Admin = "admin",
        Routine = "routine",
        Soon = "soon",
        Urgent = "urgent",
        /// Danger to life.
        Emergency = "emergency",
    }
}

vocabulary! {
    /// A language that every page and text of Samtal exists in.
    Language {
        Swedish = "sv",
        Bokmal = "nb",
        Nynorsk = "nn",
        English = "en",
    }
}

vocabulary! {
    /// How visitor and worker meet.
    Channel {
        Chat = "chat",
        Email = "email",
        Phone = "phone",
        Video = "video",
        /// A visit at the clinic.
        Onsite = "onsite",
    }
}

vocabulary! {
    /// Who answers. `Any` leaves it to the queue.
    Profession {
        Any = "any",
        Physician = "physician",
        Nurse = "nurse",
        Rehab = "rehab",
        Psychosocial = "psychosocial",
        Counsellor = "counsellor",
        Volunteer = "volunteer",
    }
}
