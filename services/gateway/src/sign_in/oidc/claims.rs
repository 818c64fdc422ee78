//! What a sign-in service's claims say of somebody here. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sign_in::settings::{Provider, Rule};

pub type Claims = Map<String, Value>;

/// Somebody whom a sign-in service has named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub subject: String,
    /// Empty unless the service vouches for it.
    pub verified_email: String,
    /// Where they may belong; empty: anywhere.
    pub within: Vec<String>,
    pub may_lead: bool,
    pub operator: bool,
}

/// Whom the claims name; None: nobody who may come in this way.
///
/// Claims lift nobody above the description: `leader` can only keep a described leader from leading. Operators are described nowhere, so
/// theirs is the one rule that gives something.
pub fn named(provider: &Provider, claims: &Claims) -> Option<Named> {
    let subject = texts(claims, &provider.subject).into_iter().next().filter(|subject| !subject.trim().is_empty())?;
    let verified = claims.get("email_verified").is_some_and(|value| *value == Value::Bool(true) || value.as_str() == Some("true"));
    let email = texts(claims, "email").into_iter().next().unwrap_or_default();
    // An address as a subject needs the service's word for it.
    if provider.subject == "email" && !verified {
        return None;
    }
    let within = match &provider.organisation {
        None => provider.organisations.clone(),
        Some(by) => {
            let mapped: BTreeSet<&String> = texts(claims, &by.claim).iter().filter_map(|value| by.values.get(value)).collect();
            let allowed = |id: &&&String| provider.organisations.is_empty() || provider.organisations.contains(id);
            let within: Vec<String> = mapped.iter().filter(allowed).map(|id| (*id).clone()).collect();
            within
        }
    };
    let operator = provider.operator.as_ref().is_some_and(|rule| holds(rule, claims));
    if provider.organisation.is_some() && within.is_empty() && !operator {
        return None;
    }
    Some(Named {
        subject,
        verified_email: if provider.by_email && verified { email } else { String::new() },
        within,
        may_lead: provider.leader.as_ref().is_none_or(|rule| holds(rule, claims)),
        operator,
    })
}

fn holds(rule: &Rule, claims: &Claims) -> bool {
    texts(claims, &rule.claim).iter().any(|value| rule.values.contains(value))
}

/// A claim's values as texts: one, or each of a list.
fn texts(claims: &Claims, name: &str) -> Vec<String> {
    let at = |name: &str| {
        let mut parts = name.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
        let first = claims.get(&parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_object()?.get(&part))
    };
    let found = if name.starts_with('/') { at(name) } else { claims.get(name) };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match found {
        Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(more: &str) -> Provider {
        serde_json::from_str(&format!(r#"{{"label": "x", "issuer": "https://x", "client_id": "x"{more}}}"#)).unwrap()
    }

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_configured_claim_names_the_person() {
        let hsa = provider(r#", "subject": "employeeHsaId""#);
        assert_eq!(named(&hsa, &claims(r#"{"sub": "1", "employeeHsaId": "SE1-2"}"#)).unwrap().subject, "SE1-2");
        assert_eq!(named(&hsa, &claims(r#"{"sub": "1"}"#)), None);
        assert_eq!(named(&hsa, &claims(r#"{"sub": "1", "employeeHsaId": " "}"#)), None);
        assert_eq!(named(&hsa, &claims(r#"{"employeeHsaId": {"a": 1}}"#)), None);
        let deep = provider(r#", "subject": "/ids/hpr~1number""#);
        assert_eq!(named(&deep, &claims(r#"{"ids": {"hpr/number": 431001110}}"#)).unwrap().subject, "431001110");
        let url = provider(r#", "subject": "helseid://claims/identity/pid""#);
        assert_eq!(named(&url, &claims(r#"{"helseid://claims/identity/pid": "1"}"#)).unwrap().subject, "1");
    }

    #[test]
    fn an_address_counts_only_if_the_service_vouches_for_it() {
        let by_email = provider(r#", "by_email": true"#);
        let address = |json: &str| named(&by_email, &claims(json)).unwrap().verified_email;
        assert_eq!(address(r#"{"sub": "1", "email": "a@b.example", "email_verified": true}"#), "a@b.example");
        assert_eq!(address(r#"{"sub": "1", "email": "a@b.example"}"#), "");
        assert_eq!(address(r#"{"sub": "1", "email": "a@b.example", "email_verified": false}"#), "");
        let off = named(&provider(""), &claims(r#"{"sub": "1", "email": "a@b.example", "email_verified": true}"#)).unwrap();
        assert_eq!(off.verified_email, "");
        assert_eq!(named(&provider(r#", "subject": "email""#), &claims(r#"{"email": "a@b.example"}"#)), None);
    }

    #[test]
    fn roles_follow_from_claims_only_where_the_settings_say_so() {
        let ruled = provider(r#", "leader": {"claim": "roles", "values": ["chef"]}, "operator": {"claim": "roles", "values": ["drift"]}"#);
        let of = |json: &str| named(&ruled, &claims(json)).map(|one| (one.may_lead, one.operator)).unwrap();
        assert_eq!(of(r#"{"sub": "1", "roles": ["chef"]}"#), (true, false));
        assert_eq!(of(r#"{"sub": "1", "roles": "drift"}"#), (false, true));
        assert_eq!(of(r#"{"sub": "1"}"#), (false, false));
        let plain = named(&provider(""), &claims(r#"{"sub": "1", "roles": ["drift"]}"#)).unwrap();
        assert_eq!((plain.may_lead, plain.operator), (true, false));
    }

    #[test]
    fn an_organisation_that_is_not_mapped_lets_nobody_in() {
        let mapped =
            provider(r#", "organisations": ["a", "b"], "organisation": {"claim": "org", "values": {"1": "a", "2": "b", "3": "c"}}"#);
        let within = |json: &str| named(&mapped, &claims(json)).map(|one| one.within);
        assert_eq!(within(r#"{"sub": "1", "org": "1"}"#), Some(vec!["a".to_owned()]));
        assert_eq!(within(r#"{"sub": "1", "org": ["1", "2"]}"#), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(within(r#"{"sub": "1", "org": "3"}"#), None);
        assert_eq!(within(r#"{"sub": "1", "org": "4"}"#), None);
        assert_eq!(within(r#"{"sub": "1"}"#), None);
        assert_eq!(named(&provider(r#", "organisations": ["a"]"#), &claims(r#"{"sub": "1"}"#)).unwrap().within, ["a"]);
    }
}
