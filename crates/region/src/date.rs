//! `2022-03-07` as a day, refused in words that a person can use. Only this one spelling: a list's dates compare at a glance.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};

fn parse(text: &str) -> Result<Date, String> {
    let wrong = || format!("'{text}' is not a date such as 2022-03-07");
    let date: Date = text.parse().map_err(|_| wrong())?;
    if date.to_string() == text { Ok(date) } else { Err(wrong()) }
}

pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(|text| parse(&text).map_err(de::Error::custom)).transpose()
}
