//! Lines of Samtal's own in a conversation: codes with parameters, numbered like messages, so that a screen that follows the
//! numbers shows them too.

use std::collections::HashMap;

use kernel::{Id, Result};
use log::Unit;
use proto::intake::{Message, SystemCode, SystemLine, SystemLinePosted};
use region::{Country, Region, StaffShown};
use runtime::Node;
use screening::Category;

use crate::app::live;
use crate::store::cases::Stored;
use crate::store::messages;

/// A line, and the worker whom it is about.
#[derive(Clone, Debug)]
pub struct Line {
    pub code: SystemCode,
    pub params: HashMap<String, String>,
    pub worker: String,
}

impl Line {
    pub fn new<const N: usize>(code: SystemCode, params: [(&str, String); N]) -> Self {
        let params = params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { code, params, worker: String::new() }
    }

    /// Who answers, as far as the organisation shows its staff to visitors.
    pub fn of_worker(code: SystemCode, region: &Region, worker: &str) -> Self {
        let mut line = Self { worker: worker.to_owned(), ..Self::new(code, []) };
        if let Some((organisation, described)) = region.worker(worker) {
            line.params.insert("profession".to_owned(), described.profession.code().to_owned());
            if organisation.staff_shown == StaffShown::FirstName {
                line.params.insert("first_name".to_owned(), first_name(&described.name).to_owned());
            }
        }
        line
    }

    /// Signs of danger in the message before, with the numbers of the organisation's country.
    pub fn red_flags(found: &[Category], country: Country) -> Self {
        let mut numbers: Vec<&str> = Vec::new();
        for number in found.iter().flat_map(|category| screening::numbers(country.code(), *category)) {
            if !numbers.contains(&number.number) {
                numbers.push(number.number);
            }
        }
        let categories: Vec<&str> = found.iter().map(|category| category.code()).collect();
        Self::new(SystemCode::RedFlag, [("categories", categories.join(",")), ("numbers", numbers.join(","))])
    }
}

pub fn first_name(name: &str) -> &str {
    name.split_whitespace().next().unwrap_or_default()
}

/// Adds a line to a case that is locked; the caller writes the case back.
pub async fn say(unit: &mut Unit<'_>, node: &Node, case: &mut Stored, line: Line) -> Result<Message> {
    let client_id = format!("line-{}", case.last_seq + 1);
    say_as(unit, node, case, &client_id, line).await
}

/// The same under an id of its own, for a line that there is only once.
pub async fn say_as(unit: &mut Unit<'_>, node: &Node, case: &mut Stored, client_id: &str, line: Line) -> Result<Message> {
    case.last_seq += 1;
    let event = SystemLinePosted { seq: case.last_seq, code: line.code.into() };
    unit.emit(case.id, &case.scope(), &event)?;
    let system = SystemLine { code: line.code.into(), params: line.params };
    let message = messages::insert_line(unit, case.id, case.last_seq, client_id, &line.worker, system).await?;
    live::message(unit, node, &message);
    Ok(message)
}

/// What a conversation is told when routing gives the case to somebody else.
pub fn of_change(region: &Region, before: &str, after: &str) -> Option<Line> {
    match (before.is_empty(), after.is_empty()) {
        _ if before == after => None,
        (true, false) => Some(Line::of_worker(SystemCode::Joined, region, after)),
        (false, false) => Some(Line::of_worker(SystemCode::Transferred, region, after)),
        (_, true) => Some(Line::new(SystemCode::WaitingAgain, [])),
    }
}

/// The one line of a case that has this id.
pub async fn find(unit: &mut Unit<'_>, case: Id, client_id: &str) -> Result<Option<Message>> {
    let sender = messages::Sender { kind: crate::domain::terms::Sender::System, id: String::new() };
    messages::find(unit, case, &sender, client_id).await
}
