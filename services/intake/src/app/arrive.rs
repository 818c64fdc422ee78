//! The other end of a transfer: a case is opened as its visitor would open it, with the agreed words and nothing else, in the commit that
//! closes the one they come from.
//!
//! Which case it is follows from the proposal's id and the installation's secret and stands in no row, and nothing says where the
//! visitor comes from: neither organisation can tell the other's case from its own.

use std::sync::Arc;

use auth::{Principal, Role};
use kernel::{Id, Language, Result, Time};
use log::{Origin, Receipt, Unit};
use proto::intake::{Continuation, OpenCaseRequest, SystemCode};
use region::Region;
use rpc::Caller;
use screening::Category;

use crate::app::doors::Door;
use crate::app::lines::{self, Line};
use crate::app::openings::Opening;
use crate::app::{App, open, safety, tokens};
use crate::store::cases::{self, Stored};
use crate::store::transfers;

/// What is proposed, as its visitor would say it at that door; the language is theirs if it is answered there.
fn said(region: &Region, entry_point: &str, reason: &str, text: &str, language: &str) -> OpenCaseRequest {
    let answered = region.entry_point(entry_point).map(|(organisation, door)| organisation.languages_at(door)).unwrap_or_default();
    let language = Language::from_code(language).filter(|language| answered.contains(language)).map_or("", Language::code);
    OpenCaseRequest {
        entry_point_id: entry_point.to_owned(),
        contact_reason_id: reason.to_owned(),
        text: text.to_owned(),
        language: language.to_owned(),
        leave_message: true,
        ..OpenCaseRequest::default()
    }
}

/// The visitor there is nobody yet.
fn nobody() -> Caller {
    Caller {
        principal: Principal { role: Role::Anonymous, id: String::new(), organisation: String::new(), clinics: Vec::new() },
        rpc: "samtal.intake.v1.CaseService/OpenCase",
        traceparent: String::new(),
        token_hash: Vec::new(),
    }
}

/// What a door was asked, and takes.
pub struct Fitting {
    pub door: Door,
    wanted: open::Wanted,
    language: Language,
}

/// A case that only has to be written.
pub struct Arrival {
    case: Stored,
    wanted: open::Wanted,
    found: Vec<Category>,
    /// None: the door is open.
    opens_at: Option<Option<Time>>,
}

impl Arrival {
    /// Whose case it will be.
    pub fn organisation(&self) -> &str {
        &self.case.organisation
    }
}

impl App {
    /// The ids of the case and of its visitor there.
    fn there(&self, transfer: Id) -> (Id, Id) {
        let derived = |what: &str| Id::derived(&[what.as_bytes(), &self.node.platform.secret.derive(what, &[&transfer.to_string()])]);
        (derived("transferred case"), derived("transferred visitor"))
    }

    /// Whether the door takes somebody who says this, by the rules of OpenCase and with its errors.
    pub fn fits(&self, entry_point: &str, reason: &str, text: &str, language: &str) -> Result<Fitting> {
        let region = self.node.region.get();
        let wanted = open::parse(said(&region, entry_point, reason, text, language), &nobody())?;
        let door = Door::find(region, entry_point)?;
        let language = open::fit(&wanted, &door, &nobody())?;
        Ok(Fitting { door, wanted, language })
    }

    /// What is to be written at the other organisation. Errors: opening hours are not known now.
    pub async fn arrival(&self, transfer: Id, fitting: Fitting) -> Result<Arrival> {
        let Fitting { door, wanted, language } = fitting;
        let now = self.node.now();
        let opens_at = match door.opening(self, now).await? {
            Opening::Open { .. } => None,
            Opening::Closed { opens_at } => Some(opens_at),
        };
        let found = safety::screen(&wanted.request.text);
        let (case, visitor) = self.there(transfer);
        let case = Stored { visitor, ..open::draft(case, &wanted, &door, &nobody(), language, &found, now)? };
        Ok(Arrival { case, wanted, found, opens_at })
    }

    /// The same token and phrase that the opening made: both follow from the secret.
    pub fn continuation(&self, transfer: &transfers::Stored) -> Continuation {
        let (case, visitor) = self.there(transfer.id);
        let secret = &self.node.platform.secret;
        let token = tokens::visitor_token(secret, &transfer.to, visitor, &case.to_string(), self.node.now());
        Continuation { case_id: case.to_string(), visitor_token: token.token, return_phrase: tokens::phrase(secret, case).0 }
    }

    /// Whoever is there hears of signs of danger, as at any opening.
    pub async fn arrived(&self, arrival: &Arrival, receipt: &Receipt) {
        self.alerts.raise(arrival.case.id, "", &arrival.found, receipt).await;
    }
}

/// Writes the case there, by Samtal's own hand: the other organisation's access log does not say whose answer it was.
pub async fn write(unit: &mut Unit<'_>, app: &App, arrival: &Arc<Arrival>) -> Result<()> {
    let mut case = Stored { opened_at: unit.now, ..arrival.case.clone() };
    let theirs = Origin::system("samtal.intake.v1.TransferService/AnswerTransfer").of(&case.organisation);
    let ours = std::mem::replace(&mut unit.origin, theirs);
    open::write(unit, app, &nobody(), &mut case, &arrival.wanted, &arrival.found, arrival.opens_at).await?;
    lines::say(unit, &app.node, &mut case, Line::new(SystemCode::TransferReceived, [])).await?;
    cases::update(unit, &case).await?;
    unit.origin = ours;
    Ok(())
}
