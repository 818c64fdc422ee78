//! A case as a document that a person can keep and a program can read: `samtal.case.v1`.

use proto::intake::{Case, ForWhom, IdentityField, Message, SenderKind};
use proto::scheduling::Booking;
use serde_json::{Value, json};

fn time(stamp: Option<&prost_types::Timestamp>) -> Value {
    let time = stamp.and_then(|stamp| jiff::Timestamp::new(stamp.seconds, stamp.nanos).ok());
    time.map_or(Value::Null, |time| Value::String(time.to_string()))
}

/// The contract's word without its type's name: `SEVERITY_SOON` becomes `soon`.
fn word(name: &str, of: &str) -> String {
    name.strip_prefix(of).unwrap_or(name).to_lowercase()
}

pub fn of(case: &Case, messages: &[Message], bookings: &[Booking]) -> Value {
    let visitor = case.visitor.clone().unwrap_or_default();
    json!({
        "format": "samtal.case.v1",
        "case": {
            "case_id": case.case_id,
            "organisation": case.organisation_id,
            "clinic": case.clinic_id,
            "entry_point": case.entry_point_id,
            "contact_reason": case.contact_reason_id,
            "for_whom": word(ForWhom::try_from(case.for_whom).unwrap_or_default().as_str_name(), "FOR_WHOM_"),
            "answers": case.answers.iter().map(|one| json!({"question": one.question_id, "option": one.option_id})).collect::<Vec<_>>(),
            "name": visitor.display_name,
            "birth_year": (visitor.birth_year != 0).then_some(visitor.birth_year),
            "revealed": case.revealed.iter().map(|one| json!({
                "field": word(IdentityField::try_from(one.field).unwrap_or_default().as_str_name(), "IDENTITY_FIELD_"),
                "value": one.value,
                "at": time(one.revealed_at.as_ref()),
            })).collect::<Vec<_>>(),
            "language": case.language,
            "state": word(case.state().as_str_name(), "CASE_STATE_"),
            "severity": word(case.severity().as_str_name(), "SEVERITY_"),
            "outcome": word(case.outcome().as_str_name(), "OUTCOME_"),
            "rating": (case.rating != 0).then_some(case.rating),
            "rating_text": case.rating_text,
            "opened_at": time(case.opened_at.as_ref()),
            "closed_at": time(case.closed_at.as_ref()),
            "erased_at": time(case.erase_at.as_ref()),
        },
        "messages": messages.iter().map(message).collect::<Vec<_>>(),
        "attachments": messages.iter().flat_map(|message| message.attachments.iter().map(|one| json!({
            "attachment_id": one.attachment_id,
            "seq": message.seq,
            "file_name": one.file_name,
            "media_type": one.media_type,
            "size": one.size,
        }))).collect::<Vec<_>>(),
        "bookings": bookings.iter().map(booking).collect::<Vec<_>>(),
    })
}

fn message(message: &Message) -> Value {
    let from = word(SenderKind::try_from(message.sender_kind).unwrap_or_default().as_str_name(), "SENDER_KIND_");
    let mut value = json!({ "seq": message.seq, "at": time(message.created_at.as_ref()), "from": from });
    let Some(fields) = value.as_object_mut() else { return value };
    match &message.system {
        Some(line) => {
            fields.insert("line".to_owned(), Value::String(word(line.code().as_str_name(), "SYSTEM_CODE_")));
            fields.insert("params".to_owned(), json!(line.params));
        }
        None => {
            fields.insert("text".to_owned(), Value::String(message.text.clone()));
        }
    }
    value
}

fn booking(booking: &Booking) -> Value {
    let slot = booking.slot.clone().unwrap_or_default();
    json!({
        "booking_id": booking.booking_id,
        "what": slot.resource_name,
        "channel": word(slot.channel().as_str_name(), "CHANNEL_"),
        "from": time(slot.time.as_ref().and_then(|span| span.from.as_ref())),
        "to": time(slot.time.as_ref().and_then(|span| span.to.as_ref())),
        "state": word(booking.state().as_str_name(), "BOOKING_STATE_"),
    })
}
