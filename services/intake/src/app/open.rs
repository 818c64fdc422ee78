//! Opening a case: the door, the person, the first text, its screening, and the visitor's way back.

use std::sync::Arc;

use auth::{Resource, Role};
use kernel::error::{Code, Violations};
use kernel::{Channel, Error, Id, Language, Result, Time};
use log::{Receipt, Unit};
use proto::intake::{Answer, CaseMode, CaseOpened, ForWhom, MessagePosted, OpenCaseRequest, OpenCaseResponse};
use region::Anonymity;
use rpc::Caller;
use screening::Category;

use crate::app::doors::Door;
use crate::app::lines::{self, Line};
use crate::app::openings::Opening;
use crate::app::post::MAX_TEXT;
use crate::app::{App, doors, live, practice, retention, safety, ticket, tokens};
use crate::domain::case::Life;
use crate::domain::people;
use crate::domain::terms::{self, Mode, State};
use crate::store::cases::{self, Person, Stored};
use crate::store::messages::{self, Sender};

/// On average, in the calendar that years of birth are told in.
const SECONDS_OF_A_YEAR: i64 = 31_556_952;
/// Most answers to a protocol's questions.
const MAX_ANSWERS: usize = 100;
const MAX_NAME: usize = 200;
const MAX_REF: usize = 128;
/// Characters of a ticket; ours are shorter.
const MAX_TICKET: usize = 1024;
const MAX_KEY: usize = 512;

/// A request whose fields make sense.
pub(super) struct Wanted {
    pub request: OpenCaseRequest,
    person: Person,
    channel: Channel,
    mode: Mode,
    for_whom: ForWhom,
}

pub(super) fn parse(request: OpenCaseRequest, caller: &Caller) -> Result<Wanted> {
    let staff = caller.role().is_staff() || caller.role() == Role::Integrator;
    let mut violations = Violations::default();
    violations.text("entry_point_id", &request.entry_point_id, 64);
    violations.optional_text("contact_reason_id", &request.contact_reason_id, 64);
    if staff {
        // A telephone call begins without a text.
        violations.optional_text("text", &request.text, MAX_TEXT);
    } else {
        violations.text("text", &request.text, MAX_TEXT);
        violations.check(!request.keep, "keep", "is for workers who open a case");
        // Others' request ids can be guessed unless they are random; the answer carries the visitor's token.
        violations.check(
            request.request_id.is_empty() || Id::parse("request_id", &request.request_id).is_ok(),
            "request_id",
            "must be a random UUID for a caller without a token",
        );
    }
    violations.optional_text("external_ref", &request.external_ref, MAX_REF);
    violations.optional_text("practice_key", &request.practice_key, MAX_KEY);
    violations.optional_text("found_us_id", &request.found_us_id, 64);
    violations.optional_text("return_ticket", &request.return_ticket, MAX_TICKET);
    let theirs = caller.role() == Role::Anonymous;
    violations.check(theirs || request.return_ticket.is_empty(), "return_ticket", "is for visitors who open their case themselves");
    violations.check(request.answers.len() <= MAX_ANSWERS, "answers", "are too many");
    let visitor = request.visitor.clone().unwrap_or_default();
    violations.optional_text("visitor.display_name", &visitor.display_name, MAX_NAME);
    violations.optional_text("visitor.external_ref", &visitor.external_ref, MAX_REF);
    violations.check(visitor.visitor_id.is_empty(), "visitor.visitor_id", "is made by intake; leave it empty");
    violations.check(visitor.birth_year == 0 || (1880..=2200).contains(&visitor.birth_year), "visitor.birth_year", "is no year of birth");
    violations.check(
        staff || (!visitor.identified && visitor.external_ref.is_empty()),
        "visitor.identified",
        "can be vouched for by staff and integrators only",
    );
    let channel = proto::intake::Channel::try_from(request.channel);
    violations.check(channel.is_ok(), "channel", "is unknown");
    violations.check(CaseMode::try_from(request.mode).is_ok(), "mode", "is unknown");
    let for_whom = ForWhom::try_from(request.for_whom);
    violations.check(for_whom.is_ok(), "for_whom", "is unknown");
    violations.done()?;
    let person = Person {
        display_name: visitor.display_name,
        birth_year: visitor.birth_year,
        identified: visitor.identified,
        external_ref: visitor.external_ref,
    };
    Ok(Wanted {
        person,
        channel: channel.ok().and_then(proto::intake::Channel::known).unwrap_or(Channel::Chat),
        mode: Mode::from_wire(request.mode).unwrap_or(Mode::Live),
        for_whom: for_whom.unwrap_or_default(),
        request,
    })
}

