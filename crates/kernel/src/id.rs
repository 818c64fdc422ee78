//! Ids: UUIDv7, so that they sort roughly by the time they were made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Time};

/// The id of a case, a message, a booking, an event. Its text form is the canonical lower-case UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(Uuid);

impl Id {
    /// A new id for something made at `now`. The random part keeps two ids of one microsecond apart.
    pub fn new(now: Time) -> Self {
        let micros = now.micros().max(0) as u64;
        let stamp = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, ((micros % 1_000_000) * 1_000) as u32);
        Self(Uuid::new_v7(stamp))
    }

    /// An id that follows from a name, for things that must get the same id on every try
    /// (an event's effect, a simulated visitor). FNV-1a over the parts, twice with other seeds.
    pub fn derived(parts: &[&[u8]]) -> Self {
        let hash = |seed: u64| {
            let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
            for part in parts {
                for byte in (part.len() as u64).to_le_bytes().iter().chain(part.iter()) {
                    h = (h ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
                }
            }
            mix(h)
        };
        Self(
            uuid::Builder::from_u128((u128::from(hash(0)) << 64) | u128::from(hash(0x9e37_79b9_7f4a_7c15)))
                .with_version(uuid::Version::Custom)
                .into_uuid(),
        )
    }

    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    pub const fn uuid(&self) -> Uuid {
        self.0
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Parses the id that a caller gave in `field`, naming the field if it is none.
    pub fn parse(field: &str, text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::invalid(field, "is required"));
        }
        text.parse().map_err(|_| Error::invalid(field, "must be a UUID such as 018f4e7a-6f3c-7c1e-9b5a-3f1d2c4b5a69"))
    }
}

/// Finaliser of SplitMix64: every input bit reaches every output bit.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stable 64-bit hash of an aggregate's key: it picks the key's shard, so it must never change.
pub fn key_hash(key: &str) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key.as_bytes() {
        h = (h ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(h)
}

impl FromStr for Id {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        // Only the canonical form: two spellings of one id would be two keys elsewhere.
        let id = Uuid::try_parse(text)?;
        if text.len() == 36 && text.bytes().all(|b| !b.is_ascii_uppercase()) { Ok(Self(id)) } else { Uuid::try_parse("").map(Self) }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_round_trip() {
        let early = Id::new(Time::from_micros(1_600_000_000_000_000));
        let late = Id::new(Time::from_micros(1_600_000_001_000_000));
        assert!(early < late);
        assert_eq!(early.to_string().parse::<Id>().unwrap(), early);
    }

    #[test]
    fn other_spellings_of_an_id_are_refused_and_the_field_is_named() {
        for text in ["", "x", "018F4E7A-6F3C-7C1E-9B5A-3F1D2C4B5A69", "018f4e7a6f3c7c1e9b5a3f1d2c4b5a69"] {
            let error = Id::parse("case_id", text).unwrap_err();
            assert_eq!(error.violations[0].field, "case_id");
        }
    }

    #[test]
    fn derived_ids_depend_on_every_part_and_on_the_cuts_between_them() {
        assert_eq!(Id::derived(&[b"a", b"b"]), Id::derived(&[b"a", b"b"]));
        assert_ne!(Id::derived(&[b"ab", b""]), Id::derived(&[b"a", b"b"]));
    }

    #[test]
    fn the_shard_hash_never_changes() {
        assert_eq!(key_hash(""), 0xf52a15e9a9b5e89b);
        assert_eq!(key_hash("018f4e7a-6f3c-7c1e-9b5a-3f1d2c4b5a69"), 0x505e26ee9d8807dd);
    }
}
