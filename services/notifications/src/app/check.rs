//! What notifications finds wrong with a region beyond what `region::validate` finds.

use lettre::message::Mailbox;
use region::Region;

/// Senders that no mail can have.
pub fn check(region: &Region) -> Vec<(String, String)> {
    let bad = region.organisations.iter().enumerate().filter(|(_, organisation)| {
        let from = &organisation.mail.from;
        !from.is_empty() && from.parse::<Mailbox>().is_err()
    });
    bad.map(|(i, organisation)| {
        let wrong = format!("'{}' is no sender; write one such as Meddelande <noreply@example.org>", organisation.mail.from);
        (format!("organisations[{i}].mail.from"), wrong)
    })
    .collect()
}
