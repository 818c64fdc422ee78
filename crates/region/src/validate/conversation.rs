//! Canned replies, referrals, choices and the video meeting's address.

use super::names::{self, Kind};
use super::{Found, Scope};
use crate::model::{CannedReply, ReferralTarget, Texts};

/// What `{…}` in a canned reply may say.
const VARIABLES: [&str; 3] = ["visitor", "worker", "clinic"];

pub(super) fn check(scope: &Scope<'_>, found: &mut Found) {
    let own = scope.own;
    let path = scope.at("canned_replies");
    names::list(found, &path, own.canned_replies.iter().map(|reply| reply.id.as_str()));
    for (i, reply) in own.canned_replies.iter().enumerate() {
        check_reply(scope, found, &format!("{path}[{i}]"), reply);
    }
    let path = scope.at("referrals");
    names::list(found, &path, own.referrals.iter().map(|target| target.id.as_str()));
    for (i, target) in own.referrals.iter().enumerate() {
        check_target(scope, found, &format!("{path}[{i}]"), target);
    }
    let path = scope.at("found_us");
    names::list(found, &path, own.found_us.iter().map(|choice| choice.id.as_str()));
    for (i, choice) in own.found_us.iter().enumerate() {
        found.texts(&format!("{path}[{i}].name"), &choice.name, own);
    }
    let video = &own.video_url;
    if !video.is_empty() && !(is_address(video) && video.contains("{code}")) {
        found.add(scope.at("video_url"), format!("'{video}' must be a web address with {{code}} in it, https://meet.example.org/{{code}}"));
    }
    found.range(scope.at("attachments.max_mib"), own.attachments.max_mib, 1, 100);
}

fn check_reply(scope: &Scope<'_>, found: &mut Found, path: &str, reply: &CannedReply) {
    if let Some(clinic) = &reply.clinic {
        scope.refers(found, format!("{path}.clinic"), Kind::Clinic, clinic);
    }
    found.texts(&format!("{path}.title"), &reply.title, scope.own);
    found.texts(&format!("{path}.text"), &reply.text, scope.own);
    check_variables(found, &format!("{path}.text"), &reply.text);
}

/// A variable that nobody fills in would reach a visitor as it stands.
fn check_variables(found: &mut Found, path: &str, texts: &Texts) {
    for (language, text) in texts {
        for rest in text.split('{').skip(1) {
            let name = rest.split('}').next().unwrap_or_default();
            if !rest.contains('}') || !VARIABLES.contains(&name) {
                let message = format!("'{{{name}' is no variable; there are {{visitor}}, {{worker}} and {{clinic}}");
                found.add(format!("{path}.{language}"), message);
            }
        }
    }
}

fn check_target(scope: &Scope<'_>, found: &mut Found, path: &str, target: &ReferralTarget) {
    found.texts(&format!("{path}.name"), &target.name, scope.own);
    if !target.about.is_empty() {
        found.texts(&format!("{path}.about"), &target.about, scope.own);
    }
    if !target.url.is_empty() && !is_address(&target.url) {
        found.add(format!("{path}.url"), format!("'{}' is no web address", target.url));
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
