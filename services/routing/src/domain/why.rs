//! Why something was decided, in sentences that stay with the case, and the codes by which pages say them in their reader's language.

/// Each code with its sentence; `{}` stands for what differs. Codes never change; a sentence that is not written any more stays for cases
/// that were decided by it. The more special ones come first.
const SENTENCES: &[(&str, &str)] = &[
    (
        "offered_again",
        "{}: of those who can take it, unoccupied longest; severity {}, offer_seconds {}, max_overtakes {}; \
         everybody who could take it had turned it down, so a new round begins",
    ),
    (
        "offered_anew",
        "{}: of those who can take it, unoccupied longest; severity {}, offer_seconds {}, max_overtakes {}; \
         everybody who could take it had been asked before, so a new round begins",
    ),
    (
        "emergency_offered_anew",
        "{}: an emergency goes to whoever is there, whatever they have on their hands, and first to who has least; offer_seconds {}; \
         everybody who could take it had been asked before, so a new round begins",
    ),
    (
        "emergency_offered",
        "{}: an emergency goes to whoever is there, whatever they have on their hands, and first to who has least; offer_seconds {}",
    ),
    ("offered", "{}: of those who can take it, unoccupied longest; severity {}, offer_seconds {}, max_overtakes {}"),
    ("all_turned_down", "everybody who can take it has turned it down; they are asked again after {} s"),
    ("all_asked", "everybody who can take it has been asked, and nobody has taken it; they are asked again after {} s"),
    ("from_opening", "it is offered from the clinic's opening on"),
    ("nobody_now", "nobody can take it now"),
    ("severity_by_triage", "triage changed the severity from {} to {}"),
    ("severity_by_danger", "a sign of danger changed the severity from {} to {}"),
    ("danger", "signs of danger in what the visitor wrote or answered; told to {}"),
    ("danger", "signs of danger in what the visitor wrote; told to {}"),
    ("danger_ahead", "a sign of danger"),
    ("waits", "waits as {} for {}, at its place since it came"),
    ("worker_gone", "the worker is not there any more"),
    ("went_elsewhere", "the case went elsewhere"),
    ("turned_down", "the worker turned the offer down"),
    ("timed_out", "the worker did not answer in time"),
    ("presence_ran_out", "the worker's presence ran out and they did not come back within {} s"),
    ("other_queue", "triage named another queue, and somebody is there"),
    ("triage_late", "triage did not answer within {} s, so it waits as {} for a person to look at"),
    ("leader_took", "a leader took it over"),
    ("worker_took", "the worker took it from the list"),
    ("worker_took_emergency", "the worker took the emergency from the queue"),
    ("worker_removed", "the region's description does not have the worker any more"),
    ("accepted", "the worker accepted the offer"),
    ("gave_back", "the worker gave it back"),
    ("leader_gave_back", "a leader gave it back for the worker"),
    ("handed_over", "a colleague hands the case over"),
    ("leader_sent", "a leader sends the case on"),
    ("shift_ends", "the worker's shift ends"),
    ("opener_keeps", "the worker who opened the case keeps it"),
    ("back_to_worker", "the case was opened again and goes back to the worker who had it"),
    ("opened_again", "the case was opened again"),
    ("visitor_left", "the visitor left while waiting"),
    ("closed", "the case was closed"),
];

/// A sentence's code, with what differs in it; None of a sentence that has none.
pub fn code(why: &str) -> Option<(&'static str, Vec<String>)> {
    SENTENCES.iter().find_map(|(code, sentence)| Some((*code, filled(sentence, why)?)))
}

/// What stands for each `{}`.
fn filled(sentence: &str, why: &str) -> Option<Vec<String>> {
    let mut parts = sentence.split("{}");
    let mut rest = why.strip_prefix(parts.next()?)?;
    let mut filled = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        // The last part ends the sentence; what differs is shortest otherwise.
        let last = parts.peek().is_none();
        let (value, after) = if last { (rest.strip_suffix(part)?, "") } else { rest.split_once(part)? };
        filled.push(value.to_owned());
        rest = after;
    }
    rest.is_empty().then_some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_have_codes_and_what_differs() {
        let of = |why: &str| code(why).map(|(code, filled)| (code, filled.join("|")));
        assert_eq!(of("nobody can take it now"), Some(("nobody_now", String::new())));
        assert_eq!(of("triage changed the severity from soon to urgent"), Some(("severity_by_triage", "soon|urgent".into())));
        let offered =
            "longest-unoccupied/1: of those who can take it, unoccupied longest; severity soon, offer_seconds 60, max_overtakes 5";
        assert_eq!(of(offered), Some(("offered", "longest-unoccupied/1|soon|60|5".into())));
        let again = format!("{offered}; everybody who could take it had turned it down, so a new round begins");
        assert_eq!(of(&again), Some(("offered_again", "longest-unoccupied/1|soon|60|5".into())));
        let anew = format!("{offered}; everybody who could take it had been asked before, so a new round begins");
        assert_eq!(of(&anew), Some(("offered_anew", "longest-unoccupied/1|soon|60|5".into())));
        let emergency = "rule/1: an emergency goes to whoever is there, whatever they have on their hands, and first to who has least; \
                         offer_seconds 60";
        assert_eq!(of(emergency), Some(("emergency_offered", "rule/1|60".into())));
        let anew = format!("{emergency}; everybody who could take it had been asked before, so a new round begins");
        assert_eq!(of(&anew), Some(("emergency_offered_anew", "rule/1|60".into())));
        assert_eq!(of("the case was opened again"), Some(("opened_again", String::new())));
        for none in ["", "something else", "nobody can take it now, really"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
