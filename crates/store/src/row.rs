//! One row of an answer, read by column number.

use kernel::{Error, Id, Result, Time};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type, ValueRef};
use uuid::Uuid;

use crate::error::from_sqlx;

pub enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

/// What both engines can decode.
pub trait Column: for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + Type<Sqlite> {
    /// Whether NULL is a value of this type. SQLite would give out 0 or an empty text for it.
    const NULLABLE: bool;
}

macro_rules! columns {
    ($($of:ty),+) => {
        $(
            impl Column for $of {
                const NULLABLE: bool = false;
            }
            impl Column for Option<$of> {
                const NULLABLE: bool = true;
            }
        )+
    };
}

columns!(i64, bool, f64, String, Vec<u8>, Uuid);

impl Row {
    /// Column `i` (from 0): `i64`, `bool`, `f64`, `String`, `Vec<u8>`, `Uuid`, or an `Option` of these.
    pub fn get<T: Column>(&self, i: usize) -> Result<T> {
        match self {
            Self::Postgres(row) => row.try_get(i),
            Self::Sqlite(row) => {
                if !T::NULLABLE && row.try_get_raw(i).map_err(from_sqlx)?.is_null() {
                    return Err(Error::internal(format!("column {i} holds NULL, which the program does not expect there")));
                }
                // SQLite's columns have no fixed type, so a check against the declared one says nothing.
                row.try_get_unchecked(i)
            }
        }
        .map_err(from_sqlx)
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