/// What the region says about the request.
pub(super) fn fit(wanted: &Wanted, door: &Door, caller: &Caller) -> Result<Language> {
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let staff = caller.role() != Role::Anonymous;
    if staff {
        let resource = Resource { organisation: &organisation.id, clinic: &entry_point.clinic, ..Resource::default() };
        caller.check("entry point", &resource)?;
    }
    let mut violations = Violations::default();
    let request = &wanted.request;
    let reasons = organisation.reasons_at(entry_point);
    let known = if request.contact_reason_id.is_empty() {
        reasons.is_empty()
    } else {
        reasons.iter().any(|reason| reason.id == request.contact_reason_id)
    };
    violations.check(known, "contact_reason_id", "is not one of this entry point's; see GetEntryPoint");
    violations.check(entry_point.channels.contains(&wanted.channel) || staff, "channel", "is not offered at this entry point");
    let language = if request.language.is_empty() { Some(organisation.default_language()) } else { Language::from_code(&request.language) };
    violations.check(
        language.is_some_and(|language| organisation.languages_at(entry_point).contains(&language)),
        "language",
        "is not answered at this entry point",
    );
    let offered = entry_point.for_whom.iter().any(|one| doors::for_whom(*one) == wanted.for_whom);
    violations.check(
        offered || staff || wanted.for_whom == ForWhom::Unspecified,
        "for_whom",
        "is not offered at this entry point; see GetEntryPoint",
    );
    let way = &request.found_us_id;
    let asked = entry_point.asks_found_us && organisation.found_us.iter().any(|choice| choice.id == *way);
    violations.check(way.is_empty() || asked, "found_us_id", "is not one of this entry point's; see GetEntryPoint");
    let protocol = entry_point.protocol.as_deref().and_then(|id| organisation.protocol(id));
    for (index, answer) in request.answers.iter().enumerate() {
        let question = protocol.and_then(|protocol| protocol.questions.iter().find(|question| question.id == answer.question_id));
        match question {
            None => violations.add(format!("answers[{index}].question_id"), "is not a question of this entry point's protocol"),
            Some(question) if !question.options.iter().any(|option| option.id == answer.option_id) => {
                violations.add(format!("answers[{index}].option_id"), "is not an option of that question");
            }
            Some(_) => {}
        }
    }
    violations.done()?;
    if !staff && entry_point.anonymity == Anonymity::Identified {
        return Err(Error::precondition("SIGN_IN_REQUIRED", "this entry point asks visitors to sign in first"));
    }
    Ok(language.unwrap_or_else(|| organisation.default_language()))
}

/// Signs of danger in what was written and in what was answered at the door, the gravest first.
fn found(wanted: &Wanted, door: &Door, now: Time) -> Result<Vec<Category>> {
    let mut found = safety::screen(&wanted.request.text);
    let protocol = door.entry_point()?.protocol.as_deref().and_then(|id| door.organisation().ok()?.protocol(id));
    let reason = Some(wanted.request.contact_reason_id.as_str()).filter(|reason| !reason.is_empty());
    let answers: Vec<_> = wanted.request.answers.iter().map(|one| (one.question_id.as_str(), one.option_id.as_str())).collect();
    let age = people::age(wanted.person.birth_year, now).and_then(|age| u8::try_from(age).ok());
    let answered = protocol.is_some_and(|protocol| protocol.danger_answered(reason, &answers, age));
    if answered && !found.contains(&Category::DangerToLife) {
        found.push(Category::DangerToLife);
        found.sort_by_key(|category| std::cmp::Reverse(category.severity()));
    }
    Ok(found)
}

