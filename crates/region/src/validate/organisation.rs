//! An organisation's own parts: clinics, catalogue, queues, workers, resources, doors.

use jiff::tz::TimeZoneDatabase;
use kernel::Channel;

use super::names::{self, Kind};
use super::{Found, Scope, calendar, codes, conversation, protocol, sign_in};
use crate::model::{EntryPoint, Queue, Resource, Worker};

pub(super) fn check(scope: &Scope<'_>, found: &mut Found) {
    let own = scope.own;
    found.filled(scope.at("name"), &own.name);
    // The zones inside the binary: what is valid here does not depend on the machine.
    if TimeZoneDatabase::bundled().get(&own.timezone).is_err() {
        found.add(scope.at("timezone"), format!("'{}' is no known zone; write an IANA name such as Europe/Stockholm", own.timezone));
    }
    if own.languages.is_empty() {
        found.add(scope.at("languages"), "is empty; name at least one, the default first");
    }
    found.distinct(&scope.at("languages"), &own.languages);
    for (i, clinic) in own.clinics.iter().enumerate() {
        found.filled(scope.at(format_args!("clinics[{i}].name")), &clinic.name);
    }
    check_catalogue(scope, found);
    for (i, calendar) in own.calendars.iter().enumerate() {
        calendar::check(scope, found, i, calendar);
    }
    for (i, queue) in own.queues.iter().enumerate() {
        check_queue(scope, found, &scope.at(format_args!("queues[{i}]")), queue);
    }
    for (i, worker) in own.workers.iter().enumerate() {
        check_worker(scope, found, &scope.at(format_args!("workers[{i}]")), worker);
    }
    for (i, protocol) in own.protocols.iter().enumerate() {
        protocol::check(scope, found, i, protocol);
    }
    for (i, resource) in own.resources.iter().enumerate() {
        check_resource(scope, found, &scope.at(format_args!("resources[{i}]")), resource);
    }
    for (i, door) in own.entry_points.iter().enumerate() {
        check_entry_point(scope, found, &scope.at(format_args!("entry_points[{i}]")), door);
    }
    check_mail(scope, found);
    conversation::check(scope, found);
    sign_in::check(scope, found);
}

fn check_catalogue(scope: &Scope<'_>, found: &mut Found) {
    let catalogue = &scope.own.catalogue;
    let path = scope.at("catalogue.reasons");
    if catalogue.version == 0 && !catalogue.reasons.is_empty() {
        found.add(scope.at("catalogue.version"), "must be at least 1; raise it with every change");
    }
    names::list(found, &path, catalogue.reasons.iter().map(|reason| reason.id.as_str()));
    for (i, reason) in catalogue.reasons.iter().enumerate() {
        found.texts(&format!("{path}[{i}].name"), &reason.name, scope.own);
    }
}

fn check_queue(scope: &Scope<'_>, found: &mut Found, path: &str, queue: &Queue) {
    scope.refers(found, format!("{path}.clinic"), Kind::Clinic, &queue.clinic);
    found.range(format!("{path}.offer_seconds"), queue.offer_seconds, 10, 600);
    if let Some(most) = queue.max_waiting {
        found.range(format!("{path}.max_waiting"), most, 1, 10_000);
    }
}

fn check_worker(scope: &Scope<'_>, found: &mut Found, path: &str, worker: &Worker) {
    found.filled(format!("{path}.name"), &worker.name);
    if worker.clinics.is_empty() {
        found.add(format!("{path}.clinics"), "is empty; name at least one clinic");
    }
    scope.all_refer(found, &format!("{path}.clinics"), Kind::Clinic, &worker.clinics);
    scope.all_refer(found, &format!("{path}.queues"), Kind::Queue, &worker.queues);
    found.distinct(&format!("{path}.languages"), &worker.languages);
    found.range(format!("{path}.capacity"), worker.capacity, 1, 1000);
}

fn check_resource(scope: &Scope<'_>, found: &mut Found, path: &str, resource: &Resource) {
    scope.refers(found, format!("{path}.clinic"), Kind::Clinic, &resource.clinic);
    scope.refers(found, format!("{path}.calendar"), Kind::Calendar, &resource.calendar);
    found.filled(format!("{path}.name"), &resource.name);
    if !matches!(resource.channel, Channel::Onsite | Channel::Phone | Channel::Video) {
        found.add(format!("{path}.channel"), format!("must be onsite, phone or video; nobody books a time for {}", resource.channel));
    }
    found.range(format!("{path}.slot_minutes"), resource.slot_minutes, 5, 480);
}

fn check_entry_point(scope: &Scope<'_>, found: &mut Found, path: &str, door: &EntryPoint) {
    scope.refers(found, format!("{path}.clinic"), Kind::Clinic, &door.clinic);
    scope.refers(found, format!("{path}.queue"), Kind::Queue, &door.queue);
    scope.refers(found, format!("{path}.calendar"), Kind::Calendar, &door.calendar);
    if let Some(protocol) = &door.protocol {
        scope.refers(found, format!("{path}.protocol"), Kind::Protocol, protocol);
    }
    scope.all_refer(found, &format!("{path}.reasons"), Kind::Reason, &door.reasons);
    found.texts(&format!("{path}.name"), &door.name, scope.own);
    if door.channels.is_empty() {
        found.add(format!("{path}.channels"), "is empty; name at least one, or leave it out for chat");
    }
    found.distinct(&format!("{path}.channels"), &door.channels);
    found.distinct(&format!("{path}.languages"), &door.languages);
    for (i, language) in door.languages.iter().enumerate() {
        // Reasons, questions and advice exist in the organisation's languages only.
        if !scope.own.languages.contains(language) {
            let message =
                format!("the organisation has texts in {} only; add '{language}' to its languages first", codes(&scope.own.languages));
            found.add(format!("{path}.languages[{i}]"), message);
        }
    }
    found.range(format!("{path}.retention_days"), door.retention_days, 1, 3660);
    if door.for_whom.is_empty() {
        found.add(format!("{path}.for_whom"), "is empty; name at least one of self, child, relative, or leave it out");
    }
    found.distinct(&format!("{path}.for_whom"), &door.for_whom);
    if door.asks_found_us && scope.own.found_us.is_empty() {
        found.add(format!("{path}.asks_found_us"), "asks a question that has no answers; give the organisation a list found_us");
    }
}

fn check_mail(scope: &Scope<'_>, found: &mut Found) {
    let mail = &scope.own.mail;
    if !mail.from.is_empty() && !mail.from.contains('@') {
        found.add(scope.at("mail.from"), format!("'{}' is no sender; write an address such as 'Message <noreply@example.org>'", mail.from));
    }
    if !mail.public_url.is_empty() && !mail.public_url.starts_with("https://") && !mail.public_url.starts_with("http://") {
        found.add(
            scope.at("mail.public_url"),
            format!("'{}' is no web address; write one such as https://chat.example.org", mail.public_url),
        );
    }
}
