//! What a mail or a text message says: that something waits, and where. No name, no clinic, no speciality, nothing of the conversation:
//! whoever else reads the mailbox or sees the telephone learns nothing. So the texts take nothing but a link.

use kernel::Language;

/// Path of the neutral page at which a visitor comes back.
pub const RETURN_PATH: &str = "/r";

/// A mail's subject and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub subject: &'static str,
    pub body: String,
}

/// The mail that tells a visitor that an answer waits. `public_url` is where the pages are; empty if that is not known.
pub fn answer_waits(language: Language, public_url: &str) -> Text {
    let (subject, hello, waits, here, there, end) = match language {
        Language::Swedish => (
            "Ett meddelande väntar på dig",
            "Hej!",
            "Det finns ett nytt meddelande till dig.",
            "Läs det här:",
            "Läs det på sidan där du skrev till oss.",
            "Det här mejlet har skickats automatiskt och går inte att svara på. Har du inte bett om det kan du bortse från det.",
        ),
        Language::Bokmal => (
            "En melding venter på deg",
            "Hei!",
            "Det har kommet en ny melding til deg.",
            "Les den her:",
            "Les den på siden der du skrev til oss.",
            "Denne e-posten er sendt automatisk og kan ikke besvares. Har du ikke bedt om den, kan du se bort fra den.",
        ),
        Language::Nynorsk => (
            "Ei melding ventar på deg",
            "Hei!",
            "Det har kome ei ny melding til deg.",
            "Les ho her:",
            "Les ho på sida der du skreiv til oss.",
            "Denne e-posten er send automatisk, og du kan ikkje svare på han. Har du ikkje bede om han, kan du sjå bort frå han.",
        ),
        Language::English => (
            "A message is waiting for you",
            "Hello,",
            "There is a new message for you.",
            "Read it here:",
            "Read it on the page where you wrote to us.",
            "This e-mail was sent automatically and cannot be replied to. If you did not ask for it, please ignore it.",
        ),
    };
    let place = match public_url.trim_end_matches('/') {
        "" => there.to_owned(),
        url => format!("{here}\n{url}{RETURN_PATH}"),
    };
    Text { subject, body: format!("{hello}\n\n{waits} {place}\n\n{end}\n") }
}

/// The same in one text message, which others may see on a locked screen.
pub fn answer_waits_short(language: Language, public_url: &str) -> String {
    let (waits, there) = match language {
        Language::Swedish => ("Ett meddelande väntar på dig", "på sidan där du skrev."),
        Language::Bokmal => ("En melding venter på deg", "på siden der du skrev."),
        Language::Nynorsk => ("Ei melding ventar på deg", "på sida der du skreiv."),
        Language::English => ("A message is waiting for you", "on the page where you wrote."),
    };
    match public_url.trim_end_matches('/') {
        "" => format!("{waits} {there}"),
        url => format!("{waits}: {url}{RETURN_PATH}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_its_own_text_with_the_link_on_a_line_of_its_own() {
        let mut subjects: Vec<_> = Language::ALL.iter().map(|language| answer_waits(*language, "").subject).collect();
        subjects.dedup();
        assert_eq!(subjects.len(), Language::ALL.len());
        for language in Language::ALL {
            let with = answer_waits(*language, "https://example.org/");
            assert!(with.body.lines().any(|line| line == "https://example.org/r"), "{}", with.body);
            assert!(!answer_waits(*language, "").body.contains("http"));
            let short = answer_waits_short(*language, "https://example.org/");
            assert!(short.ends_with(": https://example.org/r") && short.chars().count() <= 160, "{short}");
            assert!(!answer_waits_short(*language, "").contains("http"));
        }
    }
}