impl App {
    pub async fn open(&self, caller: Caller, request: OpenCaseRequest) -> Result<(OpenCaseResponse, Receipt)> {
        let once = caller.once(&request.request_id, &request)?;
        let mut wanted = parse(request, &caller)?;
        if i64::from(wanted.person.birth_year) > 1970 + self.node.now().secs() / SECONDS_OF_A_YEAR {
            return Err(Error::invalid("visitor.birth_year", "lies in the future"));
        }
        let door = Door::find(self.node.region.get(), &wanted.request.entry_point_id)?;
        // Whoever opens it, the case is the door's organisation's.
        let organisation = door.organisation()?.id.clone();
        if let Some(earlier) = log::unit::kept_answer::<proto::intake::Case>(self.node.db().of(&organisation), &once).await? {
            // Whatever the door is now: this was answered, and the visitor needs the way back.
            let found = found(&wanted, &door, self.node.now())?;
            let language = Language::from_code(&earlier.language).unwrap_or(Language::English);
            let receipt = Receipt::default();
            // When somebody reads a message that was left is as true the second time as the first.
            let opens_at = match door.opening(self, self.node.now()).await {
                Ok(Opening::Closed { opens_at })
                    if caller.role() == Role::Anonymous && (wanted.request.leave_message || !found.is_empty()) =>
                {
                    Some(opens_at)
                }
                _ => None,
            };
            let answer = self.opened(&caller, &door, earlier, (language, &found, opens_at), &receipt).await?;
            return Ok((answer, receipt));
        }
        let language = fit(&wanted, &door, &caller)?;
        let now = self.node.now();
        let practises = self.practises(&wanted, &door, &caller, now)?;
        let visitor_opens = caller.role() == Role::Anonymous && !practises;
        let opening = door.opening(self, now).await;
        let found = found(&wanted, &door, now)?;
        let opens_at = match (&opening, visitor_opens) {
            // Staff may open a case at any hour, and whoever practises; whether the door is open does not matter then.
            (_, false) | (Ok(Opening::Open { .. }), true) => None,
            // Whoever is in danger is not sent away by a closed door: they see whom to call, and the message is left.
            (Ok(Opening::Closed { opens_at }), true) if wanted.request.leave_message || !found.is_empty() => Some(*opens_at),
            (Ok(Opening::Closed { opens_at }), true) => return Err(closed(*opens_at)),
            (Err(error), true) => return Err(error.clone()),
        };
        // Routing is asked only where there is a limit. While it is away nobody is turned back, and danger never is.
        let limited = !practises && door.organisation()?.queue(&door.entry_point()?.queue).is_some_and(|queue| queue.max_waiting.is_some());
        if limited && visitor_opens && opens_at.is_none() && wanted.mode == Mode::Live && found.is_empty() {
            let full = self.waits.ask(&wanted.request.entry_point_id).await.full;
            if full && !wanted.request.leave_message {
                return Err(Error::precondition("QUEUE_FULL", "no more can wait here now; set leave_message to leave a message"));
            }
            if full {
                // Nobody waits at a screen for what is only left.
                wanted.mode = Mode::Asynchronous;
            }
        }
        let id = match wanted.request.return_ticket.as_str() {
            "" => Id::new(now),
            given => ticket::redeem(&self.node.platform.secret, &wanted.request.entry_point_id, given, now)?,
        };
        let mut draft = draft(id, &wanted, &door, &caller, language, &found, now)?;
        draft.practice |= practises;
        let draft = Arc::new(draft);
        let wanted = Arc::new(wanted);
        let (app, asker) = (self.clone(), caller.clone());
        let work = (draft.clone(), wanted.clone(), found.clone());
        let (case, receipt) = self
            .node
            .commit(id, caller.origin().of(&organisation), move |unit| {
                let (app, caller, once) = (app.clone(), asker.clone(), once.clone());
                let (draft, wanted, found) = work.clone();
                Box::pin(async move {
                    if let Some(earlier) = unit.earlier_answer::<proto::intake::Case>(&once).await? {
                        return Ok(earlier);
                    }
                    let mut case = (*draft).clone();
                    case.opened_at = unit.now;
                    write(unit, &app, &caller, &mut case, &wanted, &found, opens_at).await?;
                    let answer = case.to_proto();
                    unit.remember_answer(&once, &case.id.to_string(), &answer).await?;
                    Ok(answer)
                })
            })
            .await?;
        let answer = self.opened(&caller, &door, case, (language, &found, opens_at), &receipt).await?;
        Ok((answer, receipt))
    }

