//! How grave a matter is and who should answer it. Pure: no IO, no clock, no randomness.

pub mod activation;
pub mod assess;
pub mod evaluate;
pub mod lower;
pub mod questionnaire;
#[cfg(test)]
mod sample;
