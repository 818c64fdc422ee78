//! The one function that changes a case.

use kernel::{Severity, Time};

use super::{Case, Command, Decision, Effect, Ended, Offer, Refusal, State, Target, TurnedDown, Unassigned};

/// Applies `command` at `now`.
///
/// Properties, over any sequence of commands:
/// - at most one worker holds the case: assignments and their ends alternate, as do offers and theirs;
/// - `Done` is final: whatever follows is refused, but closing again, which changes nothing;
/// - an offer that is not the open one is refused, and so is accepting from `until` on;
/// - `since` never changes, so a case comes back from an offer to the place of its age;
/// - at its deadline a case without a verdict waits, as URGENT or graver;
/// - a first verdict may move a case that waits without one; an open offer stands, and only what comes after it is elsewhere;
/// - only `Lowered` lowers the severity;
/// - a claim takes an open offer from another worker only in an emergency;
/// - a command that is refused changes nothing.
pub fn decide(case: &Case, command: &Command, now: Time) -> Result<Decision, Refusal> {
    if case.state == State::Done {
        return match command {
            Command::Close | Command::Abandon => Ok(Decision { case: case.clone(), effects: Vec::new() }),
            _ => Err(Refusal::Closed),
        };
    }
    let mut next = Step { case: case.clone(), effects: Vec::new() };
    match command {
        Command::Triaged { severity, queue, profession } => {
            next.severity(case.severity.max(*severity));
            next.case.triaged = true;
            match &case.state {
                State::Pending { .. } => {
                    next.case.needs.queue = queue.clone().unwrap_or_else(|| case.needs.queue.clone());
                    next.case.needs.profession = *profession;
                    next.wait();
                }
                // It went ahead of triage into its door's queue; now one knows where it belongs.
                State::Waiting | State::Offered(_) if !case.triaged => {
                    if let Some(queue) = queue.as_ref().filter(|queue| **queue != case.needs.queue) {
                        next.case.needs.queue.clone_from(queue);
                        next.case.needs.profession = *profession;
                        if case.state == State::Waiting {
                            next.wait();
                        }
                    }
                }
                _ => {}
            }
        }
        Command::Lowered { severity } => next.severity(case.severity.min(*severity)),
        Command::Alert { severity } => {
            next.severity(case.severity.max(*severity));
            if matches!(case.state, State::Pending { .. }) {
                next.wait();
            }
        }
        Command::TriageLate => match case.state {
            State::Pending { deadline } if now < deadline => return Err(Refusal::NotDue),
            State::Pending { .. } => {
                next.severity(case.severity.max(Severity::Urgent));
                next.wait();
            }
            _ => return Err(Refusal::NotWaiting),
        },
        Command::OfferTo(offer) => {
            is_waiting(case)?;
            in_future(offer, now)?;
            // Asking an excluded worker means that all had been asked: a new round begins.
            if case.excluded.contains(&offer.worker) {
                next.case.excluded.clear();
            }
            next.effects.push(Effect::Offered(offer.clone()));
            next.case.state = State::Offered(offer.clone());
        }
        Command::OfferTimedOut { offer } => {
            let open = open_offer(case, *offer)?;
            if now < open.until {
                return Err(Refusal::NotDue);
            }
            next.turned_down(open, Ended::TimedOut, now);
        }
        Command::Decline { offer } => next.turned_down(open_offer(case, *offer)?, Ended::Declined, now),
        Command::Accept { offer, worker } => next.accept(acceptable(open_offer(case, *offer)?, worker, now)?, now),
        Command::Claim { worker } => match &case.state {
            State::Offered(offer) if offer.worker == *worker => next.accept(acceptable(offer, worker, now)?, now),
            // A danger to life does not wait until a colleague who may not be looking has had their time to answer.
            State::Offered(_) if case.severity == Severity::Emergency => {
                next.rescind();
                next.assign(worker, now);
            }
            _ => {
                is_waiting(case)?;
                next.assign(worker, now);
            }
        },
        Command::Release { worker } => {
            is_holder(case, worker)?;
            next.give_up(Unassigned::Released);
            next.wait_without(worker);
        }
        Command::Transfer { worker, to: Target::Queue { queue, profession } } => {
            is_holder(case, worker)?;
            next.give_up(Unassigned::Transferred);
            next.case.needs.queue.clone_from(queue);
            next.case.needs.profession = *profession;
            next.wait_without(worker);
        }
        Command::Transfer { worker, to: Target::Worker(offer) } => {
            is_holder(case, worker)?;
            in_future(offer, now)?;
            if offer.worker == *worker {
                return Err(Refusal::AlreadyAssigned);
            }
            next.rescind();
            next.effects.push(Effect::Offered(offer.clone()));
            if let State::Assigned { handover, turned_down, .. } = &mut next.case.state {
                *handover = Some(offer.clone());
                *turned_down = None;
            }
        }
        Command::Direct { to } => {
            is_queued(case)?;
            if let Target::Worker(offer) = to {
                in_future(offer, now)?;
            }
            next.rescind();
            match to {
                Target::Queue { queue, profession } => {
                    next.case.needs.queue.clone_from(queue);
                    next.case.needs.profession = *profession;
                    next.case.excluded.clear();
                    next.wait();
                }
                Target::Worker(offer) => {
                    next.effects.push(Effect::Offered(offer.clone()));
                    next.case.state = State::Offered(offer.clone());
                }
            }
        }
        Command::TakeOver { worker } => {
            match &case.state {
                State::Pending { .. } | State::Done => return Err(Refusal::NotWaiting),
                State::Assigned { worker: holder, .. } if holder == worker => return Err(Refusal::AlreadyAssigned),
                State::Assigned { .. } => next.give_up(Unassigned::Transferred),
                State::Waiting | State::Offered(_) => next.rescind(),
            }
            next.assign(worker, now);
        }
        Command::Close => next.finish(false),
        Command::Abandon if case.holder().is_some() => return Err(Refusal::AlreadyAssigned),
        Command::Abandon => next.finish(true),
    }
    Ok(Decision { case: next.case, effects: next.effects })
}