    /// Whether the caller plays the visitor. A door that is for practice only lets nobody in by accident.
    fn practises(&self, wanted: &Wanted, door: &Door, caller: &Caller, now: Time) -> Result<bool> {
        let (key, entry_point) = (&wanted.request.practice_key, door.entry_point()?);
        if !key.is_empty() {
            practice::check(&self.node.platform.secret, key, &entry_point.id, now)?;
            return Ok(true);
        }
        if entry_point.practice && caller.role() == Role::Anonymous {
            return Err(Error::precondition("PRACTICE_ONLY", "nobody is answered at this door; it is for staff who practise"));
        }
        Ok(false)
    }

    /// The answer, with the secrets derived again, and somebody alerted to what was found.
    async fn opened(
        &self,
        caller: &Caller,
        door: &Door,
        case: proto::intake::Case,
        (language, found, opens_at): (Language, &[Category], Option<Option<Time>>),
        receipt: &Receipt,
    ) -> Result<OpenCaseResponse> {
        let secret = &self.node.platform.secret;
        let id = Id::parse("case_id", &case.case_id)?;
        let visitor = Id::parse("visitor_id", &case.visitor.clone().unwrap_or_default().visitor_id)?;
        let organisation = door.organisation()?;
        let (visitor_token, return_phrase) = if caller.role() == Role::Anonymous {
            let token = tokens::visitor_token(secret, &organisation.id, visitor, &case.case_id, self.node.now());
            (token.token, tokens::phrase(secret, id).0)
        } else {
            (String::new(), String::new())
        };
        let next_opening = opens_at.flatten();
        let alerted = self.alerts.raise(id, &case.worker_id, found, receipt).await;
        Ok(OpenCaseResponse {
            safety: safety::notice(found, organisation.country, language, alerted, next_opening.filter(|_| !alerted)),
            case: Some(case),
            visitor_token,
            return_phrase,
            next_opening_at: next_opening.map(proto::timestamp),
        })
    }
}

/// The case as it will be stored.
pub(super) fn draft(
    id: Id,
    wanted: &Wanted,
    door: &Door,
    caller: &Caller,
    language: Language,
    found: &[Category],
    now: Time,
) -> Result<Stored> {
    let (organisation, entry_point) = (door.organisation()?, door.entry_point()?);
    let mut red_flags = Vec::new();
    safety::add(&mut red_flags, found);
    let worker = if caller.role().is_staff() { caller.principal.id.clone() } else { String::new() };
    Ok(Stored {
        id,
        organisation: organisation.id.clone(),
        clinic: entry_point.clinic.clone(),
        entry_point: entry_point.id.clone(),
        visitor: Id::new(now),
        person: wanted.person.clone(),
        for_whom: match wanted.for_whom {
            // What the door proposes.
            ForWhom::Unspecified => entry_point.for_whom.first().map_or(ForWhom::Self_, |one| doors::for_whom(*one)),
            said => said,
        },
        reason: wanted.request.contact_reason_id.clone(),
        catalogue_version: i64::from(organisation.catalogue.version),
        answers: wanted.request.answers.iter().map(|answer| (answer.question_id.clone(), answer.option_id.clone())).collect(),
        channel: wanted.channel,
        language: language.code().to_owned(),
        opened_by: worker,
        opened_at: now,
        last_seq: 0,
        last_note_seq: 0,
        practice: entry_point.practice,
        erase_at: None,
        erased: false,
        red_flags,
        external_ref: wanted.request.external_ref.clone(),
        answer_waits: false,
        documented_at: None,
        documented_by: String::new(),
        found_us: wanted.request.found_us_id.clone(),
        rating_text: String::new(),
        revealed: Vec::new(),
        life: Life {
            mode: wanted.mode,
            state: State::Open,
            severity: None,
            worker: String::new(),
            first_assigned_at: None,
            due_at: None,
            closed_at: None,
            outcome: None,
            rating: 0,
        },
    })
}

