//! Values bound to a statement, typed even when they are NULL, as PostgreSQL asks for.

use kernel::{Id, Time};
use uuid::Uuid;

#[derive(Clone, Debug)]
pub enum Val {
    Int(Option<i64>),
    Bool(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Uuid(Option<Uuid>),
    Float(Option<f64>),
}

/// The values of one statement, in the order of its placeholders.
pub type Args = Vec<Val>;

/// `args![id, "text", 3, None::<i64>]`
#[macro_export]
macro_rules! args {
    () => { ::std::vec::Vec::<$crate::Val>::new() };
    ($($value:expr),+ $(,)?) => { ::std::vec![$($crate::Val::from($value)),+] };
}

macro_rules! from {
    ($($from:ty => $variant:ident($bind:pat => $make:expr)),+ $(,)?) => {
        $(
            impl From<$from> for Val {
                fn from($bind: $from) -> Self {
                    Self::$variant(Some($make))
                }
            }
            impl From<Option<$from>> for Val {
                fn from(value: Option<$from>) -> Self {
                    Self::$variant(value.map(|$bind| $make))
                }
            }
        )+
    };
}

from! {
    i64 => Int(v => v),
    i32 => Int(v => i64::from(v)),
    u32 => Int(v => i64::from(v)),
    bool => Bool(v => v),
    f64 => Float(v => v),
    String => Text(v => v),
    &str => Text(v => v.to_owned()),
    &String => Text(v => v.clone()),
    Vec<u8> => Bytes(v => v),
    &[u8] => Bytes(v => v.to_vec()),
    Uuid => Uuid(v => v),
    Id => Uuid(v => v.uuid()),
    Time => Int(v => v.micros()),
}
