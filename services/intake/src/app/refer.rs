//! Guiding on: a card in the conversation, and a code by which anybody who holds it can tell what became of it.

use kernel::error::{Code, Violations};
use kernel::{Error, Id, Language, Result};
use log::Receipt;
use proto::intake::{
    CaseReferred, Message, ReferCaseRequest, ReferralKind, ReferralOutcome, ReferralReported, ReferralTarget, ReportReferralRequest,
    SystemCode,
};
use region::Organisation;
use rpc::{Caller, Whence};

use crate::app::lines::{self, Line};
use crate::app::{App, change};
use crate::domain::case::{Command, decide};
use crate::domain::terms::Sender;
use crate::store::{cases, referrals};

/// Letters and digits that nobody takes for one another.
const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
/// Characters of a code: 31 to the power of 10 is 2 to the power of 49, far beyond what the limit on tries lets anybody search.
const CODE: usize = 10;
/// Tries per caller's address and minute.
const TRIES: u32 = 10;

pub const fn kind_of(kind: region::ReferralKind) -> ReferralKind {
    match kind {
        region::ReferralKind::Programme => ReferralKind::Programme,
        region::ReferralKind::Clinic => ReferralKind::Clinic,
        region::ReferralKind::External => ReferralKind::External,
    }
}

/// A directory entry in one language.
pub fn target(organisation: &Organisation, target: &region::ReferralTarget, language: Language) -> ReferralTarget {
    ReferralTarget {
        referral_target_id: target.id.clone(),
        kind: kind_of(target.kind).into(),
        name: organisation.text(&target.name, language).to_owned(),
        about: organisation.text(&target.about, language).to_owned(),
        phone: target.phone.clone(),
        url: target.url.clone(),
        address: target.address.clone(),
    }
}

/// `K7M2P-9XQ4T`
fn code_of(bytes: &[u8]) -> String {
    let letters = bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len())).take(CODE);
    let mut code: String = letters.map(|letter| char::from(*letter)).collect();
    code.insert(CODE / 2, '-');
    code
}

impl App {
    fn code_hash(&self, code: &str) -> Vec<u8> {
        let plain: String = code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect();
        self.node.platform.secret.derive("referral code hash", &[&plain]).to_vec()
    }

    pub async fn refer(&self, caller: Caller, request: ReferCaseRequest) -> Result<(Message, Receipt)> {
        let once = caller.once(&request.request_id, &request)?;
        let mut violations = Violations::default();
        let id = violations.id("case_id", &request.case_id);
        violations.text("referral_target_id", &request.referral_target_id, 64);
        violations.done()?;
        let referral = Id::new(self.node.now());
        let (app, wanted) = (self.clone(), request.referral_target_id);
        self.node
            .commit(id, caller.origin(), move |unit| {
                let (app, caller, once, wanted) = (app.clone(), caller.clone(), once.clone(), wanted.clone());
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<Message>(&once).await? {
                        return Ok(earlier);
                    }
                    let mut case = change::lock(unit, &caller, caller.rpc, id).await?;
                    decide(&case.life, &Command::Post(Sender::System), unit.now)?;
                    let region = app.node.region.get();
                    let organisation = region.organisation(&case.organisation).ok_or_else(|| Error::not_found("case"))?;
                    let described = organisation.referrals.iter().find(|one| one.id == wanted);
                    let described = described.ok_or_else(|| Error::not_found("referral target"))?;
                    let language = Language::from_code(&case.language).unwrap_or_else(|| organisation.default_language());
                    let shown = target(organisation, described, language);
                    let code = code_of(&app.node.platform.secret.derive("referral code", &[&referral.to_string()]));
                    referrals::insert(unit, referral, id, &case.scope(), &wanted, app.code_hash(&code)).await?;
                    let event = CaseReferred { referral_id: referral.to_string(), referral_target_id: wanted };
                    unit.emit(id, &case.scope(), &event)?;
                    let kind = shown.kind().as_str_name().trim_start_matches("REFERRAL_KIND_").to_lowercase();
                    let line = Line::new(
                        SystemCode::Referral,
                        [
                            ("referral_target_id", shown.referral_target_id),
                            ("kind", kind),
                            ("name", shown.name),
                            ("about", shown.about),
                            ("phone", shown.phone),
                            ("url", shown.url),
                            ("address", shown.address),
                            ("code", code),
                        ],
                    );
                    let message = lines::say(unit, &app.node, &mut case, line).await?;
                    unit.audit(id, &case.scope());
                    cases::update(unit, &case).await?;
                    unit.remember_answer(&once, &Id::to_string(&id), &message).await?;
                    Ok(message)
                })
            })
            .await
    }

    /// Takes a report from whoever has the code.
    pub async fn report(&self, caller: &Caller, whence: &Whence, request: &ReportReferralRequest) -> Result<Receipt> {
        let mut violations = Violations::default();
        violations.text("referral_code", &request.referral_code, 40);
        let outcome = ReferralOutcome::try_from(request.outcome).unwrap_or_default();
        violations.check(outcome != ReferralOutcome::Unspecified, "outcome", "must be arrived, declined or not_suitable");
        violations.done()?;
        let minute = std::time::Duration::from_secs(60);
        if let Err(wait) = self.node.platform.ephemeral.allow(&format!("referral:{}", whence.key()), TRIES, minute).await {
            let message = format!("too many tries; wait {} seconds", wait.as_secs().max(1));
            return Err(Error::new(Code::ResourceExhausted, "TOO_MANY_TRIES", message));
        }
        let hash = self.code_hash(&request.referral_code);
        let missing = || Error::not_found("referral with that code");
        let organisation = referrals::organisation_of_code(&self.node.log.machinery(), &hash).await?.ok_or_else(missing)?;
        // Whoever tries, tries in one lane per code.
        let key = Id::derived(&[b"referral", &hash]);
        let ((), receipt) = self
            .node
            .commit(key, caller.origin().of(&organisation), move |unit| {
                let hash = hash.clone();
                Box::pin(async move {
                    let found = referrals::by_code(unit, hash).await?.ok_or_else(missing)?;
                    if found.outcome == i32::from(outcome) {
                        return Ok(());
                    }
                    referrals::report(unit, found.id, outcome.into()).await?;
                    let event = ReferralReported { referral_target_id: found.target, outcome: outcome.into() };
                    unit.emit(found.id, &found.scope, &event)?;
                    unit.audit(found.id, &found.scope);
                    Ok(())
                })
            })
            .await?;
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_can_be_read_aloud() {
        let code = code_of(&(0..32).map(|n| n * 7).collect::<Vec<u8>>());
        assert_eq!((code.len(), code.find('-')), (CODE + 1, Some(CODE / 2)));
        assert!(code.bytes().all(|letter| letter == b'-' || ALPHABET.contains(&letter)), "{code}");
    }
}
