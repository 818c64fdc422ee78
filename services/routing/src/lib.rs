//! Routing: queues, offers, assignment.

pub mod domain;