/// Writes the case, its visitor, its first message, its events and the visitor's token.
pub(super) async fn write(
    unit: &mut Unit<'_>,
    app: &App,
    caller: &Caller,
    case: &mut Stored,
    wanted: &Wanted,
    found: &[Category],
    opens_at: Option<Option<Time>>,
) -> Result<()> {
    let known = if case.person.identified && !case.person.external_ref.is_empty() {
        cases::visitor_by_external_ref(unit, &case.organisation, &case.person.external_ref).await?
    } else {
        None
    };
    match known {
        Some(visitor) => case.visitor = visitor,
        None => cases::insert_visitor(unit, case.visitor, &case.organisation, &case.person).await?,
    }
    let secret = &app.node.platform.secret;
    let anonymous = caller.role() == Role::Anonymous;
    case.last_seq = i64::from(!wanted.request.text.is_empty());
    cases::insert(unit, case, anonymous.then(|| tokens::phrase(secret, case.id).1))
        .await
        .map_err(|error| if store::is_unique(&error, "case") { ticket::used() } else { error })?;
    retention::opened(unit, app, case).await?;
    let scope = case.scope();
    let age = people::age(case.person.birth_year, unit.now);
    let event = CaseOpened {
        entry_point_id: case.entry_point.clone(),
        contact_reason_id: case.reason.clone(),
        for_whom: case.for_whom.into(),
        answers: wanted
            .request
            .answers
            .iter()
            .map(|answer| Answer { question_id: answer.question_id.clone(), option_id: answer.option_id.clone() })
            .collect(),
        age_band: people::age_band(age),
        age: age.unwrap_or(-1),
        channel: proto::intake::Channel::from(case.channel).into(),
        mode: case.life.mode.to_wire(),
        language: case.language.clone(),
        red_flags: case.red_flags.clone(),
        left_message: opens_at.is_some(),
        opens_at: opens_at.flatten().map(proto::timestamp),
        opened_by_worker_id: case.opened_by.clone(),
        keep: wanted.request.keep,
        identified: case.person.identified,
        visitor_id: case.visitor.to_string(),
        found_us_id: case.found_us.clone(),
    };
    unit.emit(case.id, &scope, &event)?;
    if case.last_seq > 0 {
        let sender = first_sender(caller, case);
        let message = messages::insert(unit, case.id, 1, "opening", &sender, &wanted.request.text, Vec::new()).await?;
        let posted = MessagePosted {
            seq: 1,
            sender_kind: sender.kind.to_wire(),
            worker_id: message.worker_id.clone(),
            // CaseOpened has said them already.
            red_flags: Vec::new(),
            visitor_away: false,
        };
        unit.emit(case.id, &scope, &posted)?;
        live::message(unit, &app.node, &message);
        if let Some(country) = app.country(&case.organisation).filter(|_| sender.kind == terms::Sender::Visitor && !found.is_empty()) {
            lines::say(unit, &app.node, case, Line::red_flags(found, country)).await?;
            cases::update(unit, case).await?;
        }
    }
    if anonymous {
        let token = tokens::visitor_token(secret, &case.organisation, case.visitor, &case.id.to_string(), unit.now);
        crate::store::tokens::insert(unit, token.hash, token.id, &token.principal, token.expires_at).await?;
    }
    unit.audit(case.id, &scope);
    Ok(())
}

/// A worker's text is the worker's; a journal system's is what the visitor said there.
fn first_sender(caller: &Caller, case: &Stored) -> Sender {
    if caller.role().is_staff() {
        Sender { kind: terms::Sender::Worker, id: caller.principal.id.clone() }
    } else {
        Sender { kind: terms::Sender::Visitor, id: case.visitor.to_string() }
    }
}

fn closed(opens_at: Option<Time>) -> Error {
    let when = opens_at
        .and_then(|time| jiff::Timestamp::from_microsecond(time.micros()).ok())
        .map_or_else(|| "no next opening is known".to_owned(), |time| format!("it opens at {time}"));
    Error::new(
        Code::FailedPrecondition,
        "ENTRY_POINT_CLOSED",
        format!("the entry point is closed; {when}; set leave_message to leave a message"),
    )
}
