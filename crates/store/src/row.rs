//! One row of an answer, read by column number.

use kernel::{Error, Id, Result, Time};
use rusqlite::types::Value;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row as _, Type};
use uuid::Uuid;

use crate::error::from_sqlx;

pub enum Row {
    Postgres(PgRow),
    Sqlite(Vec<Value>),
}

/// What both engines can decode.
pub trait Column: for<'r> Decode<'r, Postgres> + Type<Postgres> + Sized {
    /// SQLite's columns have no fixed type, so a value says itself what it is; None if it is not of this type.
    fn of(value: &Value) -> Option<Self>;
}

macro_rules! columns {
    ($($of:ty: { $($value:pat => $read:expr),+ }),+ $(,)?) => {
        $(
            impl Column for $of {
                fn of(value: &Value) -> Option<Self> {
                    match value {
                        $($value => $read,)+
                        _ => None,
                    }
                }
            }
            impl Column for Option<$of> {
                fn of(value: &Value) -> Option<Self> {
                    match value {
                        Value::Null => Some(None),
                        value => <$of>::of(value).map(Some),
                    }
                }
            }
        )+
    };
}

columns! {
    i64: { Value::Integer(v) => Some(*v) },
    bool: { Value::Integer(v) => Some(*v != 0) },
    String: { Value::Text(v) => Some(v.clone()) },
    Vec<u8>: { Value::Blob(v) => Some(v.clone()) },
    Uuid: { Value::Blob(v) => Uuid::from_slice(v).ok() },
    f64: { Value::Real(v) => Some(*v), Value::Integer(v) => Some(*v as f64) },
}

impl Row {
    /// Column `i` (from 0): `i64`, `bool`, `f64`, `String`, `Vec<u8>`, `Uuid`, or an `Option` of these.
    pub fn get<T: Column>(&self, i: usize) -> Result<T> {
        match self {
            Self::Postgres(row) => row.try_get(i).map_err(from_sqlx),
            Self::Sqlite(row) => {
                let value = row.get(i).ok_or_else(|| Error::internal(format!("the answer has no column {i}")))?;
                T::of(value).ok_or_else(|| {
                    Error::internal(format!("column {i} holds {}, which the program does not expect there", value.data_type()))
                })
            }
        }
    }

    pub fn int(&self, i: usize) -> Result<i64> {
        self.get(i)
    }

    pub fn text(&self, i: usize) -> Result<String> {
        self.get(i)
    }

    pub fn bool(&self, i: usize) -> Result<bool> {
        self.get(i)
    }

    pub fn id(&self, i: usize) -> Result<Id> {
        self.get::<Uuid>(i).map(Id::from_uuid)
    }

    pub fn opt_id(&self, i: usize) -> Result<Option<Id>> {
        Ok(self.get::<Option<Uuid>>(i)?.map(Id::from_uuid))
    }

    pub fn time(&self, i: usize) -> Result<Time> {
        self.get(i).map(Time::from_micros)
    }

    pub fn opt_time(&self, i: usize) -> Result<Option<Time>> {
        Ok(self.get::<Option<i64>>(i)?.map(Time::from_micros))
    }
}
