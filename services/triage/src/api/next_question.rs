//! The next question of a door's protocol. Public: it says nothing about anybody.

use kernel::error::Violations;
use kernel::{Error, Language, Result};
use proto::triage::{NextQuestionRequest, NextQuestionResponse, QuestionOption};
use region::Region;

use crate::domain::evaluate::{Input, evaluate};
use crate::domain::questionnaire::{Answer, check, next_question};

/// No protocol asks more; a request with more answers is nonsense.
const MAX_ANSWERS: usize = 200;
const MAX_AGE: i32 = 130;

pub fn answer(region: &Region, request: &NextQuestionRequest) -> Result<NextQuestionResponse> {
    let mut wrong = Violations::default();
    wrong.text("entry_point_id", &request.entry_point_id, 64);
    wrong.optional_text("contact_reason_id", &request.contact_reason_id, 64);
    wrong.optional_text("language", &request.language, 16);
    wrong.check(request.answers.len() <= MAX_ANSWERS, "answers", "holds more answers than any protocol has questions");
    wrong.check((-1..=MAX_AGE).contains(&request.age), "age", "must be an age in years up to 130, or -1 if it is unknown");
    wrong.done()?;
    let (organisation, door) = region.entry_point(&request.entry_point_id).ok_or_else(|| Error::not_found("entry point"))?;
    let reason = Some(request.contact_reason_id.as_str()).filter(|id| !id.is_empty());
    if reason.is_some_and(|id| !organisation.reasons_at(door).iter().any(|reason| reason.id == id)) {
        return Err(Error::invalid("contact_reason_id", "is not a contact reason of this entry point"));
    }
    let Some(protocol) = &door.protocol else {
        if !request.answers.is_empty() {
            return Err(Error::invalid("answers", "must be empty: this entry point asks no questions"));
        }
        return Ok(done());
    };
    let protocol =
        organisation.protocol(protocol).ok_or_else(|| Error::unavailable("the entry point's protocol is not here yet; try again"))?;
    let answers: Vec<Answer> = request.answers.iter().map(|answer| Answer::new(&answer.question_id, &answer.option_id)).collect();
    // proto3 cannot tell 0 from a field that was left out.
    let age = u8::try_from(request.age).ok().filter(|age| *age > 0 || request.age_known);
    let asks_age = protocol.depends_on_age(reason);
    check(protocol, reason, &answers, age)?;
    // A language that is unknown, or has no text here, falls back to the organisation's own.
    let language = Language::from_code(&request.language).unwrap_or_else(|| organisation.default_language());
    let Some(question) = next_question(protocol, reason, &answers, age) else {
        // Whoever has answered that it is dangerous must not have to write first.
        let input = Input { reason: reason.and_then(|id| organisation.reason(id)), answers: &answers, age, red_flags: &[] };
        let verdict = evaluate(Some(protocol), &input);
        let advice = verdict.advice.map(|advice| organisation.text(&advice, language).to_owned()).unwrap_or_default();
        return Ok(NextQuestionResponse { severity: proto::intake::Severity::from(verdict.severity).into(), advice, asks_age, ..done() });
    };
    Ok(NextQuestionResponse {
        asks_age,
        done: false,
        question_id: question.id.clone(),
        text: organisation.text(&question.text, language).to_owned(),
        options: question
            .options
            .iter()
            .map(|option| QuestionOption { option_id: option.id.clone(), text: organisation.text(&option.text, language).to_owned() })
            .collect(),
        ..NextQuestionResponse::default()
    })
}

fn done() -> NextQuestionResponse {
    NextQuestionResponse { done: true, ..NextQuestionResponse::default() }
}