fn is_waiting(case: &Case) -> Result<(), Refusal> {
    match case.state {
        State::Waiting => Ok(()),
        State::Offered(_) => Err(Refusal::AlreadyOffered),
        State::Assigned { .. } => Err(Refusal::AlreadyAssigned),
        State::Pending { .. } | State::Done => Err(Refusal::NotWaiting),
    }
}

/// It waits, also if somebody is being asked.
fn is_queued(case: &Case) -> Result<(), Refusal> {
    match case.state {
        State::Waiting | State::Offered(_) => Ok(()),
        State::Assigned { .. } => Err(Refusal::AlreadyAssigned),
        State::Pending { .. } | State::Done => Err(Refusal::NotWaiting),
    }
}

fn is_holder(case: &Case, worker: &str) -> Result<(), Refusal> {
    if case.holder() == Some(worker) { Ok(()) } else { Err(Refusal::NotHolder) }
}

fn in_future(offer: &Offer, now: Time) -> Result<(), Refusal> {
    if now < offer.until { Ok(()) } else { Err(Refusal::NotDue) }
}

fn open_offer(case: &Case, offer: kernel::Id) -> Result<&Offer, Refusal> {
    case.offer().filter(|open| open.offer == offer).ok_or(Refusal::StaleOffer)
}

fn acceptable<'a>(offer: &'a Offer, worker: &str, now: Time) -> Result<&'a Offer, Refusal> {
    if offer.worker != worker {
        Err(Refusal::OtherWorkersOffer)
    } else if now >= offer.until {
        Err(Refusal::OfferExpired)
    } else {
        Ok(offer)
    }
}

/// A case in the making, and what happened to it so far.
struct Step {
    case: Case,
    effects: Vec<Effect>,
}

impl Step {
    fn severity(&mut self, to: Severity) {
        let from = std::mem::replace(&mut self.case.severity, to);
        if from != to {
            self.effects.push(Effect::SeverityChanged { from, to });
        }
    }

    fn wait(&mut self) {
        self.case.state = State::Waiting;
        self.effects.push(Effect::Queued);
    }

    /// Waits anew; the worker who gave it away is not asked first.
    fn wait_without(&mut self, worker: &str) {
        self.case.excluded.insert(worker.to_owned());
        self.wait();
    }

    fn end(&mut self, offer: &Offer, how: Ended) {
        self.effects.push(Effect::OfferEnded { offer: offer.offer, worker: offer.worker.clone(), how });
    }

    /// Back to waiting, or back to the holder who wanted to hand it over.
    fn turned_down(&mut self, offer: &Offer, how: Ended, now: Time) {
        self.end(offer, how);
        match &mut self.case.state {
            State::Assigned { handover, turned_down, .. } => {
                *handover = None;
                *turned_down = Some(TurnedDown { worker: offer.worker.clone(), at: now });
            }
            _ => self.wait_without(&offer.worker),
        }
    }

    fn accept(&mut self, offer: &Offer, now: Time) {
        self.end(offer, Ended::Accepted);
        if let State::Assigned { handover, .. } = &mut self.case.state {
            *handover = None;
        }
        self.give_up(Unassigned::Transferred);
        self.assign(&offer.worker, now);
    }

    fn assign(&mut self, worker: &str, now: Time) {
        self.case.excluded.clear();
        self.case.state = State::Assigned { worker: worker.to_owned(), since: now, handover: None, turned_down: None };
        self.effects.push(Effect::Assigned { worker: worker.to_owned() });
    }

    fn rescind(&mut self) {
        if let Some(offer) = self.case.offer().cloned() {
            self.end(&offer, Ended::Rescinded);
        }
    }

    /// Ends the assignment, if there is one, and an offer with it. The caller sets the next state.
    fn give_up(&mut self, how: Unassigned) {
        if let Some(worker) = self.case.holder().map(str::to_owned) {
            self.rescind();
            self.effects.push(Effect::Unassigned { worker, how });
        }
    }

    fn finish(&mut self, abandoned: bool) {
        if self.case.holder().is_some() {
            self.give_up(Unassigned::Closed);
        } else {
            self.rescind();
        }
        self.case.state = State::Done;
        self.effects.push(Effect::Done { abandoned });
    }
}
