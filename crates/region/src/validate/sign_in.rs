//! How staff come in: each name of a sign-in service, and each address, is one worker's.

use super::{Found, Scope};
use crate::people::is_address;

const MAX_PROVIDER: usize = 64;
const MAX_SUBJECT: usize = 256;

pub(super) fn check(scope: &Scope<'_>, found: &mut Found) {
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    for (i, worker) in scope.own.workers.iter().enumerate() {
        let path = scope.at(format_args!("workers[{i}]"));
        for (k, name) in worker.sign_in.iter().enumerate() {
            let at = format!("{path}.sign_in[{k}]");
            found.filled(format!("{at}.provider"), &name.provider);
            found.filled(format!("{at}.subject"), &name.subject);
            if name.provider.len() > MAX_PROVIDER || name.subject.len() > MAX_SUBJECT {
                found.add(at.clone(), format!("is too long: at most {MAX_PROVIDER} bytes of provider and {MAX_SUBJECT} of subject"));
            }
            if names.contains(&(&name.provider, &name.subject)) {
                found.add(at, "is already another worker's; a person can be one worker of an organisation only");
            }
            names.push((&name.provider, &name.subject));
        }
        if worker.email.is_empty() {
            continue;
        }
        if !is_address(&worker.email) {
            found.add(format!("{path}.email"), "is no e-mail address; write one such as kim@example.org");
        }
        let folded = worker.email.to_lowercase();
        if addresses.contains(&folded) {
            found.add(format!("{path}.email"), "is already another worker's; each needs an address of their own");
        }
        addresses.push(folded);
    }
}
